//! Recording: one commit from what was taken in and what is gone, and the index and ledger brought to it.

use std::collections::{BTreeSet, HashMap};

use tributary_formats::key::Key;
use tributary_formats::tree_path::TreePath;
use tributary_formats::variant;
use tributary_repo::commit::{self, CommitError, TreeChange};
use tributary_repo::index::IndexEntry;
use tributary_repo::object_batch::ObjectBatch;
use tributary_repo::stat::FileStat;
use tributary_repo::tree::{self, Content, EntryMode, TreeEntry};
use tributary_repo::{ObjectType, Oid};

use super::moves::{self, Inode, Move};
use super::survey;
use super::take_in::{Becomes, TakenIn};
use crate::state::deletions::{self, Root, Turn, Verdict};
use crate::state::desk::{Desk, DeskError};
use crate::state::ledger::{Reason, Standing};

/// How often a commit is tried anew because somebody else committed at the same moment.
const TRIES: u32 = 10;

/// What became of a batch.
#[derive(Debug, Default)]
pub(super) struct Recorded {
    /// The new commit, if there was anything to commit.
    pub commit: Option<Oid>,
    /// How many paths it changed.
    pub changes: usize,
    /// Keys that gained or lost a name.
    pub keys: Vec<Key>,
    /// Paths that changed again meanwhile.
    pub again: Vec<TreePath>,
    /// Deletions that wait for the rest of a storm: there may be many, and they may be one half of a move.
    pub postponed: BTreeSet<TreePath>,
    /// Deletions that wait for a person, and why.
    pub held: Option<(String, BTreeSet<TreePath>)>,
    /// Paths at which both a local edit and a merged version that was not placed yet are kept.
    pub conflicts: Vec<(TreePath, Vec<TreePath>)>,
    /// How many files were deleted, those that were moved left out.
    pub deleted: usize,
    /// Whether the applier has something to do: pointers to fill, links to make.
    pub to_apply: bool,
}

/// Why nothing could be committed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordError {
    /// The desk failed.
    #[error(transparent)]
    Desk(#[from] DeskError),
    /// Git failed.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// An object could not be made.
    #[error("a git object could not be made: {0}")]
    Object(String),
}

/// How deletions are to be treated in this batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deletions {
    /// Hold them if they are many. Those whose turn it is not wait.
    Judge {
        /// Whose turn it is.
        turn: Turn,
        /// How many were committed a short while ago.
        recent: usize,
        /// Whether a person was asked about some of them already.
        held: bool,
    },
    /// A person said that they are meant.
    Meant,
}

/// Commits a batch. Called at the desk.
pub(super) fn record(
    desk: &mut Desk,
    taken: &[TakenIn],
    gone: &BTreeSet<TreePath>,
    deletions: Deletions,
    message: &str,
) -> Result<Recorded, RecordError> {
    let mut result = Recorded::default();
    for _ in 0..TRIES {
        if let Some(keys) = desk.catch_up()? {
            result.keys.extend(keys);
            result.to_apply = true;
        }
        let plan = plan(desk, taken, gone, deletions)?;
        match commit_plan(desk, plan, message, &mut result) {
            Err(RecordError::Commit(CommitError::Raced)) => {}
            Err(error) => return Err(error),
            Ok(()) => return Ok(result),
        }
    }
    Err(CommitError::Raced.into())
}

/// What is to be committed, and what index and ledger say afterwards.
#[derive(Default)]
struct Plan {
    batch: ObjectBatch,
    changes: Vec<TreeChange>,
    /// Index entries of files that stand as they were read.
    placed: Vec<(TreePath, TreeEntry, FileStat)>,
    /// Paths whose file is not yet what the entry says.
    unplaced: Vec<(TreeEntry, Standing)>,
    removed: Vec<TreePath>,
    deleted: usize,
    again: Vec<TreePath>,
    postponed: BTreeSet<TreePath>,
    held: Option<(String, BTreeSet<TreePath>)>,
    conflicts: Vec<(TreePath, Vec<TreePath>)>,
}

