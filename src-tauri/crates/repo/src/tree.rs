//! Trees of git: entries looked up, two trees compared, and what an entry means to git-annex.
//!
//! Sub-trees that are equal are never opened, so the cost follows the change and not the size of the folder.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use git2::{ObjectType, Oid};
use tributary_formats::key::Key;
use tributary_formats::pointer::{MAX_POINTER_SIZE, parse_link_target, parse_pointer};
use tributary_formats::tree_path::{TreePath, TreePathError};

use crate::object_batch::TreeItem;

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
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
    let found = git.find_commit(commit).map_err(|source| TreeError::Object { oid: commit, source })?;
    Ok(found.tree_id())
}

/// What `tree` holds at `path`: None when nothing or a directory.
pub fn entry_at(git: &git2::Repository, tree: Oid, path: &TreePath) -> Result<Option<TreeEntry>, TreeError> {
    let node = TreeReader::new(git)?.node_at(tree, path)?;
    Ok(node.and_then(Node::entry))
}

/// Compares two trees (None: the empty one). Ordered by path, as git orders an index.
///
/// A path that was a file and became a directory is a deletion of the path and additions below it.
pub fn diff_trees(
    git: &git2::Repository,
    old: Option<Oid>,
    new: Option<Oid>,
) -> Result<Vec<TreeDelta>, TreeError> {
    diff_with(&TreeReader::new(git)?, old, new)
}

/// As [`diff_trees`], for trees that need not be on disk.
pub(crate) fn diff_with(
    reader: &TreeReader<'_>,
    old: Option<Oid>,
    new: Option<Oid>,
) -> Result<Vec<TreeDelta>, TreeError> {
    let mut deltas = Vec::new();
    if old == new {
        return Ok(deltas);
    }
    diff_below(reader, &mut Vec::new(), old, new, &mut deltas)?;
    // Within a directory git puts `a` behind `a.b/c`, an index puts it before.
    deltas.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    Ok(deltas)
}

fn diff_below(
    reader: &TreeReader<'_>,
    path: &mut Vec<u8>,
    old: Option<Oid>,
    new: Option<Oid>,
    deltas: &mut Vec<TreeDelta>,
) -> Result<(), TreeError> {
    for (name, [old, new]) in reader.align([old, new])? {
        if old == new {
            continue;
        }
        let parent = path.len();
        push_name(path, &name);
        let [old_file, new_file] = [old, new].map(|node| node.and_then(Node::entry));
        if old_file.is_some() || new_file.is_some() {
            deltas.push(TreeDelta { path: checked(path)?, old: old_file, new: new_file });
        }
        let [old_dir, new_dir] = [old, new].map(|node| node.and_then(Node::tree));
        if old_dir.is_some() || new_dir.is_some() {
            // Checked here too, so that the path cannot grow without end.
            checked(path)?;
            diff_below(reader, path, old_dir, new_dir, deltas)?;
        }
        path.truncate(parent);
    }
    Ok(())
}

/// Says what an entry means. Reads the blob only when it is small enough for a pointer or link.
pub fn content_of(git: &git2::Repository, entry: TreeEntry) -> Result<Content, TreeError> {
    if entry.mode == EntryMode::Submodule {
        return Ok(Content::Submodule);
    }
    let object = |source| TreeError::Object { oid: entry.oid, source };
    let odb = git.odb().map_err(object)?;
    let (size, _) = odb.read_header(entry.oid).map_err(object)?;
    if size > MAX_POINTER_SIZE {
        return Ok(meaning(entry.mode, size, None));
    }
    let blob = odb.read(entry.oid).map_err(object)?;
    Ok(meaning(entry.mode, size, Some(blob.data())))
}

/// What a blob of `size` bytes means under a mode. `data` is None for one that is too large to be a pointer.
pub(crate) fn meaning(mode: EntryMode, size: usize, data: Option<&[u8]>) -> Content {
    let locked = match mode {
        EntryMode::Submodule => return Content::Submodule,
        EntryMode::Link => true,
        EntryMode::File | EntryMode::Executable => false,
    };
    let key = data.and_then(|data| if locked { parse_link_target(data) } else { parse_pointer(data).key() });
    match key {
        Some(key) => Content::Annexed { key, locked },
        None if locked => Content::Link,
        None => Content::Git { size: size as u64 },
    }
}

/// An entry of a tree object, directories included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Node {
    Tree(Oid),
    Entry(TreeEntry),
}

impl Node {
    pub(crate) fn of(item: &TreeItem) -> Node {
        match EntryMode::from_bits(item.mode) {
            Some(mode) => Node::Entry(TreeEntry { mode, oid: item.oid }),
            None => Node::Tree(item.oid),
        }
    }

