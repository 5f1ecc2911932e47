//! The object store: contents of keys under `GITDIR/annex/objects`, and the places where they are made.
//!
//! A content has its final name only when it is complete and verified. Nothing is synced file by file: a batch ends
//! with one [`ObjectStore::sync`]. Format: `annex-format` 4.1, git-annex repository version 10.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use tributary_formats::backend::Backend;
use tributary_formats::key::Key;
use tributary_formats::tree_path::TreePath;

use crate::lock::ExclusiveContentLock;
use crate::place_in_tree::WorkTree;
use crate::stat::FileStat;

/// The contents of one repository. Cheap to clone, and can be used from many threads at once.
#[derive(Debug, Clone)]
pub struct ObjectStore {
    annex_dir: PathBuf,
}

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
    /// It changed while it was read, or is open for writing: look again when it is quiet.
    #[error("the file changed while it was read")]
    Changed,
    /// It is not there any more.
    #[error("the file is gone")]
    Gone,
    /// A symbolic link, directory or other thing that has no content.
    #[error("not a plain file")]
    NotFile,
    /// It may not be read.
    #[error("the file cannot be read")]
    Unreadable(#[source] io::Error),
    /// The backend makes no keys from contents, or is not known here.
    #[error("keys of backend {0} cannot be made")]
    Backend(String),
    /// No room in the store's file system.
    #[error("the disk is full")]
    Full(#[source] io::Error),
    /// The store cannot be written.
    #[error("the object store cannot be written")]
    Store(#[source] io::Error),
}

/// What [`ObjectStore::verify`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Size and hash are the key's.
    Good,
    /// The content is not the key's.
    Bad,
    /// The size is right, or not known, and the key has no hash to compare (WORM, URL, external backends).
    Unverifiable,
    /// There is no content.
    Absent,
}

impl ObjectStore {
    /// Where the content of `key` is, in either hash directory; None when it is not here.
    pub fn locate(&self, key: &Key) -> Option<PathBuf> {
        let _ = key;
        todo!()
    }

    /// Whether the content of `key` is here. "Could not look" is an error, not a no.
    pub fn contains(&self, key: &Key) -> io::Result<bool> {
        let _ = key;
        todo!()
    }

    /// Where the content of `key` belongs in this repository.
    pub fn object_path(&self, key: &Key) -> PathBuf {
        let _ = key;
        todo!()
    }

    /// Opens the content of `key` for reading; `NotFound` when it is not here.
    pub fn open_object(&self, key: &Key) -> io::Result<File> {
        let _ = key;
        todo!()
    }

    /// Takes a file of the work tree into the store: hashed while it is copied (a clone where the file system can),
    /// and proven not to have changed meanwhile. The file in the work tree is only read.
    ///
    /// # Errors
    /// See [`IngestError`]; nothing is left in the store then.
    pub fn ingest(
        &self,
        tree: &WorkTree,
        path: &TreePath,
        backend: &Backend,
    ) -> Result<Ingested, IngestError> {
        let _ = (tree, path, backend);
        todo!()
    }

    /// Takes a stream into the store; `file_name` is for the extension of the E backends.
    /// Returns the key, its size, and whether the content was in the store before.
    pub fn ingest_stream(
        &self,
        content: &mut dyn Read,
        file_name: &[u8],
        backend: &Backend,
        executable: bool,
    ) -> Result<(Key, u64, bool), IngestError> {
        let _ = (content, file_name, backend, executable);
        todo!()
    }

    /// `annex/tmp/KEYFILE`: where a download of `key` grows, and is found again to be resumed.
    /// The directory exists when this returns.
    pub fn tmp_path(&self, key: &Key) -> io::Result<PathBuf> {
        let _ = key;
        todo!()
    }

    /// Moves `verified`, a file on the same file system whose content was verified to be the key's, to its final name.
    /// An object that is there already is kept. Returns where the content is.
    pub fn place(&self, verified: &Path, key: &Key) -> io::Result<PathBuf> {
        let _ = (verified, key);
        todo!()
    }

    /// Removes the content; false when it was not there. The lock proves that nobody needs it; that enough copies
    /// are elsewhere is the caller's proof.
    pub fn remove(&self, lock: ExclusiveContentLock) -> io::Result<bool> {
        let _ = lock;
        todo!()
    }

    /// Reads the content and compares it with the key.
    pub fn verify(&self, key: &Key) -> io::Result<Verdict> {
        let _ = key;
        todo!()
    }

    /// Compares any file with a key, such as a complete download.
    pub fn verify_file(&self, file: &Path, key: &Key) -> io::Result<Verdict> {
        let _ = (file, key);
        todo!()
    }

    /// Moves bad content to `annex/bad/KEYFILE`, as git-annex's fsck does; false when there was none.
    pub fn set_aside(&self, key: &Key) -> io::Result<bool> {
        let _ = key;
        todo!()
    }

    /// Makes everything written to the store's file system before durable (one `syncfs`).
    pub fn sync(&self) -> io::Result<()> {
        todo!()
    }

    /// Bytes that may still be written: what the file system has free for us, less `annex.diskreserve`.
    pub fn free_space(&self) -> io::Result<u64> {
        todo!()
    }

    /// Calls `each` with every key whose content is here.
    pub fn for_each_key(&self, each: &mut dyn FnMut(Key)) -> io::Result<()> {
        let _ = each;
        todo!()
    }
}
