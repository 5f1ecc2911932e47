//! Settling: index and ledger after a round.

use tributary_formats::tree_path::TreePath;
use tributary_repo::index::IndexEntry;
use tributary_repo::place_in_tree::PlaceError;

use super::act::Done;
use super::rounds::{Act, Task};
use crate::state::desk::{Desk, DeskError};
use crate::state::ledger::{Reason, Standing};

/// What a round came to.
#[derive(Default)]
pub(super) struct Settled {
    pub touched: usize,
    /// To be looked at by the committer.
    pub edited: Vec<TreePath>,
    /// Something stands in the way of these.
    pub blocked: Vec<TreePath>,
    /// A way that did not work is not taken again: another round goes another.
    pub again: bool,
    pub failure: Option<(TreePath, PlaceError)>,
}

/// Notes what became of the tasks of a round.
pub(super) fn settle(desk: &mut Desk, done: Vec<(Done, Task)>) -> Result<Settled, DeskError> {
    let mut settled = Settled::default();
    let mut gone = Vec::new();
    let mut notes = Vec::new();
    for (done, Task { standing, entry, act }) in done {
        let path = standing.path.clone();
        let mut free = |desk: &mut Desk, path: &TreePath| {
            desk.placing.remove(path);
            if desk.deferred.remove(path) {
                settled.edited.push(path.clone());
            }
        };
        free(desk, &path);
        if let Act::Move { from, .. } = &act {
            free(desk, from);
        }
        // Merged anew while it was placed: what was placed is the version that stands there now.
        let current = desk.index.get(path.as_bytes()).map(|entry| entry.entry);
        match done {
            Done::Placed(stat) => {
                settled.touched += 1;
                if current == entry {
                    if let Some(entry) = entry {
                        desk.index.set(path.as_bytes(), IndexEntry::placed(entry, &stat));
                    }
                    gone.push(path);
                } else if let Some(row) = desk.ledger.standing(&path)? {
                    notes.push(Standing { known: Some(stat), ..row });
                }
            }
            Done::Removed => {
                settled.touched += usize::from(standing.known.is_some());
                if current == entry {
                    gone.push(path);
                } else if let Some(row) = desk.ledger.standing(&path)? {
                    notes.push(Standing { known: None, ..row });
                }
            }
            Done::Edited => {
                if let Act::Move { from, .. } = &act {
                    // What stands there is not what was offered: copy instead.
                    if let Some(row) = desk.ledger.standing(from)? {
                        notes.push(Standing { leaves: None, ..row });
                    }
                    settled.again = true;
                    settled.edited.push(from.clone());
                }
                settled.edited.push(path);
            }
            Done::InTheWay => settled.blocked.push(path),
            Done::NotPossible => notes.push(Standing { reason: Reason::NameNotPossible, ..standing }),
            Done::Failed(error) => {
                settled.failure.get_or_insert((path, error));
            }
        }
    }
    desk.ledger.note_standing(&notes)?;
    desk.ledger.settle(&gone)?;
    Ok(settled)
}
