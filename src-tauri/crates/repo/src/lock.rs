//! git-annex's locks: record locks (`fcntl`) over whole files, and on them the content locks.
//!
//! A content is locked through `KEYFILE.lck` beside it: shared by who needs it to stay, exclusively by who drops it.
//! A promise to keep it until a time (`KEYFILE.rtm`, made by git-annex for the other end of a connection, which may
//! break) outlives its maker. Source: `annex-format` 4.8 and 5.5, git-annex 10.20230126 and 10.20261026. `flock` is
//! not seen by git-annex.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tributary_formats::key::Key;

use crate::store::ObjectStore;
use crate::store::frozen;
use crate::syscall::{LockKind, lock_whole_file};

/// A record lock over a whole file, made when missing; released when dropped.
#[derive(Debug)]
pub struct FileLock {
    file: File,
    path: PathBuf,
}

impl FileLock {
    /// Waits for the exclusive lock.
    pub fn exclusive(path: &Path) -> io::Result<FileLock> {
        let lock = FileLock::open(path)?;
        lock_whole_file(&lock.file, LockKind::Exclusive, true)?;
        Ok(lock)
    }

    /// Waits for a shared lock.
    pub fn shared(path: &Path) -> io::Result<FileLock> {
        let lock = FileLock::open(path)?;
        lock_whole_file(&lock.file, LockKind::Shared, true)?;
        Ok(lock)
    }

    /// Takes the exclusive lock, or returns None when somebody holds one.
    pub fn try_exclusive(path: &Path) -> io::Result<Option<FileLock>> {
        FileLock::open(path)?.try_lock(LockKind::Exclusive)
    }

    /// Takes a shared lock, or returns None when somebody holds the exclusive one.
    pub fn try_shared(path: &Path) -> io::Result<Option<FileLock>> {
        FileLock::open(path)?.try_lock(LockKind::Shared)
    }

