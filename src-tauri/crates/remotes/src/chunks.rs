//! Chunks: contents stored in pieces of a fixed size, each under a key of its own.
//!
//! Chunk i of a key is the key with the fields `-SCHUNKSIZE-Ci`, i from 1; the last one is shorter, nothing is padded.
//! Which sizes a remote holds a key in is on record in the chunk log of the git-annex branch, which is the caller's.
//! Source: git-annex `doc/design/assistant/chunks.mdwn`, 10.20261026, and observed behaviour.

use std::io;

use tributary_formats::Key;

/// One complete set of chunks of a key on one remote: a line of its chunk log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChunkSet {
    /// Bytes in every chunk but the last.
    pub chunk_size: u64,
    /// How many chunks.
    pub count: u64,
}

/// What the chunk log says about one remote; asked only when it matters, because most contents are not chunked.
pub trait ChunkRecords: Send + Sync {
    /// The sets on record for `key`, in any order.
    ///
    /// # Errors
    ///
    /// When the record cannot be read.
    fn chunk_sets(&self, key: &Key) -> io::Result<Vec<ChunkSet>>;
}

/// No chunks on record.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoChunkRecords;

impl ChunkRecords for NoChunkRecords {
    fn chunk_sets(&self, _: &Key) -> io::Result<Vec<ChunkSet>> {
        Ok(Vec::new())
    }
}
