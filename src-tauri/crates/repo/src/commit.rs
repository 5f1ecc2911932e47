//! Commits made from a list of changes: new trees for the directories they touch, one commit, and the branch moved
//! only when nobody else moved it meanwhile.
//!
//! Order (design, section 5): objects are written and synced before the ref names the commit.

use git2::Oid;
use tributary_formats::key::Key;
use tributary_formats::tree_path::TreePath;

use crate::object_batch::{ObjectBatch, WriteError};
use crate::refs::RefError;
use crate::tree::{EntryMode, TreeEntry, TreeError};

/// One path of a commit: what it becomes, or None when it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeChange {
    /// Where.
    pub path: TreePath,
    /// What is there from now on.
    pub entry: Option<TreeEntry>,
}

/// A commit that the branch now points to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    /// The new commit.
    pub commit: Oid,
    /// Its tree.
    pub tree: Oid,
}

/// Why nothing was committed.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// Somebody else committed meanwhile: look at the branch again and start over.
    #[error("the branch moved meanwhile")]
    Raced,
    /// The parent's tree could not be read.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The objects could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The branch could not be moved.
    #[error(transparent)]
    Ref(RefError),
    /// libgit2 failed.
    #[error("git failed")]
    Git(#[from] git2::Error),
}

/// Puts the pointer file of `key` into the batch: the entry of an unlocked file.
pub fn pointer_entry(batch: &mut ObjectBatch, key: &Key, executable: bool) -> Result<TreeEntry, git2::Error> {
    let _ = (batch, key, executable);
    todo!()
}

/// Puts the link of `key` into the batch: the entry of a locked file at `path`.
pub fn link_entry(batch: &mut ObjectBatch, key: &Key, path: &TreePath) -> Result<TreeEntry, git2::Error> {
    let _ = (batch, key, path);
    todo!()
}

/// Puts a blob into the batch and names it as an entry: a file whose content is in git, or a person's own link
/// (then `data` is its target).
pub fn blob_entry(batch: &mut ObjectBatch, mode: EntryMode, data: Vec<u8>) -> Result<TreeEntry, git2::Error> {
    let _ = (batch, mode, data);
    todo!()
}

/// Makes the tree that `base` (None: the empty one) becomes by the changes, in the batch. Only directories that are
/// touched are read; empty ones vanish. Of two changes of one path the last counts. Returns None for an empty tree.
pub fn change_tree(
    git: &git2::Repository,
    batch: &mut ObjectBatch,
    base: Option<Oid>,
    changes: &[TreeChange],
) -> Result<Option<Oid>, CommitError> {
    let _ = (git, batch, base, changes);
    todo!()
}

/// Commits changes to the branch that HEAD is on, and empties the batch.
///
/// `parent` is the commit that the changes were made against (None: the branch has none yet). The batch holds the
/// blobs of the entries, as far as they are new. Returns None, and moves nothing, when the tree stays the same.
///
/// # Errors
/// [`CommitError::Raced`] when the branch is not at `parent` any more. The objects are on disk then, and harmless.
pub fn commit_changes(
    git: &git2::Repository,
    batch: &mut ObjectBatch,
    parent: Option<Oid>,
    changes: &[TreeChange],
    message: &str,
    author: &git2::Signature<'static>,
) -> Result<Option<Committed>, CommitError> {
    let _ = (git, batch, parent, changes, message, author);
    todo!()
}
