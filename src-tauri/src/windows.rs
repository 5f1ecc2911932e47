//! The main window: made when it is opened, destroyed when it is closed. With no window open there is no web process.

use std::time::Duration;

use anyhow::{Context, Result};
use tauri::{AppHandle, Emitter, Manager, Runtime, WebviewUrl, WebviewWindowBuilder, Window, WindowEvent};
use tokio::sync::oneshot;
use tracing::{debug, info, warn};

use crate::first_paint::{FirstPaint, Page};
use crate::invited::Invited;
use crate::rendering::Shown;
use crate::wish::View;
use crate::{rendering, web_processes};

/// The main window's label, as in tauri.conf.json.
const MAIN: &str = "main";
/// The event that asks an open window for a view.
const VIEW_EVENT: &str = "view";
/// The event that tells an open window that an invitation was clicked. A new one asks by itself.
const INVITED_EVENT: &str = "invited";
/// Who closes the window and opens it again at once gets it without a wait for what was ended meanwhile.
const SECOND_THOUGHT: Duration = Duration::from_secs(3);
/// So many looks in a row find nothing before it is over: a process may still have been starting during the first.
const CALM: u32 = 2;
/// So often it is looked whether anything is left: what cannot be ended is not worth more.
const MOST_LOOKS: u32 = 20;

/// Brings the window to the front, making it if there is none, at this view if one is asked for.
///
/// On the main thread, as all that happens to windows: from another one, a window that is closed while it is made would
/// be listed for ever after, and no other could be opened.
///
/// # Errors
/// The window could not be made, or the program ends.
pub async fn show<R: Runtime>(app: &AppHandle<R>, view: Option<View>) -> Result<()> {
    let (answer, shown) = oneshot::channel();
    let asked = app.clone();
    app.run_on_main_thread(move || {
        let _ = answer.send(show_here(&asked, view)); // Who asked is gone only when the program ends.
    })
    .context("reaching the main thread")?;
    shown.await.context("the program ends")?
}

/// As [`show`], on the main thread.
///
/// # Errors
/// The window could not be made.
pub fn show_here<R: Runtime>(app: &AppHandle<R>, view: Option<View>) -> Result<()> {
    if let Some(window) = app.get_webview_window(MAIN) {
        window.unminimize().context("bringing the window back")?;
        window.set_focus().context("bringing the window to the front")?;
        if let Some(view) = view {
            window.emit(VIEW_EVENT, view).context("asking the window for a view")?;
        }
        if app.state::<Invited>().waits() {
            window.emit(INVITED_EVENT, ()).context("telling the window of an invitation")?;
        }
        return Ok(());
    }
    let mut config = app
        .config()
        .app
        .windows
        .iter()
        .find(|window| window.label == MAIN)
        .context("tauri.conf.json describes no main window")?
        .clone();
    if let Some(view) = view {
        config.url = WebviewUrl::App(format!("index.html#{}", view.name()).into());
    }
    // From before the page can say a word.
    let page = rendering::may_fall_back().then(|| app.state::<FirstPaint>().begin());
    WebviewWindowBuilder::from_config(app, &config)
        .and_then(WebviewWindowBuilder::build)
        .context("making the window")?;
    if let Some(page) = page {
        tauri::async_runtime::spawn(watch_first_paint(app.clone(), page));
    }
    Ok(())
}

/// Takes what happened to a window. To be told from the start: a window can be closed as soon as it is there.
pub fn hear<R: Runtime>(window: &Window<R>, event: &WindowEvent) {
    if matches!(event, WindowEvent::Destroyed) {
        tauri::async_runtime::spawn(settle(window.app_handle().clone()));
    }
}

/// Gives back what a window needed, unless there is one again. What was ended may be started anew by a page that was still
/// on its way out, so it looks until nothing is left.
async fn settle<R: Runtime>(app: AppHandle<R>) {
    let mut calm = 0;
    for _ in 0..MOST_LOOKS {
        tokio::time::sleep(SECOND_THOUGHT).await;
        let (answer, left) = oneshot::channel();
        let asked = app.clone();
        // Windows are made on the main thread: none can come up between the look and what follows.
        let looked = app.run_on_main_thread(move || {
            let left = asked.get_webview_window(MAIN).is_none() && web_processes::end_idle();
            let _ = answer.send(left); // Who asked is gone only when the program ends.
        });
        if let Err(error) = looked {
            debug!(%error, "the program ends");
            return;
        }
        calm = if left.await.unwrap_or(false) { 0 } else { calm + 1 };
        if calm == CALM {
            return;
        }
    }
}

/// Some graphics drivers leave the web view blank with DMA-BUF rendering: then starts again once without it.
async fn watch_first_paint<R: Runtime>(app: AppHandle<R>, page: Page) {
    // Who closed the window does not want it back.
    if !page.stays_blank().await || app.get_webview_window(MAIN).is_none() {
        return;
    }
    info!("the window stays blank; starting again with plain rendering");
    crate::wind_down(&app).await;
    web_processes::end_all();
    warn!(error = %rendering::restart_plainly(Shown::Window), "could not start again");
    app.exit(1);
}
