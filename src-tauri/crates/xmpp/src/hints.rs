//! Push hints: "look now", which name nothing in clear.
//!
//! A hint holds two keyed marks for each folder. The key is the UUID of the repository at the publisher, which
//! whoever has the folder reads in its uuid.log and nobody else knows; so the server learns neither which folder
//! changed nor to what, and not even whether two hints speak of the same one, because the counter is in the
//! mark. Source: this crate's README, "Marks".

pub(crate) mod bucket;
pub(crate) mod outbox;
pub(crate) mod sealed;

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tributary_formats::uuid::RepoUuid;

use crate::account::{BareJid, DeviceTag};

pub use sealed::{HintKey, HintKeyId, News, Replays, SealedHint, Sealer, open_sealed};

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
    /// What it says to paired devices: see [`open_sealed`].
    pub sealed: Vec<SealedHint>,
}

/// Two keyed marks, both under the publisher's repository UUID.
#[derive(Clone, Copy, PartialEq, Eq)]
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

/// Finds those of the `known` repositories that a received state speaks of: one hash for each of them, and at
/// most as many comparisons as the state has marks.
pub fn open(state: &ReceivedState, known: &[RepoUuid]) -> Vec<OpenedHint> {
    let find = |repository: &RepoUuid| {
        let expected = folder_mark(repository, state.device, state.counter);
        let found = state.marks.iter().find(|marks| marks.folder == expected)?;
        Some(OpenedHint { repository: repository.clone(), counter: state.counter, heads: found.heads })
    };
    known.iter().filter_map(find).collect()
}

/// Whether the publisher had exactly these tips, so that there is nothing to look for.
pub fn heads_match(hint: &OpenedHint, tips: &Tips) -> bool {
    hint.heads == heads_mark(&hint.repository, hint.counter, tips)
}

/// The marks of a device's folders.
pub(crate) fn marks(device: DeviceTag, state: &DeviceState) -> Vec<FolderMarks> {
    let mark = |folder: &FolderState| FolderMarks {
        folder: folder_mark(&folder.repository, device, state.counter),
        heads: heads_mark(&folder.repository, state.counter, &folder.tips),
    };
    state.folders.iter().map(mark).collect()
}

/// HMAC-SHA256(UUID, "folder" ‖ tag ‖ epoch ‖ seq), numbers as 8 bytes, highest first.
fn folder_mark(repository: &RepoUuid, device: DeviceTag, counter: Counter) -> [u8; 32] {
    keyed(repository, "folder", &[device.as_bytes(), &counter.to_bytes()])
}

/// HMAC-SHA256(UUID, "heads" ‖ epoch ‖ seq ‖ tips), each tip as its length in one byte (0: none), then the tip.
fn heads_mark(repository: &RepoUuid, counter: Counter, tips: &Tips) -> [u8; 32] {
    let tip = |tip: &Option<ObjectId>| match tip {
        Some(ObjectId(bytes)) => [&[bytes.len() as u8], bytes.as_slice()].concat(),
        None => vec![0],
    };
    keyed(repository, "heads", &[&counter.to_bytes(), &tip(&tips.branch), &tip(&tips.annex)])
}

fn keyed(repository: &RepoUuid, purpose: &str, parts: &[&[u8]]) -> [u8; 32] {
    let key = repository.as_str().as_bytes();
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of every length");
    mac.update(purpose.as_bytes());
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

impl Counter {
    fn to_bytes(self) -> [u8; 16] {
        ((u128::from(self.epoch) << 64) | u128::from(self.seq)).to_be_bytes()
    }
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

impl fmt::Debug for FolderMarks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}…/{}…", hex::encode(&self.folder[..4]), hex::encode(&self.heads[..4]))
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uuid(text: &str) -> RepoUuid {
        RepoUuid::parse(text).unwrap()
    }

    fn tips(byte: u8) -> Tips {
        Tips { branch: ObjectId::from_bytes(&[byte; 20]), annex: ObjectId::from_bytes(&[byte; 32]) }
    }

    fn received(device: DeviceTag, state: &DeviceState) -> ReceivedState {
        let from = "alice@p.test".parse().unwrap();
        ReceivedState {
            from,
            device,
            counter: state.counter,
            marks: marks(device, state),
            sealed: Vec::new(),
        }
    }

    fn state(seq: u64) -> DeviceState {
        let folder = |name: &str, byte| FolderState { repository: uuid(name), tips: tips(byte) };
        DeviceState { counter: Counter { epoch: 5, seq }, folders: vec![folder("one", 1), folder("two", 2)] }
    }

    #[test]
    fn those_who_have_the_folder_find_it() {
        let state = received(DeviceTag::random(), &state(1));
        let opened = open(&state, &[uuid("three"), uuid("two")]);
        assert_eq!(opened.iter().map(|hint| hint.repository.as_str()).collect::<Vec<_>>(), ["two"]);
        assert!(heads_match(&opened[0], &tips(2)), "equal tips need no look");
        assert!(!heads_match(&opened[0], &tips(1)));
        assert!(!heads_match(&opened[0], &Tips::default()), "no branch yet is not the same as some branch");
    }

    #[test]
    fn marks_show_nothing_to_others() {
        let device = DeviceTag::random();
        let (first, second) = (received(device, &state(1)), received(device, &state(2)));
        for (a, b) in first.marks.iter().zip(&second.marks) {
            assert_ne!(a.folder, b.folder, "or the server could tell which folder changes how often");
            assert_ne!(a.heads, b.heads, "or it could tell that nothing changed");
        }
        let other = received(DeviceTag::random(), &state(1));
        assert_ne!(first.marks[0].folder, other.marks[0].folder, "or it could link two devices");
        assert!(open(&first, &[uuid("three")]).is_empty());
    }

    #[test]
    fn a_mark_moved_to_another_counter_opens_nothing() {
        let mut replayed = received(DeviceTag::random(), &state(1));
        replayed.counter.seq = 9;
        assert!(open(&replayed, &[uuid("one"), uuid("two")]).is_empty(), "the counter is inside the mark");
    }

    /// So that another version, or another program, makes the same marks.
    #[test]
    fn marks_are_as_the_readme_says() {
        let device: DeviceTag = "9f2c41d07a5be380".parse().unwrap();
        let counter = Counter { epoch: 1, seq: 2 };
        let repository = uuid("8b4dd2b4-3c5a-4a6b-9d1e-0a1b2c3d4e5f");
        assert_eq!(
            hex::encode(folder_mark(&repository, device, counter)),
            "3acf1913ebf4b503cf4983e90630e802c946b38d8eafafb5c6ba25341f81f1fe"
        );
        assert_eq!(
            hex::encode(heads_mark(&repository, counter, &tips(0xab))),
            "77409e6bb1228b27443483384f603c385052e6932e158dfdd633c1cc0e01a542"
        );
        assert_eq!(
            hex::encode(heads_mark(&repository, counter, &Tips::default())),
            "c1ba40d53e25c995297dc0b1def08609eb5d7ef93ec628a56d946f696f86e58a"
        );
    }

    #[test]
    fn an_object_id_has_a_known_length() {
        for length in [0, 19, 21, 31, 33] {
            assert_eq!(ObjectId::from_bytes(&vec![1; length]), None);
        }
    }
}
