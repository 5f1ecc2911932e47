//! A content that is arriving in a file: resumed where the file ends, hashed on the way, and good only when complete.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use tributary_formats::hasher::KeyHasher;
use tributary_formats::key::Key;

use super::ContentsError;
use crate::cancel::Cancel;

/// Bytes moved at a time: few enough that a cancel is noticed soon, many enough that calls cost nothing.
pub(super) const CHUNK: usize = 256 << 10;

pub(super) struct Incoming {
    file: File,
    path: PathBuf,
    key: Key,
    /// None: the key names no hash that could be verified; then the size has to do.
    hasher: Option<KeyHasher>,
    len: u64,
}

impl Incoming {
    /// Opens the file and hashes what it holds already. A file that is longer than the content starts anew.
    pub(super) fn resume(path: &Path, key: &Key, cancel: &Cancel) -> Result<Incoming, ContentsError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let file = options.custom_flags(libc::O_NOFOLLOW).open(path).map_err(local)?;
        let mut incoming =
            Incoming { file, path: path.to_owned(), key: key.clone(), hasher: key.verifier(), len: 0 };
        let there = incoming.file.metadata().map_err(local)?.len();
        if key.size().is_some_and(|size| there > size) {
            incoming.file.set_len(0).map_err(local)?;
            return Ok(incoming);
        }
        let mut buffer = vec![0; CHUNK.min(usize::try_from(there).unwrap_or(CHUNK))];
        while incoming.len < there {
            check(cancel)?;
            match incoming.file.read(&mut buffer).map_err(local)? {
                // Somebody cut it off meanwhile: go on from there.
                0 => break,
                read => incoming.take_note(&buffer[..read]),
            }
        }
        Ok(incoming)
    }

    /// How many bytes are there.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Adds bytes. More than the key's size are refused before they fill the disk.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), ContentsError> {
        let after = self.len + bytes.len() as u64;
        if self.key.size().is_some_and(|size| after > size) {
            return Err(self.corrupt());
        }
        self.file.write_all(bytes).map_err(local)?;
        self.take_note(bytes);
        Ok(())
    }

    /// Starts anew: what was there belongs to something else.
    pub(super) fn restart(&mut self) -> Result<(), ContentsError> {
        self.file.set_len(0).map_err(local)?;
        self.file.seek(SeekFrom::Start(0)).map_err(local)?;
        (self.len, self.hasher) = (0, self.key.verifier());
        Ok(())
    }

    /// Verifies the whole. The file is deleted when it is not the key's content.
    pub(super) fn finish(mut self) -> Result<(), ContentsError> {
        let right_size = self.key.size().is_none_or(|size| size == self.len);
        let right_hash = self.hasher.take().is_none_or(|hasher| hasher.matches(&self.key));
        if right_size && right_hash { Ok(()) } else { Err(self.corrupt()) }
    }

    fn take_note(&mut self, bytes: &[u8]) {
        self.len += bytes.len() as u64;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(bytes);
        }
    }

    fn corrupt(&self) -> ContentsError {
        match std::fs::remove_file(&self.path) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => local(cause),
            _ => ContentsError::Corrupt { key: self.key.clone() },
        }
    }
}

pub(super) fn check(cancel: &Cancel) -> Result<(), ContentsError> {
    if cancel.is_cancelled() { Err(ContentsError::Cancelled) } else { Ok(()) }
}

/// A fault of our own files.
pub(super) fn local(cause: io::Error) -> ContentsError {
    match cause.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ContentsError::Full,
        _ => ContentsError::Local(cause),
    }
}
