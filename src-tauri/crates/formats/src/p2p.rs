//! git-annex's P2P protocol: the lines that are said over `git-annex-shell p2pstdio`.
//!
//! A line each way; only `DATA N` is followed by N raw bytes. Versions 0 to 4. Source: git-annex
//! `doc/design/p2p_protocol.mdwn`, 10.20261026, and tried.

use crate::key::Key;
use crate::uuid::RepoUuid;

mod file;
mod reply;
mod request;

pub use file::{escape_file, unescape_file};
pub use reply::Reply;
pub use request::Request;

/// The newest version of the protocol that is spoken here.
pub const MAX_VERSION: u32 = 4;

/// The longest line that is taken, in bytes without its newline. A reader stops at this many and
/// gives the connection up: a key has at most 255 bytes, a file name 4095, both may double.
pub const MAX_LINE_LEN: usize = 16384;

/// Why a line is no message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// The line passes [`MAX_LINE_LEN`], or holds a line's end.
    #[error("the other side sent a line that is too long or broken")]
    Malformed,
    /// A message that is not known, or must not come here. The protocol's answer is an `ERROR`.
    #[error("the other side sent the unknown message {0:?}")]
    Unknown(String),
    /// A known message with parameters that cannot be read: such as a key that is refused.
    #[error("the other side sent {0:?} with parameters that cannot be read")]
    BadParameters(String),
}

/// The first word of a line, and the rest.
fn split(line: &[u8]) -> Result<(&str, &[u8]), LineError> {
    if line.len() > MAX_LINE_LEN || line.iter().any(|&b| b == b'\n' || b == b'\r') {
        return Err(LineError::Malformed);
    }
    let end = line.iter().position(|&b| b == b' ').unwrap_or(line.len());
    let rest = line.get(end + 1..).unwrap_or_default();
    let word = std::str::from_utf8(&line[..end]).map_err(|_| LineError::Malformed)?;
    Ok((word, rest))
}

fn key(bytes: &[u8]) -> Option<Key> {
    Key::parse(bytes)
}

fn number<N: std::str::FromStr>(bytes: &[u8]) -> Option<N> {
    let plain = bytes.iter().all(u8::is_ascii_digit);
    plain.then(|| std::str::from_utf8(bytes).ok()?.parse().ok()).flatten()
}

fn uuids(bytes: &[u8]) -> Option<Vec<RepoUuid>> {
    let words = bytes.split(|&b| b == b' ').filter(|word| !word.is_empty());
    words.map(|word| RepoUuid::parse_bytes(word).ok()).collect()
}

fn nothing(bytes: &[u8]) -> Option<()> {
    bytes.is_empty().then_some(())
}

fn join(word: &str, uuids: &[RepoUuid]) -> Vec<u8> {
    let words = uuids.iter().map(RepoUuid::as_str);
    std::iter::once(word).chain(words).collect::<Vec<_>>().join(" ").into_bytes()
}

/// What a line's message is called, for errors: never the whole of a stranger's line.
fn shown(word: &str) -> String {
    word.chars().take(40).collect()
}
