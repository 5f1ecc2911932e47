//! What a `directory` remote is told: its entry in `remote.log`, and where it is on this machine.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use tributary_formats::logs::RemoteConfig;
use tributary_formats::{Key, RepoUuid};

use super::Directory;
use super::place::{Place, error, mark};
use crate::chunks::{self, ChunkRecords, ChunkSet};
use crate::config::{ConfigError, InitialiseError, LocalSettings, chunk_size, no_encryption};
use crate::place_error::PlaceError;
use crate::remote::{CheckError, Cost, RemoteName};

/// What git-annex takes for a directory.
const DEFAULT_COST: Cost = Cost(100.0);

/// All that is known of the remote before its place is looked at.
pub(super) struct Settings {
    pub uuid: RepoUuid,
    pub name: RemoteName,
    pub path: PathBuf,
    pub cost: Cost,
    pub chunk_size: Option<u64>,
    /// The local repository, in whose folder below `tmp/` our uploads grow.
    pub repository: RepoUuid,
    /// The place bears its mark: without it we look at something else.
    pub marked: bool,
    chunk_records: Arc<dyn ChunkRecords>,
}

impl Settings {
    fn new(uuid: &RepoUuid, config: &RemoteConfig, local: &LocalSettings) -> Result<Self, ConfigError> {
        no_encryption(config)?;
        for (field, what) in [("exporttree", "exporttree=yes"), ("importtree", "importtree=yes")] {
            if config.get(field) == Some("yes") {
                return Err(ConfigError::UnsupportedUse(what));
            }
        }
        let path = local.directory.clone().ok_or(ConfigError::NoPlace("annex-directory"))?;
        if !path.is_absolute() {
            return Err(ConfigError::NotAbsolute(path));
        }
        Ok(Settings {
            uuid: uuid.clone(),
            name: local.name.clone(),
            path,
            cost: local.cost.unwrap_or(DEFAULT_COST),
            chunk_size: chunk_size(config)?,
            repository: local.repository.clone(),
            marked: local.marked,
            chunk_records: Arc::clone(&local.chunk_records),
        })
    }

    /// Opens the place; see [`Place::open`].
    pub fn open_place(&self) -> Result<Place, PlaceError> {
        Place::open(self)
    }

    /// The sets of chunks on record for `key` that can be its.
    pub fn chunk_sets(&self, key: &Key) -> Result<Vec<ChunkSet>, CheckError> {
        let mut sets = self
            .chunk_records
            .chunk_sets(key)
            .map_err(|source| CheckError::ChunkLog { key: key.clone(), source })?;
        sets.retain(|set| chunks::fits(key, *set));
        Ok(sets)
    }

    /// The set that `key` is stored in now.
    pub fn own_set(&self, key: &Key) -> Option<ChunkSet> {
        chunks::set_for(key, self.chunk_size?)
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("uuid", &self.uuid)
            .field("name", &self.name)
            .field("path", &self.path)
            .field("chunk_size", &self.chunk_size)
            .field("marked", &self.marked)
            .finish_non_exhaustive()
    }
}

/// See [`crate::from_config`].
pub(crate) fn from_config(
    uuid: &RepoUuid,
    config: &RemoteConfig,
    local: &LocalSettings,
) -> Result<impl crate::SpecialRemote + 'static, ConfigError> {
    Ok(Directory::new(Settings::new(uuid, config, local)?))
}

/// See [`crate::initialise`]: marks the directory as this remote's.
pub(crate) fn initialise(
    uuid: &RepoUuid,
    config: &RemoteConfig,
    local: &LocalSettings,
) -> Result<(), InitialiseError> {
    let mut settings = Settings::new(uuid, config, local)?;
    // Whoever calls this says that this is the place, so a missing mark is to be made, not to be missed.
    settings.marked = false;
    let metadata = std::fs::metadata(&settings.path).map_err(|source| error(&settings, source))?;
    if !metadata.is_dir() {
        return Err(InitialiseError::NotADirectory { path: settings.path });
    }
    let place = Place::open(&settings)?;
    mark(&place, &settings)?;
    Ok(())
}
