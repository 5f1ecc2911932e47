//! Problems: one per cause, each with what happened, why, and what a person can do.

use serde::{Deserialize, Serialize};

/// Something that a person should know of or act on. One per cause, never one per file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct Problem {
    /// What kind: what a window or a script matches on, never the words.
    pub code: ProblemCode,
    /// What happened and why, in one sentence.
    pub sentence: String,
    /// What to do about it.
    pub hint: String,
    /// Since when.
    pub since: String,
    /// The one action that a window offers, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub action: Option<ProblemAction>,
    /// Whether a person has to act before it goes on; else it heals by itself.
    pub needs_you: bool,
    /// What it is about: a place's name, a file, an address. With `code` it is the problem's identity.
    pub subject: String,
}

/// The kinds of problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub enum ProblemCode {
    /// The account's server refused the password.
    PasswordRefused,
    /// The server's certificate is expired, for another name, or of an unknown issuer.
    CertificateRefused,
    /// The account's server cannot be found or reached.
    ServerUnreachable,
    /// The account's server lacks something that is needed.
    ServerLacks,
    /// The keyring is locked, absent, or does not answer.
    KeyringUnavailable,
    /// The disk is full, or nearly so.
    DiskFull,
    /// A folder or file cannot be read.
    Unreadable,
    /// The folder cannot be written to.
    ReadOnly,
    /// The folder is gone, or something else is in its place.
    FolderGone,
    /// The repository has another git-annex version, or a mode that is not supported.
    UnsupportedRepository,
    /// The repository is on an adjusted branch.
    AdjustedBranch,
    /// The history of the git-annex branch was forgotten elsewhere.
    ForgottenHistory,
    /// git-annex's own assistant runs in this folder.
    OtherAssistant,
    /// An object here or at a place does not have the content that its key names.
    CorruptContent,
    /// The repository is damaged.
    CorruptRepository,
    /// The system's limit of watches is reached; the folder is scanned instead.
    WatchLimit,
    /// A place does not answer.
    PlaceUnreachable,
    /// A place refuses the credentials.
    PlaceRefused,
    /// A place is not the one it was: another UUID is there.
    PlaceChanged,
    /// A place has no room left.
    PlaceFull,
    /// A place was set up by somebody else and waits to be confirmed.
    PlaceUnverified,
    /// Many deletions wait for an answer.
    DeletionsHeld,
    /// Some things in the folder are not synced.
    NotSynced,
    /// An expression that says what goes where cannot be read.
    UnreadableRule,
    /// Versions of files that were changed on two computers at once stand beside each other.
    ConflictKept,
    /// Somebody who was invited asks to be let in.
    PeerAsks,
    /// A pairing failed, or somebody tried a wrong code.
    PairingFailed,
    /// A paired computer does not share a folder with this one any more.
    PeerLeft,
    /// A part of the engine failed and is being restarted.
    Internal,
}

/// What a window can offer to do about a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub enum ProblemAction {
    /// Ask for the password again.
    EnterPassword,
    /// Show the certificate and ask whether to trust it.
    ReviewCertificate,
    /// Show the held deletions and ask: restore, or delete everywhere.
    AnswerDeletions,
    /// Try again now.
    TryAgain,
    /// Open the folder.
    OpenFolder,
    /// Confirm a place that somebody else set up.
    ConfirmPlace,
    /// Say that it was read: there is nothing to do.
    Dismiss,
}
