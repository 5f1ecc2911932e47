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

/// Notes what became of the tasks of a round. They are the applier's no more, also when that cannot be noted.
pub(super) fn settle(desk: &mut Desk, done: Vec<(Done, Task)>) -> (Settled, Result<(), DeskError>) {
    let mut settled = Settled::default();
    for path in done.iter().flat_map(|(_, task)| task.paths()) {
        desk.placing.remove(path);
        if desk.deferred.remove(path) {
            settled.edited.push(path.clone());
        }
    }
    let noted = note(desk, done, &mut settled);
    (settled, noted)
}

fn note(desk: &mut Desk, done: Vec<(Done, Task)>, settled: &mut Settled) -> Result<(), DeskError> {
    let mut gone = Vec::new();
    let mut notes = Vec::new();
    for (done, Task { standing, entry, act }) in done {
        let path = standing.path.clone();
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
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::rounds::{Pass, Walk, next_round};
    use super::*;
    use crate::state::arrivals::Arrived;
    use crate::state::desk::scene::{Scene, key, path};

    #[test]
    fn what_cannot_be_noted_is_the_appliers_no_more() {
        let mut scene = Scene::new();
        scene.merge(&[("a", Some(key(1)))]);
        scene.place("a", "1");
        scene.merge(&[("a", None)]);
        let desk = &mut scene.desk;
        let tasks = next_round(desk, Pass::Remove, &mut Walk::for_arrival(Arrived::Versions));
        let tasks = tasks.expect("there is a round");
        assert!(desk.placing.contains(&path("a")));
        desk.deferred.insert(path("a"));
        desk.ledger.refuse_writes();
        let (settled, noted) = settle(desk, tasks.into_iter().map(|task| (Done::Removed, task)).collect());
        assert!(noted.is_err(), "a full disk");
        assert!(desk.placing.is_empty() && desk.deferred.is_empty());
        assert_eq!(settled.edited, [path("a")], "what changed meanwhile is looked at");
    }
}
