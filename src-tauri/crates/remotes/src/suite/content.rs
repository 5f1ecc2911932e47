//! Contents made up for the suite, and the usual ways to move them.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;
use tributary_formats::{Backend, Key, KeyHasher};

use super::Subject;
use crate::meter::Meter;
use crate::partial::{Unverifiable, VerifiedFile};
use crate::remote::{Download, RetrieveError, SpecialRemote, StoreError, Stored, Upload};

/// Some bytes, their key, and a folder where they lie and come back to.
#[derive(Debug)]
pub struct Content {
    /// The key.
    pub key: Key,
    /// The bytes.
    pub bytes: Vec<u8>,
    dir: TempDir,
}

impl Content {
    /// A content of `size` bytes, unlike that of every other `name`.
    pub fn new(name: &str, size: usize) -> Self {
        let bytes = noise(name, size);
        let backend = Backend::parse("SHA256E").expect("a backend that every git-annex knows");
        let mut hasher = KeyHasher::new(&backend).expect("it hashes contents");
        hasher.update(&bytes);
        Self::with_key(hasher.finish(b"content.dat"), bytes)
    }

    /// A content with a key of the caller's choice.
    pub fn with_key(key: Key, bytes: Vec<u8>) -> Self {
        let dir = tempfile::tempdir().expect("a folder for temporary files");
        fs::write(dir.path().join("source"), &bytes).expect("the folder can be written");
        Content { key, bytes, dir }
    }

    /// Where the bytes lie.
    pub fn source(&self) -> PathBuf {
        self.dir.path().join("source")
    }

    /// Where they come back to.
    pub fn partial(&self) -> PathBuf {
        self.dir.path().join("partial")
    }

    /// The upload of it.
    pub fn upload(&self) -> Upload {
        Upload { key: self.key.clone(), source: self.source(), meter: Meter::silent() }
    }

    /// The download of it.
    pub fn download(&self) -> Download {
        Download {
            key: self.key.clone(),
            partial: self.partial(),
            unverifiable: Unverifiable::Refuse,
            meter: Meter::silent(),
        }
    }

    /// Stores it and puts its chunks on record, as the engine does.
    pub(super) async fn put(&self, subject: &dyn Subject) -> Stored {
        self.try_put(subject).await.expect("a content that is fine is stored")
    }

    pub(super) async fn try_put(&self, subject: &dyn Subject) -> Result<Stored, StoreError> {
        let remote = subject.remote();
        let stored = remote.store(self.upload()).await?;
        remote.flush().await?;
        self.record(subject, stored);
        Ok(stored)
    }

    pub(super) fn record(&self, subject: &dyn Subject, stored: Stored) {
        if let Some(chunks) = stored.chunks {
            subject.record(&self.key, chunks);
        }
    }

    /// Retrieves it to where `partial` says.
    pub(super) async fn get(&self, subject: &dyn Subject) -> Result<VerifiedFile, RetrieveError> {
        subject.remote().retrieve(self.download()).await
    }

    /// Retrieves it from nothing and compares it.
    pub(super) async fn comes_back(&self, subject: &dyn Subject) {
        let _ = fs::remove_file(self.partial());
        let file =
            self.get(subject).await.unwrap_or_else(|error| panic!("{} comes back: {error:?}", self.key));
        assert!(
            fs::read(file.path()).expect("it is here") == self.bytes,
            "{} comes back as it was",
            self.key
        );
    }

    pub(super) async fn is_present(&self, remote: &dyn SpecialRemote) -> bool {
        remote.check_present(&self.key).await.expect("the place answers")
    }
}

/// A size that passes every threshold and is, in chunks, not too many of them.
pub(super) fn large(subject: &dyn Subject) -> usize {
    const LARGE: u64 = 3_000_001;
    let chunk = subject.remote().capabilities().chunk_size.unwrap_or(LARGE);
    usize::try_from(chunk.saturating_mul(40).saturating_add(1).min(LARGE)).expect("it fits memory")
}

/// Bytes that look random and depend on the name alone (xorshift, seeded with FNV-1a).
fn noise(name: &str, size: usize) -> Vec<u8> {
    let seed = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let mut state = name.bytes().fold(0xcbf2_9ce4_8422_2325, seed);
    let mut word = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        bytes.extend_from_slice(&word());
    }
    bytes.truncate(size);
    bytes
}
