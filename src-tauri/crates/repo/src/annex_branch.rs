//! The git-annex branch: read with the journal over it, written beside a running git-annex, merged by union.
//!
//! Format and the order of writing: `annex-format` 5, git-annex 10.20230126 and 10.20261026. `annex/index` and its
//! `index.lck` are git-annex's own and never touched.

use git2::Oid;
use tributary_formats::key::Key;
use tributary_formats::logs::presence::{LocationLog, LogStatus};
use tributary_formats::logs::remote::RemoteConfig;
use tributary_formats::uuid::RepoUuid;

use crate::object_batch::WriteError;
use crate::repository::Repository;

/// The branch's full ref name.
pub const ANNEX_BRANCH_REF: &str = "refs/heads/git-annex";

/// The git-annex branch of one repository.
pub struct AnnexBranch<'r> {
    repo: &'r Repository,
}

/// One change of the branch.
#[derive(Debug, Clone)]
pub enum LogChange {
    /// The content of a key came to, or left, a repository. Written only when that is news.
    Location {
        /// The content.
        key: Key,
        /// The repository.
        uuid: RepoUuid,
        /// What is so now.
        status: LogStatus,
    },
    /// uuid.log: how a repository describes itself.
    Description {
        /// The repository.
        uuid: RepoUuid,
        /// One line; a newline is escaped.
        description: String,
    },
    /// remote.log: a special remote's configuration.
    Remote {
        /// The special remote.
        uuid: RepoUuid,
        /// All its settings.
        config: RemoteConfig,
    },
    /// A line of another log of the old family (trust.log, group.log, preferred-content.log, …).
    PerUuid {
        /// The log, such as `trust.log`.
        log: String,
        /// The repository.
        uuid: RepoUuid,
        /// The value, as it stands in the line.
        value: String,
    },
    /// config.log: a setting for all clones; empty unsets it.
    Config {
        /// Such as `annex.largefiles`.
        name: String,
        /// The value.
        value: String,
    },
    /// A log with one value, such as numcopies.log.
    Single {
        /// The log.
        log: String,
        /// The value.
        value: String,
    },
    /// `….log.cnk`: a special remote holds a key in chunks.
    Chunks {
        /// The content.
        key: Key,
        /// The special remote.
        uuid: RepoUuid,
        /// Bytes in a chunk.
        chunk_size: u64,
        /// How many; 0 = none any more.
        count: u64,
    },
    /// `….log.web` and the like: an information about a key that is, or is no longer, so.
    Presence {
        /// The log's path.
        log: Vec<u8>,
        /// What the line says.
        info: Vec<u8>,
        /// Whether it is so.
        status: LogStatus,
    },
    /// The whole new content of any file.
    Raw {
        /// Path in the branch.
        path: Vec<u8>,
        /// Its content.
        content: Vec<u8>,
    },
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
    /// A file of the branch is larger than any log should be.
    #[error("the file {path} of the git-annex branch is too large")]
    TooLarge {
        /// Its path, lossily.
        path: String,
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
    pub fn head(&self) -> Result<Option<Oid>, git2::Error> {
        let _ = self.repo;
        todo!()
    }

    /// Content of a file, the journal's version before the branch's; empty when there is none.
    pub fn read(&self, path: &[u8]) -> Result<Vec<u8>, ReadError> {
        let _ = path;
        todo!()
    }

    /// Where a key's content is on record.
    pub fn location_log(&self, key: &Key) -> Result<LocationLog, ReadError> {
        let _ = key;
        todo!()
    }

    /// Commits the changes, and with them what git-annex left in the journal. `now` in seconds since 1970.
    /// None when nothing was news and the journal was empty: then there is no commit.
    ///
    /// # Errors
    /// See [`UpdateError`]; the changes are either all committed or none.
    pub fn update(&self, changes: &[LogChange], now: u64, message: &str) -> Result<Option<Oid>, UpdateError> {
        let _ = (changes, now, message);
        todo!()
    }

    /// Every ref named `git-annex` but our own: what remotes had when they were last fetched, and what they pushed here.
    pub fn tips(&self) -> Result<Vec<BranchTip>, git2::Error> {
        todo!()
    }

    /// Merges other tips in: line union of the files that differ. Tips that are contained, or listed in
    /// `annex/ignoredrefs`, are left out.
    ///
    /// # Errors
    /// [`MergeError::Transition`] before anything was changed.
    pub fn merge(&self, tips: &[Oid], now: u64) -> Result<MergeOutcome, MergeError> {
        let _ = (tips, now);
        todo!()
    }

    /// Paths of the files that differ between two states of the branch (None = empty), and their new contents' blobs
    /// (None = gone). Costs what changed, not what is there. Paths that cannot be a log's are left out.
    pub fn diff(&self, old: Option<Oid>, new: Oid) -> Result<Vec<ChangedLog>, git2::Error> {
        let _ = (old, new);
        todo!()
    }

    /// Location log of a blob that [`AnnexBranch::diff`] named.
    pub fn location_log_of_blob(&self, blob: Oid) -> Result<LocationLog, ReadError> {
        let _ = blob;
        todo!()
    }

    /// Calls `each` with every key's location log in that state of the branch, in tree order.
    pub fn for_each_location(
        &self,
        commit: Oid,
        each: &mut dyn FnMut(Key, LocationLog),
    ) -> Result<(), ReadError> {
        let _ = (commit, each);
        todo!()
    }
}

/// A file of the branch that differs between two states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedLog {
    /// Path in the branch, such as `d91/b11/KEYFILE.log`.
    pub path: Vec<u8>,
    /// The key, when it is a location log.
    pub location_of: Option<Key>,
    /// Its new content.
    pub blob: Option<Oid>,
}
