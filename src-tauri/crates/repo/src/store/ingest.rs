//! Taking files into the store: hashed while they are copied, and proven unchanged.

use std::fs::File;
use std::io::{self, Read, Write};

use rustix::fs::ioctl_ficlone;
use tempfile::NamedTempFile;
use tributary_formats::backend::Backend;
use tributary_formats::hasher::KeyHasher;
use tributary_formats::key::Key;
use tributary_formats::tree_path::TreePath;

use super::ObjectStore;
use super::frozen;
use super::other_tmp::OtherTmp;
use super::verify::{Verdict, buffer_for};
use super::writeback::Writeback;
use crate::place_in_tree::WorkTree;
use crate::stat::FileStat;

/// A copy in the making is nobody else's business.
const MADE_MODE: u32 = 0o600;

/// A file whose content is now in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ingested {
    /// Names the content.
    pub key: Key,
    /// Bytes.
    pub size: u64,
    /// The file in the work tree, as it was before, during and after: what the index entry must record.
    pub stat: FileStat,
    /// Whether the content was in the store before.
    pub known: bool,
}

/// Why a file's content did not get into the store.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// It changed while it was read: look again when it is quiet.
    #[error("the file changed while it was read")]
    Changed,
    /// It is not there any more.
    #[error("the file is gone")]
    Gone,
    /// A symbolic link, directory or other thing that has no content.
    #[error("not a plain file")]
    NotFile,
    /// It may not be read, or reading it failed.
    #[error("the file cannot be read")]
    Unreadable(#[source] io::Error),
    /// Keys of the backend cannot be made here.
    #[error("keys of backend {0} cannot be made")]
    Backend(String),
    /// No room in the store's file system.
    #[error("the disk is full")]
    Full(#[source] io::Error),
    /// The store cannot be written.
    #[error("the object store cannot be written")]
    Store(#[source] io::Error),
}

/// Copies the file and makes its key.
pub(super) fn file(
    store: &ObjectStore,
    tree: &WorkTree,
    path: &TreePath,
    backend: &Backend,
) -> Result<Ingested, IngestError> {
    let mut source = tree.open_file(path).map_err(from_open)?;
    let before = stat_of(&source).map_err(IngestError::Unreadable)?;
    if !before.is_file() {
        return Err(IngestError::NotFile);
    }
    let naming = Naming::new(store, backend, path.as_bytes(), Some(&before))?;
    let mut made = tree.other_tmp().file(MADE_MODE).map_err(from_write)?;
    let key = if before.size > 0 && ioctl_ficlone(made.as_file(), &source).is_ok() {
        // The clone cannot change any more, so it is what gets hashed.
        let mut clone = made.reopen().map_err(from_write)?;
        naming.hash(&mut clone, None, before.size)?
    } else {
        naming.hash(&mut source, Some(made.as_file_mut()), before.size)?
    };
    let size = made.as_file().metadata().map_err(from_write)?.len();
    // By the open file, for a change in place, and by the path, for another file that took its name.
    let after = stat_of(&source).map_err(IngestError::Unreadable)?;
    let named = tree.stat(path).map_err(IngestError::Unreadable)?.ok_or(IngestError::Gone)?;
    if size != before.size || !after.same_version(&before) || !named.same_version(&before) {
        return Err(IngestError::Changed);
    }
    let known = keep(store, &mut made, &key, before.is_executable())?;
    if !known {
        store.place_made(made, &key).map_err(from_write)?;
    }
    Ok(Ingested { key, size, stat: before, known })
}

/// Copies a stream and makes its key.
pub(super) fn stream(
    store: &ObjectStore,
    content: &mut dyn Read,
    file_name: &[u8],
    backend: &Backend,
    executable: bool,
) -> Result<(Key, u64, bool), IngestError> {
    let naming = Naming::new(store, backend, file_name, None)?;
    let tmp = OtherTmp::open(&store.annex_dir).map_err(from_write)?;
    let mut made = tmp.file(MADE_MODE).map_err(from_write)?;
    let key = naming.hash(content, Some(made.as_file_mut()), u64::MAX)?;
    let size = made.as_file().metadata().map_err(from_write)?.len();
    let known = keep(store, &mut made, &key, executable)?;
    if !known {
        store.place_made(made, &key).map_err(from_write)?;
    }
    Ok((key, size, known))
}

/// Whether the store has the content already. What it has is read, since a loss of power may have torn an object that
/// no commit names yet, and a copy is at hand now; a bad one is set aside.
fn keep(
    store: &ObjectStore,
    made: &mut NamedTempFile,
    key: &Key,
    executable: bool,
) -> Result<bool, IngestError> {
    match store.verify(key).map_err(IngestError::Store)? {
        Verdict::Good | Verdict::Unverifiable => return Ok(true),
        Verdict::Bad => {
            store.set_aside(key).map_err(IngestError::Store)?;
        }
        Verdict::Absent => {}
    }
    frozen::freeze_file(made.as_file(), executable).map_err(from_write)?;
    Ok(false)
}

/// How the key comes about.
enum Naming<'a> {
    Hash { hasher: Box<KeyHasher>, file_name: &'a [u8], store: &'a ObjectStore },
    Given(Key),
}

impl<'a> Naming<'a> {
    fn new(
        store: &'a ObjectStore,
        backend: &Backend,
        file_name: &'a [u8],
        stat: Option<&FileStat>,
    ) -> Result<Self, IngestError> {
        if let Some(hasher) = KeyHasher::new(backend) {
            return Ok(Naming::Hash { hasher: Box::new(hasher), file_name, store });
        }
        match (backend, stat) {
            (Backend::Worm, Some(stat)) => {
                let mtime = u64::try_from(stat.mtime.0).unwrap_or(0);
                Ok(Naming::Given(Key::worm(stat.size, mtime, file_name)))
            }
            _ => Err(IngestError::Backend(backend.to_string())),
        }
    }

    /// Reads to the end, hashing and copying on the way.
    fn hash(
        mut self,
        source: &mut dyn Read,
        mut copy: Option<&mut File>,
        size: u64,
    ) -> Result<Key, IngestError> {
        let mut buffer = vec![0; buffer_for(size)];
        let mut writeback = Writeback::new();
        loop {
            let count = match source.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(IngestError::Unreadable(error)),
            };
            if let Naming::Hash { hasher, .. } = &mut self {
                hasher.update(&buffer[..count]);
            }
            if let Some(copy) = &mut copy {
                copy.write_all(&buffer[..count]).map_err(from_write)?;
                writeback.wrote(copy, count);
            }
        }
        writeback.end().map_err(from_write)?;
        Ok(match self {
            Naming::Hash { hasher, file_name, store } => hasher.finish_with(file_name, &store.extensions),
            Naming::Given(key) => key,
        })
    }
}

fn stat_of(file: &File) -> io::Result<FileStat> {
    Ok(FileStat::from(&file.metadata()?))
}

fn from_open(error: io::Error) -> IngestError {
    match error.raw_os_error() {
        Some(libc::ENOENT | libc::ENOTDIR) => IngestError::Gone,
        Some(libc::ELOOP | libc::ENXIO | libc::EISDIR) => IngestError::NotFile,
        _ => IngestError::Unreadable(error),
    }
}

fn from_write(error: io::Error) -> IngestError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            IngestError::Full(error)
        }
        _ => IngestError::Store(error),
    }
}
