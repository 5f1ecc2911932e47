//! Events: things that have happened in the engine. Past tense, never a request.

use serde::{Deserialize, Serialize};

use crate::{Direction, FolderState, Problem};

/// An event with its number. Numbers grow by one; a listener that finds a gap asks for the snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub struct NumberedEvent {
    /// The number.
    pub number: u64,
    /// What happened.
    pub event: Event,
}

/// Something that has happened in the engine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
#[cfg_attr(test, derive(ts_rs::TS), ts(export))]
pub enum Event {
    /// The overall state or its sentence changed: the tray's picture and first line.
    StateChanged {
        /// The worst state of all.
        state: FolderState,
        /// It in words.
        sentence: String,
    },
    /// Something of a folder changed; the snapshot has the rest.
    FolderChanged {
        /// The folder's path.
        folder: String,
    },
    /// The account's connection changed; the snapshot has the rest.
    AccountChanged,
    /// A pairing went on, or a paired computer came, left or changed; the snapshot has the rest.
    PairingsChanged,
    /// Somebody joined a folder.
    PeerJoined {
        /// The folder's path.
        folder: String,
        /// What their computer is called.
        name: String,
        /// Its account.
        account: String,
    },
    /// The settings changed; the snapshot has the rest.
    SettingsChanged,
    /// A folder was added.
    FolderAdded {
        /// The folder's path.
        folder: String,
    },
    /// A folder was forgotten; its files stay.
    FolderRemoved {
        /// The folder's path.
        folder: String,
    },
    /// Local changes were committed.
    CommitMade {
        /// The folder's path.
        folder: String,
        /// How many paths changed.
        changes: u64,
    },
    /// Changes of others are in the folder now, with their contents.
    ChangesArrived {
        /// The folder's path.
        folder: String,
        /// Who made them: repository descriptions, newest first.
        from: Vec<String>,
        /// How many files were added, changed or deleted.
        files: u64,
    },
    /// The first sync of a folder or a place is complete.
    FirstSyncDone {
        /// The folder's path.
        folder: String,
        /// Files in the folder.
        files: u64,
    },
    /// Content started to move.
    TransferStarted {
        /// The folder's path.
        folder: String,
        /// The file, relative to the folder.
        file: String,
        /// The place's name.
        place: String,
        /// Which way.
        direction: Direction,
    },
    /// Bytes of content moved so far; at most twice a second per transfer.
    TransferAdvanced {
        /// The folder's path.
        folder: String,
        /// The file, relative to the folder.
        file: String,
        /// The place's name.
        place: String,
        /// Which way.
        direction: Direction,
        /// Bytes moved so far.
        bytes_done: u64,
        /// Bytes in all, when known.
        bytes_total: Option<u64>,
    },
    /// Content stopped moving.
    TransferEnded {
        /// The folder's path.
        folder: String,
        /// The file, relative to the folder.
        file: String,
        /// The place's name.
        place: String,
        /// Which way.
        direction: Direction,
        /// Whether it arrived.
        arrived: bool,
    },
    /// A push to a place ended.
    PushFinished {
        /// The folder's path.
        folder: String,
        /// The place's name.
        place: String,
    },
    /// Both sides changed the same path; both versions were kept.
    ConflictKept {
        /// The folder's path.
        folder: String,
        /// The path both changed.
        file: String,
        /// The names under which the versions stand now.
        variants: Vec<String>,
    },
    /// A problem appeared.
    ProblemRaised {
        /// The folder it belongs to; absent for the account and the machine.
        folder: Option<String>,
        /// The problem.
        problem: Problem,
    },
    /// A problem is gone.
    ProblemCleared {
        /// The folder it belonged to.
        folder: Option<String>,
        /// The problem.
        problem: Problem,
    },
    /// A thread ended with an error; `retry_in_secs` is absent when a person has to restart it.
    ThreadFailed {
        /// The thread's name.
        thread: String,
        /// Why.
        reason: String,
        /// When it starts again, seconds.
        retry_in_secs: Option<u64>,
    },
    /// Asked for by a window's start or a second start of the program: show the main window.
    ShowWindow,
}
