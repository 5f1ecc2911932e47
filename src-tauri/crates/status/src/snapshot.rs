//! The snapshot: everything a window or `trib status` shows, at one moment.

use serde::{Deserialize, Serialize};

use crate::{PairingStatus, PeerStatus, Problem, Settings};

/// The state of the whole program at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct Snapshot {
    /// The program's version.
    pub version: String,
    /// The number of the newest event that this snapshot already contains.
    pub event: u64,
    /// The worst state of all folders and the account: what the tray shows.
    pub state: FolderState,
    /// One sentence that says it all, true and checkable.
    pub sentence: String,
    /// The XMPP account, if one is set up.
    pub account: Option<Account>,
    /// The folders, in the order in which they were added.
    pub folders: Vec<FolderStatus>,
    /// Pairings that are under way.
    #[serde(default)]
    pub pairings: Vec<PairingStatus>,
    /// The paired computers.
    #[serde(default)]
    pub peers: Vec<PeerStatus>,
    /// Problems that belong to no folder: the account, the keyring, the machine.
    pub problems: Vec<Problem>,
    /// What the person chose.
    pub settings: Settings,
}

/// The few states that a folder, and the tray, can be in. The order is from best to worst: the worst wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub enum FolderState {
    /// Everything is where it should be, as far as is known.
    UpToDate,
    /// Something waits for a place or a computer that is away. No person has to act.
    Waiting,
    /// Something is moving now.
    Working,
    /// A person paused it.
    Paused,
    /// A person has to act.
    NeedsYou,
}

/// The XMPP account and how its connection is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct Account {
    /// The account's address: `user@domain`.
    pub jid: String,
    /// How the connection is doing.
    pub state: AccountState,
    /// The state in words.
    pub sentence: String,
    /// How many other devices of this account are online.
    pub devices_online: u32,
}

/// How the connection to the account's server is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub enum AccountState {
    /// Not trying.
    Off,
    /// On the way: name lookup, connect, TLS or login, or waiting to try again.
    Connecting,
    /// Logged in.
    Online,
    /// A person has to act: password, certificate, or a server that lacks something.
    NeedsYou,
}

/// One synced folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct FolderStatus {
    /// Where the folder is on this computer.
    pub path: String,
    /// The same path, base64 of its bytes, when it is not UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub path_base64: Option<String>,
    /// The git-annex UUID of this clone.
    pub uuid: String,
    /// How it is doing.
    pub state: FolderState,
    /// The state in one sentence.
    pub sentence: String,
    /// Files in the folder, counted by name.
    pub files: u64,
    /// Their sizes in all, bytes.
    pub bytes: u64,
    /// Local changes that are not yet everywhere they should be: uncommitted, unpushed or not yet stored.
    pub pending: u64,
    /// Files that others changed and whose content is not here yet.
    pub arriving: u64,
    /// Files whose content this computer does not hold by choice.
    pub only_elsewhere: u64,
    /// Things in the folder that are not synced (sockets, devices, nested repositories) or cannot be placed.
    pub skipped: u64,
    /// Deletions that wait for a person's answer.
    pub held: u64,
    /// Until when it is paused; absent when it is not, empty when until a person resumes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub paused_until: Option<String>,
    /// When the newest change was made, here or elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub last_change: Option<String>,
    /// The other places that hold this folder's names or contents.
    pub places: Vec<PlaceStatus>,
    /// What is moving now.
    pub transfers: Vec<TransferStatus>,
    /// What is wrong, one entry per cause.
    pub problems: Vec<Problem>,
}

impl FolderStatus {
    /// Of a folder of which nothing else is known yet.
    #[must_use]
    pub fn new(path: impl Into<String>, state: FolderState, sentence: impl Into<String>) -> Self {
        FolderStatus {
            path: path.into(),
            path_base64: None,
            uuid: String::new(),
            state,
            sentence: sentence.into(),
            files: 0,
            bytes: 0,
            pending: 0,
            arriving: 0,
            only_elsewhere: 0,
            skipped: 0,
            held: 0,
            paused_until: None,
            last_change: None,
            places: Vec::new(),
            transfers: Vec::new(),
            problems: Vec::new(),
        }
    }
}

/// Another place of a folder: a transfer point, a drive, storage, a computer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct PlaceStatus {
    /// Its name, as the remote is called.
    pub name: String,
    /// Its git-annex UUID; absent when it carries names only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub uuid: Option<String>,
    /// What it is.
    pub kind: PlaceKind,
    /// Where it is: a path or URL without secrets.
    pub url: String,
    /// Whether we reach it ourselves (a computer that only others reach is listed, and is not reachable).
    pub reachable: bool,
    /// Since when it is (un)reachable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub since: Option<String>,
    /// Files of the folder whose content is there, as far as is on record.
    pub has: u64,
    /// Files whose content is wanted there.
    pub wants: u64,
    /// Files that wait to go there.
    pub waiting: u64,
}

/// What a place is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub enum PlaceKind {
    /// A git remote that carries names only.
    Git,
    /// A git remote that holds contents too.
    GitWithContents,
    /// A special remote: contents only.
    Storage,
    /// Another clone of the folder that we know of and do not reach ourselves.
    Computer,
}

/// Which way a content moves, seen from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub enum Direction {
    /// From here to the place.
    Upload,
    /// From the place to here.
    Download,
}

/// A content on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct TransferStatus {
    /// The file it is for, relative to the folder.
    pub file: String,
    /// The place's name.
    pub place: String,
    /// Which way.
    pub direction: Direction,
    /// Bytes moved so far.
    pub bytes_done: u64,
    /// Bytes in all, when known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional))]
    pub bytes_total: Option<u64>,
}
