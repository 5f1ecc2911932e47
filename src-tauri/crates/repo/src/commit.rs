//! Commits made from a list of changes: new trees for the directories they touch, one commit, and the branch moved
//! only when nobody else moved it meanwhile.
//!
//! Order (design, section 5): objects are written and synced before the ref names the commit.

use std::collections::BTreeMap;

use git2::Oid;
use tributary_formats::key::Key;
use tributary_formats::pointer::format_pointer;
use tributary_formats::tree_path::TreePath;

use crate::object_batch::{ObjectBatch, TreeItem, WriteError};
use crate::refs::{self, RefError};
use crate::tree::{EntryMode, Node, TreeEntry, TreeError, TreeReader, tree_of};

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
    let mode = if executable { EntryMode::Executable } else { EntryMode::File };
    blob_entry(batch, mode, format_pointer(key))
}

/// Puts the link of `key` into the batch: the entry of a locked file at `path`.
pub fn link_entry(batch: &mut ObjectBatch, key: &Key, path: &TreePath) -> Result<TreeEntry, git2::Error> {
    blob_entry(batch, EntryMode::Link, key.link_target(path.depth()))
}

/// Puts a blob into the batch and names it as an entry: a file whose content is in git, or a person's own link
/// (then `data` is its target).
pub fn blob_entry(batch: &mut ObjectBatch, mode: EntryMode, data: Vec<u8>) -> Result<TreeEntry, git2::Error> {
    Ok(TreeEntry { mode, oid: batch.blob(data)? })
}

/// Makes the tree that `base` (None: the empty one) becomes by the changes, in the batch. Only directories that are
/// touched are read; empty ones vanish. Of two changes of one path the last counts. Returns None for an empty tree.
pub fn change_tree(
    git: &git2::Repository,
    batch: &mut ObjectBatch,
    base: Option<Oid>,
    changes: &[TreeChange],
) -> Result<Option<Oid>, CommitError> {
    let changes = changes.iter().map(|change| (&change.path, change.entry.map(Node::Entry)));
    change_nodes(&mut TreeReader::new(git)?, batch, base, changes)
}

/// As [`change_tree`], but a change may also put a whole directory in place.
pub(crate) fn change_nodes<'c>(
    reader: &mut TreeReader<'_>,
    batch: &mut ObjectBatch,
    base: Option<Oid>,
    changes: impl IntoIterator<Item = (&'c TreePath, Option<Node>)>,
) -> Result<Option<Oid>, CommitError> {
    let mut by_path: Vec<Change<'_>> =
        changes.into_iter().map(|(path, node)| (path.as_bytes(), node)).collect();
    // Stable, so that the last change of a path stays behind the others.
    by_path.sort_by_key(|(path, _)| *path);
    change_dir(reader, batch, base, &by_path, 0)
}

/// The bytes of a path, and what is there from now on.
type Change<'c> = (&'c [u8], Option<Node>);

/// The last change of a name in a directory, if any, and the changes below it.
type OfName<'c> = (Option<Option<Node>>, Vec<Change<'c>>);

/// `changes` all lie in one directory, whose path with its slash has `prefix` bytes.
fn change_dir(
    reader: &mut TreeReader<'_>,
    batch: &mut ObjectBatch,
    base: Option<Oid>,
    changes: &[Change<'_>],
    prefix: usize,
) -> Result<Option<Oid>, CommitError> {
    let before = match base {
        Some(base) => reader.items(base)?.into_owned(),
        None => Vec::new(),
    };
    let mut items: BTreeMap<Vec<u8>, TreeItem> =
        before.into_iter().map(|item| (item.name.clone(), item)).collect();

    let name_of = |change: &Change<'_>| {
        let rest = &change.0[prefix..];
        rest.split(|&b| b == b'/').next().expect("split yields at least one part").to_vec()
    };
    // A path's own change and those below it need not be neighbours: `a`, `a.b`, `a/c` is bytewise order.
    let mut names: BTreeMap<Vec<u8>, OfName<'_>> = BTreeMap::new();
    for change in changes {
        let name = name_of(change);
        let whole = change.0.len() == prefix + name.len();
        let slot = names.entry(name).or_default();
        if whole {
            slot.0 = Some(change.1);
        } else {
            slot.1.push(*change);
        }
    }

    for (name, (own, below)) in names {
        if !below.is_empty() {
            let dir = match own {
                Some(Some(Node::Tree(dir))) => Some(dir),
                _ => items.get(&name).and_then(|item| Node::of(item).tree()),
            };
            let inner = prefix + name.len() + 1;
            let adds = below.iter().any(|(_, node)| node.is_some());
            match change_dir(reader, batch, dir, &below, inner)? {
                Some(oid) => {
                    items.insert(name.clone(), item(&name, TREE_MODE, oid));
                }
                // Deletions below a path that is a file mean a directory that is gone anyhow.
                None if dir.is_some() || adds => {
                    items.remove(&name);
                }
                None => {}
            }
            if matches!(own, Some(Some(Node::Tree(_)))) {
                continue;
            }
        }
        match own {
            Some(Some(Node::Entry(entry))) => {
                items.insert(name.clone(), item(&name, entry.mode.bits(), entry.oid));
            }
            Some(Some(Node::Tree(oid))) => {
                items.insert(name.clone(), item(&name, TREE_MODE, oid));
            }
            // A directory that has the name by now is not the file that went.
            Some(None) if items.get(&name).is_some_and(|item| item.mode != TREE_MODE) => {
                items.remove(&name);
            }
            _ => {}
        }
    }

    if items.is_empty() {
        return Ok(None);
    }
    let items: Vec<TreeItem> = items.into_values().collect();
    let oid = batch.tree(items.clone())?;
    reader.remember(oid, items);
    Ok(Some(oid))
}

/// Git's mode of a directory.
const TREE_MODE: u32 = 0o040_000;

fn item(name: &[u8], mode: u32, oid: Oid) -> TreeItem {
    TreeItem { name: name.to_vec(), mode, oid }
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
    let branch = refs::head(git).map_err(CommitError::Ref)?;
    if branch.tip != parent {
        return Err(CommitError::Raced);
    }
    let old_tree = parent.map(|parent| tree_of(git, parent)).transpose()?;
    let tree = match change_tree(git, batch, old_tree, changes)? {
        Some(tree) => tree,
        None => batch.tree(Vec::new())?,
    };
    if old_tree == Some(tree) {
        return Ok(None);
    }
    let parents: Vec<Oid> = parent.into_iter().collect();
    let commit = batch.commit(tree, &parents, author, author, message.as_bytes())?;
    batch.write_durably(git)?;
    let subject = message.lines().next().unwrap_or_default();
    let kind = if parent.is_some() { "commit" } else { "commit (initial)" };
    move_branch(git, &branch.name, parent, commit, &format!("{kind}: {subject}"))?;
    Ok(Some(Committed { commit, tree }))
}

/// Moves a branch, and calls a race a race.
pub(crate) fn move_branch(
    git: &git2::Repository,
    name: &str,
    old: Option<Oid>,
    new: Oid,
    reflog_message: &str,
) -> Result<(), CommitError> {
    refs::move_ref(git, name, old, new, reflog_message).map_err(|cause| match cause {
        RefError::Raced { .. } => CommitError::Raced,
        other => CommitError::Ref(other),
    })
}
