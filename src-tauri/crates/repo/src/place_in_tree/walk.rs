//! Directories of the work tree, opened one component at a time, so that a link among them is never followed: whoever
//! can make one could lead us out of the folder.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;
use tributary_formats::tree_path::TreePath;

use crate::stat::FileStat;

/// As a place to start from only: nobody who watches the directory is told of that, our own watcher least of all.
const DIRECTORY: OFlags =
    OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// A directory on the way to a path.
pub(super) enum Parent {
    /// It is open.
    Open(OwnedFd),
    /// There is none.
    Missing,
    /// Something else stands there, at this path.
    InTheWay(TreePath),
}

/// Opens the directory that holds `path`; with `create` the ones that are missing are made.
pub(super) fn open_parent(top: &OwnedFd, path: &TreePath, create: bool) -> io::Result<Parent> {
    let mut dir = None;
    let depth = path.components().count() - 1;
    for (at, name) in path.components().take(depth).enumerate() {
        dir = match open_dir(dir.as_ref().unwrap_or(top), name, create) {
            Ok(next) => Some(next),
            Err(Errno::NOENT) => return Ok(Parent::Missing),
            Err(Errno::NOTDIR | Errno::LOOP) => return Ok(Parent::InTheWay(prefix(path, at + 1))),
            Err(error) => return Err(error.into()),
        };
    }
    Ok(Parent::Open(dir.map_or_else(|| top.try_clone(), Ok)?))
}

fn open_dir(dir: &OwnedFd, name: &[u8], create: bool) -> rustix::io::Result<OwnedFd> {
    let open = || rustix::fs::openat(dir, name, DIRECTORY, Mode::empty());
    match open() {
        Err(Errno::NOENT) if create => {
            match rustix::fs::mkdirat(dir, name, Mode::from_raw_mode(0o777)) {
                Err(Errno::EXIST) | Ok(()) => {}
                Err(error) => return Err(error),
            }
            open()
        }
        opened => opened,
    }
}

/// The first `count` components.
fn prefix(path: &TreePath, count: usize) -> TreePath {
    let parts: Vec<&[u8]> = path.components().take(count).collect();
    TreePath::new(parts.join(&b'/')).expect("a part of a path from the top is one too")
}

/// What is under a name in an open directory, links not followed.
pub(super) fn stat_at(dir: impl AsFd, name: &[u8]) -> io::Result<Option<FileStat>> {
    match rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(FileStat::from(&stat))),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Removes the directories above `path`, from the lowest, as long as they are empty.
pub(super) fn remove_empty_parents(top: &OwnedFd, path: &TreePath) -> io::Result<()> {
    let mut below = path.parent();
    while let Some(dir) = below {
        let Parent::Open(above) = open_parent(top, &dir, false)? else { return Ok(()) };
        if rustix::fs::unlinkat(&above, dir.file_name(), AtFlags::REMOVEDIR).is_err() {
            // Not empty, most often; whatever it is, an empty directory too many does no harm.
            return Ok(());
        }
        below = dir.parent();
    }
    Ok(())
}
