//! Commands: wishes of a person, from a window or from `trib`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{KeyringChoice, ProblemCode, Settings};

/// A wish. Folders and files are absolute paths.
///
/// Paths are carried as base64 of their bytes in `…Base64` fields where a command line may name a path that is
/// not UTF-8; a window only names paths it got from the snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub enum Command {
    /// Show me everything.
    Status {
        /// Only this folder.
        folder: Option<String>,
    },
    /// Make this folder a synced one: a new repository, or the git-annex repository that is there.
    AddFolder {
        /// The folder; made when missing.
        folder: String,
        /// How others see this computer in it.
        description: Option<String>,
    },
    /// Get an existing folder from a git remote.
    CloneFolder {
        /// Where from: a path, an ssh URL, and what git understands.
        url: String,
        /// Where to; made when missing, must be empty.
        folder: String,
        /// What that place is called here; `origin`, as git has it, when nothing is said.
        #[serde(default)]
        place: Option<String>,
        /// How others see this computer in it.
        description: Option<String>,
    },
    /// Forget this folder; its files stay.
    RemoveFolder {
        /// The folder.
        folder: String,
    },
    /// Add a git remote.
    AddGitRemote {
        /// The folder.
        folder: String,
        /// Its name.
        name: String,
        /// A path, an ssh URL, and what git understands.
        url: String,
        /// Make a bare repository there hold contents too.
        contents: bool,
    },
    /// Enable the special remote of this name, or make it.
    AddSpecialRemote {
        /// The folder.
        folder: String,
        /// Its name.
        name: String,
        /// git-annex's own parameters: `type`, `encryption`, `directory`, …
        parameters: BTreeMap<String, String>,
    },
    /// List the remotes.
    ListRemotes {
        /// The folder.
        folder: String,
    },
    /// Forget a remote here; what it holds stays.
    RemoveRemote {
        /// The folder.
        folder: String,
        /// Its name.
        name: String,
    },
    /// Confirm a place that somebody else set up, so that contents may go there.
    ConfirmPlace {
        /// The folder.
        folder: String,
        /// The place's name.
        name: String,
    },
    /// Test the account's steps, store the password and stay logged in.
    Login(LoginForm),
    /// Log out and forget the account and its password.
    Logout,
    /// Look everywhere now.
    Sync {
        /// The folder; all when absent.
        folder: Option<String>,
    },
    /// Answer when nothing is pending, arriving, failed or held.
    Wait {
        /// The folder.
        folder: String,
        /// How long, seconds; for ever when absent.
        timeout_secs: Option<f64>,
    },
    /// Who has the content of this file.
    Whereis {
        /// The file, base64 of its bytes.
        path_base64: String,
    },
    /// Keep the content of this file here.
    Get {
        /// The file or folder, base64 of its bytes.
        path_base64: String,
    },
    /// Let go of the content of this file here, if enough other copies are verified.
    DropContent {
        /// The file or folder, base64 of its bytes.
        path_base64: String,
    },
    /// List the held deletions, or answer for them.
    Held {
        /// The folder.
        folder: String,
        /// The answer; a list when absent.
        answer: Option<HeldAnswer>,
    },
    /// Stop syncing for a while.
    Pause {
        /// The folder; all when absent.
        folder: Option<String>,
        /// For how long.
        length: PauseLength,
    },
    /// Go on.
    Resume {
        /// The folder; all when absent.
        folder: Option<String>,
    },
    /// Invite somebody to a folder: another computer of one's own, or a friend's.
    Invite {
        /// The folder.
        folder: String,
        /// They may only read it.
        read_only: bool,
        /// Whoever has the invitation is let in without a further question.
        accept: bool,
    },
    /// Join a folder by an invitation.
    Join {
        /// The link or the code.
        invitation: String,
        /// Where to put the folder; in the home folder, under its own name, when absent.
        folder: Option<String>,
        /// The account of who shows the code; one's own when absent.
        from: Option<String>,
        /// Say yes to what is offered, and use places on this machine that are there. Without it the offer is the reply.
        yes: bool,
    },
    /// Answer a pairing that waits for a person: somebody who asks to be let in, or an offer.
    AnswerPairing {
        /// The pairing, or what the other computer is called.
        pairing: String,
        /// Yes, or no. A no to an invitation that nobody came for, or to a try to join, gives that up.
        yes: bool,
        /// Where to put an offered folder, if not where the offer says.
        folder: Option<String>,
        /// Use the offered places that are folders of this machine.
        local_places: bool,
    },
    /// Give up an invitation or a try to join; the other side hears of it.
    CancelPairing {
        /// The pairing.
        pairing: String,
    },
    /// Who is paired, and what is under way.
    Peers {
        /// Only with this folder.
        folder: Option<String>,
    },
    /// Take back everything that was given to a paired computer.
    Unpair {
        /// Its fingerprint, or what it is called.
        peer: String,
    },
    /// A problem with nothing to do about it was read; it is shown no more.
    Dismiss {
        /// Its kind.
        code: ProblemCode,
        /// What it is about.
        subject: String,
    },
    /// Change the settings.
    SetSettings {
        /// All of them.
        settings: Settings,
    },
    /// What is missing on this machine, and facts for a bug report, without secrets.
    Doctor,
    /// Ask the shell that hosts this engine to show its window.
    ShowWindow,
    /// End the engine.
    Quit,
}

/// The account form. The password crosses the border once, and is in no snapshot, event or log.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct LoginForm {
    /// The account's address: `user@domain`.
    pub jid: String,
    /// The password, or where it comes from.
    pub password: SecretSource,
    /// `HOST:PORT` in place of a name lookup.
    pub server: Option<String>,
    /// A file with the only certificate authorities that are trusted, PEM.
    pub ca_file: Option<String>,
    /// The SHA-256 of a certificate that the person confirmed, 64 hex digits.
    pub pin: Option<String>,
    /// Where the password is kept from now on; as before when absent.
    pub keyring: Option<KeyringChoice>,
}

impl std::fmt::Debug for LoginForm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LoginForm")
            .field("jid", &self.jid)
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}

/// Where a password comes from.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub enum SecretSource {
    /// The person typed it.
    Typed {
        /// The password.
        password: String,
    },
    /// The one that is kept already.
    Kept,
}

impl std::fmt::Debug for SecretSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Typed { .. } => "Typed(…)",
            Self::Kept => "Kept",
        })
    }
}

/// What to do with held deletions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub enum HeldAnswer {
    /// Put the files back.
    Restore,
    /// They are meant: delete everywhere.
    Delete,
}

/// For how long to pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub enum PauseLength {
    /// This many seconds.
    Seconds {
        /// How many.
        seconds: u64,
    },
    /// Until the next morning, six o'clock local time.
    UntilTomorrow,
    /// Until a person resumes.
    UntilResumed,
}
