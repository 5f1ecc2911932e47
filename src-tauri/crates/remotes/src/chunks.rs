//! Chunks: contents stored in pieces of a fixed size, each under a key of its own.
//!
//! Chunk i of a key is the key with the fields `-SCHUNKSIZE-Ci`, i from 1; the last one is shorter, nothing is padded,
//! and even an empty content has one. Which sizes a remote holds a key in is on record in the chunk log of the
//! git-annex branch, which is the caller's. Source: observed behaviour of git-annex 10.20230126 and 10.20261026.

use std::io;

use tributary_formats::Key;
pub use tributary_formats::logs::ChunkSet;

/// A set on record for a key without a size is believed up to here; more would only be somebody's joke.
const MOST_CHUNKS: u64 = 1 << 20;

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

/// One piece of a content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    /// The key that it is stored under.
    pub key: Key,
    /// Where it starts in the content.
    pub start: u64,
    /// Its bytes, when known.
    pub size: Option<u64>,
}

/// The set that `key` is stored in when chunks have `chunk_size` bytes; `None` when it is stored whole: contents that
/// may change under their key (URLs), are of unknown size, or whose chunks' keys would be too long for file names.
pub(crate) fn set_for(key: &Key, chunk_size: u64) -> Option<ChunkSet> {
    let set = ChunkSet::for_size(key.size()?, chunk_size)?;
    (key.backend().is_stable() && key.chunk_key(chunk_size, set.count).is_some()).then_some(set)
}

/// Whether a set that is on record can be one of this key: what others wrote into the log is only believed when it fits.
pub(crate) fn fits(key: &Key, set: ChunkSet) -> bool {
    match key.size() {
        Some(size) => ChunkSet::for_size(size, set.chunk_size) == Some(set),
        None => set.chunk_size > 0 && (1..=MOST_CHUNKS).contains(&set.count),
    }
}

/// The pieces of a set from number `first` (counted from 1) on.
pub(crate) fn pieces(key: &Key, set: ChunkSet, first: u64) -> impl Iterator<Item = Piece> + '_ {
    (first..=set.count).map_while(move |number| {
        let start = (number - 1).checked_mul(set.chunk_size)?;
        let size = key.size().map(|size| (size - start).min(set.chunk_size));
        Some(Piece { key: key.chunk_key(set.chunk_size, number)?, start, size })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Key {
        Key::parse(text.as_bytes()).expect("a key")
    }

    #[test]
    fn the_last_piece_is_shorter() {
        let key = key("SHA256E-s2500--6fc0b7383fbf90d9f9c3a569a32d40ce720194aae6c07cac89df463a57a5fb0d");
        let set = set_for(&key, 1024).expect("it can be chunked");
        let sizes: Vec<_> = pieces(&key, set, 1).map(|piece| (piece.start, piece.size)).collect();
        assert_eq!(sizes, [(0, Some(1024)), (1024, Some(1024)), (2048, Some(452))]);
        let last = pieces(&key, set, 3).last().expect("three chunks").key;
        let name = "SHA256E-s2500-S1024-C3--6fc0b7383fbf90d9f9c3a569a32d40ce720194aae6c07cac89df463a57a5fb0d";
        assert_eq!(last.to_string(), name, "as git-annex names it");
    }

    #[test]
    fn even_nothing_has_one_piece() {
        let key = key("SHA256E-s0--e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        let set = set_for(&key, 1024).expect("it can be chunked");
        assert_eq!(pieces(&key, set, 1).map(|piece| piece.size).collect::<Vec<_>>(), [Some(0)]);
    }

    #[test]
    fn urls_and_unknown_sizes_stay_whole() {
        assert_eq!(set_for(&key("URL-s3000--http://127.0.0.1/f"), 1024), None);
        assert_eq!(
            set_for(&key("SHA256--5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"), 1024),
            None
        );
    }

    #[test]
    fn a_record_that_does_not_fit_the_key_is_not_believed() {
        let key = key("SHA256E-s2500--6fc0b7383fbf90d9f9c3a569a32d40ce720194aae6c07cac89df463a57a5fb0d");
        assert!(fits(&key, ChunkSet { chunk_size: 1024, count: 3 }));
        assert!(!fits(&key, ChunkSet { chunk_size: 1024, count: u64::MAX }));
        assert!(!fits(&key, ChunkSet { chunk_size: 0, count: 1 }));
    }
}
