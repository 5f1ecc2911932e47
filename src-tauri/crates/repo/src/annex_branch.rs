//! The git-annex branch: read with the journal over it, written beside a running git-annex, merged by union.
//!
//! Format and the order of writing: `annex-format` 5, git-annex 10.20230126 and 10.20261026. `annex/index` and its
//! `index.lck` are git-annex's own and never touched.

use git2::{ObjectType, Oid};
use tributary_formats::branches::{ANNEX_REF, is_foreign_annex_ref};
use tributary_formats::key::Key;
use tributary_formats::logs::presence::LocationLog;
use tributary_formats::logs::{KeyLog, key_log_of};
use tributary_formats::tree_path::TreePath;

use crate::commit::CommitError;
use crate::journal::{Journal, MAX_LOG};
use crate::object_batch::WriteError;
use crate::refs::{self, RefError};
use crate::repository::Repository;
use crate::tree::{TreeDelta, TreeError, diff_trees, tree_of};

mod change;
mod merge;
mod write;

pub use change::LogChange;
use write::Locked;

/// The git-annex branch of one repository.
pub struct AnnexBranch<'r> {
    repo: &'r Repository,
}

/// Why the branch could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The git repository is broken or busy.
    #[error("the git-annex branch cannot be read")]
    Git(#[from] git2::Error),
    /// The journal cannot be read.
    #[error("the git-annex journal cannot be read")]
    Journal(#[source] std::io::Error),
    /// A tree of the branch is missing, broken or hostile.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The branch's ref cannot be read.
    #[error(transparent)]
    Ref(#[from] RefError),
    /// A file of the branch is larger than any log should be.
    #[error("the file {blob} of the git-annex branch is too large")]
    TooLarge {
        /// Its blob.
        blob: Oid,
    },
}

/// Why the branch could not be written. Nothing was lost: journal and branch are as they were.
#[derive(Debug, thiserror::Error)]
pub enum UpdateError {
    /// What had to be changed could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The journal or its lock could not be used.
    #[error("the git-annex journal cannot be locked or changed")]
    Journal(#[source] std::io::Error),
    /// The objects could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The branch's ref could not be read or moved.
    #[error(transparent)]
    Ref(#[from] RefError),
    /// libgit2 failed.
    #[error("the git-annex branch could not be written")]
    Git(#[from] git2::Error),
    /// Others moved the branch each time it was tried. Later will do.
    #[error("the git-annex branch is being written by somebody else all the time")]
    Busy,
    /// A path that cannot be in the branch.
    #[error("{path} cannot be a file of the git-annex branch")]
    BadPath {
        /// The path, lossily.
        path: String,
    },
}

/// Why branches were not merged.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// One side forgot its history (`git annex forget`) and another did not. Nothing was merged.
    #[error(
        "the git-annex branch {tip} has a transition ({transitions}) that is not known here, or lacks one"
    )]
    Transition {
        /// The tip that cannot be merged.
        tip: Oid,
        /// The transitions of one side that the other lacks, such as `ForgetGitHistory`.
        transitions: String,
    },
    /// A side was tuned otherwise (difference.log).
    #[error("the git-annex branch {tip} belongs to a repository that was tuned otherwise")]
    Tuned {
        /// The tip that cannot be merged.
        tip: Oid,
    },
    /// Reading or writing failed.
    #[error(transparent)]
    Update(#[from] UpdateError),
}

/// What a merge did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MergeOutcome {
    /// The branch held all of it already.
    Nothing,
    /// The branch had nothing of its own and is now where the tip was.
    FastForward(Oid),
    /// A merge commit.
    Merged(Oid),
}

/// A ref named `git-annex` somewhere, which may hold news.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BranchTip {
    /// Full ref name.
    pub reference: String,
    /// Where it is.
    pub commit: Oid,
}

impl<'r> AnnexBranch<'r> {
    pub(crate) fn new(repo: &'r Repository) -> Self {
        AnnexBranch { repo }
    }

    /// The branch's tip; None when there is no branch yet.
    pub fn head(&self) -> Result<Option<Oid>, RefError> {
        refs::target(self.repo.git(), ANNEX_REF)
    }

    /// Content of a file, the journal's version before the branch's; empty when there is none.
    pub fn read(&self, path: &[u8]) -> Result<Vec<u8>, ReadError> {
        let Ok(path) = TreePath::new(path) else { return Ok(Vec::new()) };
        if let Some(pending) = Journal::of(self.repo).read(&path).map_err(ReadError::Journal)? {
            return Ok(pending);
        }
        match self.head()? {
            Some(head) => self.files_of(head)?.read(&path),
            None => Ok(Vec::new()),
        }
    }

    /// Where a key's content is on record.
    pub fn location_log(&self, key: &Key) -> Result<LocationLog, ReadError> {
        Ok(LocationLog::parse(&self.read(&key.log_path())?))
    }

    /// Commits the changes, and with them what git-annex left in the journal. `now` in seconds since 1970.
    /// None when nothing was news and the journal was empty: then there is no commit.
    ///
    /// # Errors
    /// See [`UpdateError`]; the changes are either all committed or none.
    pub fn update(&self, changes: &[LogChange], now: u64, message: &str) -> Result<Option<Oid>, UpdateError> {
        Locked::new(self)?.update(changes, now, message)
    }

    /// Every ref named `git-annex` but our own: what remotes had when they were last fetched, and what they pushed here.
    /// Ordered by name.
    pub fn tips(&self) -> Result<Vec<BranchTip>, git2::Error> {
        let mut tips = Vec::new();
        for reference in self.repo.git().references()? {
            let reference = reference?;
            let Ok(name) = reference.name() else { continue };
            if !is_foreign_annex_ref(name) {
                continue;
            }
            // One that points nowhere, or to no commit, has nothing to merge.
            if let Ok(commit) = reference.peel_to_commit() {
                tips.push(BranchTip { reference: name.to_owned(), commit: commit.id() });
            }
        }
        tips.sort_by(|a, b| a.reference.cmp(&b.reference));
        Ok(tips)
    }

    /// Merges other tips in: line union of the files that differ. The journal is committed first. Tips that are
    /// contained, or listed in `annex/ignoredrefs`, are left out.
    ///
    /// # Errors
    /// [`MergeError::Transition`] before any tip was merged.
    pub fn merge(&self, tips: &[Oid], now: u64) -> Result<MergeOutcome, MergeError> {
        merge::merge(self, tips, now)
    }

    /// The files that differ between two states of the branch (None = empty), by path. Costs what changed, not what
    /// is there.
    pub fn diff(&self, old: Option<Oid>, new: Oid) -> Result<Vec<ChangedLog>, ReadError> {
        let git = self.repo.git();
        let old = old.map(|old| tree_of(git, old)).transpose()?;
        let deltas = diff_trees(git, old, Some(tree_of(git, new)?))?;
        Ok(deltas.into_iter().map(ChangedLog::from).collect())
    }

    /// Location log of a blob that [`AnnexBranch::diff`] named.
    pub fn location_log_of_blob(&self, blob: Oid) -> Result<LocationLog, ReadError> {
        Ok(LocationLog::parse(&self.read_blob(blob)?))
    }

    /// Calls `each` with every key's location log in that state of the branch, in order of the logs' paths.
    pub fn for_each_location(
        &self,
        commit: Oid,
        each: &mut dyn FnMut(Key, LocationLog),
    ) -> Result<(), ReadError> {
        for log in self.diff(None, commit)? {
            if let (Some(key), Some(blob)) = (log.location_of, log.blob) {
                each(key, self.location_log_of_blob(blob)?);
            }
        }
        Ok(())
    }

    fn files_of(&self, commit: Oid) -> Result<Files<'r>, ReadError> {
        let git = self.repo.git();
        Ok(Files { branch: AnnexBranch { repo: self.repo }, root: git.find_commit(commit)?.tree()? })
    }

    fn read_blob(&self, blob: Oid) -> Result<Vec<u8>, ReadError> {
        let odb = self.repo.git().odb()?;
        let (size, _) = odb.read_header(blob)?;
        if size as u64 > MAX_LOG {
            return Err(ReadError::TooLarge { blob });
        }
        Ok(odb.read(blob)?.data().to_vec())
    }
}

