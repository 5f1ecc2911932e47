//! Contents of a git remote on a local path: its object store is used directly, under its own locks
//! (`annex-format` 9.2).

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use tributary_formats::key::Key;
use tributary_formats::logs::presence::LogStatus;
use tributary_formats::uuid::RepoUuid;

use super::incoming::{CHUNK, Incoming, check, local};
use super::{ContentsError, Stored};
use crate::Repository;
use crate::annex_branch::LogChange;
use crate::cancel::{Cancel, Meter};
use crate::lock::{ContentLockError, ExclusiveContentLock, FileLock};
use crate::repository::OpenError;
use crate::stat::FileStat;
use crate::store::ObjectStore;
use crate::store::other_tmp::OtherTmp;

/// An open repository on a local path, for the contents in it.
///
/// What was stored and removed is written to the repository's own git-annex branch by [`LocalContents::record`],
/// once for a batch: the caller calls it at the end of one.
pub struct LocalContents {
    repository: Repository,
    store: ObjectStore,
    unrecorded: Vec<LogChange>,
}

impl LocalContents {
    /// Opens the repository at `path`, which must have the UUID `expected`.
    pub fn open(path: &Path, expected: &RepoUuid) -> Result<LocalContents, ContentsError> {
        let repository = Repository::open_remote(path).map_err(unopened)?;
        if repository.uuid() != expected {
            return Err(ContentsError::OtherRepository {
                expected: expected.clone(),
                found: repository.uuid().to_string(),
            });
        }
        let store = repository.store();
        Ok(LocalContents { repository, store, unrecorded: Vec::new() })
    }

    /// Whether the content is there now.
    pub fn check_present(&self, key: &Key) -> Result<bool, ContentsError> {
        self.store.contains(key).map_err(there)
    }

    /// Copies `source`, which holds the content of `key`, into the store there; verified while it is copied. A copy
    /// that was cut off is gone on with; what is there already counts as moved.
    ///
    /// # Errors
    /// [`ContentsError::Busy`] when somebody else is storing the same content there.
    pub fn store(
        &mut self,
        key: &Key,
        source: &Path,
        meter: &Meter<'_>,
        cancel: &Cancel,
    ) -> Result<Stored, ContentsError> {
        if self.check_present(key)? {
            self.note(key, LogStatus::Present);
            return Ok(Stored::AlreadyThere);
        }
        let mut content = File::open(source).map_err(|cause| match cause.kind() {
            io::ErrorKind::NotFound => ContentsError::SourceChanged { key: key.clone() },
            _ => local(cause),
        })?;
        let before = FileStat::from(&content.metadata().map_err(local)?);
        if self.store.free_space().map_err(there)? < before.size {
            return Err(ContentsError::Full);
        }
        if before.size <= SMALL {
            // Nobody else writes this file, so no lock is needed, which for thousands of small files is what counts.
            let tmp = OtherTmp::open(&self.repository.annex_dir())
                .and_then(|dir| dir.file(0o644))
                .map_err(there)?;
            let copied = copy(&mut content, tmp.path(), key, meter, cancel);
            judged(copied, &content, &before, key)?;
            self.store.place(tmp.path(), key).map_err(there)?;
        } else {
            let _lock = self.receiving(key)?;
            let tmp = self.store.tmp_path(key).map_err(there)?;
            let copied = copy(&mut content, &tmp, key, meter, cancel);
            judged(copied, &content, &before, key)?;
            self.store.place(&tmp, key).map_err(there)?;
        }
        self.note(key, LogStatus::Present);
        Ok(Stored::Sent)
    }

