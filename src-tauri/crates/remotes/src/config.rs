//! From an entry of git-annex's `remote.log`, and what this machine knows about it, to a remote that works.

use std::path::PathBuf;
use std::sync::Arc;

use tributary_formats::RepoUuid;
use tributary_formats::logs::RemoteConfig;

use crate::chunks::ChunkRecords;
use crate::directory;
use crate::place_error::PlaceError;
use crate::remote::{Cost, RemoteName, SpecialRemote};
use crate::size;

/// What this machine knows about a remote, beside its entry in `remote.log`.
#[derive(Clone)]
pub struct LocalSettings {
    /// The remote's name in the local git configuration.
    pub name: RemoteName,
    /// The local repository. Its uploads in progress are kept apart from those of others.
    pub repository: RepoUuid,
    /// `remote.NAME.annex-directory`.
    pub directory: Option<PathBuf>,
    /// The place was seen with its mark ([`Probed::marked`](crate::Probed::marked)): a folder without it is then the
    /// bare mount point of a drive that is away.
    pub marked: bool,
    /// `remote.NAME.annex-cost`, when set.
    pub cost: Option<Cost>,
    /// The chunk log of this remote.
    pub chunk_records: Arc<dyn ChunkRecords>,
}

/// Why there is no remote for an entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A field that every entry has is missing.
    #[error("the remote's configuration has no {0}=")]
    Missing(&'static str),
    /// A kind of remote that is not known, or not supported yet.
    #[error("remotes of type {0} are not supported")]
    UnsupportedType(String),
    /// A kind of encryption that is not known, or not supported yet.
    #[error("encryption={0} is not supported yet")]
    UnsupportedEncryption(String),
    /// Another way of use that is not supported: trees exported to the remote, or imported from it.
    #[error("{0} remotes are not supported")]
    UnsupportedUse(&'static str),
    /// The chunk size does not parse, or is zero.
    #[error("chunk={0} is no size")]
    BadChunkSize(String),
    /// This machine has not been told where it is.
    #[error("where the remote is on this computer is not known: {0} is not set")]
    NoPlace(&'static str),
    /// The path is not absolute.
    #[error("the path {} is not absolute", .0.display())]
    NotAbsolute(PathBuf),
}

/// Why a place was not made a remote's place.
#[derive(Debug, thiserror::Error)]
pub enum InitialiseError {
    /// The configuration is not one to work with.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The place is not there, belongs to another remote, or does not let us.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// It is no folder.
    #[error("{} is not a folder", .path.display())]
    NotADirectory {
        /// The path.
        path: PathBuf,
    },
}

/// Makes the remote that an entry of `remote.log` describes. Touches nothing: whether the place is there is
/// [`SpecialRemote::probe`]'s to say.
///
/// # Errors
///
/// See [`ConfigError`].
pub fn from_config(
    uuid: &RepoUuid,
    config: &RemoteConfig,
    local: &LocalSettings,
) -> Result<Box<dyn SpecialRemote>, ConfigError> {
    match kind(config)? {
        Kind::Directory => Ok(Box::new(directory::from_config(uuid, config, local)?)),
    }
}

/// Makes a place fit for the remote: for a new one, and for one that this computer starts to use. The same place again
/// is no error. A directory has to exist: it may be a mount point, and is never made by us.
///
/// Blocks.
///
/// # Errors
///
/// See [`InitialiseError`].
pub fn initialise(
    uuid: &RepoUuid,
    config: &RemoteConfig,
    local: &LocalSettings,
) -> Result<(), InitialiseError> {
    match kind(config)? {
        Kind::Directory => directory::initialise(uuid, config, local),
    }
}

/// The kinds of remote that work.
enum Kind {
    Directory,
}

fn kind(config: &RemoteConfig) -> Result<Kind, ConfigError> {
    match config.remote_type() {
        Some("directory") => Ok(Kind::Directory),
        Some(other) => Err(ConfigError::UnsupportedType(other.to_owned())),
        None => Err(ConfigError::Missing("type")),
    }
}

/// Refuses what would be stored, or is stored, encrypted.
pub(crate) fn no_encryption(config: &RemoteConfig) -> Result<(), ConfigError> {
    match config.get("encryption") {
        Some("none") => Ok(()),
        Some(other) => Err(ConfigError::UnsupportedEncryption(other.to_owned())),
        None => Err(ConfigError::Missing("encryption")),
    }
}

/// The size of chunks, in bytes; `None` when contents are stored whole.
pub(crate) fn chunk_size(config: &RemoteConfig) -> Result<Option<u64>, ConfigError> {
    let Some(text) = config.get("chunk") else { return Ok(None) };
    match size::parse(text) {
        // How git-annex spells "no chunks".
        Some(0) => Ok(None),
        Some(size) => Ok(Some(size)),
        None => Err(ConfigError::BadChunkSize(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunks::NoChunkRecords;

    fn local() -> LocalSettings {
        LocalSettings {
            name: RemoteName::new("usb"),
            repository: RepoUuid::parse("here").expect("a UUID"),
            directory: Some("/mnt/usb".into()),
            marked: false,
            cost: None,
            chunk_records: Arc::new(NoChunkRecords),
        }
    }

    fn refusal(fields: &[(&str, &str)], local: &LocalSettings) -> ConfigError {
        let config = fields.iter().copied().collect();
        let uuid = RepoUuid::parse("there").expect("a UUID");
        from_config(&uuid, &config, local).map(|remote| remote.location()).expect_err("it is refused")
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let with = |fields: &[(&'static str, &'static str)]| {
            let mut all = vec![("type", "directory"), ("encryption", "none")];
            all.extend_from_slice(fields);
            refusal(&all, &local())
        };
        assert_eq!(refusal(&[("encryption", "none")], &local()), ConfigError::Missing("type"));
        assert_eq!(refusal(&[("type", "directory")], &local()), ConfigError::Missing("encryption"));
        assert_eq!(refusal(&[("type", "tahoe")], &local()), ConfigError::UnsupportedType("tahoe".into()));
        assert_eq!(with(&[("encryption", "shared")]), ConfigError::UnsupportedEncryption("shared".into()));
        assert_eq!(with(&[("chunk", "some")]), ConfigError::BadChunkSize("some".into()));
        assert_eq!(with(&[("exporttree", "yes")]), ConfigError::UnsupportedUse("exporttree=yes"));
        let nowhere = LocalSettings { directory: None, ..local() };
        let fields = [("type", "directory"), ("encryption", "none")];
        assert_eq!(refusal(&fields, &nowhere), ConfigError::NoPlace("annex-directory"));
        let relative = LocalSettings { directory: Some("usb".into()), ..local() };
        assert_eq!(refusal(&fields, &relative), ConfigError::NotAbsolute("usb".into()));
    }

    #[test]
    fn a_plain_one_works() {
        let config = [("type", "directory"), ("encryption", "none"), ("chunk", "1MiB")].into_iter().collect();
        let uuid = RepoUuid::parse("there").expect("a UUID");
        let remote = from_config(&uuid, &config, &local()).expect("it is fine");
        assert_eq!((remote.uuid(), remote.name().as_str()), (&uuid, "usb"));
        assert_eq!((remote.cost(), remote.location().as_str()), (Cost(100.0), "/mnt/usb"));
        assert_eq!(remote.capabilities().chunk_size, Some(1024 * 1024));
    }
}
