//! Desktop notifications, over org.freedesktop.Notifications itself: with buttons, replaced in place, withdrawn when
//! no longer true. A desktop without a notification daemon is no failure: the tray and the window say the same.
//!
//! Source: specifications.freedesktop.org/notification-spec 1.3.

mod bubbles;

use std::collections::HashMap;

use futures::StreamExt;
use tokio::sync::mpsc::UnboundedSender;
use tracing::debug;
use zbus::zvariant::Value;

pub use bubbles::{Bubbles, Button, Change, Note};

use crate::tray::escape;
use crate::wish::Wish;

/// The name of the installed desktop file, without its ending.
const DESKTOP_ENTRY: &str = "Tributary";
/// The icon's name in the theme, once installed.
const ICON: &str = "tributary";
/// Let the daemon decide how long a bubble stays.
const DEFAULT_TIMEOUT: i32 = -1;
/// It stays until it is closed.
const NEVER: i32 = 0;
/// The spec's name for a click on the bubble itself.
const DEFAULT_ACTION: &str = "default";
/// What the buttons are told apart by, in their order. The first does what a click on the bubble does, for desktops on
/// which a bubble itself cannot be clicked.
const BUTTONS: [&str; 3] = ["act", "second", "third"];

#[zbus::proxy(
    interface = "org.freedesktop.Notifications",
    default_service = "org.freedesktop.Notifications",
    default_path = "/org/freedesktop/Notifications"
)]
trait Notifications {
    #[allow(clippy::too_many_arguments)] // The specification's.
    fn notify(
        &self,
        app_name: &str,
        replaces_id: u32,
        app_icon: &str,
        summary: &str,
        body: &str,
        actions: &[&str],
        hints: HashMap<&str, Value<'_>>,
        expire_timeout: i32,
    ) -> zbus::Result<u32>;
    fn close_notification(&self, id: u32) -> zbus::Result<()>;
    fn get_capabilities(&self) -> zbus::Result<Vec<String>>;
    #[zbus(signal)]
    fn action_invoked(&self, id: u32, action_key: &str) -> zbus::Result<()>;
    #[zbus(signal)]
    fn notification_closed(&self, id: u32, reason: u32) -> zbus::Result<()>;
}

/// What the daemon said of a bubble.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// The person chose this action of it.
    Chosen(u32, String),
    /// It is gone.
    Closed(u32),
}

/// The bubbles that are on the screen.
pub struct Notifier {
    daemon: NotificationsProxy<'static>,
    shown: HashMap<String, Shown>,
}

/// A bubble on the screen.
struct Shown {
    id: u32,
    buttons: Vec<Button>,
}

impl Notifier {
    /// Connects to the session bus and passes on what the daemon says of bubbles.
    ///
    /// # Errors
    /// There is no session bus.
    pub async fn connect(heard: UnboundedSender<Heard>) -> zbus::Result<Self> {
        let bus = zbus::Connection::session().await?;
        let daemon = NotificationsProxy::builder(&bus)
            .cache_properties(zbus::proxy::CacheProperties::No)
            .build()
            .await?;
        let mut chosen = daemon.receive_action_invoked().await?;
        let mut closed = daemon.receive_notification_closed().await?;
        tauri::async_runtime::spawn(async move {
            loop {
                let said = tokio::select! {
                    Some(signal) = chosen.next() => signal.args().map(|args| Heard::Chosen(args.id, args.action_key.to_owned())),
                    Some(signal) = closed.next() => signal.args().map(|args| Heard::Closed(args.id)),
                    else => return,
                };
                if said.is_ok_and(|said| heard.send(said).is_err()) {
                    return;
                }
            }
        });
        Ok(Self { daemon, shown: HashMap::new() })
    }

    /// Carries out one change. A daemon that is missing or refuses is only logged.
    pub async fn apply(&mut self, change: Change) {
        let result = match change {
            Change::Show(note) => self.show(note).await,
            Change::Withdraw(key) => match self.shown.remove(&key) {
                Some(shown) => self.daemon.close_notification(shown.id).await,
                None => Ok(()),
            },
        };
        if let Err(error) = result {
            debug!(%error, "no notification");
        }
    }

    /// What the person asked for by choosing this action of a bubble, if it is ours.
    pub fn wish_of(&self, id: u32, action: &str) -> Option<Wish> {
        let shown = self.shown.values().find(|shown| shown.id == id)?;
        let at = match action {
            DEFAULT_ACTION => 0,
            _ => BUTTONS.iter().position(|key| *key == action)?,
        };
        shown.buttons.get(at).map(|button| button.wish.clone())
    }

    /// Forgets a bubble that is gone, and tells which it was.
    pub fn forget(&mut self, id: u32) -> Option<String> {
        let key = self.shown.iter().find(|(_, shown)| shown.id == id).map(|(key, _)| key.clone())?;
        self.shown.remove(&key);
        Some(key)
    }

    async fn show(&mut self, note: Note) -> zbus::Result<()> {
        // Asked each time: a daemon may be replaced while we run, and a bubble is rare.
        let capabilities = self.daemon.get_capabilities().await?;
        let can = |what: &str| capabilities.iter().any(|capability| capability == what);
        let body = if can("body-markup") { escape(&note.body) } else { note.body };
        let mut actions = Vec::new();
        if can("actions") {
            let keys = std::iter::once((DEFAULT_ACTION, note.buttons.first()))
                .chain(BUTTONS.into_iter().zip(note.buttons.iter().map(Some)));
            actions.extend(keys.filter_map(|(key, button)| Some([key, button?.label])).flatten());
        }
        let hints = HashMap::from([
            ("desktop-entry", Value::from(DESKTOP_ENTRY)),
            ("category", Value::from(note.category)),
            ("urgency", Value::from(note.urgency)),
        ]);
        let timeout = if note.stays { NEVER } else { DEFAULT_TIMEOUT };
        let replaces = self.shown.get(&note.key).map_or(0, |shown| shown.id);
        let id = self
            .daemon
            .notify("Tributary", replaces, ICON, &note.summary, &body, &actions, hints, timeout)
            .await?;
        self.shown.insert(note.key, Shown { id, buttons: note.buttons });
        Ok(())
    }
}

#[cfg(test)]
mod tests;
