//! Contents of a git remote on a local path: its object store is used directly, under its own locks
//! (`annex-format` 9.2).

use std::path::Path;

use tributary_formats::key::Key;
use tributary_formats::uuid::RepoUuid;

use super::{ContentsError, Stored};
use crate::Repository;
use crate::cancel::{Cancel, Meter};

/// An open repository on a local path, for the contents in it.
///
/// What was stored and removed is written to the repository's own git-annex branch by [`LocalContents::record`],
/// once for a batch: the caller calls it at the end of one.
pub struct LocalContents {
    repository: Repository,
}

impl LocalContents {
    /// Opens the repository at `path`, which must have the UUID `expected`.
    pub fn open(path: &Path, expected: &RepoUuid) -> Result<LocalContents, ContentsError> {
        let _ = (path, expected);
        todo!()
    }

    /// Whether the content is there now.
    pub fn check_present(&self, key: &Key) -> Result<bool, ContentsError> {
        let _ = (key, &self.repository);
        todo!()
    }

    /// Copies `source`, which holds the content of `key`, into the store there; verified while it is copied.
    pub fn store(
        &mut self,
        key: &Key,
        source: &Path,
        meter: &Meter<'_>,
        cancel: &Cancel,
    ) -> Result<Stored, ContentsError> {
        let _ = (key, source, meter, cancel);
        todo!()
    }

    /// Copies the content to `tmp`, going on where that ends when it exists; verified.
    ///
    /// # Errors
    /// On [`ContentsError::Corrupt`] the file is gone; on all others what arrived stays for the next try.
    pub fn retrieve(
        &self,
        key: &Key,
        tmp: &Path,
        meter: &Meter<'_>,
        cancel: &Cancel,
    ) -> Result<(), ContentsError> {
        let _ = (key, tmp, meter, cancel);
        todo!()
    }

    /// Removes the content; it may be absent already. That enough copies remain is the caller's proof.
    pub fn remove(&mut self, key: &Key) -> Result<(), ContentsError> {
        let _ = key;
        todo!()
    }

    /// Writes what was stored and removed since the last call to the repository's own git-annex branch, in one
    /// commit, after everything stored is durable. `now` is in seconds since 1970.
    pub fn record(&mut self, now: u64) -> Result<(), ContentsError> {
        let _ = now;
        todo!()
    }
}
