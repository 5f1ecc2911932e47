//! The directory itself: opened once per batch, so that all work of the batch is on one file system, whatever is
//! mounted or unmounted meanwhile.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, RenameFlags, Stat};
use rustix::io::Errno;
use tributary_formats::RepoUuid;
use tributary_formats::uuid::MAX_UUID_LEN;

use super::config::Settings;
use super::layout::Layout;
use crate::place_error::PlaceError;
use crate::remote::Probed;

/// The file that says whose place this is: the UUID, without a line break.
const MARK: &str = "annex-uuid";
/// Where uploads grow.
pub(super) const TMP: &str = "tmp";

/// The directory, open.
#[derive(Debug)]
pub(super) struct Place {
    root: OwnedFd,
    marked: bool,
}

impl Place {
    /// Opens the directory and looks at its mark.
    ///
    /// # Errors
    ///
    /// [`PlaceError::Unreachable`] when it is not there, or lacks the mark that it had: then a drive is not mounted.
    /// [`PlaceError::WrongPlace`] when the mark is another remote's.
    pub fn open(settings: &Settings) -> Result<Self, PlaceError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = fs::open(&settings.path, flags, Mode::empty()).map_err(|errno| error(settings, errno))?;
        let unreachable = |source| PlaceError::Unreachable { remote: settings.name.clone(), source };
        match read_mark(&root).map_err(|source| error(settings, source))? {
            Some(Ok(found)) if found == settings.uuid => Ok(Place { root, marked: true }),
            Some(Ok(found)) => {
                let (remote, expected) = (settings.name.clone(), settings.uuid.clone());
                Err(PlaceError::WrongPlace { remote, expected, found })
            }
            Some(Err(bad)) => Err(PlaceError::Failed { remote: settings.name.clone(), source: bad }),
            None if settings.marked => {
                Err(unreachable(io::Error::new(io::ErrorKind::NotFound, "the drive is not mounted there")))
            }
            None => Ok(Place { root, marked: false }),
        }
    }

    /// What [`SpecialRemote::probe`](crate::SpecialRemote::probe) says.
    pub fn probe(&self, settings: &Settings) -> Result<Probed, PlaceError> {
        let writable =
            match fs::accessat(&self.root, ".", fs::Access::WRITE_OK | fs::Access::EXEC_OK, AtFlags::empty())
            {
                Ok(()) => true,
                Err(Errno::ACCESS | Errno::ROFS | Errno::PERM) => false,
                Err(errno) => return Err(error(settings, errno)),
            };
        let free_space = self.free_space().map_err(|source| error(settings, source))?;
        Ok(Probed { free_space: Some(free_space), writable, marked: self.marked })
    }

    /// Bytes that may still be written.
    pub fn free_space(&self) -> io::Result<u64> {
        let space = fs::fstatvfs(&self.root)?;
        Ok(space.f_bavail.saturating_mul(space.f_frsize))
    }

    /// Whether the same directory is still found under the remote's path.
    pub fn is_at(&self, settings: &Settings) -> bool {
        match (fs::fstat(&self.root), fs::stat(&settings.path)) {
            (Ok(open), Ok(there)) => (open.st_dev, open.st_ino) == (there.st_dev, there.st_ino),
            _ => false,
        }
    }

    /// Makes all that was written to its file system durable. Also says when something written since the directory was
    /// opened got lost on the way.
    pub fn sync(&self) -> io::Result<()> {
        Ok(fs::syncfs(&self.root)?)
    }

    /// Makes one stored file durable, and the directories above it, which may be new.
    pub fn sync_file(&self, layout: &Layout) -> io::Result<()> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let [inner, outer] = layout.parents();
        for path in [&layout.file, layout.dir(), inner, outer] {
            fs::fsync(fs::openat(&self.root, path, flags, Mode::empty())?)?;
        }
        Ok(fs::fsync(&self.root)?)
    }

    /// The size of the regular file at `path`; `None` when there is none.
    pub fn file_size(&self, path: &[u8]) -> io::Result<Option<u64>> {
        match fs::statat(&self.root, path, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if is_file(&stat) => Ok(Some(u64::try_from(stat.st_size).unwrap_or(0))),
            Ok(_) | Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }
}

impl AsFd for Place {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }
}

fn is_file(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
}

/// Sorts an error at the place. A missing directory is a place that is not there; which one that is, tells a person more
/// than what the system calls it.
pub(super) fn error(settings: &Settings, source: impl Into<io::Error>) -> PlaceError {
    let source = source.into();
    let path = settings.path.display();
    let said = match source.kind() {
        io::ErrorKind::NotFound => format!("the folder {path} is missing"),
        io::ErrorKind::NotADirectory => format!("{path} is no folder"),
        _ => return PlaceError::of(&settings.name, source),
    };
    PlaceError::Unreachable { remote: settings.name.clone(), source: io::Error::new(source.kind(), said) }
}

/// The UUID in the mark; `None` without one.
fn read_mark(root: &OwnedFd) -> io::Result<Option<io::Result<RepoUuid>>> {
    let file =
        match fs::openat(root, MARK, OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty()) {
            Ok(file) => file,
            Err(Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(errno.into()),
        };
    // One byte more than the longest, so that what is too long is seen to be.
    let mut bytes = [0; MAX_UUID_LEN + 1];
    let read = rustix::io::read(&file, &mut bytes)?;
    let uuid = RepoUuid::parse_bytes(bytes[..read].trim_ascii_end());
    Ok(Some(uuid.map_err(|bad| io::Error::new(io::ErrorKind::InvalidData, bad))))
}

/// Puts the mark on a place that has none, durably.
pub(super) fn mark(place: &Place, settings: &Settings) -> Result<(), PlaceError> {
    if place.marked {
        return Ok(());
    }
    write_mark(place, settings).map_err(|source| error(settings, source))?;
    // Another computer may have been faster, for another remote.
    Place::open(settings).map(|_| ())
}

fn write_mark(place: &Place, settings: &Settings) -> io::Result<()> {
    make_dir(place, TMP.as_bytes())?;
    let temporary = format!("{TMP}/{MARK}.{}", settings.repository);
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = fs::openat(place, &temporary, flags, Mode::from_raw_mode(0o644))?;
    let mut rest = settings.uuid.as_str().as_bytes();
    while !rest.is_empty() {
        let written = rustix::io::write(&file, rest)?;
        rest = &rest[written..];
    }
    fs::fsync(&file)?;
    match fs::renameat_with(place, &temporary, place, MARK, RenameFlags::NOREPLACE) {
        // FAT and some network file systems cannot refuse to replace; what is there is compared afterwards.
        Err(Errno::INVAL | Errno::NOSYS) => fs::renameat(place, &temporary, place, MARK)?,
        Err(Errno::EXIST) => fs::unlinkat(place, &temporary, AtFlags::empty())?,
        renamed => renamed?,
    }
    fs::fsync(place)?;
    Ok(())
}

/// Makes a directory; one that is there is fine.
pub(super) fn make_dir(place: &Place, path: &[u8]) -> rustix::io::Result<()> {
    match fs::mkdirat(place, path, Mode::from_raw_mode(0o755)) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(errno) => Err(errno),
    }
}
