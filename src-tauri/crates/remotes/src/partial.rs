//! A content that arrives: written to its temporary file, hashed on the way, resumed from what is there.
//!
//! The file is git-annex's own, `GITDIR/annex/tmp/KEYFILE`, so that either program goes on where the other stopped.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use tributary_formats::{Key, KeyHasher};

use crate::retry::Retry;

/// Large enough that system calls do not matter, small enough to stay in the processor's cache.
const BUFFER: usize = 256 * 1024;

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
    hasher: Option<Verifier>,
    unverifiable: Unverifiable,
}

/// A hasher that shows nothing of its state.
struct Verifier(KeyHasher);

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier")
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
        // A link under this name would lead the bytes elsewhere.
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::open(path, flags, Mode::from_raw_mode(0o644))?);
        let mut content = PartialContent {
            hasher: key.verifier().map(Verifier),
            key: key.clone(),
            path: path.to_owned(),
            file,
            len: 0,
            resumed_from: 0,
            unverifiable,
        };
        content.take_what_is_here()?;
        Ok(content)
    }

    fn take_what_is_here(&mut self) -> io::Result<()> {
        let metadata = self.file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the temporary file is no regular file"));
        }
        let here = metadata.len();
        if here == 0 {
            return Ok(());
        }
        if self.key.size().is_some_and(|size| here > size) {
            return self.restart();
        }
        self.hash_file_up_to(here)?;
        self.resumed_from = self.len;
        Ok(())
    }

    /// Hashes from `len` to `end`, as far as the file goes, and leaves the file's position there.
    fn hash_file_up_to(&mut self, end: u64) -> io::Result<()> {
        let mut buffer = vec![0; BUFFER.min(usize::try_from(end).unwrap_or(BUFFER))];
        self.file.seek(SeekFrom::Start(self.len))?;
        while self.len < end {
            let want = buffer.len().min(usize::try_from(end - self.len).unwrap_or(usize::MAX));
            let read = self.file.read(&mut buffer[..want])?;
            if read == 0 {
                break;
            }
            if let Some(Verifier(hasher)) = &mut self.hasher {
                hasher.update(&buffer[..read]);
            }
            self.len += read as u64;
        }
        Ok(())
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
        if self.lacking().is_some_and(|lacking| bytes.len() as u64 > lacking) {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "there is more than the key says"));
        }
        if let Err(cause) = self.file.write_all(bytes) {
            // What was written of it is not hashed, so it must not stay.
            self.file.set_len(self.len)?;
            self.file.seek(SeekFrom::Start(self.len))?;
            return Err(cause);
        }
        if let Some(Verifier(hasher)) = &mut self.hasher {
            hasher.update(bytes);
        }
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// Makes the file share the blocks of `source`, when nothing is here yet and the file system can do that; `false`
    /// when it cannot. The content is hashed here, so it is verified like any other.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::FileTooLarge`] as for [`append`](Self::append); otherwise what the file system says.
    pub fn clone_from(&mut self, source: &File) -> io::Result<bool> {
        if !self.is_empty() {
            return Ok(false);
        }
        let size = source.metadata()?.len();
        if self.lacking().is_some_and(|lacking| size > lacking) {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "there is more than the key says"));
        }
        if rustix::fs::ioctl_ficlone(&self.file, source).is_err() {
            return Ok(false);
        }
        self.hash_file_up_to(size)?;
        Ok(true)
    }

    /// Throws away what is here.
    ///
    /// # Errors
    ///
    /// When the file cannot be cut.
    pub fn restart(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.len = 0;
        self.resumed_from = 0;
        self.hasher = self.key.verifier().map(Verifier);
        Ok(())
    }

    /// Compares size and hash with the key.
    ///
    /// # Errors
    ///
    /// See [`FinishError`].
    pub fn finish(self) -> Result<VerifiedFile, FinishError> {
        let PartialContent { key, path, len, resumed_from, hasher, unverifiable, .. } = self;
        if let Some(want) = key.size().filter(|want| len < *want) {
            return Err(FinishError::Incomplete { key, have: len, want });
        }
        let by_hash = hasher.is_some();
        let right = hasher.map(|Verifier(hasher)| hasher.matches(&key));
        let error = match right {
            Some(true) => None,
            Some(false) => Some(FinishError::Corrupt { key: key.clone(), resumed: resumed_from > 0 }),
            None if unverifiable == Unverifiable::Accept => None,
            None => Some(FinishError::Unverifiable { key: key.clone() }),
        };
        match error {
            None => Ok(VerifiedFile { key, path, by_hash }),
            Some(error) => match fs::remove_file(&path) {
                Ok(()) => Err(error),
                // Left there, it would be resumed for ever.
                Err(source) => Err(FinishError::Local { key, source }),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key of `hello` and a line break.
    const HELLO: &str = "SHA256E-s6--5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03.txt";

    fn key(text: &str) -> Key {
        Key::parse(text.as_bytes()).expect("a key")
    }

    fn partial(dir: &tempfile::TempDir, text: &str) -> PartialContent {
        PartialContent::open(&dir.path().join("tmp"), &key(text), Unverifiable::Refuse)
            .expect("it can be opened")
    }

    #[test]
    fn what_arrived_in_pieces_is_verified_as_a_whole() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut content = partial(&dir, HELLO);
        content.append(b"hel").expect("append");
        drop(content);
        let mut content = partial(&dir, HELLO);
        assert_eq!((content.len(), content.lacking()), (3, Some(3)), "it goes on where the last one stopped");
        content.append(b"lo\n").expect("append");
        let verified = content.finish().expect("it is the content");
        assert!(verified.by_hash());
        assert_eq!(fs::read(verified.path()).expect("the file is there"), b"hello\n");
    }

    #[test]
    fn a_bad_start_is_deleted_so_that_the_next_try_begins_anew() {
        let dir = tempfile::tempdir().expect("a folder");
        fs::write(dir.path().join("tmp"), "XXX").expect("write");
        let mut content = partial(&dir, HELLO);
        content.append(b"lo\n").expect("append");
        let error = content.finish().expect_err("it is not the content");
        assert!(matches!(error, FinishError::Corrupt { resumed: true, .. }), "{error:?}");
        assert_eq!(error.retry(), Retry::Later);
        assert!(!dir.path().join("tmp").exists());
    }

    #[test]
    fn more_than_the_key_says_is_never_written() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut content = partial(&dir, HELLO);
        content.append(b"hello").expect("append");
        let error = content.append(b"\n and more").expect_err("too much");
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(fs::read(dir.path().join("tmp")).expect("read"), b"hello");
        content.append(b"\n").expect("append");
        content.finish().expect("what was refused left no trace");
        fs::write(dir.path().join("tmp"), "far too long").expect("write");
        assert!(partial(&dir, HELLO).is_empty(), "a file that is too long is thrown away");
    }

    #[test]
    fn too_little_is_kept_to_be_resumed() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut content = partial(&dir, HELLO);
        content.append(b"hell").expect("append");
        let error = content.finish().expect_err("it is not complete");
        assert!(matches!(error, FinishError::Incomplete { have: 4, want: 6, .. }), "{error:?}");
        assert!(dir.path().join("tmp").exists());
    }

    #[test]
    fn what_cannot_be_verified_is_taken_only_when_the_caller_says_so() {
        let dir = tempfile::tempdir().expect("a folder");
        let worm = "WORM-s6-m1577934245--hello.txt";
        for (policy, taken) in [(Unverifiable::Refuse, false), (Unverifiable::Accept, true)] {
            let path = dir.path().join("tmp");
            let mut content = PartialContent::open(&path, &key(worm), policy).expect("open");
            content.append(b"hello\n").expect("append");
            match content.finish() {
                Ok(file) => assert!(taken && !file.by_hash()),
                Err(error) => {
                    assert!(!taken && matches!(error, FinishError::Unverifiable { .. }), "{error:?}")
                }
            }
            assert_eq!(path.exists(), taken);
        }
    }

    #[test]
    fn a_link_in_the_place_of_the_file_is_not_followed() {
        let dir = tempfile::tempdir().expect("a folder");
        fs::write(dir.path().join("other"), "precious").expect("write");
        std::os::unix::fs::symlink("other", dir.path().join("tmp")).expect("symlink");
        PartialContent::open(&dir.path().join("tmp"), &key(HELLO), Unverifiable::Refuse).expect_err("a link");
        assert_eq!(fs::read(dir.path().join("other")).expect("read"), b"precious");
    }
}
