//! Refs moved by compare-and-swap under git's own ref locks, with reflog, and durable when the call returns.

use git2::Oid;

/// Why a ref did not move.
#[derive(Debug, thiserror::Error)]
pub enum RefError {
    /// It is not where it was thought to be, or somebody holds its lock this moment: look again and start over.
    #[error("{name} moved meanwhile")]
    Raced {
        /// The ref.
        name: String,
    },
    /// HEAD is on no branch.
    #[error("HEAD is on no branch")]
    DetachedHead,
    /// libgit2 or the file system refused.
    #[error("{name} cannot be written")]
    Refused {
        /// The ref.
        name: String,
        /// libgit2's answer.
        source: git2::Error,
    },
}

/// The branch that HEAD is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Full name, such as `refs/heads/master`.
    pub name: String,
    /// Its commit; None before the first one.
    pub tip: Option<Oid>,
}

/// Reads which branch HEAD is on and where that is.
pub fn head(git: &git2::Repository) -> Result<Head, RefError> {
    let _ = git;
    todo!()
}

/// Where a ref points to, links followed; None when it does not exist.
pub fn target(git: &git2::Repository, name: &str) -> Result<Option<Oid>, RefError> {
    let _ = (git, name);
    todo!()
}

/// Moves a ref from `old` (None: it must not exist) to `new`.
pub fn move_ref(
    git: &git2::Repository,
    name: &str,
    old: Option<Oid>,
    new: Oid,
    reflog_message: &str,
) -> Result<(), RefError> {
    let _ = (git, name, old, new, reflog_message);
    todo!()
}
