//! The journal of tries to join: what each has made so far, so that a program that was killed in the middle goes on with
//! it, or takes it back, at its next start.
//!
//! One file (0600), replaced as a whole and durable before what it speaks of is made. There is no secret in it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use tributary_formats::uuid::RepoUuid;
use tributary_xmpp::pairing::{Packet, Right, Slot, Step};

use super::folder::{Fetched, Terms, Usable};
use crate::commands::folders;
use crate::config::{path_text, write_private};
use crate::pairing::set_up::SetUp;

/// A try that is not settled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Entry {
    /// The pairing.
    pub(crate) id: String,
    /// Where the folder is, or comes to be.
    #[serde(with = "path_text")]
    pub(crate) folder: PathBuf,
    /// Whether the folder was there before; then it stays.
    pub(crate) existed: bool,
    /// Whether the repository in it is of this try.
    pub(crate) made: bool,
    /// What was agreed, from the moment on in which it is kept.
    pub(crate) agreed: Option<Agreed>,
}

/// What was agreed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Agreed {
    /// The repository here, and the one there.
    pub(crate) ours: RepoUuid,
    pub(crate) theirs: RepoUuid,
    /// What the folder and the inviting computer are called.
    pub(crate) name: String,
    pub(crate) inviter_name: String,
    /// The inviting device.
    pub(crate) inviter: String,
    pub(crate) read_only: bool,
    /// Devices that were not known before.
    pub(crate) new_peers: Vec<String>,
    /// Whether the folder had no key before.
    pub(crate) new_key: bool,
    /// The place that the folder came from.
    pub(crate) from: Option<String>,
    /// The places that are to be used.
    pub(crate) set_up: SetUp,
    /// The yes that this side may have said: from then on the other side may count us as paired.
    pub(crate) yes: Option<Yes>,
    /// Whether the inviter said that it heard it.
    #[serde(default)]
    pub(crate) heard: bool,
}

/// A yes, sealed for the inviter: the same one can be said again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Yes {
    slot: u32,
    /// In base64.
    sealed: String,
}

impl Yes {
    /// The yes in a packet; `None` when there is none in it.
    pub(super) fn of(packet: &Packet) -> Option<Self> {
        let Step::Sealed(sealed) = &packet.step else { return None };
        Some(Self { slot: packet.slot.0, sealed: STANDARD.encode(sealed) })
    }

    /// The packet that says it; `None` when the journal was damaged.
    pub(super) fn packet(&self) -> Option<Packet> {
        let sealed = STANDARD.decode(&self.sealed).ok()?;
        Some(Packet { slot: Slot(self.slot), step: Step::Sealed(sealed) })
    }
}

/// The journal. Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Journal {
    file: PathBuf,
    entries: Arc<Mutex<Vec<Entry>>>,
}

impl Journal {
    /// Reads the journal. One that cannot be read says nothing; then what was made is found by the next try.
    pub(crate) fn load(file: PathBuf) -> Self {
        let entries = match std::fs::read(&file) {
            Ok(text) => serde_json::from_slice(&text).unwrap_or_else(|error| {
                tracing::warn!(%error, "the journal of pairings makes no sense");
                vec![]
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => vec![],
            Err(error) => {
                tracing::warn!(%error, "the journal of pairings cannot be read");
                vec![]
            }
        };
        Self { file, entries: Arc::new(Mutex::new(entries)) }
    }

    /// What is not settled.
    pub(crate) fn all(&self) -> Vec<Entry> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Writes down how far a try is.
    pub(super) fn put(&self, entry: &Entry) -> io::Result<()> {
        self.change(|entries| {
            entries.retain(|known| known.id != entry.id);
            entries.push(entry.clone());
        })
    }

    /// A try is settled. What could not be kept is settled once more at the next start, which changes nothing.
    pub(super) fn settled(&self, id: &str) {
        if let Err(error) = self.change(|entries| entries.retain(|known| known.id != id)) {
            tracing::warn!(%error, "that a pairing is settled could not be kept");
        }
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Entry>)) -> io::Result<()> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changed = entries.clone();
        change(&mut changed);
        if changed != *entries {
            let text = serde_json::to_vec_pretty(&changed).expect("plain data always serialises");
            write_private(&self.file, &text)?;
            *entries = changed;
        }
        Ok(())
    }
}