fn plan(
    desk: &mut Desk,
    taken: &[TakenIn],
    gone: &BTreeSet<TreePath>,
    deletions: Deletions,
) -> Result<Plan, RecordError> {
    let mut plan = Plan::default();
    for item in taken {
        plan_file(desk, item, &mut plan)?;
    }
    plan_deletions(desk, taken, gone, deletions, &mut plan)?;
    Ok(plan)
}

fn plan_file(desk: &mut Desk, item: &TakenIn, plan: &mut Plan) -> Result<(), RecordError> {
    let path = &item.path;
    let now = desk.work.stat(path).map_err(DeskError::WorkTree)?;
    if now.is_none_or(|now| !now.same_version(&item.stat)) {
        plan.again.push(path.clone());
        return Ok(());
    }
    if desk.index.under(path.as_bytes()).any(|(_, below)| below.skip_worktree) {
        // Others have a directory here. It keeps the path; the file goes on under a name of its own, which the watcher
        // sees.
        step_aside(desk, item, now)?;
        return Ok(());
    }
    keep_files_in_the_way(desk, path, plan)?;
    let entry = entry_of(&mut plan.batch, item)?;
    let before = desk.index.get(path.as_bytes()).copied();
    let standing = desk.ledger.standing(path).map_err(DeskError::from)?;
    if let Some(standing) = &standing
        && standing.reason == Reason::Arriving
        && !matches!(item.becomes, Becomes::Pointer { .. })
    {
        // Edited here while another version was on its way: the edit keeps the path, the other gets a name beside it.
        if let Some(before) = before
            && before.entry.oid != entry.oid
        {
            keep_beside(desk, path, before.entry, standing, plan)?;
        }
    }
    if before.map(|before| before.entry) != Some(entry) {
        plan.changes.push(TreeChange { path: path.clone(), entry: Some(entry) });
    }
    let waits = match &item.becomes {
        Becomes::Pointer { key, .. } => Some(Some(key.clone())),
        Becomes::Annexed { locked: true, .. } | Becomes::Locked { rewrite: true, .. } => Some(None),
        _ => None,
    };
    match waits {
        Some(key) => plan.unplaced.push((
            entry,
            Standing {
                path: path.clone(),
                key,
                known: Some(item.stat),
                reason: Reason::Arriving,
                leaves: None,
            },
        )),
        None => plan.placed.push((path.clone(), entry, item.stat)),
    }
    Ok(())
}

/// Renames a file that stands where others have a directory to the name that a conflict would give it.
fn step_aside(desk: &Desk, item: &TakenIn, now: Option<FileStat>) -> Result<(), RecordError> {
    let Some(stat) = now else { return Ok(()) };
    let name = match &item.becomes {
        Becomes::Annexed { key, .. } | Becomes::Pointer { key, .. } | Becomes::Locked { key, .. } => {
            variant::variant_path(&item.path, key)
        }
        Becomes::InGit { data, .. } | Becomes::Link { target: data } => {
            let oid = Oid::hash_object(ObjectType::Blob, data)
                .map_err(|error| RecordError::Object(error.to_string()))?;
            variant::variant_path_of_blob(&item.path, &oid.to_string())
        }
    };
    // Whatever came in between is looked at when the watcher sees it.
    if let Err(error) = desk.work.rename_known(&item.path, &name, stat) {
        tracing::warn!(%error, "a file in the way of a directory could not be renamed");
    }
    Ok(())
}

/// Files of others that were not placed yet, where a directory stands here, get a name of their own.
fn keep_files_in_the_way(desk: &Desk, path: &TreePath, plan: &mut Plan) -> Result<(), RecordError> {
    let mut above = path.parent();
    while let Some(dir) = above {
        if let Some(entry) = desk.index.get(dir.as_bytes()).copied().filter(|entry| entry.skip_worktree)
            && let Some(standing) = desk.ledger.standing(&dir).map_err(DeskError::from)?
            && !plan.removed.contains(&dir)
        {
            keep_beside(desk, &dir, entry.entry, &standing, plan)?;
            plan.removed.push(dir.clone());
        }
        above = dir.parent();
    }
    Ok(())
}

