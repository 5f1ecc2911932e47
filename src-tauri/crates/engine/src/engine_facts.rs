//! What a folder tells the engine it belongs to.

use std::path::PathBuf;

use tokio::sync::mpsc;
use tributary_xmpp::hints::FolderState;

/// Something of a folder that concerns the whole.
#[derive(Debug)]
pub(crate) enum EngineFact {
    /// The folder has news at a place: tell the other devices.
    Announce {
        /// The folder.
        folder: PathBuf,
        /// Its repository and tips.
        state: FolderState,
    },
    /// The folder's first sync is complete.
    FirstSyncDone {
        /// The folder.
        folder: PathBuf,
    },
}

/// The way to the engine. Unbounded: a folder sends one at a time and the engine never waits for a folder.
pub(crate) type EngineFactSender = mpsc::UnboundedSender<EngineFact>;
