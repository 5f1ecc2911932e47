//! A desktop session without a screen: X server, session bus, window manager, keyring, notification daemon, and a panel
//! with a tray.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::sandbox::Sandbox;

/// A desktop session in a sandbox of its own; all its programs end with this value.
#[derive(Debug)]
pub struct Desktop {
    sandbox: Sandbox,
}

/// An item in the tray.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrayItem {
    /// Its name on the bus.
    pub bus: String,
    /// Its object.
    pub path: String,
}

/// An entry of a tray menu.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrayMenuEntry {
    /// Its number, which may change.
    pub id: i32,
    /// Its text, without the underscore of a shortcut.
    pub label: String,
    /// Whether it can be chosen.
    pub enabled: bool,
    /// Whether it is shown.
    pub visible: bool,
    /// Whether it has a tick, when it can have one.
    pub checked: Option<bool>,
    /// Its submenu.
    pub children: Vec<TrayMenuEntry>,
}

/// A notification that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// The program's name.
    pub app: String,
    /// The notification that it takes the place of; 0 for a new one.
    pub replaces: u32,
    /// The title.
    pub summary: String,
    /// The text.
    pub body: String,
    /// The identifiers and labels of its buttons.
    pub actions: Vec<String>,
}

impl Desktop {
    /// The programs it needs, for [`need_all`](crate::need_all).
    pub const NEEDS: &'static [&'static str] = &[
        "Xvfb",
        "dbus-daemon",
        "dbus-monitor",
        "openbox",
        "gnome-keyring-daemon",
        "dunst",
        "xfce4-panel",
        "busctl",
        "gdbus",
        "secret-tool",
        "import",
        "xdotool",
    ];

    /// Starts the whole session.
    ///
    /// # Panics
    ///
    /// With the log of the program that does not come up.
    #[track_caller]
    pub fn start() -> Self {
        todo!()
    }

    /// Its sandbox, whose environment leads to display and bus.
    pub fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// A command in the session.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        self.sandbox.command(program)
    }

    /// The items in the tray.
    #[track_caller]
    pub fn tray_items(&self) -> Vec<TrayItem> {
        todo!()
    }

    /// The properties of a tray item (`Title`, `ToolTip`, `Status`, `IconName`, …), as `busctl --json=short` gives
    /// them: `properties["Title"]["data"]`.
    #[track_caller]
    pub fn tray_properties(&self, item: &TrayItem) -> Value {
        let _ = item;
        todo!()
    }

    /// The menu of a tray item.
    #[track_caller]
    pub fn tray_menu(&self, item: &TrayItem) -> Vec<TrayMenuEntry> {
        let _ = item;
        todo!()
    }

    /// Chooses the entry with that label; `["Pause", "30 minutes"]` leads into a submenu.
    ///
    /// # Panics
    ///
    /// With the menu when there is no such entry.
    #[track_caller]
    pub fn tray_click(&self, item: &TrayItem, labels: &[&str]) {
        let _ = (item, labels);
        todo!()
    }

    /// The notifications sent since the session's start, oldest first.
    #[track_caller]
    pub fn notifications(&self) -> Vec<Notification> {
        todo!()
    }

    /// Writes a picture of the whole screen to `file` (PNG).
    #[track_caller]
    pub fn screenshot(&self, file: &Path) {
        let _ = file;
        todo!()
    }

    /// The secret in the keyring with these attributes.
    #[track_caller]
    pub fn secret_lookup(&self, attributes: &[(&str, &str)]) -> Option<String> {
        let _ = attributes;
        todo!()
    }
}
