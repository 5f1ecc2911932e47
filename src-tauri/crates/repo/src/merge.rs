//! Merging histories: a three-way merge of trees by our own walk, and the commit that records it.
//!
//! Everything is deterministic and symmetric: two repositories that merge the same heads make the same tree and even
//! the same commit, so that they do not go on merging each other's merges. Rules: `annex-format` 6.4.

use git2::Oid;

use crate::commit::CommitError;
use crate::conflict::Conflict;
use crate::object_batch::WriteError;
use crate::tree::TreeError;

/// What merging comes to. Commits it names are on disk, durable, and no ref has moved yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Merged {
    /// We have all of it already.
    Nothing,
    /// We have nothing of our own: the branch can move to this commit.
    FastForward(Oid),
    /// A merge commit was made.
    Merge {
        /// The commit; ours and theirs are among its ancestors.
        commit: Oid,
        /// Its tree.
        tree: Oid,
        /// What both sides had changed, and how that was resolved; ordered by path.
        conflicts: Vec<Conflict>,
    },
}

impl Merged {
    /// The commit that the branch should move to; None when it can stay.
    pub fn target(&self) -> Option<Oid> {
        match self {
            Merged::Nothing => None,
            Merged::FastForward(commit) | Merged::Merge { commit, .. } => Some(*commit),
        }
    }
}

/// Why histories were not merged.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// A tree could not be read.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The result could not be made.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// The result could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// libgit2 failed: commits are missing or broken.
    #[error("git failed")]
    Git(#[from] git2::Error),
}

/// Merges other heads into ours (None: we have no commit yet). Heads contained in others are left out, and the order
/// they are given in does not matter. Histories without a common root are merged too.
///
/// The branch is not moved: the caller does that with [`advance`], after it took note of what will change.
pub fn merge_commits(
    git: &git2::Repository,
    ours: Option<Oid>,
    theirs: &[Oid],
) -> Result<Merged, MergeError> {
    let _ = (git, ours, theirs);
    todo!()
}

/// Moves the branch that HEAD is on from `ours` to a commit that contains it.
///
/// # Errors
/// [`CommitError::Raced`] when the branch is not at `ours` any more: merge again.
pub fn advance(
    git: &git2::Repository,
    ours: Option<Oid>,
    to: Oid,
    reflog_message: &str,
) -> Result<(), CommitError> {
    let _ = (git, ours, to, reflog_message);
    todo!()
}
