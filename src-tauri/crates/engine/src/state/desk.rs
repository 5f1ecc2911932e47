//! The desk: branch, index and ledger of one folder, that only one thread may change at a time.
//!
//! Three states of a path meet here: what is merged (the branch), what the work tree is known to hold (the index with
//! true stat data, or a ledger row where a merged version is not placed yet), and the work tree itself. Committer,
//! merger and applier each take the desk for a moment; hashing, copying and the network happen off it.

mod stale_index;
pub mod tips;
mod torn;

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, Mutex};

use tributary_formats::key::Key;
use tributary_formats::tree_path::TreePath;
use tributary_repo::annex_branch;
use tributary_repo::commit::CommitError;
use tributary_repo::index::{IndexEntry, IndexError, WorkIndex};
use tributary_repo::place_in_tree::WorkTree;
use tributary_repo::refs::{self, RefError};
use tributary_repo::repository::OpenError;
use tributary_repo::tree::{self, Content, EntryMode, TreeDelta, TreeEntry, TreeError};
use tributary_repo::{Oid, Repository, stale_locks};

use self::tips::Tips;
use super::boot::Boot;
use super::ledger::{BranchNote, FileContent, FileRow, Followed, Ledger, LedgerError, Reason, Standing};
use super::wishes::Wishes;

/// Rows of the git-annex branch that are folded into the ledger in one go.
const FOLD: usize = 5_000;

/// What only one thread may change at a time.
pub struct Desk {
    /// The repository.
    pub repo: Repository,
    /// Git's index in memory; it is ahead of the file until it is written.
    pub index: WorkIndex,
    /// What is remembered.
    pub ledger: Ledger,
    /// The work tree.
    pub work: WorkTree,
    /// What each repository wants.
    pub wishes: Wishes,
    /// Paths that the applier is placing just now: what the watcher sees there is our own doing.
    pub placing: HashSet<TreePath>,
    /// Paths that changed while the applier had them: to be looked at when it is done.
    pub deferred: HashSet<TreePath>,
    /// Whether the machine was started anew since the folder was whole.
    boot: Boot,
    /// The branch that the folder is on.
    branch: String,
    /// The commit that index and ledger are at.
    pub head: Option<Oid>,
    tree: Option<Oid>,
    /// The tree that the index file was of when `head` was made, as far as that is known, and how often the file had
    /// been written then.
    index_tree: Option<Oid>,
    writes_before: u64,
    /// What the ledger remembers of that, as far as that is known.
    noted: Option<Option<BranchNote>>,
    /// The tips that the planner was told of last.
    told: Option<Tips>,
}

