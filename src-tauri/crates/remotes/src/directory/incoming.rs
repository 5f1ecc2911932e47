//! A content on its way into the place: a file below `tmp/`, locked by its writer, resumed after a cut, renamed at the
//! end.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use rustix::fs::{self, AtFlags, Dir, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use super::config::Settings;
use super::layout::Layout;
use super::place::{Place, TMP, make_dir};

/// An upload that nobody went on with for so long is removed: its content was dropped, or came by another way.
const ABANDONED_AFTER: Duration = Duration::from_secs(7 * 24 * 3600);

/// How often a file is given its final name while others freeze or remove its directory at the same moment: each
/// failure means that one of them got on, so more than a few never come together.
const MOST_TRIES: u32 = 100;

/// Tells apart the files of uploads that cannot be locked.
static COUNTER: AtomicU64 = AtomicU64::new(0);

/// A file below `tmp/` that nobody else writes to.
#[derive(Debug)]
pub(super) struct Incoming<'a> {
    place: &'a Place,
    path: Vec<u8>,
    file: File,
    len: u64,
    waited: bool,
}

impl<'a> Incoming<'a> {
    /// Opens the file for the content of `layout`, with what an earlier try left in it. Waits while another upload of
    /// the same content is under way on this machine.
    pub fn open(place: &'a Place, settings: &Settings, layout: &Layout) -> io::Result<Self> {
        let dir = folder(settings);
        let path = [dir.as_slice(), b"/", layout.name()].concat();
        let mut waited = false;
        loop {
            let file = match open_or_create(place, &path, OFlags::CREATE) {
                Err(Errno::NOENT) => {
                    make_dir(place, TMP.as_bytes())?;
                    make_dir(place, &dir)?;
                    open_or_create(place, &path, OFlags::CREATE)?
                }
                opened => opened?,
            };
            let mut locked = fs::flock(&file, FlockOperation::NonBlockingLockExclusive);
            if locked == Err(Errno::WOULDBLOCK) {
                waited = true;
                locked = rustix::io::retry_on_intr(|| fs::flock(&file, FlockOperation::LockExclusive));
            }
            match locked {
                // Some network file systems have no locks; there an upload is not resumed.
                Err(Errno::NOTSUP | Errno::NOLCK | Errno::NOSYS | Errno::INVAL) => {
                    return Self::unlocked(place, &dir);
                }
                locked => locked?,
            }
            let file = File::from(file);
            let ours = file.metadata()?;
            match fs::statat(place, &path, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(there) if there.st_ino == ours.ino() => {
                    return Ok(Incoming { place, path, file, len: ours.len(), waited });
                }
                // Before we had the lock, its holder renamed or removed the file.
                Ok(_) | Err(Errno::NOENT) => waited = true,
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// A file of its own, for a file system without locks.
    fn unlocked(place: &'a Place, dir: &[u8]) -> io::Result<Self> {
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let path = [dir, format!("/{}-{number}", std::process::id()).as_bytes()].concat();
        let file = File::from(open_or_create(place, &path, OFlags::CREATE | OFlags::TRUNC)?);
        Ok(Incoming { place, path, file, len: 0, waited: false })
    }

    /// The file. Its position is at the start.
    pub fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Whether another upload of the same content was under way.
    pub fn waited(&self) -> bool {
        self.waited
    }

    /// Bytes that an earlier try left.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Gives the file its final name, replacing what is there, with git-annex's permissions.
    pub fn finish(self, layout: &Layout) -> io::Result<()> {
        let mut tries = 1;
        loop {
            match self.make_room(layout).and_then(|()| self.rename(layout)) {
                Ok(()) => break,
                // Another upload froze the directory, or a removal took it, between two steps of ours.
                Err(Errno::ACCESS | Errno::NOENT) if tries < MOST_TRIES => tries += 1,
                Err(errno) => return Err(errno.into()),
            }
        }
        // Only now: under its temporary name somebody else may have to open it. Some file systems have no permissions;
        // git-annex does without there too.
        let _ = fs::fchmod(&self.file, Mode::from_raw_mode(0o444));
        let _ = fs::chmodat(self.place, layout.dir(), Mode::from_raw_mode(0o555), AtFlags::empty());
        Ok(())
    }

    /// Makes the directory of the final name, or thaws it when it is from an earlier time.
    fn make_room(&self, layout: &Layout) -> rustix::io::Result<()> {
        let writable = Mode::from_raw_mode(0o755);
        match fs::mkdirat(self.place, layout.dir(), writable) {
            Err(Errno::NOENT) => {
                let [inner, outer] = layout.parents();
                make_dir(self.place, outer)?;
                make_dir(self.place, inner)?;
                make_dir(self.place, layout.dir())
            }
            Err(Errno::EXIST) => match fs::chmodat(self.place, layout.dir(), writable, AtFlags::empty()) {
                // Somebody else's, or without permissions: the rename shows whether that matters.
                Err(Errno::PERM | Errno::NOTSUP | Errno::ROFS) => Ok(()),
                changed => changed,
            },
            made => made,
        }
    }

    fn rename(&self, layout: &Layout) -> rustix::io::Result<()> {
        fs::renameat(self.place, &self.path, self.place, &layout.file)
    }

    /// Removes the file.
    pub fn discard(self) {
        // What stays is found, and compared, by the next try.
        let _ = fs::unlinkat(self.place, &self.path, AtFlags::empty());
    }
}

/// `tmp/UUID`, with the UUID of the local repository: machines that share a place do not meet in one file.
fn folder(settings: &Settings) -> Vec<u8> {
    format!("{TMP}/{}", settings.repository).into_bytes()
}

fn open_or_create(place: &Place, path: &[u8], how: OFlags) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC | how;
    fs::openat(place, path, flags, Mode::from_raw_mode(0o644))
}

/// Removes uploads of ours that nobody went on with. What cannot be removed now can be another time.
pub(super) fn remove_abandoned(place: &Place, settings: &Settings) {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let Ok(dir) = fs::openat(place, folder(settings), flags, Mode::empty()) else { return };
    let Ok(entries) = Dir::read_from(&dir) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Ok(file) =
            fs::openat(&dir, name, OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
        else {
            continue;
        };
        let file = File::from(file);
        let old = file.metadata().and_then(|metadata| metadata.modified()).is_ok_and(is_abandoned);
        if old && fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() {
            let _ = fs::unlinkat(&dir, name, AtFlags::empty());
        }
    }
}

fn is_abandoned(modified: SystemTime) -> bool {
    SystemTime::now().duration_since(modified).is_ok_and(|age| age > ABANDONED_AFTER)
}
