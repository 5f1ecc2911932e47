//! What a window may ask of the shell. Each is one step: the windows decide nothing, and the shell decides only what
//! concerns the desktop.

use std::path::PathBuf;

use serde::Serialize;
use tauri::{Runtime, State, WebviewWindow};
use tauri_plugin_dialog::{DialogExt, FileDialogBuilder, FilePath};
use tokio::sync::oneshot;
use tracing::warn;
use tributary_status::{Command, Reply};

use crate::first_paint::FirstPaint;
use crate::invited::Invited;
use crate::link::Engine;
use crate::points::Point;
use crate::{files, points};

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
pub async fn choose_folder<R: Runtime>(window: WebviewWindow<R>, start: String) -> Option<String> {
    choose(&window, start, FileDialogBuilder::pick_folder).await
}

/// Lets the person choose a file; nothing when they change their mind.
#[tauri::command]
pub async fn choose_file<R: Runtime>(window: WebviewWindow<R>, start: String) -> Option<String> {
    choose(&window, start, FileDialogBuilder::pick_file).await
}

type Chosen = Box<dyn FnOnce(Option<FilePath>) + Send>;

async fn choose<R: Runtime>(
    window: &WebviewWindow<R>,
    start: String,
    pick: fn(FileDialogBuilder<R>, Chosen),
) -> Option<String> {
    let (chosen, answer) = oneshot::channel();
    // Belongs to the window, so that it opens over it and stays there.
    let mut dialog = window.dialog().file().set_parent(window);
    let start = PathBuf::from(start);
    // A path that is still being typed: start from what is there of it; at home when nothing is.
    let home = std::env::home_dir();
    if let Some(folder) = start.ancestors().chain(home.as_deref()).find(|folder| folder.is_dir()) {
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

/// What a path means as the transfer point of a folder that is called `name`.
#[tauri::command]
pub async fn look_at_point(path: String, name: String) -> Result<Point, ()> {
    // A share that hangs holds up this answer and nothing else.
    let look = tauri::async_runtime::spawn_blocking(move || points::look(&path, &name));
    Ok(look.await.expect("looking does not panic"))
}

/// Opens one of the synced folders in the file manager, and no other.
#[tauri::command]
pub async fn open_folder(engine: State<'_, Engine>, folder: String) -> Result<(), String> {
    files::open_synced(&engine, &folder).await.map_err(|error| {
        warn!(%error, "could not open a folder");
        format!("{error:#}")
    })
}

/// The invitation that was clicked, once; nothing when none was.
#[tauri::command]
pub fn take_invitation(invited: State<'_, Invited>) -> Option<String> {
    invited.take()
}

/// The first picture is on the screen.
#[tauri::command]
pub fn painted(paint: State<'_, FirstPaint>) {
    paint.painted();
}

/// It is not there yet. Answers whether to say so again.
#[tauri::command]
pub fn unpainted(paint: State<'_, FirstPaint>, visible: bool) -> bool {
    paint.unpainted(visible)
}

/// Closes the window that asks.
#[tauri::command]
pub fn close_window<R: Runtime>(window: WebviewWindow<R>) -> tauri::Result<()> {
    window.close()
}
