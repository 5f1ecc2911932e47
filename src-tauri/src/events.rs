//! The desk: hears the engine, the tray's menu, the bubbles and second starts, and passes each on to where it belongs.
//!
//! Waits for events of the engine and wishes of the person; hands events to the window, pictures to the tray and
//! bubbles to the notification daemon, the last two at most once a `PACE`; ends with the program.

use std::time::Duration;

use anyhow::Result;
use tauri::{AppHandle, Emitter, Runtime};
use tauri_plugin_autostart::ManagerExt;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tracing::{debug, warn};
use tributary_status::{Command, Event, NumberedEvent, Reply, Settings};

use crate::link::{self, Engine, Opened, Opening, Source};
use crate::notify::{Bubbles, Heard, Notifier};
use crate::tray::{Face, Tray};
use crate::wish::Wish;
use crate::{appearance, files, windows};

/// The one event under which the engine's events reach a window.
const ENGINE_EVENT: &str = "engine";
/// Shortest time between two changes of the tray or of a bubble: hosts redraw slowly, and menus are read.
const PACE: Duration = Duration::from_secs(1);

/// Does the desk's work until the program ends.
pub async fn run<R: Runtime>(
    app: AppHandle<R>,
    engine: Engine,
    opening: Opening,
    wishes: UnboundedSender<Wish>,
    mut asked: UnboundedReceiver<Wish>,
) {
    let (face, shown) = watch::channel(Face::starting());
    tauri::async_runtime::spawn(keep_tray(shown, wishes.clone()));
    let (said, mut heard) = mpsc::unbounded_channel();
    let mut notifier =
        Notifier::connect(said).await.inspect_err(|error| debug!(%error, "no notifications")).ok();

    let (opened, mut sources) = mpsc::unbounded_channel();
    tauri::async_runtime::spawn(link::keep_open(opening.clone(), opened, wishes));
    let mut failures = opening.subscribe();
    let mut desk = Desk { app, engine, face, bubbles: Bubbles::default(), settings: None, quitting: false };
    let mut events = None;
    let mut last_look = Instant::now();
    let mut next_look = None;
    loop {
        let due = next_look.unwrap_or_else(Instant::now);
        tokio::select! {
            event = hear(&mut events) => {
                match event {
                    Heeded::Event(event) => desk.hear(event),
                    Heeded::Gap => {} // The next number shows it to the window; the look below serves us.
                    Heeded::Gone => {
                        events = None;
                        continue;
                    }
                }
                next_look = next_look.or(Some((last_look + PACE).max(Instant::now())));
            }
            Some(source) = sources.recv() => {
                events = Some(source);
                next_look = Some(Instant::now());
            }
            Ok(()) = failures.changed() => {
                if let Opened::Failed(reason) = &*failures.borrow_and_update() {
                    desk.face.send_replace(Face::broken(reason));
                }
            }
            Some(wish) = asked.recv() => desk.grant(wish),
            Some(heard) = heard.recv() => {
                let Some(notifier) = &mut notifier else { continue };
                match heard {
                    Heard::Chosen(id, action) => {
                        if let Some(wish) = notifier.wish_of(id, &action) {
                            desk.grant(wish);
                        }
                    }
                    Heard::Closed(id) => {
                        if let Some(key) = notifier.forget(id) {
                            desk.bubbles.closed(&key);
                        }
                    }
                }
            }
            () = sleep_until(due), if next_look.is_some() => {
                next_look = None;
                last_look = Instant::now();
                desk.look().await;
                if let Some(notifier) = &mut notifier {
                    for change in desk.bubbles.take_due() {
                        notifier.apply(change).await;
                    }
                }
            }
        }
    }
}

