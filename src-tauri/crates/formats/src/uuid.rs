//! Repository UUIDs: the names that location logs and configuration use for a repository.
//!
//! git-annex treats them as opaque: its own are random (version 4), gcrypt remotes have version 5,
//! and the web remote has a made-up one. So nothing here looks into them; it only refuses what
//! could not stand as one word in a log line.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest UUID that is read, in bytes. Real ones have 36; the rest is room for oddities.
pub const MAX_UUID_LEN: usize = 128;

/// The name of a repository or special remote in all of git-annex's logs: an opaque word.
///
/// Cheap to clone. Ordered bytewise.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepoUuid(Arc<str>);

/// Why a text is no repository UUID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UuidError {
    /// There is nothing: a git remote that was never initialised answers so.
    #[error("the repository UUID is empty")]
    Empty,
    /// It has more than [`MAX_UUID_LEN`] bytes.
    #[error("the repository UUID has {0} bytes, more than {MAX_UUID_LEN}")]
    TooLong(usize),
    /// It holds white space, a control character or a slash, and could break a log line or a path.
    #[error("the repository UUID holds the character {0:?}")]
    BadCharacter(char),
    /// It is not UTF-8.
    #[error("the repository UUID is not UTF-8")]
    NotText,
}

impl RepoUuid {
    /// The web remote's UUID: it "has" every key that has a URL.
    pub const WEB: &str = "00000000-0000-0000-0000-000000000001";
    /// The bittorrent remote's UUID.
    pub const BITTORRENT: &str = "00000000-0000-0000-0000-000000000002";

    /// Takes the text as a UUID, as it is: case and form are kept.
    ///
    /// # Errors
    /// [`UuidError`] when it is empty, over [`MAX_UUID_LEN`] bytes, or holds white space, a control
    /// character or `/`.
    pub fn parse(text: &str) -> Result<Self, UuidError> {
        if text.is_empty() {
            return Err(UuidError::Empty);
        }
        if text.len() > MAX_UUID_LEN {
            return Err(UuidError::TooLong(text.len()));
        }
        let bad = |c: &char| c.is_whitespace() || c.is_control() || *c == '/';
        match text.chars().find(bad) {
            Some(c) => Err(UuidError::BadCharacter(c)),
            // A name of dots only would still be a way out of the folders named after UUIDs.
            None if text.bytes().all(|b| b == b'.') => Err(UuidError::BadCharacter('.')),
            None => Ok(Self(text.into())),
        }
    }

    /// As [`RepoUuid::parse`], from the bytes of a log or a protocol line.
    ///
    /// # Errors
    /// Also [`UuidError::NotText`].
    pub fn parse_bytes(bytes: &[u8]) -> Result<Self, UuidError> {
        if bytes.len() > MAX_UUID_LEN {
            return Err(UuidError::TooLong(bytes.len()));
        }
        Self::parse(std::str::from_utf8(bytes).map_err(|_| UuidError::NotText)?)
    }

    /// The UUID of the web remote.
    pub fn web() -> Self {
        Self(Self::WEB.into())
    }

    /// The UUID of the bittorrent remote.
    pub fn bittorrent() -> Self {
        Self(Self::BITTORRENT.into())
    }

    /// The UUID as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RepoUuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RepoUuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for RepoUuid {
    type Err = UuidError;
    fn from_str(text: &str) -> Result<Self, UuidError> {
        Self::parse(text)
    }
}

impl AsRef<str> for RepoUuid {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Serialize for RepoUuid {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for RepoUuid {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let text = String::deserialize(input)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_any_word_as_it_is() {
        for text in ["51851c86-80d0-4da4-8153-b03795e18344", "A5376D5D", RepoUuid::WEB] {
            assert_eq!(RepoUuid::parse(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn refuses_what_would_break_a_line_or_a_path() {
        assert_eq!(RepoUuid::parse(""), Err(UuidError::Empty));
        for bad in ["a b", "a\nb", "a\u{a0}b", "a/b", "\u{7f}", "..", "a\0"] {
            assert!(matches!(RepoUuid::parse(bad), Err(UuidError::BadCharacter(_))), "{bad:?}");
        }
        assert_eq!(RepoUuid::parse(&"a".repeat(129)), Err(UuidError::TooLong(129)));
        assert!(RepoUuid::parse(&"a".repeat(128)).is_ok());
        assert_eq!(RepoUuid::parse_bytes(b"\xff"), Err(UuidError::NotText));
    }
}