impl Entry {
    /// A try that is about to make something at a path.
    pub(super) fn begin(id: &str, folder: &Path) -> Self {
        let existed = folder.exists();
        let made = !existed || std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none());
        Self { id: id.into(), folder: folder.into(), existed, made, agreed: None }
    }

    /// Takes back the repository that the try made, where nothing else is.
    pub(super) fn take_back(&self) {
        if self.made {
            folders::take_back(&self.folder, self.existed);
        }
    }
}

impl Agreed {
    pub(super) fn terms(&self) -> Terms {
        let right = if self.read_only { Right::ReadOnly } else { Right::Edit };
        Terms { repository: self.theirs.clone(), name: self.name.clone(), right }
    }

    pub(super) fn fetched(&self, entry: &Entry) -> Fetched {
        Fetched {
            path: entry.folder.clone(),
            ours: self.ours.clone(),
            made: entry.made,
            existed: entry.existed,
            from: self.from.clone(),
        }
    }

    pub(super) fn usable(&self) -> Usable {
        // A person agreed to folders of this machine, or they are not in it.
        super::folder::usable(self.set_up.clone(), true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_settled_is_known_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("joining.json");
        let journal = Journal::load(file.clone());
        let one = Entry::begin("one", &dir.path().join("one"));
        let other = Entry::begin("other", &dir.path().join("other"));
        journal.put(&one).unwrap();
        journal.put(&other).unwrap();
        let uuid = |text| RepoUuid::parse(text).unwrap();
        let yes = Packet { slot: Slot(4711), step: Step::Sealed(vec![1, 2, 255]) };
        let agreed = Agreed {
            ours: uuid("ours"),
            theirs: uuid("theirs"),
            name: "Trip".into(),
            inviter_name: "laptop".into(),
            inviter: "00".repeat(16),
            read_only: true,
            new_peers: vec!["11".repeat(16)],
            new_key: true,
            from: None,
            set_up: SetUp::default(),
            yes: Yes::of(&yes),
            heard: false,
        };
        let one = Entry { agreed: Some(agreed), ..one };
        journal.put(&one).unwrap();
        journal.settled("other");
        let known = Journal::load(file.clone()).all();
        assert_eq!(known, [one]);
        let said = known[0].agreed.as_ref().and_then(|agreed| agreed.yes.as_ref()).and_then(Yes::packet);
        assert_eq!(said, Some(yes), "what was said can be said again");
        std::fs::write(&file, "[{").unwrap();
        assert!(Journal::load(file).all().is_empty());
    }

    #[test]
    fn what_a_person_put_in_stays() {
        let dir = tempfile::tempdir().unwrap();
        let names = ["new", "empty", "used", "kept", "theirs"];
        let [new, empty, used, kept, theirs] = names.map(|name| dir.path().join(name));
        for path in [&empty, &used, &kept, &theirs] {
            std::fs::create_dir(path).unwrap();
        }
        std::fs::create_dir(theirs.join(".git")).unwrap();
        let entries = [&new, &empty, &used, &kept, &theirs].map(|path| Entry::begin("x", path));
        for path in [&new, &empty, &used, &kept] {
            std::fs::create_dir_all(path.join(".git/objects")).unwrap();
        }
        std::fs::write(used.join("notes.txt"), "mine").unwrap();
        // As git-annex leaves it when the file itself was moved away.
        std::fs::create_dir_all(kept.join(".git/annex/objects/a1")).unwrap();
        for entry in &entries {
            entry.take_back();
        }
        assert!(!new.exists() && empty.exists() && !empty.join(".git").exists(), "as it was");
        assert!(
            used.join(".git").exists()
                && used.join("notes.txt").exists()
                && theirs.join(".git").exists()
                && kept.join(".git/annex/objects/a1").exists()
        );
    }
}