    /// Copies the content to `tmp`, going on where that ends when it exists; verified. What is there already counts
    /// as moved.
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
        let mut content = self.store.open_object(key).map_err(|cause| match cause.kind() {
            io::ErrorKind::NotFound => ContentsError::NotPresent { key: key.clone() },
            _ => there(cause),
        })?;
        copy(&mut content, tmp, key, meter, cancel)
    }

    /// Removes the content; it may be absent already. That enough copies remain is the caller's proof.
    pub fn remove(&mut self, key: &Key) -> Result<(), ContentsError> {
        match ExclusiveContentLock::take(&self.store, key) {
            Ok(lock) => {
                self.store.remove(lock).map_err(there)?;
            }
            Err(ContentLockError::NotPresent { .. }) => {}
            Err(cause @ ContentLockError::Locked { .. }) => {
                return Err(ContentsError::Refused { said: cause.to_string() });
            }
            Err(ContentLockError::Io { source, .. }) => return Err(there(source)),
        }
        self.note(key, LogStatus::Missing);
        Ok(())
    }

    /// Writes what was stored and removed since the last call to the repository's own git-annex branch, in one
    /// commit, after everything stored is durable. `now` is in seconds since 1970.
    pub fn record(&mut self, now: u64) -> Result<(), ContentsError> {
        if self.unrecorded.is_empty() {
            return Ok(());
        }
        self.store.sync().map_err(there)?;
        self.repository.annex_branch().update(&self.unrecorded, now, "update")?;
        self.unrecorded.clear();
        Ok(())
    }

    fn note(&mut self, key: &Key, status: LogStatus) {
        let uuid = self.repository.uuid().clone();
        self.unrecorded.push(LogChange::Location { key: key.clone(), uuid, status });
    }

    /// The lock by which one content is received once (git-annex since 2024-02, `annex-format` 11).
    fn receiving(&self, key: &Key) -> Result<FileLock, ContentsError> {
        let dir = self.repository.annex_dir().join("transfer/download/lck");
        std::fs::create_dir_all(&dir).map_err(there)?;
        let mut name = b"lck.".to_vec();
        name.extend(key.key_file());
        let path = dir.join(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(&name));
        FileLock::try_exclusive(&path).map_err(there)?.ok_or_else(|| ContentsError::Busy { key: key.clone() })
    }
}

/// Smaller contents are sent again from the start rather than resumed.
const SMALL: u64 = 1 << 20;

/// Says whose fault a copy that failed is: the source may have changed, and whatever else went wrong with files is the
/// remote's, which is written to.
fn judged(
    copied: Result<(), ContentsError>,
    content: &File,
    before: &FileStat,
    key: &Key,
) -> Result<(), ContentsError> {
    match copied {
        Err(ContentsError::Corrupt { .. }) => {
            let after = FileStat::from(&content.metadata().map_err(local)?);
            let key = key.clone();
            Err(if before.same_content(&after) {
                ContentsError::Corrupt { key }
            } else {
                ContentsError::SourceChanged { key }
            })
        }
        Err(ContentsError::Local(cause)) => Err(there(cause)),
        other => other,
    }
}

/// Copies what is missing of a content into a file, and verifies the whole.
fn copy(
    content: &mut File,
    tmp: &Path,
    key: &Key,
    meter: &Meter<'_>,
    cancel: &Cancel,
) -> Result<(), ContentsError> {
    let mut incoming = Incoming::resume(tmp, key, cancel)?;
    let size = content.metadata().map_err(local)?.len();
    if incoming.len() > size {
        incoming.restart()?;
    }
    meter(incoming.len());
    content.seek(SeekFrom::Start(incoming.len())).map_err(local)?;
    let left = usize::try_from(size - incoming.len()).unwrap_or(CHUNK);
    let mut buffer = vec![0; left.clamp(1, CHUNK)];
    loop {
        check(cancel)?;
        match content.read(&mut buffer).map_err(local)? {
            0 => break,
            read => {
                incoming.write(&buffer[..read])?;
                meter(read as u64);
            }
        }
    }
    incoming.finish()
}

/// A fault of the remote's files.
fn there(cause: io::Error) -> ContentsError {
    let said = cause.to_string();
    match cause.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ContentsError::Full,
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            ContentsError::Refused { said }
        }
        // A drive that is pulled out answers like this.
        _ => ContentsError::Unreachable { said },
    }
}

fn unopened(cause: OpenError) -> ContentsError {
    match cause {
        OpenError::NotAnnexed { .. } => ContentsError::NoContents,
        OpenError::NotRepository { .. } => ContentsError::Unreachable { said: cause.to_string() },
        OpenError::Unreadable { source, .. } => there(source),
        _ => ContentsError::Refused { said: cause.to_string() },
    }
}
