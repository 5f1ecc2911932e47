//! Keys: the names of contents.
//!
//! `BACKEND[-sSIZE][-mMTIME][-SCHUNKSIZE-CCHUNKNUM]--NAME`, the fields in this order only, plain
//! decimal numbers. Source: git-annex `doc/internals/key_format.mdwn`, 10.20261026.
//!
//! A key can come from anybody who may push to the repository, and its file name is joined to
//! directories here. So the parser is stricter than git-annex's where that costs no real key. It
//! refuses: control characters, backend names of other characters than [`Backend::parse`] takes,
//! numbers over 64 bits (times over 63, as git-annex reads them) or with leading zeros, one chunk
//! field without the other, and keys whose [`Key::key_file`] has more than [`MAX_KEY_FILE_LEN`]
//! bytes. What is left is written back byte for byte, and its file name never is `.` or `..` and
//! never holds `/` or NUL.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::backend::Backend;
use crate::extension::MAX_KEY_EXTENSION;

mod build;
mod place;

/// The longest file name made from a key, in bytes: what common file systems take.
pub const MAX_KEY_FILE_LEN: usize = 255;

/// The latest modification time that git-annex can hold, in seconds since 1970.
const MAX_MTIME: u64 = i64::MAX as u64;

/// The name of one content. Cheap to clone; ordered by its serialized bytes.
#[derive(Clone)]
pub struct Key(Arc<Parts>);

struct Parts {
    bytes: Box<[u8]>,
    backend: Backend,
    size: Option<u64>,
    mtime: Option<u64>,
    chunk: Option<Chunk>,
    /// Where NAME starts in `bytes`.
    name: usize,
}

/// Which part of a content a chunk's key names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Chunk {
    /// The size of all chunks but the last, in bytes.
    pub size: u64,
    /// Which one, counted from 1.
    pub number: u64,
}

impl Key {
    /// Reads a serialized key; none when it is no key, or one that is refused (see above).
    pub fn parse(bytes: &[u8]) -> Option<Key> {
        // Every byte is at least one in the file name, so this bounds the work below.
        if bytes.len() > MAX_KEY_FILE_LEN || bytes.iter().any(u8::is_ascii_control) {
            return None;
        }
        let end = bytes.windows(2).position(|two| two == b"--")?;
        let name = end + 2;
        let mut fields = bytes[..end].split(|&b| b == b'-');
        let backend = std::str::from_utf8(fields.next()?).ok()?;
        let backend = Backend::parse(backend)?;
        let mut fields = fields.peekable();
        let mut number = |letter: u8| match fields.peek().and_then(|f| f.split_first()) {
            Some((&first, digits)) if first == letter => {
                fields.next();
                parse_number(digits).map(Some)
            }
            _ => Some(None),
        };
        let (size, mtime) = (number(b's')?, number(b'm')?);
        let chunk = match (number(b'S')?, number(b'C')?) {
            (Some(size), Some(number)) => Some(Chunk { size, number }),
            (None, None) => None,
            _ => return None,
        };
        if fields.next().is_some() {
            return None;
        }
        let parts = Parts { bytes: bytes.into(), backend, size, mtime, chunk, name };
        Key::check(parts)
    }

    /// The serialized key.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.bytes.to_vec()
    }

    /// The serialized key, borrowed.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0.bytes
    }

    /// How it was made.
    pub fn backend(&self) -> &Backend {
        &self.0.backend
    }

    /// The size of the whole content in bytes, when the key tells. For a chunk's key still that of
    /// the whole.
    pub fn size(&self) -> Option<u64> {
        self.0.size
    }

    /// The file's modification time when a [`Backend::Worm`] key was made, in seconds since 1970.
    pub fn mtime(&self) -> Option<u64> {
        self.0.mtime
    }

    /// Which chunk it names, if it is not a whole content's key.
    pub fn chunk(&self) -> Option<Chunk> {
        self.0.chunk
    }

    /// Everything after the first `--`: for hash backends the digest in hex, and the extension.
    pub fn name(&self) -> &[u8] {
        &self.0.bytes[self.0.name..]
    }

    /// For hash backends, and external ones: the name up to the extension.
    pub fn digest_hex(&self) -> &[u8] {
        let name = self.name();
        match name.iter().position(|&b| b == b'.') {
            Some(dot) if self.backend().has_extension() => &name[..dot],
            _ => name,
        }
    }

    /// Takes a key whose fields are right, if its name and its length are.
    fn check(parts: Parts) -> Option<Key> {
        if parts.mtime.is_some_and(|mtime| mtime > MAX_MTIME) {
            return None;
        }
        let key = Key(Arc::new(parts));
        let extension = key.name().len() - key.digest_hex().len();
        if extension > MAX_KEY_EXTENSION || key.key_file_len() > MAX_KEY_FILE_LEN {
            return None;
        }
        Some(key)
    }
}

/// A decimal number as it would be written: digits only, no leading zero.
fn parse_number(digits: &[u8]) -> Option<u64> {
    let plain = digits.iter().all(u8::is_ascii_digit) && (digits == b"0" || digits.first() != Some(&b'0'));
    if !plain {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.bytes == other.0.bytes
    }
}

impl Eq for Key {}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.bytes.cmp(&other.0.bytes)
    }
}

impl std::hash::Hash for Key {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.bytes.hash(state);
    }
}

/// For people: bytes that are not UTF-8 are replaced.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0.bytes))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.bytes.escape_ascii())
    }
}

/// For display: bytes that are not UTF-8 are replaced.
impl Serialize for Key {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(&String::from_utf8_lossy(&self.0.bytes))
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let text = String::deserialize(input)?;
        Key::parse(text.as_bytes()).ok_or_else(|| serde::de::Error::custom("not a git-annex key"))
    }
}

#[cfg(test)]
mod tests;
