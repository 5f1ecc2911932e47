//! The shell: hosts the engine, and shows it in the tray, in a window and in notifications. Alone in knowing Tauri.

mod appearance;
mod commands;
mod events;
mod files;
mod first_paint;
mod invited;
mod link;
mod link_handler;
mod notify;
pub mod points;
mod rendering;
#[cfg(test)]
mod testing;
mod tray;
mod web_processes;
mod windows;
mod wish;

use anyhow::{Context, Result};
use tauri::{AppHandle, Manager, RunEvent, Runtime};
use tauri_plugin_autostart::MacosLauncher;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{self, UnboundedSender};
use tracing::{debug, info, warn};

use crate::first_paint::FirstPaint;
pub use crate::invited::Clicked;
use crate::invited::Invited;
use crate::link::Engine;
use crate::wish::Wish;

/// How to start.
#[derive(Debug, Clone, Default)]
pub struct Start {
    /// Without a window.
    pub hidden: bool,
    /// With an invitation that was clicked; a window shows it whatever else is said.
    pub invitation: Option<Clicked>,
}

/// What a second start says to the first: nothing but its arguments.
const HIDDEN: &str = "--hidden";

/// Runs the program until a person quits it or the system ends it.
///
/// # Errors
/// The desktop cannot be reached: no display, or no toolkit.
pub fn run(start: Start) -> Result<()> {
    rendering::settle_before_start().context("starting again with plain rendering")?;
    let (wishes, asked) = mpsc::unbounded_channel();
    let (opening, engine) = Engine::opening();
    let second_start = wishes.clone();
    let invited = Invited::default();
    let hidden = start.hidden && start.invitation.is_none();
    if let Some(link) = start.invitation {
        invited.put(link);
    }
    let clicked = invited.clone();
    let single = tauri_plugin_single_instance::Builder::new()
        .dbus_id(link::instance_id())
        .callback(move |_app, arguments, _folder| {
            let link = arguments.iter().skip(1).find_map(|argument| Clicked::of(argument));
            let shown = link.is_some() || !arguments.iter().any(|argument| argument == HIDDEN);
            if let Some(link) = link {
                clicked.put(link);
            }
            if shown {
                let _ = second_start.send(Wish::Show(None)); // The other end is gone only while the program ends.
            }
        })
        .build();
    let app = tauri::Builder::default()
        .plugin(single)
        .plugin(tauri_plugin_dialog::init())
        .plugin(tauri_plugin_autostart::init(MacosLauncher::LaunchAgent, Some(vec![HIDDEN])))
        .manage(engine.clone())
        .manage(invited)
        .manage(FirstPaint::default())
        .on_window_event(windows::hear)
        .invoke_handler(tauri::generate_handler![
            commands::command,
            commands::suggestions,
            commands::choose_folder,
            commands::choose_file,
            commands::look_at_point,
            commands::open_folder,
            commands::take_invitation,
            commands::painted,
            commands::unpainted,
            commands::close_window,
        ])
        .setup(move |app| {
            let app = app.handle().clone();
            if !hidden {
                windows::show_here(&app, None)?;
            }
            tauri::async_runtime::spawn(quit_on_signal(wishes.clone()));
            tauri::async_runtime::spawn_blocking(|| {
                if let Err(error) = link_handler::offer() {
                    debug!(error = format!("{error:#}"), "clicked invitations do not open this program");
                }
            });
            tauri::async_runtime::spawn(events::run(app, engine, opening, wishes, asked));
            Ok(())
        })
        .build(tauri::generate_context!())
        .context("the desktop cannot be reached")?;
    app.run(|_app, event| {
        // The last window was closed: the program lives on in the tray. `exit` comes with a code and ends it.
        if let RunEvent::ExitRequested { code: None, api, .. } = event {
            api.prevent_exit();
        }
    });
    Ok(())
}

/// Ends the program cleanly when the session or a person says so.
async fn quit_on_signal(wishes: UnboundedSender<Wish>) {
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        warn!("signals cannot be heard; quit from the tray");
        return;
    };
    tokio::select! {
        _ = terminate.recv() => info!("asked to end"),
        _ = interrupt.recv() => info!("interrupted"),
    }
    let _ = wishes.send(Wish::Quit);
}

/// Stops the engine if it is hosted here, so that everything it knows is on disk.
pub(crate) async fn wind_down<R: Runtime>(app: &AppHandle<R>) {
    if let Some(assistant) = app.state::<Engine>().now() {
        assistant.stop().await;
    }
}
