//! git-annex's locks: record locks (`fcntl`) over whole files, and on them the content locks.
//!
//! Source: `annex-format` 4.8 and 5.5, git-annex 10.20230126 and 10.20261026. `flock` is not seen by git-annex.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tributary_formats::key::Key;

use crate::store::ObjectStore;

/// A record lock over a whole file, made when missing; released when dropped.
#[derive(Debug)]
pub struct FileLock {
    file: File,
    path: PathBuf,
}

impl FileLock {
    /// Waits for the exclusive lock.
    pub fn exclusive(path: &Path) -> io::Result<FileLock> {
        let _ = path;
        todo!()
    }

    /// Waits for a shared lock.
    pub fn shared(path: &Path) -> io::Result<FileLock> {
        let _ = path;
        todo!()
    }

    /// Takes the exclusive lock, or returns None when somebody holds one.
    pub fn try_exclusive(path: &Path) -> io::Result<Option<FileLock>> {
        let _ = path;
        todo!()
    }

    /// Takes a shared lock, or returns None when somebody holds the exclusive one.
    pub fn try_shared(path: &Path) -> io::Result<Option<FileLock>> {
        let _ = path;
        todo!()
    }

    /// The locked file.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Where the locked file is.
    pub fn path(&self) -> &Path {
        &self.path
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
        /// How long the promise still lasts, when it is one (`.rtm`).
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
    lock: FileLock,
}

/// Nobody else has locked the key's content: it may be dropped.
#[derive(Debug)]
pub struct ExclusiveContentLock {
    key: Key,
    lock: FileLock,
}

impl SharedContentLock {
    /// Locks content that is here, so that it stays.
    pub fn take(store: &ObjectStore, key: &Key) -> Result<SharedContentLock, ContentLockError> {
        let _ = (store, key);
        todo!()
    }

    /// The locked key.
    pub fn key(&self) -> &Key {
        &self.key
    }
}

impl ExclusiveContentLock {
    /// Locks content that is here for dropping it. A promise of git-annex to keep it (`.rtm`) is honoured.
    pub fn take(store: &ObjectStore, key: &Key) -> Result<ExclusiveContentLock, ContentLockError> {
        let _ = (store, key);
        todo!()
    }

    /// The locked key.
    pub fn key(&self) -> &Key {
        &self.key
    }
}
