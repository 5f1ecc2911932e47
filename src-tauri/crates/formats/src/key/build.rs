//! Making keys from their parts.

use std::sync::Arc;

use md5::{Digest, Md5};

use super::{Chunk, Key, MAX_MTIME, Parts};
use crate::backend::Backend;

/// Names over this many bytes are cut and told apart by a hash.
const MAX_READABLE_NAME: usize = 64;
/// How much of a cut name stays readable.
const CUT_NAME: usize = 31;

impl Key {
    /// Makes a key of its parts. None when [`Key::parse`] would refuse it.
    pub fn from_parts(backend: Backend, size: Option<u64>, mtime: Option<u64>, name: &[u8]) -> Option<Key> {
        Key::serialize_parts(backend, size, mtime, None, name)
    }

    /// The key of one chunk, stored with chunks of `size` bytes; `number` counts from 1. None when
    /// the key is a chunk's already, or becomes too long.
    pub fn chunk_key(&self, size: u64, number: u64) -> Option<Key> {
        if self.0.chunk.is_some() {
            return None;
        }
        let chunk = Some(Chunk { size, number });
        Key::serialize_parts(self.0.backend.clone(), self.0.size, self.0.mtime, chunk, self.name())
    }

    /// The key of the whole content that this is a chunk of; itself when it is no chunk.
    pub fn without_chunk(&self) -> Key {
        if self.0.chunk.is_none() {
            return self.clone();
        }
        let (backend, name) = (self.0.backend.clone(), self.name());
        Key::serialize_parts(backend, self.0.size, self.0.mtime, None, name)
            .expect("a shorter key with the same name is a key")
    }

    /// The key of a file by its size, modification time (whole seconds since 1970) and path from
    /// the top of the work tree.
    pub fn worm(size: u64, mtime: u64, path: &[u8]) -> Key {
        Key::of_name(Backend::Worm, Some(size), Some(mtime.min(MAX_MTIME)), path)
    }

    /// The key of what an address holds.
    pub fn url(url: &[u8], size: Option<u64>) -> Key {
        Key::of_name(Backend::Url, size, None, url)
    }

    /// A key whose name shows `original`. A name of few bytes can still grow too long when most of
    /// them have to be escaped (git-annex then fails to store the file); it is cut like a long one.
    fn of_name(backend: Backend, size: Option<u64>, mtime: Option<u64>, original: &[u8]) -> Key {
        let name = readable_name(original);
        let whole = (original.len() <= MAX_READABLE_NAME)
            .then(|| Key::from_parts(backend.clone(), size, mtime, &name))
            .flatten();
        whole.unwrap_or_else(|| {
            let hash = hex::encode(Md5::digest(original));
            let name = [&name[..name.len().min(CUT_NAME)], b"-", hash.as_bytes()].concat();
            Key::from_parts(backend, size, mtime, &name).expect("a cut name is short and plain")
        })
    }

    fn serialize_parts(
        backend: Backend,
        size: Option<u64>,
        mtime: Option<u64>,
        chunk: Option<Chunk>,
        name: &[u8],
    ) -> Option<Key> {
        if name.iter().any(u8::is_ascii_control) {
            return None;
        }
        let mut text = backend.to_string();
        let fields =
            [('s', size), ('m', mtime), ('S', chunk.map(|c| c.size)), ('C', chunk.map(|c| c.number))];
        for (letter, value) in fields {
            if let Some(value) = value {
                text.push_str(&format!("-{letter}{value}"));
            }
        }
        text.push_str("--");
        let start = text.len();
        let bytes = [text.as_bytes(), name].concat().into();
        Key::check(Parts { bytes, backend, size, mtime, chunk, name: start })
    }
}

/// What WORM and URL keys show of a path or an address, with the rest made plain: letters, digits
/// and `. - _ / % :` stay, `,` is doubled, any other character becomes `,` and its code point.
fn readable_name(original: &[u8]) -> Vec<u8> {
    let mut name = Vec::with_capacity(original.len());
    for chunk in original.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '-' | '_' | '/' | '%' | ':' => name.push(c as u8),
                ',' => name.extend(b",,"),
                _ => name.extend(format!(",{}", c as u32).bytes()),
            }
        }
        // git-annex sees a byte that is no UTF-8 as the lone surrogate that GHC reads it as.
        for &b in chunk.invalid() {
            name.extend(format!(",{}", 0xdc00 + u32::from(b)).bytes());
        }
    }
    name
}

/// A key is plain shared data; this keeps it so.
const _: fn() = || {
    fn assert<T: Send + Sync>() {}
    assert::<Arc<Parts>>();
};
