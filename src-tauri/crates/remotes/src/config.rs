//! From an entry of git-annex's `remote.log`, and what this machine knows about it, to a remote that works.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use tributary_formats::RepoUuid;

use crate::chunks::ChunkRecords;
use crate::place_error::PlaceError;
use crate::remote::{Cost, RemoteName, SpecialRemote};

/// The fields of an entry in `remote.log`.
pub type RemoteConfig = BTreeMap<String, String>;

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
        /// What the system said.
        source: io::Error,
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
    let _ = (uuid, config, local);
    todo!()
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
    let _ = (uuid, config, local);
    todo!()
}
