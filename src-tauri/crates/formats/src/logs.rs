//! The files of the git-annex branch.
//!
//! Each family of files has its module and its rule for which of several lines about one item
//! counts. All parsers skip lines they cannot read, take `\r` for a line's end, need no final
//! newline, and cost time and memory linear in the input. Writing compacts: one line per item.
//!
//! Source: git-annex `doc/internals.mdwn`, 10.20261026; rules for equal times by experiment.

pub mod chunk;
pub mod description;
pub mod export;
pub mod map;
pub mod metadata;
pub mod path;
pub mod presence;
pub mod remote;
pub mod single;
pub mod transitions;
pub mod uuid_log;

pub use chunk::{ChunkLog, ChunkSet};
pub use map::MapLog;
pub use metadata::MetadataLog;
pub use path::{KeyLog, LogFamily, family_of, key_log_of};
pub use presence::{LocationLog, LogLine, LogStatus, PresenceLog};
pub use remote::RemoteConfig;
pub use single::NumberLog;
pub use transitions::{Transition, Transitions};
pub use uuid_log::UuidLog;

/// The lines of a log, without their ends; empty ones are left out.
fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|&b| b == b'\n' || b == b'\r').filter(|line| !line.is_empty())
}

/// Splits at the first space.
fn split_word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = text.iter().position(|&b| b == b' ')?;
    Some((&text[..space], &text[space + 1..]))
}

/// Whether a value can be written into a line and be read back from it as one.
fn fits_in_line(value: &[u8]) -> bool {
    !value.iter().any(|&b| b == b'\n' || b == b'\r')
}