/// The desk could not be used: the repository, index or ledger failed.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// The repository cannot be opened, or must not be written to.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The work tree is gone or unreadable.
    #[error("the folder cannot be read")]
    WorkTree(#[source] std::io::Error),
    /// The index is broken or in use.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The state database failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A ref cannot be read.
    #[error(transparent)]
    Ref(#[from] RefError),
    /// A tree cannot be read.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// What somebody else's commit took away could not be committed again.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// The git-annex branch cannot be read.
    #[error(transparent)]
    AnnexBranch(#[from] annex_branch::ReadError),
    /// The git-annex branch's tip cannot be read.
    #[error("the repository cannot be read: {0}")]
    Git(String),
}

type Result<T> = std::result::Result<T, DeskError>;

/// The desk, shared by the folder's threads.
#[derive(Clone)]
pub struct DeskHandle(Arc<Mutex<Desk>>);

impl DeskHandle {
    /// Shares a desk.
    #[must_use]
    pub fn new(desk: Desk) -> Self {
        Self(Arc::new(Mutex::new(desk)))
    }

    /// Does something at the desk, on a blocking thread, when it is free.
    pub async fn with<T: Send + 'static>(&self, act: impl FnOnce(&mut Desk) -> T + Send + 'static) -> T {
        let desk = self.0.clone();
        let done = tokio::task::spawn_blocking(move || {
            act(&mut desk.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
        });
        match done.await {
            Ok(value) => value,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }

    /// As `with`, for code that is on a blocking thread already.
    pub fn here<T>(&self, act: impl FnOnce(&mut Desk) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

impl Desk {
    /// Opens the folder's repository and brings index and ledger to its branch, so that a scan finds what changed
    /// while nobody looked. Nothing is hashed.
    ///
    /// # Errors
    /// When the repository cannot or must not be used.
    pub fn open(path: &Path) -> Result<Self> {
        let repo = Repository::open(path)?;
        stale_locks::clear(repo.git_dir(), stale_locks::OURS);
        let state = repo.state_dir();
        std::fs::create_dir_all(&state).map_err(DeskError::WorkTree)?;
        let ledger = Ledger::open(&state.join("state.db"))?;
        let index = WorkIndex::open(repo.git())?;
        let work = repo.work_tree().map_err(DeskError::WorkTree)?;
        WorkTree::clean_up(&repo.annex_dir()).map_err(DeskError::WorkTree)?;
        let branch = repo.branch().map_err(|error| DeskError::Git(error.to_string()))?;
        let mut desk = Self {
            boot: Boot::read(&state),
            branch,
            repo,
            index,
            ledger,
            work,
            wishes: Wishes::default(),
            placing: HashSet::new(),
            deferred: HashSet::new(),
            head: None,
            tree: None,
            index_tree: None,
            writes_before: 0,
            noted: None,
            told: None,
        };
        desk.keep_from_index_of_last_run()?;
        let fresh_ledger = desk.ledger.followed(Followed::Tree)?.is_none();
        desk.follow_branch()?;
        desk.follow_annex_branch()?;
        desk.wishes = Wishes::read(&desk.repo.annex_branch())?;
        desk.square_index(fresh_ledger)?;
        // So that it is known what a commit by hand starts from. Should the file be in use, it is written later.
        if desk.index.is_edited()
            && let Err(error) = desk.write_index()
        {
            tracing::info!(%error, "git's index is not written yet");
        }
        if !desk.index.is_edited() {
            desk.note_index_file();
        }
        if let Some(head) = desk.head {
            desk.note_commit(head);
        }
        Ok(desk)
    }

    /// The tree of the commit that index and ledger are at.
    #[must_use]
    pub fn tree(&self) -> Option<Oid> {
        self.tree
    }

    /// Lets go of what the repository's handle keeps of what it read.
    ///
    /// # Errors
    /// When the repository cannot be used any more.
    pub fn rest(&mut self) -> Result<()> {
        Ok(self.repo.rest()?)
    }

    /// Takes note that the branch is at `commit` now: the ledger follows. Returns how the tree differs and which keys
    /// gained or lost a name. The index is the caller's.
    pub fn follow(&mut self, commit: Oid) -> Result<(Vec<TreeDelta>, Vec<Key>)> {
        let tree = tree::tree_of(self.repo.git(), commit)?;
        let from = match self.ledger.followed(Followed::Tree)? {
            None => None,
            Some(hex) => match Oid::from_str(&hex) {
                Ok(oid) if self.repo.git().find_tree(oid).is_ok() => Some(oid),
                _ => {
                    // The history it followed was replaced by hand.
                    self.ledger.start_over(Followed::Tree)?;
                    None
                }
            },
        };
        let deltas = tree::diff_trees(self.repo.git(), from, Some(tree))?;
        let mut rows = Vec::with_capacity(deltas.len());
        for delta in &deltas {
            let content = match delta.new {
                None => None,
                Some(entry) => match tree::content_of(self.repo.git(), entry)? {
                    Content::Annexed { key, .. } => Some(FileContent::Annexed(key)),
                    Content::Git { size } => Some(FileContent::InGit { size }),
                    Content::Link | Content::Submodule => Some(FileContent::InGit { size: 0 }),
                },
            };
            rows.push(FileRow { path: delta.path.clone(), content });
        }
        let keys = self.ledger.follow_tree(&tree.to_string(), &rows)?;
        self.note_commit(commit);
        self.head = Some(commit);
        self.tree = Some(tree);
        Ok((deltas, keys))
    }

    /// Takes note that the index file was of the tree that the desk is at.
    fn note_index_file(&mut self) {
        self.writes_before = self.index.writes();
        self.index_tree = self.tree;
    }

    /// Brings the ledger to the branch, wherever that is.
    fn follow_branch(&mut self) -> Result<()> {
        if let Some(tip) = refs::head(self.repo.git())?.tip {
            self.follow(tip)?;
        }
        Ok(())
    }

    /// Brings the ledger's locations to the tip of the git-annex branch. Returns the keys about which something changed:
    /// their log, or, when somebody's wishes did, all.
    pub fn follow_annex_branch(&mut self) -> Result<Vec<Key>> {
        let branch = self.repo.annex_branch();
        let git_failed = |error: &dyn std::error::Error| DeskError::Git(error.to_string());
        let Some(tip) = branch.head().map_err(|error| git_failed(&error))? else { return Ok(vec![]) };
        let from = self.ledger.followed(Followed::AnnexBranch)?;
        if from.as_deref() == Some(&tip.to_string()) {
            return Ok(vec![]);
        }
        let from = from.and_then(|hex| Oid::from_str(&hex).ok());
        let from = from.filter(|oid| self.repo.git().find_commit(*oid).is_ok());
        let text = tip.to_string();
        let mut changed = Vec::new();
        let mut rows = Vec::new();
        if from.is_none() {
            self.ledger.start_over(Followed::AnnexBranch)?;
        }
        let mut wishes = None;
        for log in branch.diff(from, tip).map_err(|error| git_failed(&error))? {
            if Wishes::are_made_of(log.path.as_ref()) && wishes.is_none() {
                wishes = Some(Wishes::read(&branch)?);
            }
            let Some(key) = log.location_of else { continue };
            let present = match log.blob {
                Some(blob) => branch.location_log_of_blob(blob)?.present(),
                None => vec![],
            };
            changed.push(key.clone());
            rows.push((key, present));
            if rows.len() == FOLD {
                self.ledger
                    .follow_locations(from.map_or(String::new(), |oid| oid.to_string()).as_str(), &rows)?;
                rows.clear();
            }
        }
        self.ledger.follow_locations(&text, &rows)?;
        if let Some(wishes) = wishes {
            self.wishes = wishes;
            changed = self.ledger.keys_in_use()?;
        }
        Ok(changed)
    }

    /// Whether the repository is still one to write to, on the branch that this desk knows.
    ///
    /// # Errors
    /// What is in the way. The folder is stopped then, and started again when that is right.
    pub fn fit(&mut self) -> Result<()> {
        Ok(self.repo.still_fit(&self.branch)?)
    }

    /// Takes in that somebody else moved the branch in this repository: `git commit` by hand, git-annex. Returns the
    /// keys that gained or lost a name; `None` when nobody did.
    ///
    /// # Errors
    /// [`DeskError::Commit`] also when the branch moves all the time.
    pub fn catch_up(&mut self) -> Result<Option<Vec<Key>>> {
        self.fit()?;
        /// How often somebody may commit while we put back what a commit took away.
        const TRIES: u32 = 10;
        for _ in 0..TRIES {
            let tip = refs::head(self.repo.git())?.tip;
            let Some(tip) = tip.filter(|tip| Some(*tip) != self.head) else { return Ok(None) };
            self.index.refresh()?;
            let target = match self.keep_from_stale_index(tip) {
                Err(DeskError::Commit(CommitError::Raced)) => continue,
                kept => kept?.unwrap_or(tip),
            };
            let (deltas, keys) = self.follow(target)?;
            self.arrive(&deltas)?;
            return Ok(Some(keys));
        }
        Err(CommitError::Raced.into())
    }

    /// Puts merged differences into the index as not placed, with what stands there noted first, so that the applier
    /// can place them and nobody takes an absent or old file for a deletion or an edit.
    ///
    /// Entries that the index holds already as they should be (a git command placed them) are left alone.
    pub fn arrive(&mut self, deltas: &[TreeDelta]) -> Result<()> {
        let mut rows = Vec::new();
        let mut entries = Vec::new();
        for delta in deltas {
            let staged = self.index.get(delta.path.as_bytes()).copied();
            if staged.map(|staged| staged.entry) == delta.new {
                continue;
            }
            let row = self.standing_row(&delta.path, staged.as_ref(), delta.new)?;
            if delta.new.is_none()
                && row.known.is_none()
                && self.work.stat(&delta.path).ok().flatten().is_none()
            {
                // It is gone already, or was never placed.
                entries.push((delta.path.clone(), None, false));
            } else {
                entries.push((delta.path.clone(), delta.new, true));
                rows.push(row);
            }
        }
        self.ledger.note_standing(&rows)?;
        let mut placed = Vec::new();
        for (path, entry, waits) in entries {
            match entry {
                Some(entry) => self.index.set(path.as_bytes(), IndexEntry::not_placed(entry)),
                None => {
                    self.index.remove(path.as_bytes());
                    if !waits {
                        placed.push(path);
                    }
                }
            }
        }
        self.ledger.settle(&placed)?;
        Ok(())
    }

    /// What stands at a path that is about to change to `new`.
    fn standing_row(
        &self,
        path: &TreePath,
        staged: Option<&IndexEntry>,
        new: Option<TreeEntry>,
    ) -> Result<Standing> {
        let before = self.ledger.standing(path)?;
        let known = match (&before, staged) {
            // Not placed yet, or on purpose: what stood there then still does.
            (Some(before), _) => before.known,
            (None, Some(staged)) => self.work.stat(path).ok().flatten().filter(|stat| staged.matches(stat)),
            (None, None) => None,
        };
        let key = match new {
            Some(entry) => match tree::content_of(self.repo.git(), entry)? {
                Content::Annexed { key, locked: false } => Some(key),
                _ => None,
            },
            None => None,
        };
        let reason = match before {
            Some(Standing { reason: Reason::OnlyElsewhere, .. }) if new.is_some() => Reason::OnlyElsewhere,
            _ => Reason::Arriving,
        };
        // Where a row was, the version staged was never placed: an older one stands there, and must not be moved to
        // where that is wanted.
        let leaves = match (new, staged) {
            (None, Some(staged)) if known.is_some() && before.is_none() => {
                match tree::content_of(self.repo.git(), staged.entry)? {
                    Content::Annexed { key, locked: false } => Some(key),
                    _ => None,
                }
            }
            _ => None,
        };
        Ok(Standing { path: path.clone(), key, known, reason, leaves })
    }

    /// Makes the index say what the branch says, at a start: it may lag behind after a crash, or hold what a person
    /// staged. The work tree is not read; a path whose entry changes here is looked at by the scan.
    fn square_index(&mut self, fresh_ledger: bool) -> Result<()> {
        let Some(tree) = self.tree else { return Ok(()) };
        let mut stray: HashSet<Box<[u8]>> = self.index.iter().map(|(path, _)| path.into()).collect();
        let mut rows = Vec::new();
        for delta in tree::diff_trees(self.repo.git(), None, Some(tree))? {
            let (path, Some(entry)) = (delta.path, delta.new) else { continue };
            stray.remove(path.as_bytes());
            let staged = self.index.get(path.as_bytes()).copied();
            let standing = self.ledger.standing(&path)?;
            match (staged, standing) {
                (Some(staged), None) if staged.entry == entry && !staged.skip_worktree => {}
                (Some(staged), Some(_)) if staged.entry == entry && staged.skip_worktree => {}
                // Merged, not placed when the engine ended. The row may be of another version than the branch's.
                (staged, Some(_)) => {
                    rows.push(self.standing_row(&path, staged.as_ref(), Some(entry))?);
                    self.index.set(path.as_bytes(), IndexEntry::not_placed(entry));
                }
                // Not placed, and the row is lost: what stands there is not known, so it is not overwritten.
                (Some(staged), None) if staged.skip_worktree => {
                    rows.push(self.standing_row(&path, None, Some(entry))?);
                    self.index.set(path.as_bytes(), IndexEntry::not_placed(entry));
                }
                // Neither index nor ledger knows it: an absent file is not taken for a deletion.
                (None, None) if fresh_ledger && self.work.stat(&path).ok().flatten().is_none() => {
                    rows.push(self.standing_row(&path, None, Some(entry))?);
                    self.index.set(path.as_bytes(), IndexEntry::not_placed(entry));
                }
                // The commit was made here and the index not written: the file is looked at again.
                (_, None) => self.index.set(path.as_bytes(), unknown(entry)),
            }
        }
        self.ledger.note_standing(&rows)?;
        for path in stray {
            self.index.remove(&path);
        }
        Ok(())
    }
}

/// An entry of which only the version is known: the file is read when it is met.
fn unknown(entry: TreeEntry) -> IndexEntry {
    IndexEntry { skip_worktree: false, ..IndexEntry::not_placed(entry) }
}

/// Git's mode for a plain file.
#[must_use]
pub fn file_mode(executable: bool) -> EntryMode {
    if executable { EntryMode::Executable } else { EntryMode::File }
}

#[cfg(test)]
pub(crate) mod scene;
#[cfg(test)]
mod tests;
