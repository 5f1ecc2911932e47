//! Chunk logs (`.log.cnk`): in which chunks a remote holds a key. `TS UUID:CHUNKSIZE COUNT`.
//!
//! Several chunk sizes of one remote are several complete sets. A count of 0 means that the set is
//! no longer there. The line is written after the last chunk was stored.

use super::MapLog;
use crate::uuid::RepoUuid;

/// One complete set of chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ChunkSet {
    /// The size of all chunks but the last, in bytes; never 0.
    pub chunk_size: u64,
    /// How many there are; never 0.
    pub count: u64,
}

impl ChunkSet {
    /// The chunks of a content of `size` bytes. Even an empty content has one. None when
    /// `chunk_size` is 0.
    pub fn for_size(size: u64, chunk_size: u64) -> Option<ChunkSet> {
        (chunk_size > 0).then(|| ChunkSet { chunk_size, count: size.div_ceil(chunk_size).max(1) })
    }
}

/// A key's chunk log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ChunkLog(MapLog);

impl ChunkLog {
    /// Reads a chunk log.
    pub fn parse(bytes: &[u8]) -> ChunkLog {
        ChunkLog(MapLog::parse(bytes))
    }

    /// The complete sets that a remote has, smallest chunks first.
    pub fn sets_of(&self, uuid: &RepoUuid) -> Vec<ChunkSet> {
        let of_remote = |(field, value): (&[u8], &[u8])| {
            let size = field.strip_prefix(uuid.as_str().as_bytes())?.strip_prefix(b":")?;
            Some(ChunkSet { chunk_size: number(size)?, count: number(value)? })
        };
        let mut sets: Vec<_> = self.0.iter().filter_map(of_remote).collect();
        sets.retain(|set| set.chunk_size > 0 && set.count > 0);
        sets.sort_by_key(|set| set.chunk_size);
        sets
    }

    /// Puts a complete set on record. Says whether that changed anything.
    pub fn add(&mut self, uuid: &RepoUuid, set: ChunkSet, now: u64) -> bool {
        self.0.set(&field(uuid, set.chunk_size), set.count.to_string().as_bytes(), now)
    }

    /// Takes a set off the record. Says whether that changed anything.
    pub fn remove(&mut self, uuid: &RepoUuid, chunk_size: u64, now: u64) -> bool {
        let field = field(uuid, chunk_size);
        self.0.get(&field).is_some() && self.0.set(&field, b"0", now)
    }

    /// The compacted log.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.to_bytes()
    }
}

fn field(uuid: &RepoUuid, chunk_size: u64) -> Vec<u8> {
    format!("{uuid}:{chunk_size}").into_bytes()
}

fn number(digits: &[u8]) -> Option<u64> {
    let plain = digits.iter().all(u8::is_ascii_digit);
    plain.then(|| std::str::from_utf8(digits).ok()?.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets() {
        let uuid = RepoUuid::parse("u:1").unwrap();
        let mut log = ChunkLog::parse(
            b"1700000000s u:1:1024 3\n1s u:1:10 5\n1s u:1:7 0\n1s v:10 5\n1s u:1:x 5\n1s u:1:0 5\n",
        );
        let set = |chunk_size, count| ChunkSet { chunk_size, count };
        assert_eq!(log.sets_of(&uuid), [set(10, 5), set(1024, 3)]);
        assert!(!log.add(&uuid, set(10, 5), 9));
        assert!(log.remove(&uuid, 10, 9) && !log.remove(&uuid, 11, 9));
        assert!(log.add(&uuid, set(7, 2), 9));
        assert_eq!(log.sets_of(&uuid), [set(7, 2), set(1024, 3)]);
    }

    #[test]
    fn how_many() {
        let count = |size, chunk| ChunkSet::for_size(size, chunk).map(|set| set.count);
        assert_eq!((count(2500, 1024), count(6, 1024), count(1024, 1024)), (Some(3), Some(1), Some(1)));
        assert_eq!((count(0, 1024), count(5, 0)), (Some(1), None));
    }
}
