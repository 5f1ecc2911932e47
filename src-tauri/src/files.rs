//! Opening a synced folder in the file manager.
//!
//! Source: freedesktop.org/wiki/Specifications/file-manager-interface (`org.freedesktop.FileManager1`), which brings
//! the file manager to the front; `xdg-open` where none offers it.

use std::ffi::OsStr;
use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;

use anyhow::{Context, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tracing::debug;

use crate::link::Engine;

#[zbus::proxy(
    interface = "org.freedesktop.FileManager1",
    default_service = "org.freedesktop.FileManager1",
    default_path = "/org/freedesktop/FileManager1"
)]
trait FileManager1 {
    fn show_folders(&self, uris: &[&str], startup_id: &str) -> zbus::Result<()>;
}

/// Opens this folder if it is one of the synced ones: a window cannot make the shell open anything else.
///
/// # Errors
/// It is not one of them, or nothing on this desktop opens folders.
pub async fn open_synced(engine: &Engine, folder: &str) -> Result<()> {
    let snapshot = engine.snapshot().await?;
    let Some(known) = snapshot.folders.iter().find(|known| known.path == folder) else {
        bail!("{folder} is not a synced folder");
    };
    let path = match &known.path_base64 {
        Some(bytes) => STANDARD.decode(bytes).context("the engine's path is not base64")?,
        None => known.path.clone().into_bytes(),
    };
    match show_folder(&path).await {
        Ok(()) => Ok(()),
        Err(error) => {
            debug!(%error, "no file manager on the bus; trying xdg-open");
            let mut opened = tokio::process::Command::new("xdg-open")
                .arg(OsStr::from_bytes(&path))
                .stdin(std::process::Stdio::null())
                .spawn()
                .context("nothing on this desktop opens folders: neither a file manager nor xdg-open")?;
            // Waited for apart, because some handlers stay until the file manager ends.
            tauri::async_runtime::spawn(async move { opened.wait().await });
            Ok(())
        }
    }
}

async fn show_folder(path: &[u8]) -> zbus::Result<()> {
    let bus = zbus::Connection::session().await?;
    FileManager1Proxy::new(&bus).await?.show_folders(&[&file_uri(path)], "").await
}

/// A `file:` URI of a path's bytes: all but unreserved characters and `/` percent-encoded (RFC 3986, RFC 8089).
fn file_uri(path: &[u8]) -> String {
    let mut uri = String::from("file://");
    for &byte in path {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(byte.into())
            }
            _ => write!(uri, "%{byte:02X}").expect("a String takes all text"),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::file_uri;

    #[test]
    fn a_uri_holds_any_path() {
        assert_eq!(file_uri(b"/home/ann/a b#\xff"), "file:///home/ann/a%20b%23%FF");
    }
}
