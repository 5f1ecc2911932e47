//! How the web view draws. DMA-BUF rendering leaves windows blank with some graphics drivers, so it is off where that
//! is known, and turned off once when a window stays blank.
//!
//! WebKitGTK reads this from the environment when it starts its web process, and a process cannot safely change its
//! own environment while threads run: so the program replaces itself by itself.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// WebKitGTK's switch.
const SWITCH: &str = "WEBKIT_DISABLE_DMABUF_RENDERER";
/// There when the proprietary NVIDIA driver is loaded, with which windows stay blank.
const NVIDIA: &str = "/proc/driver/nvidia/version";

/// Starts again without DMA-BUF rendering where it is known to fail. Returns when there is nothing to do.
///
/// # Errors
/// The program could not be started again.
pub fn settle_before_start() -> io::Result<()> {
    if may_fall_back() && Path::new(NVIDIA).exists() {
        return Err(restart_plainly(Shown::AsTold));
    }
    Ok(())
}

/// Whether DMA-BUF rendering is on and nobody chose it: a window under automation is never restarted.
pub fn may_fall_back() -> bool {
    std::env::var_os(SWITCH).is_none() && std::env::var_os("TAURI_WEBVIEW_AUTOMATION").is_none()
}

/// What is to be seen after a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// What the arguments of this one say.
    AsTold,
    /// The window, whatever they say: somebody has asked for it meanwhile.
    Window,
}

/// Replaces this process by the program without DMA-BUF rendering; returns only when that fails.
pub fn restart_plainly(shown: Shown) -> io::Error {
    match std::env::current_exe() {
        Ok(program) => {
            let arguments = arguments(std::env::args_os().skip(1), shown);
            Command::new(program).args(arguments).env(SWITCH, "1").exec()
        }
        Err(error) => error,
    }
}

fn arguments(told: impl Iterator<Item = OsString>, shown: Shown) -> Vec<OsString> {
    told.filter(|argument| shown == Shown::AsTold || argument != crate::HIDDEN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_that_was_asked_for_comes_back() {
        let told = || ["--hidden"].map(OsString::from).into_iter();
        assert_eq!(arguments(told(), Shown::AsTold), ["--hidden"]);
        assert!(arguments(told(), Shown::Window).is_empty());
    }
}