fn entry_of(batch: &mut ObjectBatch, item: &TakenIn) -> Result<TreeEntry, RecordError> {
    let made = match &item.becomes {
        Becomes::Annexed { key, locked: true, .. } | Becomes::Locked { key, .. } => {
            commit::link_entry(batch, key, &item.path)
        }
        Becomes::Annexed { key, executable, .. } | Becomes::Pointer { key, executable } => {
            commit::pointer_entry(batch, key, *executable)
        }
        Becomes::InGit { data, .. } => commit::blob_entry(batch, item.becomes.mode(), data.clone()),
        Becomes::Link { target } => commit::blob_entry(batch, EntryMode::Link, target.clone()),
    };
    made.map_err(|error| RecordError::Object(error.to_string()))
}

/// Gives the version that was merged and not placed a name of its own, as a conflict would.
fn keep_beside(
    desk: &Desk,
    path: &TreePath,
    theirs: TreeEntry,
    standing: &Standing,
    plan: &mut Plan,
) -> Result<(), RecordError> {
    let (name, key) = match tree::content_of(desk.repo.git(), theirs).map_err(DeskError::from)? {
        Content::Annexed { key, locked } => (variant::variant_path(path, &key), (!locked).then_some(key)),
        _ => (variant::variant_path_of_blob(path, &theirs.oid.to_string()), None),
    };
    plan.changes.push(TreeChange { path: name.clone(), entry: Some(theirs) });
    plan.unplaced.push((
        theirs,
        Standing { path: name.clone(), key, known: None, reason: standing.reason, leaves: None },
    ));
    plan.conflicts.push((path.clone(), vec![name]));
    Ok(())
}

fn plan_deletions(
    desk: &mut Desk,
    taken: &[TakenIn],
    gone: &BTreeSet<TreePath>,
    deletions: Deletions,
    plan: &mut Plan,
) -> Result<(), RecordError> {
    if matches!(deletions, Deletions::Judge { turn: Turn::None, .. }) {
        // Of a large move that goes on, each batch takes both halves of its own files; the rest is judged at the end.
        plan.postponed.clone_from(gone);
        for path in taken.iter().filter_map(|item| item.moved_from.as_ref()) {
            if plan.postponed.remove(path) && is_deleted(desk, path)?.is_some() {
                plan.changes.push(TreeChange { path: path.clone(), entry: None });
                plan.removed.push(path.clone());
            }
        }
        return Ok(());
    }
    let mut keys = HashMap::new();
    for item in taken {
        if let Becomes::Annexed { key, .. } | Becomes::Locked { key, .. } = &item.becomes {
            keys.insert(key, &item.path);
        }
    }
    let mut missing = BTreeSet::new();
    let mut moved = Vec::new();
    for path in gone {
        let Some(entry) = is_deleted(desk, path)? else { continue };
        let to = match tree::content_of(desk.repo.git(), entry).map_err(DeskError::from)? {
            Content::Annexed { key, .. } => match keys.get(&key) {
                Some(path) => Some((*path).clone()),
                None => named_elsewhere(desk, &key, gone)?,
            },
            _ => None,
        };
        match to {
            Some(to) => moved.push(Move { from: path.clone(), to }),
            None => drop(missing.insert(path.clone())),
        }
    }
    let mut moved_too = BTreeSet::new();
    if let Deletions::Judge { turn, recent, held } = deletions {
        let root = root(desk);
        let files = desk.index.len();
        let judge = |deletions| deletions::judge(deletions::Batch { deletions, recent, held, files, root });
        let most = if let Turn::UpTo(most) = turn { most } else { usize::MAX };
        let new = !taken.is_empty() || !moved.is_empty();
        if judge(missing.len()) != Verdict::Commit || (new && missing.len() > most) {
            // Worth a look at the whole index.
            moved_too = moved_and_edited(desk, taken, gone, &missing, &moved);
            missing.retain(|path| !moved_too.contains(path));
        }
        if let Verdict::Hold(reason) = judge(missing.len()) {
            plan.held = Some((reason, std::mem::take(&mut missing)));
        } else if missing.len() > most {
            plan.postponed = std::mem::take(&mut missing);
        }
    }
    plan.deleted = missing.len();
    for path in missing.into_iter().chain(moved_too).chain(moved.into_iter().map(|moved| moved.from)) {
        plan.changes.push(TreeChange { path: path.clone(), entry: None });
        plan.removed.push(path);
    }
    Ok(())
}