    pub(crate) fn entry(self) -> Option<TreeEntry> {
        match self {
            Node::Entry(entry) => Some(entry),
            Node::Tree(_) => None,
        }
    }

    pub(crate) fn tree(self) -> Option<Oid> {
        match self {
            Node::Tree(oid) => Some(oid),
            Node::Entry(_) => None,
        }
    }
}

/// The same name in several trees.
pub(crate) type Aligned<const N: usize> = BTreeMap<Vec<u8>, [Option<Node>; N]>;

/// Reads tree objects: those on disk, and those that were just made and are not there yet.
pub(crate) struct TreeReader<'r> {
    odb: git2::Odb<'r>,
    made: HashMap<Oid, Vec<TreeItem>>,
}

impl<'r> TreeReader<'r> {
    pub(crate) fn new(git: &'r git2::Repository) -> Result<Self, TreeError> {
        let odb = git.odb().map_err(|source| TreeError::Object { oid: Oid::ZERO_SHA1, source })?;
        Ok(TreeReader { odb, made: HashMap::new() })
    }

    /// Lets a tree be read that is only in a batch so far.
    pub(crate) fn remember(&mut self, oid: Oid, items: Vec<TreeItem>) {
        self.made.insert(oid, items);
    }

    pub(crate) fn items(&self, tree: Oid) -> Result<Cow<'_, [TreeItem]>, TreeError> {
        if let Some(items) = self.made.get(&tree) {
            return Ok(Cow::Borrowed(items));
        }
        let object = self.odb.read(tree).map_err(|source| TreeError::Object { oid: tree, source })?;
        if object.kind() != ObjectType::Tree {
            return Err(TreeError::Malformed { oid: tree });
        }
        parse_tree(object.data()).map(Cow::Owned).ok_or(TreeError::Malformed { oid: tree })
    }

    /// What `tree` holds at `path`, a directory too.
    pub(crate) fn node_at(&self, tree: Oid, path: &TreePath) -> Result<Option<Node>, TreeError> {
        let mut place = Node::Tree(tree);
        for name in path.components() {
            let Node::Tree(dir) = place else { return Ok(None) };
            let items = self.items(dir)?;
            let Some(item) = items.iter().find(|item| item.name == name) else { return Ok(None) };
            place = Node::of(item);
        }
        Ok(Some(place))
    }

    /// Lays trees side by side, by name.
    pub(crate) fn align<const N: usize>(&self, trees: [Option<Oid>; N]) -> Result<Aligned<N>, TreeError> {
        let mut rows = Aligned::new();
        for (column, tree) in trees.into_iter().enumerate() {
            let Some(tree) = tree else { continue };
            for item in self.items(tree)?.iter() {
                rows.entry(item.name.clone()).or_insert([None; N])[column] = Some(Node::of(item));
            }
        }
        Ok(rows)
    }
}

/// Adds a component to a path.
pub(crate) fn push_name(path: &mut Vec<u8>, name: &[u8]) {
    if !path.is_empty() {
        path.push(b'/');
    }
    path.extend_from_slice(name);
}

/// A path as it came from a tree object, checked.
pub(crate) fn checked(path: &[u8]) -> Result<TreePath, TreeError> {
    TreePath::new(path).map_err(|source| TreeError::BadPath { path: path.to_vec(), source })
}

/// Takes a tree object apart: `MODE NAME\0` and 20 bytes of id, again and again. None when it is anything else.
pub(crate) fn parse_tree(mut data: &[u8]) -> Option<Vec<TreeItem>> {
    // A typical entry has some 40 bytes.
    let mut items = Vec::with_capacity(data.len() / 40);
    while !data.is_empty() {
        let space = data.iter().take(MAX_MODE_DIGITS + 1).position(|&b| b == b' ')?;
        let mode = data[..space].iter().try_fold(0u32, |mode, digit| match digit {
            b'0'..=b'7' => Some(mode << 3 | u32::from(digit - b'0')),
            _ => None,
        })?;
        data = &data[space + 1..];
        let end = data.iter().position(|&b| b == 0)?;
        let name = data[..end].to_vec();
        let id = data.get(end + 1..end + 1 + OID_LEN)?;
        let oid = Oid::from_bytes(id).ok()?;
        data = &data[end + 1 + OID_LEN..];
        if !matches!(mode & 0o170_000, 0o040_000 | 0o100_000 | 0o120_000 | 0o160_000) {
            return None;
        }
        items.push(TreeItem { name, mode, oid });
    }
    Some(items)
}

/// Git writes five or six octal digits.
const MAX_MODE_DIGITS: usize = 6;
/// Bytes of an object's id.
const OID_LEN: usize = 20;
