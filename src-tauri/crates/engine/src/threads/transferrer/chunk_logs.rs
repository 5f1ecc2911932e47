//! The chunk log, as special remotes read it.

use tributary_formats::key::Key;
use tributary_formats::logs::chunk::ChunkLog;
use tributary_formats::logs::path::KeyLog;
use tributary_formats::uuid::RepoUuid;
use tributary_remotes::{ChunkRecords, ChunkSet};

use crate::state::repositories::Repositories;

/// The chunk log of one special remote.
pub(super) struct ChunkLogs {
    pub repositories: Repositories,
    pub uuid: RepoUuid,
}

impl ChunkRecords for ChunkLogs {
    fn chunk_sets(&self, key: &Key) -> std::io::Result<Vec<ChunkSet>> {
        let text = self
            .repositories
            .with(|repo| repo.annex_branch().read(&KeyLog::Chunks.path(key)))
            .map_err(|error| std::io::Error::other(error.to_string()))?
            .map_err(|error| std::io::Error::other(error.to_string()))?;
        let sets = ChunkLog::parse(&text).sets_of(&self.uuid);
        Ok(sets.into_iter().map(|set| ChunkSet { chunk_size: set.chunk_size, count: set.count }).collect())
    }
}
