//! Git's `index.lock`: who holds it is alone in changing the index.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::IndexError;

/// Git's `index.lock`: the next index, being written. Removed when it is dropped before [`LockFile::commit`].
pub(super) struct LockFile {
    pub(super) file: File,
    lock: PathBuf,
    target: PathBuf,
    done: bool,
}

impl LockFile {
    pub(super) fn take(target: &Path) -> Result<LockFile, IndexError> {
        let lock = target.with_extension("lock");
        match OpenOptions::new().write(true).create_new(true).open(&lock) {
            Ok(file) => {
                if let Ok(meta) = std::fs::metadata(target) {
                    // In a shared repository the index is writable for the group: that must stay.
                    file.set_permissions(meta.permissions())?;
                }
                Ok(LockFile { file, lock, target: target.to_owned(), done: false })
            }
            Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => Err(IndexError::Locked),
            Err(cause) => Err(cause.into()),
        }
    }

    pub(super) fn commit(mut self, bytes: &[u8], modified: SystemTime) -> Result<(), IndexError> {
        self.file.write_all(bytes)?;
        self.file.set_modified(modified)?;
        // An index that is cut off by a loss of power makes git refuse the repository.
        self.file.sync_all()?;
        std::fs::rename(&self.lock, &self.target)?;
        self.done = true;
        Ok(())
    }
}

impl Drop for LockFile {
    fn drop(&mut self) {
        if !self.done {
            let _ = std::fs::remove_file(&self.lock);
        }
    }
}
