//! Real files of many sizes with odd names.

use std::path::Path;

use crate::snapshot::Snapshot;

/// A kind of odd name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OddName {
    /// Letters, digits and an extension.
    Plain,
    /// Spaces: inside, at the start, at the end.
    Spaces,
    /// A line break.
    Newline,
    /// Letters beyond ASCII, composed and decomposed.
    Utf8,
    /// Bytes that are no UTF-8.
    InvalidUtf8,
    /// A dash first, as an option has it.
    LeadingDash,
    /// 255 bytes, the most a file system allows.
    Longest,
    /// Quotes, backslashes, glob and shell characters.
    Shell,
    /// A dot first.
    Hidden,
}

/// A maker of files, the same for the same seed.
#[derive(Debug, Clone)]
pub struct OddFiles {
    seed: u64,
    count: usize,
    largest: u64,
    kinds: Vec<OddName>,
}

impl OddFiles {
    /// `count` files with names of every kind, of 0 bytes to 1 MiB, most of them small.
    pub fn new(seed: u64, count: usize) -> Self {
        let _ = (seed, count);
        todo!()
    }

    /// Leaves a kind of name out: for a judge that goes wrong with it.
    pub fn without(mut self, kind: OddName) -> Self {
        self.kinds.retain(|have| *have != kind);
        self
    }

    /// Sets the size of the largest file.
    pub fn largest(mut self, bytes: u64) -> Self {
        self.largest = bytes;
        self
    }

    /// Writes the files below `dir` (made when missing), in nested folders with odd names too, some of them
    /// executable, some with equal contents, and gives what stands there now.
    ///
    /// # Panics
    ///
    /// When a file cannot be written.
    #[track_caller]
    pub fn write(&self, dir: &Path) -> Snapshot {
        let _ = (dir, self.seed, self.count);
        todo!()
    }
}
