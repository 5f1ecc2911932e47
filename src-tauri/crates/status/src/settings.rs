//! What a person chose, apart from folders and the account.

use serde::{Deserialize, Serialize};

/// What the person chose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct Settings {
    /// Whether the program starts with the session.
    pub start_at_login: bool,
    /// Which notifications are shown.
    pub notifications: NotificationSettings,
    /// Where the account's password is kept.
    pub keyring: KeyringChoice,
    /// The name of this computer, as others see it in descriptions of new folders.
    pub computer_name: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            start_at_login: false,
            notifications: NotificationSettings::default(),
            keyring: KeyringChoice::System,
            computer_name: String::new(),
        }
    }
}

/// Which notifications are shown: one switch per kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct NotificationSettings {
    /// A first sync is complete.
    pub first_sync: bool,
    /// Others' changes arrived.
    pub changes_arrived: bool,
    /// A person is needed.
    pub needs_you: bool,
    /// Both sides changed the same file.
    pub conflicts: bool,
}

impl Default for NotificationSettings {
    fn default() -> Self {
        Self { first_sync: true, changes_arrived: true, needs_you: true, conflicts: true }
    }
}

/// Where the account's password is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub enum KeyringChoice {
    /// The desktop's keyring.
    System,
    /// A file that only the person can read (0600), for machines without a keyring; the person's own choice.
    File,
}
