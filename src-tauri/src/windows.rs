//! The main window: made when it is opened, destroyed when it is closed. With no window open there is no web process.

use std::time::Duration;

use anyhow::{Context, Result};
use tauri::{AppHandle, Emitter, Manager, Runtime, WebviewUrl, WebviewWindowBuilder, WindowEvent};
use tracing::{debug, info, warn};

use crate::first_paint::{FirstPaint, Page};
use crate::rendering::Shown;
use crate::wish::View;
use crate::{rendering, web_processes};

/// The main window's label, as in tauri.conf.json.
const MAIN: &str = "main";
/// The event that asks an open window for a view.
const VIEW_EVENT: &str = "view";
/// Who closes the window and opens it again at once gets it without a wait for what was ended meanwhile.
const SECOND_THOUGHT: Duration = Duration::from_secs(3);

/// Brings the window to the front, making it if there is none, at this view if one is asked for.
///
/// # Errors
/// The window could not be made.
pub fn show<R: Runtime>(app: &AppHandle<R>, view: Option<View>) -> Result<()> {
    if let Some(window) = app.get_webview_window(MAIN) {
        window.unminimize().context("bringing the window back")?;
        window.set_focus().context("bringing the window to the front")?;
        if let Some(view) = view {
            window.emit(VIEW_EVENT, view).context("asking the window for a view")?;
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
    let window = WebviewWindowBuilder::from_config(app, &config)
        .and_then(WebviewWindowBuilder::build)
        .context("making the window")?;
    let closed = app.clone();
    window.on_window_event(move |event| {
        if matches!(event, WindowEvent::Destroyed) {
            tauri::async_runtime::spawn(settle(closed.clone()));
        }
    });
    if let Some(page) = page {
        tauri::async_runtime::spawn(watch_first_paint(app.clone(), page));
    }
    Ok(())
}

/// Gives back what a window needed, unless there is one again.
async fn settle<R: Runtime>(app: AppHandle<R>) {
    tokio::time::sleep(SECOND_THOUGHT).await;
    let asked = app.clone();
    // Windows are made on the main thread: none can come up between the look and what follows.
    let settled = app.run_on_main_thread(move || {
        if asked.get_webview_window(MAIN).is_none() {
            web_processes::end_idle();
        }
    });
    if let Err(error) = settled {
        debug!(%error, "the program ends");
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
