//! Rounds: which paths are looked at next, and what is to be done at each.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use tributary_formats::key::Key;
use tributary_formats::tree_path::TreePath;
use tributary_repo::stat::FileStat;
use tributary_repo::tree::{self, Content, EntryMode, TreeEntry};

use crate::state::arrivals::Arrived;
use crate::state::desk::{Desk, DeskError};
use crate::state::ledger::{Reason, Standing};

/// Files that are placed between two visits to the desk.
const ROUND: u32 = 500;

/// What is to be done at one path.
pub(super) struct Task {
    pub standing: Standing,
    /// The merged version; `None` when the path is deleted.
    pub entry: Option<TreeEntry>,
    pub act: Act,
}

impl Task {
    /// The paths that belong to the applier until it is done.
    pub(super) fn paths(&self) -> impl Iterator<Item = &TreePath> {
        let from = match &self.act {
            Act::Move { from, .. } => Some(from),
            _ => None,
        };
        std::iter::once(&self.standing.path).chain(from)
    }
}

/// Which half of the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pass {
    Place,
    Remove,
}

/// What is to be done there.
pub(super) enum Act {
    /// Place a copy of this object.
    File {
        key: Key,
        object: PathBuf,
        executable: bool,
    },
    /// The same content stands at a path that is to be removed: move it.
    Move {
        key: Key,
        from: TreePath,
        known: FileStat,
        executable: bool,
    },
    /// Place these bytes.
    Bytes {
        content: Vec<u8>,
        executable: bool,
    },
    /// Place a link.
    Link {
        target: Vec<u8>,
    },
    Remove,
    /// There is nothing to place for such an entry.
    Nothing,
}

/// A walk through the paths that are not placed, a round at a time.
#[derive(Debug)]
pub(super) enum Walk {
    /// All of them, from behind this path.
    All { after: Option<TreePath> },
    /// Those that wait for these contents.
    Contents(Vec<Key>),
    /// Nothing is left.
    Done,
}

impl Walk {
    /// A walk through what the arrival concerns.
    pub(super) fn for_arrival(arrived: Arrived) -> Self {
        match arrived {
            Arrived::Versions => Self::All { after: None },
            Arrived::Contents(keys) => Self::Contents(keys),
        }
    }

    pub(super) fn is_done(&self) -> bool {
        matches!(self, Self::Done)
    }

    fn rows(&mut self, desk: &Desk, pass: Pass) -> Result<Vec<Standing>, DeskError> {
        match self {
            Self::Done => Ok(vec![]),
            Self::All { after } => {
                let rows = match pass {
                    Pass::Place => desk.ledger.standing_after(after.as_ref(), ROUND)?,
                    Pass::Remove => desk.ledger.standing_without_key_after(after.as_ref(), ROUND)?,
                };
                match rows.last() {
                    Some(last) if rows.len() == ROUND as usize => *after = Some(last.path.clone()),
                    _ => *self = Self::Done,
                }
                Ok(rows)
            }
            Self::Contents(keys) => {
                let rest = keys.split_off(keys.len().min(ROUND as usize));
                let mut rows = Vec::new();
                for key in std::mem::replace(keys, rest) {
                    rows.extend(desk.ledger.standing_for(&key)?);
                }
                if keys.is_empty() {
                    *self = Self::Done;
                }
                Ok(rows)
            }
        }
    }
}