/// The entry of a path that should stand in the work tree and does not, or not as a file.
fn is_deleted(desk: &Desk, path: &TreePath) -> Result<Option<TreeEntry>, RecordError> {
    let Some(entry) = desk.index.get(path.as_bytes()).filter(|entry| !entry.skip_worktree) else {
        return Ok(None);
    };
    let there = desk.work.stat(path).map_err(DeskError::WorkTree)?;
    Ok(there.is_none_or(|stat| stat.is_dir()).then_some(entry.entry))
}

/// Of the paths whose content is nowhere, those that were edited and moved in one go.
fn moved_and_edited(
    desk: &Desk,
    taken: &[TakenIn],
    gone: &BTreeSet<TreePath>,
    missing: &BTreeSet<TreePath>,
    moved: &[Move],
) -> BTreeSet<TreePath> {
    let mut inodes: HashMap<Inode, TreePath> = HashMap::new();
    for (path, entry) in desk.index.iter().filter(|(_, entry)| !entry.skip_worktree) {
        if let Ok(path) = TreePath::new(path)
            && !gone.contains(&path)
        {
            inodes.insert((entry.stat.dev, entry.stat.ino), path);
        }
    }
    let new: BTreeSet<_> = taken.iter().map(|item| &item.path).collect();
    inodes.extend(taken.iter().map(|item| (survey::inode(&item.stat), item.path.clone())));
    let missing: Vec<_> = missing
        .iter()
        .filter_map(|path| {
            let stat = desk.index.get(path.as_bytes())?.stat;
            Some((path.clone(), (stat.dev, stat.ino)))
        })
        .collect();
    moves::moved_and_edited(&missing, moved, &inodes, |path| {
        new.contains(path) || (!gone.contains(path) && desk.index.get(path.as_bytes()).is_some())
    })
}

/// The path at which the tree names the key, other than those that are gone.
fn named_elsewhere(
    desk: &Desk,
    key: &Key,
    gone: &BTreeSet<TreePath>,
) -> Result<Option<TreePath>, RecordError> {
    const LOOK_AT: u32 = 50;
    let paths = desk.ledger.paths_of(key, LOOK_AT).map_err(DeskError::from)?;
    Ok(paths.into_iter().find(|path| !gone.contains(path)))
}

/// How the folder itself looks.
fn root(desk: &Desk) -> Root {
    let top = desk.repo.work_dir();
    let readable =
        std::fs::read_dir(top).map(|entries| entries.flatten().any(|entry| entry.file_name() != ".git"));
    match readable {
        Err(_) => Root::Gone,
        Ok(_) if !desk.repo.git_dir().exists() => Root::Gone,
        Ok(false) => Root::Empty,
        Ok(true) => Root::Sound,
    }
}

fn commit_plan(
    desk: &mut Desk,
    mut plan: Plan,
    message: &str,
    result: &mut Recorded,
) -> Result<(), RecordError> {
    let author = desk.repo.author();
    let made =
        commit::commit_changes(desk.repo.git(), &mut plan.batch, desk.head, &plan.changes, message, &author)?;
    if let Some(made) = made {
        let (deltas, keys) = desk.follow(made.commit)?;
        result.keys.extend(keys);
        result.commit = Some(made.commit);
        result.changes = deltas.len();
    }
    let rows: Vec<_> = plan.unplaced.iter().map(|(_, standing)| standing.clone()).collect();
    desk.ledger.note_standing(&rows).map_err(DeskError::from)?;
    let settled = plan.placed.iter().map(|(path, ..)| path).chain(&plan.removed);
    desk.ledger.settle(settled).map_err(DeskError::from)?;
    for path in &plan.removed {
        desk.index.remove(path.as_bytes());
    }
    for (path, entry, stat) in &plan.placed {
        desk.index.set(path.as_bytes(), IndexEntry::placed(*entry, stat));
    }
    for (entry, standing) in &plan.unplaced {
        desk.index.set(standing.path.as_bytes(), IndexEntry::not_placed(*entry));
    }
    result.to_apply |= !plan.unplaced.is_empty();
    result.again.append(&mut plan.again);
    result.deleted = plan.deleted;
    result.postponed = plan.postponed;
    result.held = plan.held;
    result.conflicts = plan.conflicts;
    Ok(())
}
