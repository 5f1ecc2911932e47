//! Push hints: "look now", which name nothing in clear.

use std::fmt;

use tributary_formats::uuid::RepoUuid;

use crate::account::{BareJid, DeviceTag};

/// A publisher's counter: `epoch` grows when the counter was lost (the time of its making does), `seq` with
/// every state published. A state whose counter is not above the last one seen of that device is a replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Counter {
    /// Seconds since 1970 when the counter was made.
    pub epoch: u64,
    /// Grows by one with each state.
    pub seq: u64,
}

/// The whole state that a device publishes: one item, so that the newest says everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceState {
    /// The publisher's counter, kept on disk by the caller.
    pub counter: Counter,
    /// The folders, those changed last first: what does not fit falls off the end.
    pub folders: Vec<FolderState>,
}

/// What a device says about one folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderState {
    /// The repository at the publishing device.
    pub repository: RepoUuid,
    /// Where its branches are.
    pub tips: Tips,
}

/// Tips of a repository that others can fetch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tips {
    /// The synced branch; `None` before the first commit.
    pub branch: Option<ObjectId>,
    /// The git-annex branch.
    pub annex: Option<ObjectId>,
}

/// A git object id: 20 bytes (SHA-1) or 32 (SHA-256).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ObjectId(Vec<u8>);

/// A state that another device published: opaque until [`open`] finds the folders in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedState {
    /// The account it came from.
    pub from: BareJid,
    /// The device.
    pub device: DeviceTag,
    /// Its counter; the caller keeps the last one per device and drops what is not above it.
    pub counter: Counter,
    /// A pair of marks for each folder.
    pub marks: Vec<FolderMarks>,
}

/// Two keyed marks, both under the publisher's repository UUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FolderMarks {
    /// Says which repository, to those who know its UUID.
    pub folder: [u8; 32],
    /// Says which tips, to those who have them.
    pub heads: [u8; 32],
}

/// A folder found in a received state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenedHint {
    /// The repository at the publisher.
    pub repository: RepoUuid,
    /// The publisher's counter.
    pub counter: Counter,
    heads: [u8; 32],
}

/// Finds those of the `known` repositories that a received state speaks of. Constant work per mark and UUID.
pub fn open(state: &ReceivedState, known: &[RepoUuid]) -> Vec<OpenedHint> {
    let _ = (state, known);
    todo!()
}

/// Whether the publisher had exactly these tips, so that there is nothing to look for.
pub fn heads_match(hint: &OpenedHint, tips: &Tips) -> bool {
    let _ = (hint, tips, hint.heads);
    todo!()
}

impl ObjectId {
    /// Takes the raw bytes of an id; `None` unless there are 20 or 32.
    pub fn from_bytes(bytes: &[u8]) -> Option<ObjectId> {
        matches!(bytes.len(), 20 | 32).then(|| ObjectId(bytes.to_vec()))
    }

    /// The raw bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}
