//! Where a file is, and what it takes to read it: said in the secure channel.

use std::fmt;

use zeroize::Zeroizing;

use super::MAX_FILE;
use super::http::Link;
use crate::fields::{Reader, Writer};

const LINK: u8 = 1;
const KEY: u8 = 2;
const DIGEST: u8 = 3;
const SIZE: u8 = 4;

/// Longest link.
const MAX_LINK: usize = 2048;

/// A file at a server.
#[derive(Clone, PartialEq, Eq)]
pub struct Place {
    pub(super) link: String,
    pub(super) key: Zeroizing<[u8; 32]>,
    /// SHA-256 of the file as it lies there.
    pub(super) digest: [u8; 32],
    /// Its size there, in bytes.
    pub(super) size: u64,
}

impl Place {
    /// A place, when the link is one that files are fetched from.
    pub(super) fn new(link: &str, key: Zeroizing<[u8; 32]>, digest: [u8; 32], size: u64) -> Option<Place> {
        let proper = link.len() <= MAX_LINK && size <= MAX_FILE && Link::parse(link).is_ok();
        proper.then(|| Place { link: link.to_owned(), key, digest, size })
    }

    /// As bytes: at most 4,096.
    pub fn encode(&self) -> Vec<u8> {
        let fields = Writer::default().field(LINK, self.link.as_bytes()).field(KEY, &*self.key);
        fields.field(DIGEST, &self.digest).field(SIZE, &self.size.to_be_bytes()).done()
    }

    /// Reads a place; `None` for what is none, or leads where nothing is fetched from.
    pub fn decode(bytes: &[u8]) -> Option<Place> {
        let fields = Reader::new(bytes).ok()?;
        let link = fields.text(LINK, MAX_LINK).ok()?;
        let (key, digest) = (Zeroizing::new(fields.array(KEY).ok()?), fields.array(DIGEST).ok()?);
        Place::new(&link, key, digest, u64::from_be_bytes(fields.array(SIZE).ok()?))
    }

    /// How large the file is there.
    pub fn size(&self) -> u64 {
        self.size
    }
}

// The key is nobody's to read, and whoever has the link may fetch the file.
impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Place({} bytes)", self.size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(link: &str, size: u64) -> Option<Place> {
        Place::new(link, Zeroizing::new([7; 32]), [9; 32], size)
    }

    #[test]
    fn places_come_back_and_nonsense_is_none() {
        let made = place("https://upload.example:5281/a/b?c=d", 70_000).unwrap();
        assert_eq!(Place::decode(&made.encode()), Some(made.clone()));
        let later = [made.encode(), Writer::default().field(99, b"new").done()].concat();
        assert_eq!(Place::decode(&later), Some(made.clone()));
        assert_eq!(Place::decode(b""), None);
        assert_eq!(Place::decode(&made.encode()[..40]), None);
        for link in
            ["http://upload.example/a", "https://", "file:///etc/passwd", "https://a@upload.example/", "/a"]
        {
            assert_eq!(place(link, 70), None, "{link}");
            let said = Place { link: link.to_owned(), ..made.clone() };
            assert_eq!(Place::decode(&said.encode()), None, "{link}");
        }
        let long = format!("https://upload.example/{}", "a".repeat(MAX_LINK));
        assert_eq!(Place::decode(&Place { link: long, ..made.clone() }.encode()), None);
        assert_eq!(Place::decode(&Place { size: MAX_FILE + 1, ..made }.encode()), None);
    }

    #[test]
    fn its_key_is_not_shown() {
        assert_eq!(format!("{:?}", place("https://upload.example/a", 70).unwrap()), "Place(70 bytes)");
    }
}
