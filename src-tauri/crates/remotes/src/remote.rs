//! What every special remote can do, and how it says that it could not.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use tributary_formats::{Key, RepoUuid};

use crate::chunks::ChunkSet;
use crate::meter::Meter;
use crate::partial::{FinishError, Unverifiable, VerifiedFile};
use crate::place_error::PlaceError;
use crate::removal::SafeDropProof;
use crate::retry::Retry;

/// The name a person gave a remote. For people only: remotes are compared by UUID.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RemoteName(Arc<str>);

impl RemoteName {
    /// Takes a name as it is.
    pub fn new(name: &str) -> Self {
        RemoteName(name.into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RemoteName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How dear it is to use a remote: the lower is tried first. git-annex's defaults: 100 on this machine, 200 elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Cost(pub f32);

/// What a remote can do, and how: it steers the choice of the suite's cases, and of batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// Contents are stored in chunks of this many bytes.
    pub chunk_size: Option<u64>,
    /// Many small contents in one call are much cheaper than one by one.
    pub batches: bool,
    /// An upload that was cut off goes on where it stopped.
    pub resumes_uploads: bool,
    /// Contents can be removed.
    pub removes: bool,
    /// The place is on this machine (a path): it comes and goes with a mount, not with the network.
    pub local: bool,
}

/// What a place said when it was asked whether it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probed {
    /// Bytes that may still be stored, when the place can tell.
    pub free_space: Option<u64>,
    /// Contents can be stored and removed there; otherwise it can only be read.
    pub writable: bool,
    /// The place bears its remote's UUID, so that from now on its absence can be noticed: worth remembering in
    /// [`LocalSettings::marked`](crate::LocalSettings::marked).
    pub marked: bool,
}

/// A content to store.
#[derive(Debug, Clone)]
pub struct Upload {
    /// Its key.
    pub key: Key,
    /// Where it lies here. It must not change meanwhile; when it does, that is noticed, and nothing is stored.
    pub source: PathBuf,
    /// Counts its bytes.
    pub meter: Meter,
}

/// A content to retrieve.
#[derive(Debug, Clone)]
pub struct Download {
    /// Its key.
    pub key: Key,
    /// Where it grows, and is resumed: `GITDIR/annex/tmp/KEYFILE`.
    pub partial: PathBuf,
    /// What to do when the key says nothing by which content can be verified.
    pub unverifiable: Unverifiable,
    /// Counts its bytes.
    pub meter: Meter,
}

/// A content is stored, in the place's view; durable after [`SpecialRemote::flush`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// The set of chunks it was stored as, to be recorded in the chunk log before the location log says "present".
    pub chunks: Option<ChunkSet>,
    /// The place had it already; nothing was sent.
    pub already_there: bool,
}

/// A content is not at the place any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removed {
    /// The sets of chunks that are gone, to be taken off the chunk log.
    pub chunks: Vec<ChunkSet>,
}

/// A place that stores contents by key.
///
/// Operations may run at the same time, also on one key. Dropping the future of an operation stops it soon.
#[async_trait]
pub trait SpecialRemote: fmt::Debug + Send + Sync {
    /// The repository UUID that location logs use for it.
    fn uuid(&self) -> &RepoUuid;

    /// The name that people use for it.
    fn name(&self) -> &RemoteName;

    /// Where it is, for people: a path, a URL without credentials.
    fn location(&self) -> String;

    /// How dear it is to use.
    fn cost(&self) -> Cost;

    /// What it can do.
    fn capabilities(&self) -> Capabilities;

    /// Asks whether the place is there and the right one. Changes nothing.
    ///
    /// # Errors
    ///
    /// See [`PlaceError`].
    async fn probe(&self) -> Result<Probed, PlaceError>;

    /// Asks the place now whether it has the content of `key`: all of it, under its final name.
    ///
    /// # Errors
    ///
    /// "Could not ask" is an error, never a no.
    async fn check_present(&self, key: &Key) -> Result<bool, CheckError>;

    /// [`check_present`](Self::check_present) for many keys; the answers are in the order of `keys`.
    async fn check_present_many(&self, keys: Vec<Key>) -> Vec<Result<bool, CheckError>> {
        let mut answers = Vec::with_capacity(keys.len());
        for key in &keys {
            answers.push(self.check_present(key).await);
        }
        answers
    }

    /// Stores a content, verifying it on the way. Goes on where an earlier call was cut off. A content that is there
    /// already is left alone.
    ///
    /// # Errors
    ///
    /// See [`StoreError`]. Nothing is visible under the final name then.
    async fn store(&self, upload: Upload) -> Result<Stored, StoreError>;

    /// [`store`](Self::store) for many contents; the results are in the order of `uploads`.
    async fn store_many(&self, uploads: Vec<Upload>) -> Vec<Result<Stored, StoreError>> {
        let mut results = Vec::with_capacity(uploads.len());
        for upload in uploads {
            results.push(self.store(upload).await);
        }
        results
    }

    /// Retrieves what the temporary file still lacks of a content, and verifies the whole.
    ///
    /// # Errors
    ///
    /// See [`RetrieveError`]. What has arrived stays in the temporary file, to be resumed; what is not the key's content
    /// is deleted.
    async fn retrieve(&self, download: Download) -> Result<VerifiedFile, RetrieveError>;

