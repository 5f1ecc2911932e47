//! What the threads of one folder tell its conductor.

use std::collections::BTreeMap;

use tokio::sync::{mpsc, oneshot};
use tributary_formats::tree_path::TreePath;
use tributary_planner::Input;
use tributary_status::{Direction, HeldAnswer, Problem, ProblemCode, Reply};

use crate::state::problems::Deed;
use crate::tunnel::Pushed;

/// Something a thread found or did, or a person wants of this folder.
#[derive(Debug)]
pub(crate) enum Fact {
    /// For the planner.
    Planner(Vec<Input>),
    /// A batch was committed.
    Committed {
        /// How many paths.
        changes: usize,
    },
    /// Others' commits were merged: who made them, as their messages say.
    Merged {
        /// Repository descriptions.
        from: Vec<String>,
        /// Paths that both sides had changed, with the names their versions stand under now.
        conflicts: Vec<(TreePath, Vec<TreePath>)>,
    },
    /// The applier placed or removed files that others changed.
    Applied {
        /// How many.
        files: usize,
    },
    /// Deletions are held, or no longer.
    Held {
        /// How many.
        count: usize,
        /// Why.
        reason: String,
        /// The first of them.
        files: Vec<String>,
    },
    /// Things in the folder that are not synced.
    NotSynced {
        /// How many.
        count: usize,
        /// The first of them.
        examples: Vec<String>,
    },
    /// A problem is there.
    Raise(Problem),
    /// Problems of this kind about this subject are gone; about anything, when it is empty.
    Clear(ProblemCode, String),
    /// Something at a place went well, or not.
    Went {
        /// The place's name.
        place: String,
        /// What was done.
        deed: Deed,
        /// What went wrong.
        fault: Option<Problem>,
    },
    /// Content moves.
    Progress {
        /// Which transfer.
        transfer: (String, Direction, TreePath),
        /// Bytes so far and in all; `None` when it ended.
        bytes: Option<(u64, Option<u64>)>,
    },
    /// The scan that was asked for with this number is done, and its changes are with the committer.
    Scanned(u64),
    /// The disk was full, and may have room again.
    Room,
    /// Somebody wants something.
    Ask(Ask),
}

/// What somebody wants of a folder.
#[derive(Debug)]
pub(crate) enum Ask {
    /// Look everywhere now.
    Sync,
    /// Put up the status, if it is older than what was told before this.
    Status(oneshot::Sender<()>),
    /// Answer when everything is settled.
    Wait(oneshot::Sender<Reply>),
    /// The remotes were changed in the configuration: read them again.
    PlacesChanged,
    /// Rest, or go on; until when it rests, as text.
    Pause(Option<Option<String>>),
    /// A hint of another device came; whether it speaks of tips that we have is for the folder to say.
    Hint(tributary_xmpp::hints::OpenedHint),
    /// A paired device says which tips it has.
    News(std::sync::Arc<tributary_xmpp::hints::News>),
    /// Hints can reach us, or no longer.
    Channel(bool),
    /// What is held, or the answer for it.
    Held(Option<HeldAnswer>, oneshot::Sender<Reply>),
    /// Keep the content of these paths here, or let it go.
    Keep(KeepAsk, oneshot::Sender<Reply>),
    /// An announcement was taken by the server, or not.
    Announced(bool),
    /// A paired device pushed to this repository.
    PushedTo(Pushed),
}

/// Whether to keep content here.
#[derive(Debug, Clone)]
pub(crate) struct KeepAsk {
    /// A file or a folder.
    pub path: Option<TreePath>,
    /// Keep it, or let it go.
    pub keep: bool,
}

/// The way to a folder's conductor. Unbounded, because a thread that holds the desk must never wait for the conductor,
/// who may wait for the desk; what it carries is bounded by what the threads do one batch at a time.
pub(crate) type FactSender = mpsc::UnboundedSender<Fact>;

/// The counts that a status shows beside the planner's.
#[derive(Debug, Default, Clone)]
pub(crate) struct Seen {
    pub(crate) held: u64,
    pub(crate) held_reason: String,
    pub(crate) held_files: Vec<String>,
    pub(crate) skipped: u64,
    pub(crate) skipped_examples: Vec<String>,
    pub(crate) transfers: BTreeMap<(String, TreePath, bool), (u64, Option<u64>)>,
}
