//! The work tree: files read and placed in it, without ever following a link out of it or overwriting an edit.
//!
//! New content is made in `GITDIR/annex/othertmp`, never visible in the folder, and gets its name by one rename. What
//! it replaces is taken out by an atomic exchange and looked at again: an edit that came in between goes back.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::{Mode, OFlags, ioctl_ficlone};
use tempfile::TempPath;
use tributary_formats::tree_path::TreePath;

use crate::stat::FileStat;
use crate::store::other_tmp::OtherTmp;

mod swap;
mod walk;
mod writers;

use walk::{Parent, open_parent, stat_at};

/// The work tree of a repository. Can be used from many threads at once.
#[derive(Debug)]
pub struct WorkTree {
    top: OwnedFd,
    tmp: OtherTmp,
}

/// A file or link that is complete, and needs only its name: see [`WorkTree::put`]. Deleted when it gets none.
#[derive(Debug)]
pub struct Prepared {
    made: TempPath,
}

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    Nothing,
    /// A file, a link, a directory or another thing.
    There(FileStat),
    /// Nothing, because a file or link is at one of its parents: where, and which.
    InTheWay(TreePath, FileStat),
}

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
    /// The path lies on another file system than the repository, so that nothing can be moved to it.
    #[error("the path is on another file system than the repository")]
    OtherFileSystem(#[source] io::Error),
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
        let top = File::open(top)?;
        if !top.metadata()?.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        Ok(WorkTree { top: top.into(), tmp: OtherTmp::open(annex_dir)? })
    }

    /// Stat data of what is at `path`, links not followed; None when nothing is, or a parent is no directory.
    pub fn stat(&self, path: &TreePath) -> io::Result<Option<FileStat>> {
        match self.look(path)? {
            Found::There(stat) => Ok(Some(stat)),
            Found::Nothing | Found::InTheWay(..) => Ok(None),
        }
    }

    /// What is at `path`, links not followed, and whether something else than a directory is at one of its parents.
    pub fn look(&self, path: &TreePath) -> io::Result<Found> {
        let found = match open_parent(&self.top, path, false)? {
            Parent::Open(dir) => stat_at(&dir, path.file_name())?.map(Found::There),
            Parent::Missing => None,
            // Unless it went meanwhile.
            Parent::InTheWay(at) => self.stat(&at)?.map(|stat| Found::InTheWay(at, stat)),
        };
        Ok(found.unwrap_or(Found::Nothing))
    }

    /// Opens what is at `path` for reading, no component followed if it is a link.
    ///
    /// # Errors
    /// `NotFound`, also when a parent is no directory; `ELOOP` for a link.
    pub fn open_file(&self, path: &TreePath) -> io::Result<File> {
        // Not to wait for the other end of a pipe, and not to take a terminal for ours.
        const HOW: OFlags = OFlags::RDONLY
            .union(OFlags::NOFOLLOW)
            .union(OFlags::NONBLOCK)
            .union(OFlags::NOCTTY)
            .union(OFlags::CLOEXEC);
        let dir = self.parent(path)?;
        Ok(File::from(rustix::fs::openat(&dir, path.file_name(), HOW, Mode::empty())?))
    }

    /// Target of the symbolic link at `path`.
    pub fn read_link(&self, path: &TreePath) -> io::Result<Vec<u8>> {
        let dir = self.parent(path)?;
        Ok(rustix::fs::readlinkat(&dir, path.file_name(), Vec::new())?.into_bytes())
    }

    /// Whether some process of this user has the file open for writing. A file that is gone, or is none, has no writer.
    pub fn is_open_for_writing(&self, path: &TreePath) -> io::Result<bool> {
        let file = match self.open_file(path) {
            Ok(file) => file,
            Err(error) if swap::is_no_file(&error) => return Ok(false),
            Err(error) => return Err(error),
        };
        if !file.metadata()?.is_file() {
            return Ok(false);
        }
        writers::has_writer(&file)
    }

    /// Makes a copy (a clone where the file system can) of `object`.
    ///
    /// A batch is prepared, then synced by [`crate::store::ObjectStore::sync`], then put: so no loss of power leaves
    /// a torn file in the folder, which would be taken for an edit.
    ///
    /// # Errors
    /// [`PlaceError::NoContent`] when there is no object.
    pub fn prepare_file(&self, object: &Path, executable: bool) -> Result<Prepared, PlaceError> {
        let source = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW).open(object);
        let mut source = source.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => PlaceError::NoContent,
            _ => PlaceError::from(error),
        })?;
        self.prepare(executable, |made| match ioctl_ficlone(&*made, &source) {
            Ok(()) => Ok(()),
            Err(_) => io::copy(&mut source, made).map(|_| ()),
        })
    }

    /// Makes a file with these bytes: one that lives in git, or a pointer.
    pub fn prepare_bytes(&self, content: &[u8], executable: bool) -> Result<Prepared, PlaceError> {
        self.prepare(executable, |made| made.write_all(content))
    }

    /// Makes a symbolic link: a locked file, or one that a person made. The target is not looked at.
    pub fn prepare_link(&self, target: &[u8]) -> Result<Prepared, PlaceError> {
        let made = self.tmp.make(|path| std::os::unix::fs::symlink(OsStr::from_bytes(target), path))?;
        Ok(Prepared { made })
    }

    /// Gives what was prepared its name, when what is there is as expected; missing parents are made.
    pub fn put(&self, path: &TreePath, prepared: Prepared, expected: Expected) -> Result<Placed, PlaceError> {
        if expected != Expected::Absent && self.stat(path)?.is_none() {
            // Deleted here: no reason to make its directory again.
            return Ok(Placed::EditedMeanwhile);
        }
        let dir = match open_parent(&self.top, path, true)? {
            Parent::Open(dir) => dir,
            Parent::InTheWay(path) => return Ok(Placed::InTheWay { path }),
            Parent::Missing => return Err(PlaceError::Io(io::ErrorKind::NotFound.into())),
        };
        let spot = swap::Spot { dir: &dir, name: path.file_name() };
        let made = prepared.stat()?;
        let done = match expected {
            Expected::Absent => swap::put_new(&spot, &prepared.made)?,
            // What was replaced is where the new file was, and is deleted with it.
            Expected::Version(known) => swap::put_over(&spot, &prepared.made, &known, &made)?,
        };
        if done == swap::Swapped::Done && expected == Expected::Absent {
            // Nothing under the old name is ours to delete any more.
            prepared.made.keep().map_err(io::Error::from)?;
        }
        match done {
            swap::Swapped::Done => {
                // The rename moved ctime. Should an edit have followed already, the data of the version placed show it.
                let now = stat_at(&dir, path.file_name())?;
                Ok(Placed::Done(now.filter(|now| now.same_content(&made)).unwrap_or(made)))
            }
            swap::Swapped::Edited => Ok(Placed::EditedMeanwhile),
            swap::Swapped::Directory => Ok(Placed::InTheWay { path: path.clone() }),
        }
    }

    /// [`WorkTree::prepare_file`] and [`WorkTree::put`] in one.
    pub fn place_file(
        &self,
        path: &TreePath,
        object: &Path,
        executable: bool,
        expected: Expected,
    ) -> Result<Placed, PlaceError> {
        self.put(path, self.prepare_file(object, executable)?, expected)
    }

    /// [`WorkTree::prepare_bytes`] and [`WorkTree::put`] in one.
    pub fn place_bytes(
        &self,
        path: &TreePath,
        content: &[u8],
        executable: bool,
        expected: Expected,
    ) -> Result<Placed, PlaceError> {
        self.put(path, self.prepare_bytes(content, executable)?, expected)
    }

    /// [`WorkTree::prepare_link`] and [`WorkTree::put`] in one.
    pub fn place_link(
        &self,
        path: &TreePath,
        target: &[u8],
        expected: Expected,
    ) -> Result<Placed, PlaceError> {
        self.put(path, self.prepare_link(target)?, expected)
    }

    /// Sets or clears the executable bits of a file that is the expected version.
    pub fn set_executable(
        &self,
        path: &TreePath,
        executable: bool,
        expected: FileStat,
    ) -> Result<Placed, PlaceError> {
        let file = match self.open_file(path) {
            Ok(file) => file,
            Err(error) if swap::is_no_file(&error) => return Ok(Placed::EditedMeanwhile),
            Err(error) => return Err(error.into()),
        };
        let stat = |file: &File| Ok::<_, io::Error>(FileStat::from(&file.metadata()?));
        if !stat(&file)?.same_version(&expected) {
            return Ok(Placed::EditedMeanwhile);
        }
        // Who may read may execute, as git does it.
        let readers = expected.mode & 0o444;
        let mode = if executable { expected.mode | (readers >> 2) } else { expected.mode & !0o111 };
        rustix::fs::fchmod(&file, Mode::from_raw_mode(mode & 0o7777)).map_err(io::Error::from)?;
        Ok(Placed::Done(stat(&file)?))
    }

    /// Removes the file or link at `path` when it is the expected version, and parents that this leaves empty.
    pub fn remove_known(&self, path: &TreePath, expected: FileStat) -> Result<Removed, PlaceError> {
        let Parent::Open(dir) = open_parent(&self.top, path, false)? else { return Ok(Removed::AlreadyGone) };
        let spot = swap::Spot { dir: &dir, name: path.file_name() };
        let removed = swap::take_out(&spot, &self.tmp, &expected)?;
        if removed == Removed::Done {
            walk::remove_empty_parents(&self.top, path)?;
        }
        Ok(removed)
    }

    /// Removes the directories above `path`, as far as they are empty.
    pub fn remove_empty_parents(&self, path: &TreePath) -> io::Result<()> {
        walk::remove_empty_parents(&self.top, path)
    }

    /// Renames a file that is the expected version to a name that must be free, both within the tree: a move that
    /// others made, without copying the content. What is above its old name stays, also when that is empty now.
    pub fn rename_known(
        &self,
        from: &TreePath,
        to: &TreePath,
        expected: FileStat,
    ) -> Result<Placed, PlaceError> {
        let Parent::Open(from_dir) = open_parent(&self.top, from, false)? else {
            return Ok(Placed::EditedMeanwhile);
        };
        let old = swap::Spot { dir: &from_dir, name: from.file_name() };
        if !old.is_version(&expected)? {
            return Ok(Placed::EditedMeanwhile);
        }
        let to_dir = match open_parent(&self.top, to, true)? {
            Parent::Open(dir) => dir,
            Parent::InTheWay(path) => return Ok(Placed::InTheWay { path }),
            Parent::Missing => return Err(PlaceError::Io(io::ErrorKind::NotFound.into())),
        };
        let new = swap::Spot { dir: &to_dir, name: to.file_name() };
        match swap::rename(&old, &new, &expected)? {
            swap::Swapped::Done => {
                let now = stat_at(&to_dir, to.file_name())?;
                Ok(Placed::Done(now.filter(|now| now.same_content(&expected)).unwrap_or(expected)))
            }
            swap::Swapped::Edited => Ok(Placed::EditedMeanwhile),
            swap::Swapped::Directory => Ok(Placed::InTheWay { path: to.clone() }),
        }
    }

    /// Removes what a crash left of our own temporary files. Only before anything else is done in the repository.
    pub fn clean_up(annex_dir: &Path) -> io::Result<()> {
        OtherTmp::clean_up(annex_dir)
    }

    pub(crate) fn other_tmp(&self) -> &OtherTmp {
        &self.tmp
    }

    fn parent(&self, path: &TreePath) -> io::Result<OwnedFd> {
        match open_parent(&self.top, path, false)? {
            Parent::Open(dir) => Ok(dir),
            Parent::Missing | Parent::InTheWay(_) => Err(io::Error::from_raw_os_error(libc::ENOENT)),
        }
    }

    fn prepare(
        &self,
        executable: bool,
        fill: impl FnOnce(&mut File) -> io::Result<()>,
    ) -> Result<Prepared, PlaceError> {
        let mode = if executable { 0o777 } else { 0o666 };
        let mut made = self.tmp.file(mode)?;
        fill(made.as_file_mut())?;
        Ok(Prepared { made: made.into_temp_path() })
    }
}

impl From<io::Error> for PlaceError {
    fn from(error: io::Error) -> Self {
        match error.raw_os_error() {
            Some(libc::ENOSPC | libc::EDQUOT | libc::EFBIG) => PlaceError::Full(error),
            Some(libc::EACCES | libc::EPERM | libc::EROFS) => PlaceError::Denied(error),
            Some(libc::ENAMETOOLONG | libc::EILSEQ | libc::EINVAL) => PlaceError::NameNotPossible(error),
            Some(libc::EXDEV) => PlaceError::OtherFileSystem(error),
            _ => PlaceError::Io(error),
        }
    }
}

impl Prepared {
    /// Stat data of what was prepared; the inode stays when it is put.
    pub fn stat(&self) -> io::Result<FileStat> {
        Ok(FileStat::from(&fs::symlink_metadata(&self.made)?))
    }
}
