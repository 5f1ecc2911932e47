//! One name of a directory changed by renames, each followed by a look at what came out.
//!
//! Two tests say whether a file is the version known: its stat data, and that nobody has it open for writing (who has
//! may change it after any look). They are made before, for the common case, and again on what came out, when no path
//! leads to it any more. A rename moves ctime, so the second look leaves that out.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, RenameFlags, renameat_with};
use rustix::io::Errno;

use super::walk::stat_at;
use super::{PlaceError, Removed, writers};
use crate::stat::FileStat;
use crate::store::other_tmp::OtherTmp;

/// What became of a swap.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Swapped {
    Done,
    /// Something else is there, and was left or put back.
    Edited,
    /// A directory is there.
    Directory,
}

/// A name in an open directory.
pub(super) struct Spot<'a> {
    pub(super) dir: &'a OwnedFd,
    pub(super) name: &'a [u8],
}

impl Spot<'_> {
    fn stat(&self) -> io::Result<Option<FileStat>> {
        stat_at(self.dir, self.name)
    }

    /// Whether the version known is there, as far as can be told before anything is moved.
    pub(super) fn is_version(&self, known: &FileStat) -> io::Result<bool> {
        let same = self.stat()?.is_some_and(|now| now.same_version(known));
        Ok(same && !self.has_writer()?)
    }

    fn has_writer(&self) -> io::Result<bool> {
        let how = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        match rustix::fs::openat(self.dir, self.name, how, Mode::empty()) {
            Ok(file) => plain_file_has_writer(File::from(file)),
            Err(Errno::LOOP | Errno::NOENT) => Ok(false),
            // A file that may not be read cannot be asked about; its stat data alone must do.
            Err(Errno::ACCESS) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Why a name that should be free is not.
    fn taken(&self) -> io::Result<Swapped> {
        Ok(if self.stat()?.is_some_and(|now| now.is_dir()) { Swapped::Directory } else { Swapped::Edited })
    }
}

/// Whether the error says that there is no file to be read: nothing there, a link, a directory.
pub(super) fn is_no_file(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR | libc::ELOOP | libc::ENXIO))
}

/// Moves `made` to a name that must be free.
pub(super) fn put_new(spot: &Spot<'_>, made: &Path) -> Result<Swapped, PlaceError> {
    match rename_new(CWD, made, spot.dir, spot.name) {
        Ok(()) => Ok(Swapped::Done),
        Err(Errno::EXIST) => Ok(spot.taken()?),
        Err(error) => Err(io::Error::from(error).into()),
    }
}

/// Moves `made` over the version known, which comes out at `made`'s path and is deleted with it.
pub(super) fn put_over(
    spot: &Spot<'_>,
    made: &Path,
    known: &FileStat,
    new: &FileStat,
) -> Result<Swapped, PlaceError> {
    if !spot.is_version(known)? {
        return Ok(spot.taken()?);
    }
    match exchange(spot, made) {
        Ok(()) => {}
        Err(Errno::NOENT) => return Ok(Swapped::Edited),
        // The file system cannot exchange.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            return put_over_in_two_steps(spot, made, known);
        }
        Err(error) => return Err(io::Error::from(error).into()),
    }
    if is_version_outside(made, known)? {
        return Ok(Swapped::Done);
    }
    // An edit came out: it goes back. Should yet another file have taken the name in that moment, then that one came
    // out now, and is newer than the edit, which it would have replaced without us too.
    exchange(spot, made).map_err(io::Error::from)?;
    let out = FileStat::from(&made.symlink_metadata()?);
    if !out.same_content(new) {
        exchange(spot, made).map_err(io::Error::from)?;
    }
    Ok(Swapped::Edited)
}

/// For file systems without exchange: for a moment nothing is at the name.
fn put_over_in_two_steps(spot: &Spot<'_>, made: &Path, known: &FileStat) -> Result<Swapped, PlaceError> {
    let aside = made.with_extension("old");
    match rename_new(spot.dir, spot.name, CWD, &aside) {
        Ok(()) => {}
        Err(Errno::NOENT) => return Ok(Swapped::Edited),
        Err(error) => return Err(io::Error::from(error).into()),
    }
    if !is_version_outside(&aside, known)? {
        put_back(spot, &aside)?;
        return Ok(Swapped::Edited);
    }
    match put_new(spot, made) {
        Ok(done) => {
            std::fs::remove_file(&aside)?;
            Ok(done)
        }
        Err(error) => {
            put_back(spot, &aside)?;
            Err(error)
        }
    }
}

