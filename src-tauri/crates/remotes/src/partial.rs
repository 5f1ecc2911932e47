//! A content that arrives: written to its temporary file, hashed on the way, resumed from what is there.
//!
//! The file is git-annex's own, `GITDIR/annex/tmp/KEYFILE`, so that either program goes on where the other stopped.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use tributary_formats::{Key, KeyHasher};

use crate::retry::Retry;

/// What to do with a key that says nothing by which content can be verified (URL, WORM, external backends).
///
/// From places that encrypt, or that are not trusted, such contents are refused, as git-annex does (its
/// `annex.security.allow-unverified-downloads`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unverifiable {
    /// Take it when its size is right, or not known.
    Accept,
    /// Refuse it.
    Refuse,
}

/// A content that arrives. It belongs to one transfer at a time: the caller holds git-annex's transfer lock for it.
#[derive(Debug)]
pub struct PartialContent {
    key: Key,
    path: PathBuf,
    file: File,
    len: u64,
    resumed_from: u64,
    hasher: Option<HasherBox>,
    unverifiable: Unverifiable,
}

/// A hasher without a `Debug` of its own.
struct HasherBox(KeyHasher);

impl std::fmt::Debug for HasherBox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyHasher")
    }
}

/// A complete file whose content is the key's, ready to be moved into the object store. Made by
/// [`PartialContent::finish`] and nowhere else.
#[derive(Debug)]
pub struct VerifiedFile {
    key: Key,
    path: PathBuf,
    by_hash: bool,
}

impl VerifiedFile {
    /// The key.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the hash was compared; otherwise the key has none, and only the size was (when the key says it).
    pub fn by_hash(&self) -> bool {
        self.by_hash
    }
}

/// Why a content that arrived cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FinishError {
    /// The bytes are not the key's content. The file is deleted.
    #[error("what arrived for {key} is not its content")]
    Corrupt {
        /// The key.
        key: Key,
        /// A part of it was from an earlier try, so the fault may be that part, not the place's copy.
        resumed: bool,
    },
    /// There is less than the key says. The file stays, to be resumed.
    #[error("{have} of {want} bytes of {key} have arrived")]
    Incomplete {
        /// The key.
        key: Key,
        /// Bytes that are here.
        have: u64,
        /// Bytes that the key says.
        want: u64,
    },
    /// The key says nothing by which the content could be verified, and the place is not trusted that far. The file is
    /// deleted.
    #[error("the content of {key} cannot be verified")]
    Unverifiable {
        /// The key.
        key: Key,
    },
    /// The file could not be written or read.
    #[error("the temporary file of {key} failed")]
    Local {
        /// The key.
        key: Key,
        /// Why.
        source: io::Error,
    },
}

impl FinishError {
    /// Whether and when trying again makes sense.
    pub fn retry(&self) -> Retry {
        match self {
            FinishError::Corrupt { resumed: false, .. } | FinishError::Unverifiable { .. } => Retry::Never,
            FinishError::Corrupt { resumed: true, .. }
            | FinishError::Incomplete { .. }
            | FinishError::Local { .. } => Retry::Later,
        }
    }
}

impl PartialContent {
    /// Opens the temporary file `path` of `key`, makes it when missing, and hashes what is in it. What is longer than
    /// the key says is thrown away.
    ///
    /// # Errors
    ///
    /// When the file cannot be made or read. Its folder has to exist.
    pub fn open(path: &Path, key: &Key, unverifiable: Unverifiable) -> io::Result<Self> {
        let _ = (path, key, unverifiable);
        todo!()
    }

    /// The key.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// Where it grows.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes that are here: where the next ones go.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether nothing is here yet.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes that are lacking, when the key says its size.
    pub fn lacking(&self) -> Option<u64> {
        Some(self.key.size()?.saturating_sub(self.len))
    }

    /// Appends bytes.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::FileTooLarge`], with nothing written, when it would become longer than the key says; otherwise
    /// what the file system says.
    pub fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let _ = (bytes, &self.file, self.resumed_from, &self.hasher, self.unverifiable);
        todo!()
    }

    /// Throws away what is here.
    ///
    /// # Errors
    ///
    /// When the file cannot be cut.
    pub fn restart(&mut self) -> io::Result<()> {
        todo!()
    }

    /// Compares size and hash with the key.
    ///
    /// # Errors
    ///
    /// See [`FinishError`].
    pub fn finish(self) -> Result<VerifiedFile, FinishError> {
        todo!()
    }
}
