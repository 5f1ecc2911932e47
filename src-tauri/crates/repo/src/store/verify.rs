//! Contents compared with their keys.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use tributary_formats::key::Key;

/// Bytes read at a time.
pub(super) const BUFFER: usize = 256 * 1024;

/// What a comparison of content and key found.
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

/// Compares a file with a key.
pub(super) fn verify_file(path: &Path, key: &Key) -> io::Result<Verdict> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Verdict::Absent),
        Err(error) => return Err(error),
    };
    let size = file.metadata()?.len();
    if key.size().is_some_and(|expected| expected != size) {
        return Ok(Verdict::Bad);
    }
    let Some(mut hasher) = key.verifier() else { return Ok(Verdict::Unverifiable) };
    let mut buffer = vec![0; buffer_for(size)];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => hasher.update(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(if hasher.matches(key) { Verdict::Good } else { Verdict::Bad })
}

/// A small file needs a small buffer; one byte more shows the end in the first read.
pub(super) fn buffer_for(size: u64) -> usize {
    usize::try_from(size.saturating_add(1)).map_or(BUFFER, |size| size.min(BUFFER))
}
