//! The work tree: files read and placed in it, without ever following a link out of it or overwriting an edit.
//!
//! New content is made in `GITDIR/annex/othertmp`, never visible in the folder, and gets its name by one rename. What
//! it replaces is taken out by an atomic exchange and looked at again: an edit that came in between goes back.

use std::fs::File;
use std::io;
use std::path::Path;

use tributary_formats::tree_path::TreePath;

use crate::stat::FileStat;

/// The work tree of a repository. Can be used from many threads at once.
#[derive(Debug)]
pub struct WorkTree {}

/// What must be at a path for a change to be applied there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Nothing.
    Absent,
    /// The file or link that had this stat data when it was last known.
    Version(FileStat),
}

/// What became of placing a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placed {
    /// It is there; what the index must record.
    Done(FileStat),
    /// What is there is not the version expected, or is open for writing: it was left, or put back, untouched.
    EditedMeanwhile,
    /// A file or link stands where a parent directory is needed, or a directory where the file belongs.
    InTheWay {
        /// What stands in the way.
        path: TreePath,
    },
}

/// What became of removing a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removed {
    /// It was removed, and the directories that this left empty.
    Done,
    /// It was not there.
    AlreadyGone,
    /// What is there is not the version expected, or is open for writing: it was left, or put back, untouched.
    EditedMeanwhile,
}

/// Why a file could not be placed or removed.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// This file system cannot hold the name: too long, characters, or case.
    #[error("this file system cannot hold the name")]
    NameNotPossible(#[source] io::Error),
    /// No room.
    #[error("the disk is full")]
    Full(#[source] io::Error),
    /// The folder may not be written.
    #[error("the folder cannot be written")]
    Denied(#[source] io::Error),
    /// The content to be placed is not in the store.
    #[error("the content is not here")]
    NoContent,
    /// Anything else.
    #[error("the file could not be placed")]
    Io(#[source] io::Error),
}

impl WorkTree {
    /// Opens the work tree at `top`; `annex_dir` is `GITDIR/annex`, on the same file system.
    pub fn open(top: &Path, annex_dir: &Path) -> io::Result<WorkTree> {
        let _ = (top, annex_dir);
        todo!()
    }

    /// Stat data of what is at `path`, links not followed; None when nothing is, or a parent is no directory.
    pub fn stat(&self, path: &TreePath) -> io::Result<Option<FileStat>> {
        let _ = path;
        todo!()
    }

    /// Opens a plain file for reading, no component followed if it is a link.
    pub fn open_file(&self, path: &TreePath) -> io::Result<File> {
        let _ = path;
        todo!()
    }

    /// Target of the symbolic link at `path`.
    pub fn read_link(&self, path: &TreePath) -> io::Result<Vec<u8>> {
        let _ = path;
        todo!()
    }

    /// Whether some process of this user has the file open for writing. A file that is gone has no writer.
    pub fn is_open_for_writing(&self, path: &TreePath) -> io::Result<bool> {
        let _ = path;
        todo!()
    }

    /// Places a copy (a clone where the file system can) of `object` at `path`; parents are made.
    pub fn place_file(
        &self,
        path: &TreePath,
        object: &Path,
        executable: bool,
        expected: Expected,
    ) -> Result<Placed, PlaceError> {
        let _ = (path, object, executable, expected);
        todo!()
    }

    /// Places a file with these bytes: one that lives in git, or a pointer.
    pub fn place_bytes(
        &self,
        path: &TreePath,
        content: &[u8],
        executable: bool,
        expected: Expected,
    ) -> Result<Placed, PlaceError> {
        let _ = (path, content, executable, expected);
        todo!()
    }

    /// Places a symbolic link: a locked file, or one that a person made. The target is not looked at.
    pub fn place_link(
        &self,
        path: &TreePath,
        target: &[u8],
        expected: Expected,
    ) -> Result<Placed, PlaceError> {
        let _ = (path, target, expected);
        todo!()
    }

    /// Sets or clears the executable bits of a file that is the expected version.
    pub fn set_executable(
        &self,
        path: &TreePath,
        executable: bool,
        expected: FileStat,
    ) -> Result<Placed, PlaceError> {
        let _ = (path, executable, expected);
        todo!()
    }

    /// Removes the file or link at `path` when it is the expected version, and parents that this leaves empty.
    pub fn remove_known(&self, path: &TreePath, expected: FileStat) -> Result<Removed, PlaceError> {
        let _ = (path, expected);
        todo!()
    }

    /// Renames a file that is the expected version to a name that must be free, both within the tree: a move that
    /// others made, without copying the content.
    pub fn rename_known(
        &self,
        from: &TreePath,
        to: &TreePath,
        expected: FileStat,
    ) -> Result<Placed, PlaceError> {
        let _ = (from, to, expected);
        todo!()
    }

    /// Removes what a crash left of our own temporary files.
    pub fn clean_up(&self) -> io::Result<()> {
        todo!()
    }
}
