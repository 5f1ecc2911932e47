//! The buttons of notifications. dunst shows them in a menu that another program draws: here one that chooses by itself,
//! so that it is the daemon who says which button was pressed.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use super::{CALL_LIMIT, Desktop};
use crate::deadline::{eventually, within};
use crate::sandbox::Sandbox;

/// Which button is to be pressed, for the program that stands in for the menu of buttons.
const WANTED_BUTTON: &str = "notification-button-wanted";
/// The line of the menu that it chose.
const PRESSED_BUTTON: &str = "notification-button-pressed";
/// How long the menu may take to be chosen from before it is asked for again: it was empty then.
const BUTTON_LIMIT: Duration = Duration::from_secs(5);

impl Desktop {
    /// Waits until a notification is on the screen and presses a button of it: of the only one that has a button of this
    /// name.
    ///
    /// # Panics
    ///
    /// When none has one, or the notification daemon does not answer.
    #[track_caller]
    pub fn press_notification_button(&self, label: &str) {
        let (wanted, pressed) = (self.sandbox.join(WANTED_BUTTON), self.sandbox.join(PRESSED_BUTTON));
        fs::write(&wanted, label).expect("our own folder can be written");
        // dunst shows buttons in a menu that another program draws, and a bubble is a moment on its way to it.
        eventually(CALL_LIMIT, "the button is there to be pressed", || {
            self.run("dunstctl", &["context"]).ok();
            within(BUTTON_LIMIT, || fs::read_to_string(&pressed).ok().filter(|line| !line.is_empty()))
        });
        fs::remove_file(&wanted)
            .and_then(|()| fs::remove_file(&pressed))
            .expect("our own folder can be written");
    }
}

/// Has dunst, as it is set up on this machine, ask our own program which button a person presses.
pub(super) fn write_menu(sandbox: &Sandbox) {
    let menu = sandbox.dir("bin").join("choose-button");
    let (wanted, pressed) = (sandbox.join(WANTED_BUTTON), sandbox.join(PRESSED_BUTTON));
    let script = format!(
        "#!/bin/sh\ngrep -F -e \"#$(cat '{wanted}') \" | head -n 1 | tee '{pressed}'\n",
        wanted = wanted.display(),
        pressed = pressed.display()
    );
    fs::write(&menu, script).expect("our own folder can be written");
    fs::set_permissions(&menu, fs::Permissions::from_mode(0o755)).expect("our own file can be changed");
    // What is set beside a file is read only where there is one.
    let dir = sandbox.dir("home/.config/dunst");
    let machine = fs::read("/etc/xdg/dunst/dunstrc").unwrap_or_default();
    fs::write(dir.join("dunstrc"), machine).expect("our own folder can be written");
    let set = format!("[global]\ndmenu = {}\n", menu.display());
    fs::write(sandbox.dir("home/.config/dunst/dunstrc.d").join("50-menu.conf"), set)
        .expect("our own folder can be written");
}