/// The tasks of the next round: those whose content is here.
pub(super) fn next_round(desk: &mut Desk, pass: Pass, walk: &mut Walk) -> Result<Vec<Task>, DeskError> {
    let rows = walk.rows(desk, pass)?;
    let store = desk.repo.store();
    let mut leaving = leaving(desk, &rows)?;
    let mut tasks = Vec::new();
    for standing in rows {
        if standing.reason != Reason::Arriving {
            continue;
        }
        let entry = desk.index.get(standing.path.as_bytes()).map(|entry| entry.entry);
        if entry.is_some() != (pass == Pass::Place) {
            continue;
        }
        // Most of those that wait do so for their content.
        let object = standing.key.as_ref().and_then(|key| store.locate(key));
        if let Some(key) = &standing.key
            && object.is_none()
            && !leaving.contains_key(key)
        {
            continue;
        }
        let act = match entry {
            None => Act::Remove,
            Some(entry) => match tree::content_of(desk.repo.git(), entry)? {
                Content::Annexed { key, locked: false } => {
                    let executable = entry.mode == EntryMode::Executable;
                    let leaving = if standing.known.is_none() { leaving.remove(&key) } else { None };
                    let object =
                        if standing.key.as_ref() == Some(&key) { object } else { store.locate(&key) };
                    match (leaving, object) {
                        (Some((from, known)), _) => Act::Move { key, from, known, executable },
                        (None, Some(object)) => Act::File { key, object, executable },
                        // Its content is not here.
                        (None, None) => continue,
                    }
                }
                Content::Annexed { locked: true, .. } | Content::Link => {
                    Act::Link { target: blob(desk, entry)? }
                }
                Content::Git { .. } => Act::Bytes {
                    content: blob(desk, entry)?,
                    executable: entry.mode == EntryMode::Executable,
                },
                Content::Submodule => Act::Nothing,
            },
        };
        tasks.push(Task { standing, entry, act });
    }
    // When nothing can fail any more: a path that stays the applier's is looked at by nobody else.
    desk.placing.extend(tasks.iter().flat_map(Task::paths).cloned());
    Ok(tasks)
}

/// Whether the order of these tasks makes no difference: nothing is placed below where a file still stands that another of
/// them moves away. A move goes to where nothing stands; removals make room for one another.
pub(super) fn are_independent(tasks: &[Task]) -> bool {
    let mut left = HashSet::new();
    for task in tasks {
        match &task.act {
            Act::File { .. } => {}
            Act::Move { from, .. } => _ = left.insert(from),
            Act::Bytes { .. } | Act::Link { .. } | Act::Remove | Act::Nothing => return false,
        }
    }
    let above = |path: &TreePath| std::iter::successors(path.parent(), TreePath::parent);
    left.is_empty()
        || tasks.iter().all(|task| {
            let path = &task.standing.path;
            !left.contains(path) && above(path).all(|above| !left.contains(&above))
        })
}

/// Files that are to be removed in the same go, by their content: a move costs a rename instead of a copy. Each is
/// offered once, to the first path that wants it.
fn leaving(desk: &mut Desk, rows: &[Standing]) -> Result<HashMap<Key, (TreePath, FileStat)>, DeskError> {
    let mut found = HashMap::new();
    if !desk.ledger.is_any_leaving()? {
        return Ok(found);
    }
    for row in rows {
        let wanted = row.reason == Reason::Arriving && row.known.is_none();
        let (true, Some(key)) = (wanted, &row.key) else { continue };
        if let Some(old) = desk.ledger.leaving(key)? {
            found.insert(key.clone(), old);
        }
    }
    Ok(found)
}

fn blob(desk: &Desk, entry: TreeEntry) -> Result<Vec<u8>, DeskError> {
    let blob = desk.repo.git().find_blob(entry.oid).map_err(|error| DeskError::Git(error.to_string()))?;
    Ok(blob.content().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::desk::scene::{key, path};

    fn task(name: &str, act: Act) -> Task {
        let standing =
            Standing { path: path(name), key: None, known: None, reason: Reason::Arriving, leaves: None };
        Task { standing, entry: None, act }
    }

    fn moved(from: &str, to: &str) -> Task {
        let known = FileStat::from(&std::fs::metadata("/").unwrap());
        task(to, Act::Move { key: key(1), from: path(from), known, executable: false })
    }

    fn file(name: &str) -> Task {
        task(name, Act::File { key: key(1), object: PathBuf::new(), executable: false })
    }

    #[test]
    fn tasks_are_done_in_order_where_one_makes_room_for_another() {
        assert!(are_independent(&[]));
        assert!(are_independent(&[file("a"), file("b/c")]));
        assert!(are_independent(&[moved("a/f", "b/f"), moved("a/g", "b/g"), file("a/h")]));
        assert!(!are_independent(&[file("a/b/c"), moved("a", "b")]), "a file becomes a folder");
        assert!(!are_independent(&[moved("a", "b"), moved("c", "a/d")]));
        assert!(!are_independent(&[moved("a", "b"), file("a")]));
        for act in [Act::Remove, Act::Nothing, Act::Link { target: vec![] }] {
            assert!(!are_independent(&[file("a"), task("b", act)]));
        }
    }
}