/// Shows the newest face, and nothing older: a slow tray host delays nobody else.
async fn keep_tray(mut faces: watch::Receiver<Face>, wishes: UnboundedSender<Wish>) {
    let untold = appearance::untold();
    let (tone, mut tones) = watch::channel(untold);
    tauri::async_runtime::spawn(async move {
        if let Err(error) = appearance::follow(tone.clone()).await {
            debug!(%error, "no settings portal");
        }
        tone.closed().await;
    });
    let first = faces.borrow_and_update().clone();
    let tray = Tray::start(first, untold, wishes).await;
    loop {
        let (face, tone) = (faces.borrow_and_update().clone(), *tones.borrow_and_update());
        tray.show(face, tone).await;
        let still_there = tokio::select! {
            changed = faces.changed() => changed.is_ok(),
            changed = tones.changed() => changed.is_ok(),
        };
        if !still_there {
            return;
        }
    }
}

/// What came from the engine.
enum Heeded {
    Event(NumberedEvent),
    Gap,
    Gone,
}

/// The next event; for ever without a source.
async fn hear(events: &mut Option<Source>) -> Heeded {
    match events {
        Some(events) => match events.recv().await {
            Ok(event) => Heeded::Event(event),
            Err(RecvError::Lagged(_)) => Heeded::Gap,
            Err(RecvError::Closed) => Heeded::Gone,
        },
        None => std::future::pending().await,
    }
}

struct Desk<R: Runtime> {
    app: AppHandle<R>,
    engine: Engine,
    face: watch::Sender<Face>,
    bubbles: Bubbles,
    settings: Option<Settings>,
    quitting: bool,
}

impl<R: Runtime> Desk<R> {
    fn hear(&mut self, event: NumberedEvent) {
        if let Some(settings) = &self.settings {
            self.bubbles.hear(&event.event, &settings.notifications);
        }
        if matches!(event.event, Event::ShowWindow) {
            self.grant(Wish::Show(None));
        }
        // With no window open nobody listens, and that is no error.
        if let Err(error) = self.app.emit(ENGINE_EVENT, &event) {
            debug!(%error, "an event did not reach the window");
        }
    }

    /// Reads everything anew.
    async fn look(&mut self) {
        match self.engine.snapshot().await {
            Ok(snapshot) => {
                self.face.send_if_modified(|face| {
                    let new = Face::of(&snapshot);
                    let changed = *face != new;
                    *face = new;
                    changed
                });
                self.bubbles.look(&snapshot);
                let before = self.settings.replace(snapshot.settings.clone());
                if before.is_some_and(|before| before.start_at_login != snapshot.settings.start_at_login) {
                    self.set_autostart(snapshot.settings.start_at_login);
                }
            }
            Err(error) => {
                self.face.send_replace(Face::broken(&format!("{error:#}")));
            }
        }
    }

    /// Written only when a person changes it: the entry names this very program, whatever it was started from.
    fn set_autostart(&self, on: bool) {
        let autostart = self.app.autolaunch();
        let result = if on { autostart.enable() } else { autostart.disable() };
        if let Err(error) = result {
            warn!(%error, on, "could not change what starts with the session");
        }
    }

    /// Carries out a wish apart, so that a slow answer holds up nothing.
    fn grant(&mut self, wish: Wish) {
        if self.quitting {
            return;
        }
        self.quitting = wish == Wish::Quit;
        let (app, engine) = (self.app.clone(), self.engine.clone());
        tauri::async_runtime::spawn(async move {
            if let Err(error) = grant(&app, &engine, wish).await {
                warn!(error = format!("{error:#}"), "a wish was not granted");
            }
        });
    }
}

async fn grant<R: Runtime>(app: &AppHandle<R>, engine: &Engine, wish: Wish) -> Result<()> {
    let command = match wish {
        Wish::Show(view) => return windows::show(app, view).await,
        Wish::OpenFolder(folder) => return files::open_synced(engine, &folder).await,
        Wish::Quit => {
            crate::wind_down(app).await;
            app.exit(0);
            return Ok(());
        }
        Wish::SyncNow => Command::Sync { folder: None },
        Wish::Pause(length) => Command::Pause { folder: None, length },
        Wish::Resume => Command::Resume { folder: None },
        Wish::AnswerPairing { pairing, yes } => {
            Command::AnswerPairing { pairing, yes, folder: None, local_places: false }
        }
    };
    match engine.command(command).await {
        Reply::Failed { failure } => anyhow::bail!("{} {}", failure.sentence, failure.hint),
        _ => Ok(()),
    }
}
