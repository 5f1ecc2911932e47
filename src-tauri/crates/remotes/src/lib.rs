//! Special remotes: places that store contents and run nothing of ours.
//!
//! [`SpecialRemote`] is what every kind can do; [`from_config`] makes one from its entry in git-annex's `remote.log`.
//! Formats are git-annex's own, so what is written here is read there, and back. Nothing in this crate touches a git
//! repository: which content is where, and the chunk log, are the caller's to record.

pub mod chunks;
pub mod config;
pub mod directory;
pub mod meter;
pub mod partial;
pub mod place_error;
pub mod remote;
pub mod removal;
pub mod retry;
mod size;
#[cfg(feature = "suite")]
pub mod suite;

pub use chunks::{ChunkRecords, ChunkSet, NoChunkRecords};
pub use config::{ConfigError, InitialiseError, LocalSettings, from_config, initialise};
pub use meter::{Meter, Progress};
pub use partial::{FinishError, PartialContent, Unverifiable, VerifiedFile};
pub use place_error::PlaceError;
pub use remote::{
    Capabilities, CheckError, Cost, Download, Probed, RemoteName, RemoveError, Removed, RetrieveError,
    SpecialRemote, StoreError, Stored, Upload,
};
pub use removal::{HeldCopy, SafeDropProof, TooFewCopies, VerifiedCopy};
pub use retry::Retry;