    /// [`retrieve`](Self::retrieve) for many contents; the results are in the order of `downloads`.
    async fn retrieve_many(&self, downloads: Vec<Download>) -> Vec<Result<VerifiedFile, RetrieveError>> {
        let mut results = Vec::with_capacity(downloads.len());
        for download in downloads {
            results.push(self.retrieve(download).await);
        }
        results
    }

    /// Removes the content that the proof names. A content that is not there is fine.
    ///
    /// # Errors
    ///
    /// See [`RemoveError`].
    async fn remove(&self, proof: SafeDropProof) -> Result<Removed, RemoveError>;

    /// Makes all stores and removals that ended before durable, at once. Only after it "present" may be recorded.
    ///
    /// # Errors
    ///
    /// When the place cannot promise it: everything stored since the last success is then to be checked again.
    async fn flush(&self) -> Result<(), PlaceError>;
}

/// Why it is not known whether a place has a content.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The place could not be asked.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The record of its chunks could not be read.
    #[error("the chunk log of {key} cannot be read")]
    ChunkLog {
        /// The key.
        key: Key,
        /// Why.
        source: io::Error,
    },
}

impl CheckError {
    /// Whether and when trying again makes sense.
    pub fn retry(&self) -> Retry {
        match self {
            CheckError::Place(place) => place.retry(),
            CheckError::ChunkLog { .. } => Retry::Later,
        }
    }
}

/// Why a content was not stored.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The place could not be used.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The content here could not be read.
    #[error("the content of {key} cannot be read here")]
    SourceUnreadable {
        /// The key.
        key: Key,
        /// Why.
        source: io::Error,
    },
    /// What lies here is not the key's content (a bad disk, or it changed on the way); nothing was stored.
    #[error("what is stored here for {key} is not its content")]
    SourceCorrupt {
        /// The key.
        key: Key,
    },
    /// The meter was told to stop.
    #[error("storing {key} was stopped")]
    Stopped {
        /// The key.
        key: Key,
    },
}

impl StoreError {
    /// Whether and when trying again makes sense.
    pub fn retry(&self) -> Retry {
        match self {
            StoreError::Place(place) => place.retry(),
            StoreError::SourceUnreadable { .. } | StoreError::Stopped { .. } => Retry::Later,
            StoreError::SourceCorrupt { .. } => Retry::Never,
        }
    }
}

/// Why a content did not arrive.
#[derive(Debug, thiserror::Error)]
pub enum RetrieveError {
    /// The place could not be used.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The place answered: it does not have the content.
    #[error("{key} is not present on {remote}")]
    NotPresent {
        /// The remote.
        remote: RemoteName,
        /// The key.
        key: Key,
    },
    /// What the place has is not the key's content: it is longer than the key says, or a chunk has the wrong size.
    #[error("what {remote} has for {key} is not its content")]
    WrongSize {
        /// The remote.
        remote: RemoteName,
        /// The key.
        key: Key,
    },
    /// It arrived, but is not the key's content.
    #[error(transparent)]
    Finish(#[from] FinishError),
    /// The record of its chunks could not be read.
    #[error("the chunk log of {key} cannot be read")]
    ChunkLog {
        /// The key.
        key: Key,
        /// Why.
        source: io::Error,
    },
    /// It could not be written here.
    #[error("the content cannot be written here")]
    Local(#[source] io::Error),
    /// The meter was told to stop.
    #[error("retrieving {key} was stopped")]
    Stopped {
        /// The key.
        key: Key,
    },
}

impl RetrieveError {
    /// Whether and when trying again makes sense.
    pub fn retry(&self) -> Retry {
        match self {
            RetrieveError::Place(place) => place.retry(),
            RetrieveError::NotPresent { .. } | RetrieveError::WrongSize { .. } => Retry::Never,
            RetrieveError::Finish(finish) => finish.retry(),
            RetrieveError::Local(cause) => match cause.kind() {
                io::ErrorKind::StorageFull
                | io::ErrorKind::QuotaExceeded
                | io::ErrorKind::PermissionDenied
                | io::ErrorKind::ReadOnlyFilesystem => Retry::OncePersonActed,
                _ => Retry::Later,
            },
            RetrieveError::ChunkLog { .. } | RetrieveError::Stopped { .. } => Retry::Later,
        }
    }
}

/// Why a content was not removed.
#[derive(Debug, thiserror::Error)]
pub enum RemoveError {
    /// The place could not be used.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The proof is about another remote; nothing was removed.
    #[error("the proof is for a copy of {key} on {proven}, not on this remote")]
    OtherRemote {
        /// The key.
        key: Key,
        /// The remote that the proof names.
        proven: RepoUuid,
    },
    /// The record of its chunks could not be read, so some might stay behind.
    #[error("the chunk log of {key} cannot be read")]
    ChunkLog {
        /// The key.
        key: Key,
        /// Why.
        source: io::Error,
    },
}

impl RemoveError {
    /// Whether and when trying again makes sense.
    pub fn retry(&self) -> Retry {
        match self {
            RemoveError::Place(place) => place.retry(),
            RemoveError::OtherRemote { .. } => Retry::Never,
            RemoveError::ChunkLog { .. } => Retry::Later,
        }
    }
}
