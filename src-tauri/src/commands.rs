//! What a window may ask of the shell. Each is one step: the windows decide nothing, and the shell decides only what
//! concerns the desktop.

use std::path::PathBuf;

use serde::Serialize;
use tauri::{AppHandle, Runtime, State, WebviewWindow};
use tauri_plugin_dialog::{DialogExt, FileDialogBuilder, FilePath};
use tokio::sync::oneshot;
use tracing::warn;
use tributary_status::{Command, Reply};

use crate::files;
use crate::link::Engine;
use crate::windows::Painted;

/// Carries out a wish in the engine.
#[tauri::command]
pub async fn command(engine: State<'_, Engine>, command: Command) -> Result<Reply, ()> {
    Ok(engine.command(command).await)
}

/// What a window fills in before a person has chosen anything.
#[derive(Debug, Serialize)]
pub struct Suggestions {
    /// The person's home folder.
    home: String,
    /// Where a first folder would go.
    folder: String,
    /// This computer's name.
    computer: String,
}

/// What to fill in.
#[tauri::command]
pub fn suggestions() -> Suggestions {
    let home = std::env::home_dir().unwrap_or_else(|| PathBuf::from("/"));
    Suggestions {
        folder: home.join("Sync").display().to_string(),
        home: home.display().to_string(),
        computer: rustix::system::uname().nodename().to_string_lossy().into_owned(),
    }
}

/// Lets the person choose a folder; nothing when they change their mind.
#[tauri::command]
pub async fn choose_folder<R: Runtime>(app: AppHandle<R>, start: String) -> Option<String> {
    choose(&app, start, FileDialogBuilder::pick_folder).await
}

/// Lets the person choose a file; nothing when they change their mind.
#[tauri::command]
pub async fn choose_file<R: Runtime>(app: AppHandle<R>, start: String) -> Option<String> {
    choose(&app, start, FileDialogBuilder::pick_file).await
}

type Chosen = Box<dyn FnOnce(Option<FilePath>) + Send>;

async fn choose<R: Runtime>(
    app: &AppHandle<R>,
    start: String,
    pick: fn(FileDialogBuilder<R>, Chosen),
) -> Option<String> {
    let (chosen, answer) = oneshot::channel();
    let mut dialog = app.dialog().file();
    let start = PathBuf::from(start);
    // A path that is still being typed: start from what is there of it.
    if let Some(folder) = start.ancestors().find(|folder| folder.is_dir()) {
        dialog = dialog.set_directory(folder);
    }
    pick(
        dialog,
        Box::new(move |path| {
            let _ = chosen.send(path); // The window may be gone by now.
        }),
    );
    answer.await.ok()??.into_path().ok()?.into_os_string().into_string().ok()
}

/// Opens one of the synced folders in the file manager, and no other.
#[tauri::command]
pub async fn open_folder(engine: State<'_, Engine>, folder: String) -> Result<(), String> {
    files::open_synced(&engine, &folder).await.map_err(|error| {
        warn!(%error, "could not open a folder");
        format!("{error:#}")
    })
}

/// The first picture is on the screen.
#[tauri::command]
pub fn painted(painted: State<'_, Painted>) {
    painted.ring();
}

/// Closes the window that asks.
#[tauri::command]
pub fn close_window<R: Runtime>(window: WebviewWindow<R>) -> tauri::Result<()> {
    window.close()
}
