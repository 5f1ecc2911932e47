//! What a person asks of the shell from outside a window: the tray's menu, a notification's button, a second start.

use serde::Serialize;
use tributary_status::PauseLength;

/// A wish that the shell carries out.
#[derive(Debug, Clone, PartialEq)]
pub enum Wish {
    /// Show the window, at this view or where it is.
    Show(Option<View>),
    /// Open a synced folder in the file manager.
    OpenFolder(String),
    /// Look everywhere now.
    SyncNow,
    /// Stop syncing for a while.
    Pause(PauseLength),
    /// Go on.
    Resume,
    /// Let in somebody who asks to join, or do not.
    AnswerPairing {
        /// The pairing that asks.
        pairing: String,
        /// Whether to let them in.
        yes: bool,
    },
    /// End the program.
    Quit,
}

/// The window's views that the shell can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum View {
    /// The computers, friends and storage.
    Places,
    /// The problems.
    Problems,
    /// What a person chooses.
    Settings,
}

impl View {
    /// Its name in the window's address and events.
    pub fn name(self) -> &'static str {
        match self {
            Self::Places => "places",
            Self::Problems => "problems",
            Self::Settings => "settings",
        }
    }
}
