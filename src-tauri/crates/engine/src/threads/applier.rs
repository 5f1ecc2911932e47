//! Applier: the only thread that writes to the person's folder.
//!
//! Waits to be woken after merges and downloads; places every merged version whose content is here, removes what others
//! deleted, and tells the conductor how many files it touched. Content first: a new file does not show before its
//! content is here, a changed one keeps its old content until then. Ends when told to stop.
//!
//! Replacing or removing first proves that what stands there is the version last known; if not, the person's edit stays
//! and goes to the committer.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tributary_formats::key::Key;
use tributary_formats::tree_path::TreePath;
use tributary_repo::index::IndexEntry;
use tributary_repo::place_in_tree::{Expected, PlaceError, Placed, Removed, WorkTree};
use tributary_repo::stat::FileStat;
use tributary_repo::tree::{self, Content, EntryMode, TreeEntry};
use tributary_status::ProblemCode;

use crate::folder_facts::{Fact, FactSender};
use crate::state::changes::Changes;
use crate::state::desk::{Desk, DeskError, DeskHandle};
use crate::state::ledger::{Reason, Standing};
use crate::state::problems::problem;
use crate::state::repositories::Repositories;
use crate::threads::committer::chain;

/// Files that are placed between two visits to the desk.
const ROUND: u32 = 500;

/// The applier's wiring.
pub(crate) struct Applier {
    pub(crate) desk: DeskHandle,
    pub(crate) repositories: Repositories,
    pub(crate) changes: Arc<Changes>,
    pub(crate) facts: FactSender,
    pub(crate) wake: Arc<Notify>,
    pub(crate) paused: watch::Receiver<bool>,
}

/// What is to be done at one path.
struct Task {
    standing: Standing,
    /// The merged version; `None` when the path is deleted.
    entry: Option<TreeEntry>,
    act: Act,
}

/// Which half of the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pass {
    Place,
    Remove,
}