    /// The locked file.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Where the locked file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn open(path: &Path) -> io::Result<FileLock> {
        let mut how = OpenOptions::new();
        how.read(true).write(true).create(true).truncate(false).mode(0o644);
        let file = how.custom_flags(libc::O_NOFOLLOW).open(path)?;
        Ok(FileLock { file, path: path.to_owned() })
    }

    fn try_lock(self, kind: LockKind) -> io::Result<Option<FileLock>> {
        match lock_whole_file(&self.file, kind, false) {
            Ok(()) => Ok(Some(self)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether the path still names the locked file: it may have been deleted, or replaced, while the lock was awaited.
    fn is_current(&self) -> io::Result<bool> {
        let held = self.file.metadata()?;
        match fs::symlink_metadata(&self.path) {
            Ok(named) => Ok(named.ino() == held.ino() && named.dev() == held.dev()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// Why a content lock was not had.
#[derive(Debug, thiserror::Error)]
pub enum ContentLockError {
    /// The content is not here.
    #[error("{key} is not present here")]
    NotPresent {
        /// The key asked for.
        key: Key,
    },
    /// Somebody holds it: a transfer, a drop, or a promise to keep the content for a time.
    #[error("the content of {key} is locked")]
    Locked {
        /// The key asked for.
        key: Key,
        /// How long the promise still lasts, when it is one.
        retained_for: Option<Duration>,
    },
    /// The lock file could not be used.
    #[error("the content lock of {key} could not be taken")]
    Io {
        /// The key asked for.
        key: Key,
        /// The system's answer.
        source: io::Error,
    },
}

/// While it lives, git-annex and we do not drop the key's content: it counts as a copy that cannot go away.
#[derive(Debug)]
pub struct SharedContentLock {
    key: Key,
    lock: ContentLock,
}

/// Nobody else has locked the key's content: it may be dropped.
#[derive(Debug)]
pub struct ExclusiveContentLock {
    key: Key,
    lock: ContentLock,
}

impl SharedContentLock {
    /// Locks content that is here, so that it stays.
    pub fn take(store: &ObjectStore, key: &Key) -> Result<SharedContentLock, ContentLockError> {
        let lock = ContentLock::take(store, key, LockKind::Shared)?;
        Ok(SharedContentLock { key: key.clone(), lock })
    }

    /// The locked key.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// The locked content.
    pub fn object(&self) -> &Path {
        &self.lock.object
    }
}

impl ExclusiveContentLock {
    /// Locks content that is here for dropping it. A promise of git-annex to keep it (`.rtm`) is honoured.
    pub fn take(store: &ObjectStore, key: &Key) -> Result<ExclusiveContentLock, ContentLockError> {
        let lock = ContentLock::take(store, key, LockKind::Exclusive)?;
        let retained =
            lock.retained_for().map_err(|source| ContentLockError::Io { key: key.clone(), source })?;
        match retained {
            Some(_) => Err(ContentLockError::Locked { key: key.clone(), retained_for: retained }),
            None => Ok(ExclusiveContentLock { key: key.clone(), lock }),
        }
    }

    /// The locked key.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// The locked content.
    pub fn object(&self) -> &Path {
        &self.lock.object
    }

    /// Deletes a promise that is over, with the lock that git-annex takes to write one. Neither need be there.
    pub(crate) fn forget_promise(&self) {
        for ending in ["rtm", "rtl"] {
            let _ = fs::remove_file(beside(&self.lock.object, ending));
        }
    }
}

/// The lock file beside an object. It is deleted with the lock, by whoever has it alone.
#[derive(Debug)]
struct ContentLock {
    object: PathBuf,
    /// None only while it is being given back.
    lock: Option<FileLock>,
}

impl ContentLock {
    fn take(store: &ObjectStore, key: &Key, kind: LockKind) -> Result<ContentLock, ContentLockError> {
        let failed = |source| ContentLockError::Io { key: key.clone(), source };
        loop {
            let Some(object) = store.locate(key) else {
                return Err(ContentLockError::NotPresent { key: key.clone() });
            };
            let dir = object.parent().expect("an object lies in its key's directory");
            // The directory is frozen as long as nothing has to be made in it.
            let opened = frozen::with_writable(dir, || FileLock::open(&beside(&object, "lck")));
            let opened = match opened {
                Ok(opened) => opened,
                // Dropped by another between the look and the lock.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(failed(error)),
            };
            let Some(lock) = opened.try_lock(kind).map_err(failed)? else {
                return Err(ContentLockError::Locked { key: key.clone(), retained_for: None });
            };
            // Who had the lock before may have deleted the file, or dropped the content.
            if lock.is_current().map_err(failed)? && object.symlink_metadata().is_ok() {
                return Ok(ContentLock { object, lock: Some(lock) });
            }
        }
    }

    /// How long the content must stay by a promise. One that cannot be read counts as just made.
    fn retained_for(&self) -> io::Result<Option<Duration>> {
        /// For how long git-annex promises.
        const PROMISE: Duration = Duration::from_secs(600);
        let mut text = String::new();
        match File::open(beside(&self.object, "rtm")) {
            Ok(file) => file.take(64).read_to_string(&mut text).map(|_| ())?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        }
        let Ok(until) = text.trim().trim_end_matches('s').parse::<f64>() else {
            return Ok(Some(PROMISE));
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let left = Duration::try_from_secs_f64(until - now.as_secs_f64()).unwrap_or_default();
        Ok(Some(left).filter(|left| !left.is_zero()))
    }
}

impl Drop for ContentLock {
    fn drop(&mut self) {
        let Some(lock) = self.lock.take() else { return };
        // Only who has the file alone may delete it, else a newcomer would lock another file than those who are
        // still there. A file that stays behind does no harm.
        if lock_whole_file(&lock.file, LockKind::Exclusive, false).is_ok()
            && lock.is_current().unwrap_or(false)
            && let Some(dir) = self.object.parent()
        {
            let _ = frozen::with_writable(dir, || fs::remove_file(&lock.path));
        }
    }
}

/// `KEYFILE.ENDING` beside `KEYFILE`.
fn beside(object: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(object);
    name.push(".");
    name.push(ending);
    PathBuf::from(name)
}
