//! Changes of the branch's files: which file each is about, and what it makes of its content.

use tributary_formats::key::Key;
use tributary_formats::logs::chunk::{ChunkLog, ChunkSet};
use tributary_formats::logs::presence::{LocationLog, LogStatus, PresenceLog};
use tributary_formats::logs::remote::RemoteConfig;
use tributary_formats::logs::single::NumberLog;
use tributary_formats::logs::uuid_log::UuidLog;
use tributary_formats::logs::{KeyLog, LogFamily, MapLog, MetadataLog, description, family_of};
use tributary_formats::uuid::RepoUuid;

/// One change of the branch.
#[derive(Debug, Clone)]
pub enum LogChange {
    /// The content of a key came to, or left, a repository. Written only when that is news.
    Location {
        /// The content.
        key: Key,
        /// The repository.
        uuid: RepoUuid,
        /// What is so now.
        status: LogStatus,
    },
    /// uuid.log: how a repository describes itself.
    Description {
        /// The repository.
        uuid: RepoUuid,
        /// One line; a newline is escaped.
        description: String,
    },
    /// remote.log: a special remote's configuration.
    Remote {
        /// The special remote.
        uuid: RepoUuid,
        /// All its settings.
        config: RemoteConfig,
    },
    /// A line of another log of one value per repository (trust.log, group.log, preferred-content.log, …).
    PerUuid {
        /// The log, such as `trust.log`.
        log: String,
        /// The repository.
        uuid: RepoUuid,
        /// The value, as it stands in the line.
        value: String,
    },
    /// config.log: a setting for all clones; empty unsets it.
    Config {
        /// Such as `annex.largefiles`.
        name: String,
        /// The value.
        value: String,
    },
    /// A log with one number: numcopies.log, mincopies.log.
    Number {
        /// The log.
        log: String,
        /// The value.
        number: u32,
    },
    /// `….log.cnk`: a special remote holds a key in chunks.
    Chunks {
        /// The content.
        key: Key,
        /// The special remote.
        uuid: RepoUuid,
        /// Bytes in a chunk.
        chunk_size: u64,
        /// How many; 0 = none any more.
        count: u64,
    },
    /// `….log.web` and the like: an information about a key that is, or is no longer, so.
    Presence {
        /// The log's path.
        log: Vec<u8>,
        /// What the line says.
        info: Vec<u8>,
        /// Whether it is so.
        status: LogStatus,
    },
    /// The whole new content of any file.
    Raw {
        /// Path in the branch.
        path: Vec<u8>,
        /// Its content.
        content: Vec<u8>,
    },
}

impl LogChange {
    /// Path of the file that changes.
    pub(super) fn path(&self) -> Vec<u8> {
        match self {
            LogChange::Location { key, .. } => key.log_path(),
            LogChange::Description { .. } => b"uuid.log".to_vec(),
            LogChange::Remote { .. } => b"remote.log".to_vec(),
            LogChange::PerUuid { log, .. } | LogChange::Number { log, .. } => log.clone().into_bytes(),
            LogChange::Config { .. } => b"config.log".to_vec(),
            LogChange::Chunks { key, .. } => KeyLog::Chunks.path(key),
            LogChange::Presence { log, .. } => log.clone(),
            LogChange::Raw { path, .. } => path.clone(),
        }
    }

    /// The file's content with the change, compacted; None when it says nothing new.
    pub(super) fn apply(&self, content: &[u8], now: u64) -> Option<Vec<u8>> {
        match self {
            LogChange::Location { uuid, status, .. } => {
                let mut log = LocationLog::parse(content);
                log.set(uuid, *status, now).then(|| log.to_bytes())
            }
            LogChange::Description { uuid, description } => {
                set_for_uuid(content, uuid, description::escape(description).as_bytes(), now)
            }
            LogChange::Remote { uuid, config } => set_for_uuid(content, uuid, &config.to_bytes(), now),
            LogChange::PerUuid { uuid, value, .. } => set_for_uuid(content, uuid, value.as_bytes(), now),
            LogChange::Config { name, value } => {
                let mut log = MapLog::parse(content);
                log.set(name.as_bytes(), value.as_bytes(), now).then(|| log.to_bytes())
            }
            LogChange::Number { number, .. } => {
                let mut log = NumberLog::parse(content);
                log.set(*number, now).then(|| log.to_bytes())
            }
            LogChange::Chunks { uuid, chunk_size, count, .. } => {
                let mut log = ChunkLog::parse(content);
                let news = match *count {
                    0 => log.remove(uuid, *chunk_size, now),
                    count => log.add(uuid, ChunkSet { chunk_size: *chunk_size, count }, now),
                };
                news.then(|| log.to_bytes())
            }
            LogChange::Presence { info, status, .. } => {
                let mut log = PresenceLog::parse(content);
                log.set(info, *status, now).then(|| log.to_bytes())
            }
            LogChange::Raw { content: new, .. } => (new != content).then(|| new.clone()),
        }
    }
}

fn set_for_uuid(content: &[u8], uuid: &RepoUuid, value: &[u8], now: u64) -> Option<Vec<u8>> {
    let mut log = UuidLog::parse(content);
    log.set(uuid, value, now).then(|| log.to_bytes())
}

/// Drops what is out of date from a file, where its family is known.
pub(super) fn compact(path: &[u8], content: Vec<u8>) -> Vec<u8> {
    match family_of(path) {
        LogFamily::Uuid => UuidLog::parse(&content).to_bytes(),
        LogFamily::Map => MapLog::parse(&content).to_bytes(),
        LogFamily::Single => NumberLog::parse(&content).to_bytes(),
        LogFamily::Presence => PresenceLog::parse(&content).to_bytes(),
        LogFamily::Metadata => MetadataLog::parse(&content).to_bytes(),
        LogFamily::Transitions | LogFamily::Other => content,
    }
}