enum Act {
    /// Place a copy of this object.
    File {
        object: PathBuf,
        executable: bool,
    },
    /// The same content stands at a path that is to be removed: move it.
    Move {
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

/// What became of a task.
enum Done {
    Placed(FileStat),
    Removed,
    /// The person's edit stands there.
    Edited,
    /// A file stands where a directory belongs, or the other way round.
    InTheWay,
    NotPossible,
    /// Tried again at the next waking.
    Failed(PlaceError),
}

/// Runs until told to stop.
pub(crate) async fn run(mut applier: Applier, stop: CancellationToken) {
    loop {
        if *applier.paused.borrow_and_update() {
            let resumed = applier.paused.wait_for(|paused| !paused);
            if !matches!(stop.run_until_cancelled(resumed).await, Some(Ok(_))) {
                return;
            }
        }
        applier.place_all(&stop).await;
        tokio::select! {
            () = stop.cancelled() => return,
            () = applier.wake.notified() => {}
            changed = applier.paused.changed() => if changed.is_err() { return },
        }
    }
}

impl Applier {
    /// Places everything that can be placed.
    ///
    /// Placements come before removals, since content that leaves one name may be wanted under another; and once more
    /// when a removal made room where a directory became a file, or a file a directory.
    async fn place_all(&self, stop: &CancellationToken) {
        let mut total = Settled::default();
        loop {
            let placed = self.pass(Pass::Place, stop).await;
            let removed = self.pass(Pass::Remove, stop).await;
            let again = (!placed.blocked.is_empty() && removed.touched > 0) || placed.again;
            total.touched += placed.touched + removed.touched;
            total.failure = total.failure.or(placed.failure).or(removed.failure);
            if !again || stop.is_cancelled() {
                // What still stands in the way is the person's: the committer takes it in.
                self.changes.add(placed.blocked);
                break;
            }
        }
        if total.touched > 0 {
            self.facts.send(Fact::Applied { files: total.touched }).ok();
        }
        self.tell(total.failure);
    }

    /// Walks once through the paths that are not placed, a round at a time.
    async fn pass(&self, pass: Pass, stop: &CancellationToken) -> Settled {
        let mut total = Settled::default();
        let mut after = None;
        while !stop.is_cancelled() {
            let from = after.clone();
            let round = self.desk.with(move |desk| next_round(desk, pass, from.as_ref())).await;
            let (tasks, last) = match round {
                Ok(round) => round,
                Err(error) => {
                    tracing::warn!(%error, "what is to be placed cannot be read");
                    break;
                }
            };
            if !tasks.is_empty() {
                let repositories = self.repositories.clone();
                let placed = tokio::task::spawn_blocking(move || {
                    let work = repositories.with(tributary_repo::Repository::work_tree);
                    tasks.into_iter().map(|task| (act(&work, &task), task)).collect::<Vec<_>>()
                })
                .await
                .expect("placing does not panic");
                match self.desk.with(move |desk| settle(desk, placed)).await {
                    Ok(settled) => {
                        total.touched += settled.touched;
                        total.again |= settled.again;
                        total.failure = total.failure.or(settled.failure);
                        total.blocked.extend(settled.blocked);
                        self.changes.add(settled.edited);
                    }
                    Err(error) => tracing::warn!(%error, "what was placed cannot be noted"),
                }
            }
            after = last;
            if after.is_none() {
                break;
            }
        }
        total
    }

    fn tell(&self, failure: Option<(TreePath, PlaceError)>) {
        let Some((path, error)) = failure else {
            for code in [ProblemCode::ReadOnly, ProblemCode::DiskFull] {
                self.facts.send(Fact::Clear(code, "folder".into())).ok();
            }
            return;
        };
        let (code, hint) = match &error {
            PlaceError::Full(_) => (ProblemCode::DiskFull, "Make room on the disk; it goes on by itself."),
            _ => (ProblemCode::ReadOnly, "Give yourself permission to write there; it goes on by itself."),
        };
        let sentence =
            format!("{} could not be put into the folder: {}.", path.to_string_lossy(), chain(&error));
        let mut fault = problem(code, "folder", sentence, hint);
        fault.needs_you = true;
        self.facts.send(Fact::Raise(fault)).ok();
    }
}

/// The tasks of the next round whose content is here; and where to go on, if there is more.
fn next_round(
    desk: &mut Desk,
    pass: Pass,
    after: Option<&TreePath>,
) -> Result<(Vec<Task>, Option<TreePath>), DeskError> {
    let rows = desk.ledger.standing_after(after, ROUND)?;
    let last = (rows.len() == ROUND as usize).then(|| rows[rows.len() - 1].path.clone());
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
        let act = match entry {
            None => Act::Remove,
            Some(entry) => match tree::content_of(desk.repo.git(), entry)? {
                Content::Annexed { key, locked: false } => {
                    let executable = entry.mode == EntryMode::Executable;
                    let leaving = if standing.known.is_none() { leaving.remove(&key) } else { None };
                    match (leaving, store.locate(&key)) {
                        (Some((from, known)), _) => Act::Move { from, known, executable },
                        (None, Some(object)) => Act::File { object, executable },
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
        desk.placing.insert(standing.path.clone());
        if let Act::Move { from, .. } = &act {
            desk.placing.insert(from.clone());
        }
        tasks.push(Task { standing, entry, act });
    }
    Ok((tasks, last))
}

/// Files that are to be removed in the same go, by their content: a move costs a rename instead of a copy. Each is
/// offered once, to the first path that wants it.
fn leaving(desk: &mut Desk, rows: &[Standing]) -> Result<HashMap<Key, (TreePath, FileStat)>, DeskError> {
    let mut found = HashMap::new();
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

fn act(work: &Result<std::io::Result<WorkTree>, tributary_repo::repository::OpenError>, task: &Task) -> Done {
    let work = match work {
        Ok(Ok(work)) => work,
        Ok(Err(error)) => {
            return Done::Failed(PlaceError::Io(std::io::Error::new(error.kind(), error.to_string())));
        }
        Err(error) => return Done::Failed(PlaceError::Io(std::io::Error::other(error.to_string()))),
    };
    let path = &task.standing.path;
    let expected = task.standing.known.map_or(Expected::Absent, Expected::Version);
    let placed = match &task.act {
        Act::Nothing => return Done::Removed,
        Act::Remove => {
            let Some(known) = task.standing.known else { return Done::Removed };
            return match work.remove_known(path, known) {
                Ok(Removed::Done | Removed::AlreadyGone) => Done::Removed,
                Ok(Removed::EditedMeanwhile) => Done::Edited,
                Err(error) => Done::Failed(error),
            };
        }
        Act::Move { from, known, executable } => {
            work.rename_known(from, path, *known).and_then(|placed| match placed {
                Placed::Done(stat) if stat.is_executable() != *executable => {
                    work.set_executable(path, *executable, stat)
                }
                other => Ok(other),
            })
        }
        Act::File { object, executable } => work.place_file(path, object, *executable, expected),
        Act::Bytes { content, executable } => work.place_bytes(path, content, *executable, expected),
        Act::Link { target } => work.place_link(path, target, expected),
    };
    match placed {
        Ok(Placed::Done(stat)) => Done::Placed(stat),
        Ok(Placed::EditedMeanwhile) => Done::Edited,
        Ok(Placed::InTheWay { .. }) => Done::InTheWay,
        Err(PlaceError::NameNotPossible(_)) => Done::NotPossible,
        Err(error) => Done::Failed(error),
    }
}

/// What a round came to.
#[derive(Default)]
struct Settled {
    touched: usize,
    /// To be looked at by the committer.
    edited: Vec<TreePath>,
    /// Something stands in the way of these.
    blocked: Vec<TreePath>,
    /// A way that did not work is not taken again: another round goes another.
    again: bool,
    failure: Option<(TreePath, PlaceError)>,
}

fn settle(desk: &mut Desk, done: Vec<(Done, Task)>) -> Result<Settled, DeskError> {
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
