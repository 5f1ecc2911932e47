//! Git's index of the work tree, read and written by our own code, with the true stat data of the files.
//!
//! libgit2's index is not used because it looks at the work tree when it writes (and, since it runs no filters, would
//! take every unlocked file for modified). Format: git's `Documentation/gitformat-index.txt`, versions 2 to 4.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::SystemTime;

use crate::stat::FileStat;
use crate::tree::{EntryMode, TreeEntry};

/// The stat data of an entry, as git keeps it: everything cut to 32 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct IndexStat {
    /// Last change of anything: seconds and nanoseconds.
    pub ctime: (u32, u32),
    /// Last change of the content: seconds and nanoseconds.
    pub mtime: (u32, u32),
    /// Device.
    pub dev: u32,
    /// Inode number.
    pub ino: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Size of the file in the work tree in bytes, not of the blob.
    pub size: u32,
}

/// What the index holds of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexEntry {
    /// The version that is staged.
    pub entry: TreeEntry,
    /// The file in the work tree when it held exactly that version; all zero when that is not known.
    pub stat: IndexStat,
    /// The file is not in the work tree, or an older version stands there, on purpose: git must not look.
    pub skip_worktree: bool,
    /// `git add -N`: the path is announced, its content is not staged.
    pub intent_to_add: bool,
    /// `git update-index --assume-unchanged`.
    pub assume_valid: bool,
}

/// The three sides of a path that a merge by hand left in conflict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct IndexConflict {
    /// The version both sides started from.
    pub base: Option<TreeEntry>,
    /// The version of the branch that was merged into.
    pub ours: Option<TreeEntry>,
    /// The version of the branch that was merged.
    pub theirs: Option<TreeEntry>,
}

/// Git's index in memory, with the edits since it was read.
#[derive(Debug)]
pub struct WorkIndex {
    path: PathBuf,
    entries: BTreeMap<Box<[u8]>, IndexEntry>,
}

/// Why the index could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// Another git holds `index.lock`: try again soon.
    #[error("the git index is locked by another program")]
    Locked,
    /// The file is not an index, or broken.
    #[error("the git index is broken: {0}")]
    Broken(&'static str),
    /// It uses something that cannot be read here.
    #[error("the git index has the extension {0}, which is not supported")]
    Unsupported(String),
    /// The file could not be read or written.
    #[error("the git index cannot be read or written")]
    Io(#[from] std::io::Error),
}

impl IndexEntry {
    /// An entry whose file stands in the work tree as `stat` says.
    pub fn placed(entry: TreeEntry, stat: &FileStat) -> IndexEntry {
        let _ = stat;
        IndexEntry {
            entry,
            stat: IndexStat::default(),
            skip_worktree: false,
            intent_to_add: false,
            assume_valid: false,
        }
    }

    /// An entry whose file is not (yet) in the work tree, or stands there in another version.
    pub fn not_placed(entry: TreeEntry) -> IndexEntry {
        IndexEntry {
            entry,
            stat: IndexStat::default(),
            skip_worktree: true,
            intent_to_add: false,
            assume_valid: false,
        }
    }

    /// Whether the file with this stat data is the version of the entry, as far as stat data tells.
    /// Never for an entry that is not placed.
    pub fn matches(&self, stat: &FileStat) -> bool {
        let _ = (stat, EntryMode::File);
        todo!()
    }
}

impl WorkIndex {
    /// Reads the repository's index; a missing file is an empty index.
    pub fn open(git: &git2::Repository) -> Result<WorkIndex, IndexError> {
        let _ = git;
        todo!()
    }

    /// The entry of a path; None when it has none or is in conflict.
    pub fn get(&self, path: &[u8]) -> Option<&IndexEntry> {
        self.entries.get(path)
    }

    /// How many paths have an entry.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no path has an entry.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// All paths with their entries, in bytewise order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &IndexEntry)> {
        self.entries.iter().map(|(path, entry)| (&**path, entry))
    }

    /// The paths below a directory, which is given without a final slash.
    pub fn under<'a>(&'a self, dir: &[u8]) -> impl Iterator<Item = (&'a [u8], &'a IndexEntry)> {
        let _ = dir;
        self.iter()
    }

    /// The paths that a merge by hand left in conflict.
    pub fn conflicts(&self) -> impl Iterator<Item = (&[u8], &IndexConflict)> {
        std::iter::empty()
    }

    /// Sets a path's entry. Entries that cannot stand beside it (a file where it needs a directory, or files below
    /// it) and a conflict of that path go.
    pub fn set(&mut self, path: &[u8], entry: IndexEntry) {
        let _ = (path, entry);
        todo!()
    }

    /// Removes a path's entry and its conflict; false when it had neither.
    pub fn remove(&mut self, path: &[u8]) -> bool {
        let _ = path;
        todo!()
    }

    /// Removes all entries below a directory; returns how many there were.
    pub fn remove_under(&mut self, dir: &[u8]) -> usize {
        let _ = dir;
        todo!()
    }

    /// Whether something was edited since the last [`WorkIndex::write`].
    pub fn is_edited(&self) -> bool {
        todo!()
    }

    /// Whether somebody else wrote the index since it was read or written here.
    pub fn changed_on_disk(&self) -> Result<bool, IndexError> {
        todo!()
    }

    /// Reads the index again when somebody else wrote it, and applies our own edits on top. True when it was read.
    pub fn refresh(&mut self) -> Result<bool, IndexError> {
        todo!()
    }

    /// The moment from which on the index can be written so that git need not look at a file again.
    ///
    /// Git (built without `USE_NSEC`, as it is everywhere) compares seconds only, so it does not trust an entry whose
    /// file changed in the second the index was written in, and runs the clean filter on it. Writing earlier is
    /// right, only slower for git. None when writing at once is as good.
    pub fn settles_at(&self) -> Option<SystemTime> {
        todo!()
    }

    /// Writes the index under git's `index.lock`, when there are edits. If somebody else wrote it meanwhile it is read
    /// again first and our edits applied on top.
    ///
    /// # Errors
    /// [`IndexError::Locked`] when another git is at it; nothing is lost then.
    pub fn write(&mut self) -> Result<(), IndexError> {
        let _ = &self.path;
        todo!()
    }
}