/// The files of one state of the branch. The top directory, which has up to 4,096 entries and is too large for
/// libgit2's cache, is read once.
struct Files<'r> {
    branch: AnnexBranch<'r>,
    root: git2::Tree<'r>,
}

impl Files<'_> {
    fn tree(&self) -> Oid {
        self.root.id()
    }

    /// Content of a file; empty when there is none.
    fn read(&self, path: &TreePath) -> Result<Vec<u8>, ReadError> {
        let mut dir: Option<git2::Tree<'_>> = None;
        for name in path.components() {
            let Some(entry) = dir.as_ref().unwrap_or(&self.root).get_name_bytes(name) else { break };
            let (oid, kind) = (entry.id(), entry.kind());
            drop(entry);
            match kind {
                Some(ObjectType::Tree) => dir = Some(self.branch.repo.git().find_tree(oid)?),
                Some(ObjectType::Blob) => return self.branch.read_blob(oid),
                _ => break,
            }
        }
        Ok(Vec::new())
    }
}

/// A file of the branch that differs between two states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedLog {
    /// Path in the branch, such as `d91/b11/KEYFILE.log`.
    pub path: TreePath,
    /// The key, when it is a location log.
    pub location_of: Option<Key>,
    /// Its new content; None when it is gone.
    pub blob: Option<Oid>,
}

impl From<TreeDelta> for ChangedLog {
    fn from(delta: TreeDelta) -> Self {
        let location_of = match key_log_of(delta.path.as_bytes()) {
            Some((KeyLog::Location, key)) => Some(key),
            _ => None,
        };
        ChangedLog { path: delta.path, location_of, blob: delta.new.map(|entry| entry.oid) }
    }
}

impl From<CommitError> for UpdateError {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Raced => UpdateError::Busy,
            CommitError::Tree(error) => UpdateError::from(error),
            CommitError::Write(error) => UpdateError::Write(error),
            CommitError::Ref(error) => UpdateError::Ref(error),
            CommitError::Git(error) => UpdateError::Git(error),
        }
    }
}

impl From<TreeError> for UpdateError {
    fn from(error: TreeError) -> Self {
        UpdateError::Read(ReadError::Tree(error))
    }
}