/// Takes the version known away and deletes it.
pub(super) fn take_out(spot: &Spot<'_>, tmp: &OtherTmp, known: &FileStat) -> Result<Removed, PlaceError> {
    match spot.stat()? {
        None => return Ok(Removed::AlreadyGone),
        Some(now) if !now.same_version(known) || spot.has_writer()? => return Ok(Removed::EditedMeanwhile),
        Some(_) => {}
    }
    let taken = tmp.make(|path| Ok(rename_new(spot.dir, spot.name, CWD, path)?));
    let taken = match taken {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Removed::AlreadyGone),
        taken => taken?,
    };
    if is_version_outside(&taken, known)? {
        taken.close()?;
        return Ok(Removed::Done);
    }
    put_back(spot, &taken)?;
    Ok(Removed::EditedMeanwhile)
}

/// Renames the version known to a free name.
pub(super) fn rename(old: &Spot<'_>, new: &Spot<'_>, known: &FileStat) -> Result<Swapped, PlaceError> {
    match rename_new(old.dir, old.name, new.dir, new.name) {
        Ok(()) => {}
        Err(Errno::NOENT) => return Ok(Swapped::Edited),
        Err(Errno::EXIST) => return Ok(new.taken()?),
        Err(error) => return Err(io::Error::from(error).into()),
    }
    if new.stat()?.is_some_and(|now| now.same_content(known)) && !new.has_writer()? {
        return Ok(Swapped::Done);
    }
    match rename_new(new.dir, new.name, old.dir, old.name) {
        // A newer file has the old name: then the edit stays under the new one, and both are seen as local changes.
        Ok(()) | Err(Errno::EXIST) => Ok(Swapped::Edited),
        Err(error) => Err(io::Error::from(error).into()),
    }
}

/// Gives an edit its name back. A file that took the name meanwhile is newer and stays: it would have replaced the
/// edit without us too.
fn put_back(spot: &Spot<'_>, aside: &Path) -> io::Result<()> {
    match rename_new(CWD, aside, spot.dir, spot.name) {
        Ok(()) => Ok(()),
        Err(Errno::EXIST) => std::fs::remove_file(aside),
        Err(error) => Err(error.into()),
    }
}

/// Whether the version known came out, and nobody can change it any more.
fn is_version_outside(path: &Path, known: &FileStat) -> io::Result<bool> {
    let now = FileStat::from(&path.symlink_metadata()?);
    if !now.same_content(known) {
        return Ok(false);
    }
    if !now.is_file() {
        return Ok(true);
    }
    match File::open(path) {
        Ok(file) => Ok(!plain_file_has_writer(file)?),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(true),
        Err(error) => Err(error),
    }
}

/// Whether a plain file has a writer; anything else has none.
fn plain_file_has_writer(file: File) -> io::Result<bool> {
    Ok(file.metadata()?.is_file() && writers::has_writer(&file)?)
}

fn exchange(spot: &Spot<'_>, made: &Path) -> rustix::io::Result<()> {
    renameat_with(CWD, made, spot.dir, spot.name, RenameFlags::EXCHANGE)
}

/// Renames to a name that must be free, by a link where the file system cannot do both in one.
fn rename_new(
    from_dir: impl std::os::fd::AsFd,
    from: impl rustix::path::Arg + Copy,
    to_dir: impl std::os::fd::AsFd,
    to: impl rustix::path::Arg + Copy,
) -> rustix::io::Result<()> {
    match renameat_with(&from_dir, from, &to_dir, to, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            rustix::fs::linkat(&from_dir, from, &to_dir, to, AtFlags::empty())?;
            rustix::fs::unlinkat(&from_dir, from, AtFlags::empty())
        }
        renamed => renamed,
    }
}
