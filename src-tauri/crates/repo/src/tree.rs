//! Trees of git: entries looked up, two trees compared, and what an entry means to git-annex.
//!
//! Sub-trees that are equal are never opened, so the cost follows the change and not the size of the folder.

use git2::Oid;
use tributary_formats::key::Key;
use tributary_formats::tree_path::{TreePath, TreePathError};

/// What git can hold under a name, directories aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EntryMode {
    /// 100644.
    File,
    /// 100755.
    Executable,
    /// 120000: a symbolic link, git-annex's locked files among them.
    Link,
    /// 160000: a commit of another repository.
    Submodule,
}

impl EntryMode {
    /// Git's number for it.
    pub fn bits(self) -> u32 {
        match self {
            EntryMode::File => 0o100_644,
            EntryMode::Executable => 0o100_755,
            EntryMode::Link => 0o120_000,
            EntryMode::Submodule => 0o160_000,
        }
    }

    /// From git's number; the odd permissions of old repositories (100664) count as 100644. None for a directory.
    pub fn from_bits(bits: u32) -> Option<EntryMode> {
        match bits & 0o170_000 {
            0o100_000 if bits & 0o100 != 0 => Some(EntryMode::Executable),
            0o100_000 => Some(EntryMode::File),
            0o120_000 => Some(EntryMode::Link),
            0o160_000 => Some(EntryMode::Submodule),
            _ => None,
        }
    }

    /// 100644 or 100755.
    pub fn is_file(self) -> bool {
        matches!(self, EntryMode::File | EntryMode::Executable)
    }
}

/// What a tree holds at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TreeEntry {
    /// Kind and executable bit.
    pub mode: EntryMode,
    /// The blob (of a sub-module: the commit).
    pub oid: Oid,
}

/// One difference between two trees. Never equal on both sides, and never none on both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeDelta {
    /// Where.
    pub path: TreePath,
    /// What the old tree has there; None also for a directory.
    pub old: Option<TreeEntry>,
    /// What the new tree has there; None also for a directory.
    pub new: Option<TreeEntry>,
}

/// What an entry means to git-annex.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// An annexed file.
    Annexed {
        /// Names its content.
        key: Key,
        /// A symbolic link into the object store; else a pointer file.
        locked: bool,
    },
    /// A file whose content is in git.
    Git {
        /// Bytes.
        size: u64,
    },
    /// A symbolic link of the person's own.
    Link,
    /// Another repository.
    Submodule,
}

/// Why a tree could not be read.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// An object is missing or broken.
    #[error("git object {oid} cannot be read")]
    Object {
        /// The object.
        oid: Oid,
        /// libgit2's answer.
        source: git2::Error,
    },
    /// The object is no tree that git could have written.
    #[error("git object {oid} is not a well-formed tree")]
    Malformed {
        /// The object.
        oid: Oid,
    },
    /// The tree holds a path that must not be in one, such as `.git/config` or `../x`.
    #[error("the tree holds the path {}", path.escape_ascii())]
    BadPath {
        /// The path.
        path: Vec<u8>,
        /// What is wrong with it.
        source: TreePathError,
    },
}

/// The tree of a commit.
pub fn tree_of(git: &git2::Repository, commit: Oid) -> Result<Oid, TreeError> {
    let _ = (git, commit);
    todo!()
}

/// What `tree` holds at `path`: None when nothing or a directory.
pub fn entry_at(git: &git2::Repository, tree: Oid, path: &TreePath) -> Result<Option<TreeEntry>, TreeError> {
    let _ = (git, tree, path);
    todo!()
}

/// Compares two trees (None: the empty one). Ordered by path, as git orders an index.
///
/// A path that was a file and became a directory is a deletion of the path and additions below it.
pub fn diff_trees(
    git: &git2::Repository,
    old: Option<Oid>,
    new: Option<Oid>,
) -> Result<Vec<TreeDelta>, TreeError> {
    let _ = (git, old, new);
    todo!()
}

/// Says what an entry means. Reads the blob only when it is small enough for a pointer or link.
pub fn content_of(git: &git2::Repository, entry: TreeEntry) -> Result<Content, TreeError> {
    let _ = (git, entry);
    todo!()
}
