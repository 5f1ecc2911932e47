//! What a folder holds, to be compared with what another holds.

use std::collections::BTreeMap;
use std::path::Path;

/// What stands at one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A file: whether its owner may execute it, its size in bytes, and the SHA-256 of its content.
    File {
        /// Whether its owner may execute it.
        executable: bool,
        /// Bytes.
        size: u64,
        /// SHA-256 of the content.
        sha256: [u8; 32],
    },
    /// A symbolic link, and its target.
    Link(Vec<u8>),
    /// Something else (a socket, a pipe, a device).
    Other,
}

/// Paths relative to the top, as bytes with `/` between components; folders are not listed.
pub type Snapshot = BTreeMap<Vec<u8>, Entry>;

/// Reads a folder, without the `.git` at its top.
///
/// # Panics
///
/// When something in it cannot be read.
#[track_caller]
pub fn snapshot(dir: &Path) -> Snapshot {
    let _ = dir;
    todo!()
}

/// What differs between two snapshots, a line for each path; empty when they are equal.
pub fn differences(left: &Snapshot, right: &Snapshot) -> String {
    let _ = (left, right);
    todo!()
}
