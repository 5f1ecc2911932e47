//! What is much, as a file: when streams go in-band and the account's server slows them down, what git says is gathered,
//! sealed, left at the server, and fetched by the other side, which gives it to its git as if it had come in-band.
//!
//! Git notices nothing of it. Whatever fails on the way, the same bytes go in-band: the sender keeps them until the
//! other side has them. Only what both sides agree to goes so: each says [`Frame::TakesFiles`] once it knows of no faster
//! way.
//!
//! [`Frame::TakesFiles`]: tributary_xmpp::channel::Frame::TakesFiles

mod pace;
mod receiving;
mod sending;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::fs::File;
use tokio::sync::watch;
use tokio::time::Instant;
use tributary_xmpp::account::FullJid;
use tributary_xmpp::upload::{Place, Sealed, UploadError, Uploads};

use super::Tunnels;
use super::carried::Way;

pub(super) use self::receiving::{Direction, Incoming};
pub(super) use self::sending::Outgoing;

/// How often the other side hears that work on a file goes on.
const BUSY_PAUSE: Duration = Duration::from_secs(2);

/// Where files are left and fetched: the account's server, and something smaller in tests.
#[async_trait]
pub(super) trait Depot: Send + Sync {
    /// The largest file that it takes; none when it takes none.
    async fn largest(&self) -> Option<u64>;

    /// Leaves a file there, and counts what was moved.
    async fn put(&self, file: &mut Sealed, moved: &watch::Sender<u64>) -> Result<Place, UploadError>;

    /// Fetches a file into an empty one.
    async fn fetch(
        &self,
        place: &Place,
        into: File,
        moved: &watch::Sender<u64>,
    ) -> Result<Sealed, UploadError>;
}

#[async_trait]
impl Depot for Uploads {
    async fn largest(&self) -> Option<u64> {
        self.largest().await
    }

    async fn put(&self, file: &mut Sealed, moved: &watch::Sender<u64>) -> Result<Place, UploadError> {
        self.put(file, moved).await
    }

    async fn fetch(
        &self,
        place: &Place,
        into: File,
        moved: &watch::Sender<u64>,
    ) -> Result<Sealed, UploadError> {
        self.fetch(place, into, moved).await
    }
}

/// Files to and from one client.
#[derive(Clone)]
pub(super) struct Files {
    depot: Arc<dyn Depot>,
    /// Where they are while they are made and read.
    folder: PathBuf,
    tunnels: Tunnels,
    client: FullJid,
}

impl Tunnels {
    /// Files to and from a client, unless streams are to go another way.
    pub(super) fn files_with(&self, client: &FullJid) -> Option<Files> {
        if self.0.patience.only == Some(Way::InBand) {
            return None;
        }
        let depot = self.now().depot.clone()?;
        Some(Files { depot, folder: self.0.folder.clone(), tunnels: self.clone(), client: client.clone() })
    }
}

impl Files {
    /// Whether there is no faster way, as far as is known now.
    fn allowed(&self) -> bool {
        self.tunnels.now().ways.may_use_files(&self.client, Instant::now())
    }

    /// Waits until there is no faster way.
    pub(super) async fn until_allowed(&self) {
        let mut tried = self.tunnels.0.tried.subscribe();
        // Where files failed they are not asked for again on this stream.
        while !self.allowed() && tried.changed().await.is_ok() {}
    }

    /// An empty file that nobody else sees, and that is gone when it is closed.
    async fn empty(&self) -> io::Result<File> {
        let folder = self.folder.clone();
        let file = tokio::task::spawn_blocking(move || tempfile::tempfile_in(folder));
        Ok(File::from_std(file.await.expect("making a file does not panic")?))
    }

    /// A file arrived, here or there.
    fn went(&self) {
        self.tunnels.went(&self.client, Way::File);
    }

    /// A file came to nothing; what is in it goes in-band.
    fn failed(&self) {
        self.tunnels.now().ways.file_failed(&self.client, Instant::now());
        self.tunnels.went(&self.client, Way::InBand);
    }
}
