//! The `directory` special remote: contents in a directory of this machine, such as a removable drive.
//!
//! Layout (git-annex's own, checked with 10.20230126 and 10.20261026): a content, or a chunk of one, is
//! `LOWER/KEYFILE/KEYFILE`, the file 0444 in a directory 0555; uploads grow below `tmp/` and are renamed into place.
//! Two additions of ours, which git-annex does not look at: uploads that can be resumed lie in
//! `tmp/UUID-OF-THE-UPLOADING-REPOSITORY/KEYFILE`, and the file `annex-uuid` at the top says whose place this is (as
//! git-annex itself does in S3 buckets), so that a bare mount point or another drive is not taken for it.

mod check;
mod config;
mod incoming;
mod layout;
mod pinned;
mod place;
mod remove;
mod retrieve;
mod store;
mod writeback;

use std::sync::Arc;

use async_trait::async_trait;
use tributary_formats::{Key, RepoUuid};

pub(crate) use config::{from_config, initialise};

use crate::meter::Meter;
use crate::partial::VerifiedFile;
use crate::place_error::PlaceError;
use crate::remote::{
    Capabilities, CheckError, Cost, Download, Probed, RemoteName, RemoveError, Removed, RetrieveError,
    SpecialRemote, StoreError, Stored, Upload,
};
use crate::removal::SafeDropProof;
use config::Settings;
use pinned::Pinned;

/// A directory of this machine.
#[derive(Debug)]
struct Directory {
    shared: Arc<Shared>,
}

/// What the blocking work of all operations shares.
#[derive(Debug)]
struct Shared {
    settings: Settings,
    pinned: Pinned,
}

impl Directory {
    fn new(settings: Settings) -> Self {
        Directory { shared: Arc::new(Shared { settings, pinned: Pinned::default() }) }
    }

    /// Runs file work on a thread for such work. When this future is dropped, the meters are told to stop, so that the
    /// work ends soon too.
    async fn blocking<T: Send + 'static>(
        &self,
        meters: Vec<Meter>,
        work: impl FnOnce(&Shared) -> T + Send + 'static,
    ) -> T {
        let stop = StopWhenDropped(meters);
        let shared = Arc::clone(&self.shared);
        let done = tokio::task::spawn_blocking(move || work(&shared)).await;
        stop.defuse();
        done.unwrap_or_else(|end| std::panic::resume_unwind(end.into_panic()))
    }
}

/// Stops the transfers of an operation that nobody waits for any more.
struct StopWhenDropped(Vec<Meter>);

impl StopWhenDropped {
    fn defuse(mut self) {
        self.0.clear();
    }
}

impl Drop for StopWhenDropped {
    fn drop(&mut self) {
        self.0.iter().for_each(Meter::stop);
    }
}

/// The one result of a batch of one.
fn only<T>(results: Vec<T>) -> T {
    results.into_iter().next().expect("a batch gives a result for each of its members")
}

#[async_trait]
impl SpecialRemote for Directory {
    fn uuid(&self) -> &RepoUuid {
        &self.shared.settings.uuid
    }

    fn name(&self) -> &RemoteName {
        &self.shared.settings.name
    }

    fn location(&self) -> String {
        self.shared.settings.path.display().to_string()
    }

    fn cost(&self) -> Cost {
        self.shared.settings.cost
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            chunk_size: self.shared.settings.chunk_size,
            batches: true,
            resumes_uploads: true,
            removes: true,
            local: true,
        }
    }

    async fn probe(&self) -> Result<Probed, PlaceError> {
        self.blocking(Vec::new(), |shared| shared.settings.open_place()?.probe(&shared.settings)).await
    }

    async fn check_present(&self, key: &Key) -> Result<bool, CheckError> {
        only(self.check_present_many(vec![key.clone()]).await)
    }

    async fn check_present_many(&self, keys: Vec<Key>) -> Vec<Result<bool, CheckError>> {
        self.blocking(Vec::new(), move |shared| check::check_all(shared, &keys)).await
    }

    async fn store(&self, upload: Upload) -> Result<Stored, StoreError> {
        only(self.store_many(vec![upload]).await)
    }

    async fn store_many(&self, uploads: Vec<Upload>) -> Vec<Result<Stored, StoreError>> {
        let meters = uploads.iter().map(|upload| upload.meter.clone()).collect();
        self.blocking(meters, move |shared| store::store_all(shared, &uploads)).await
    }

    async fn retrieve(&self, download: Download) -> Result<VerifiedFile, RetrieveError> {
        only(self.retrieve_many(vec![download]).await)
    }

    async fn retrieve_many(&self, downloads: Vec<Download>) -> Vec<Result<VerifiedFile, RetrieveError>> {
        let meters = downloads.iter().map(|download| download.meter.clone()).collect();
        self.blocking(meters, move |shared| retrieve::retrieve_all(shared, &downloads)).await
    }

    async fn remove(&self, proof: SafeDropProof) -> Result<Removed, RemoveError> {
        self.blocking(Vec::new(), move |shared| remove::remove(shared, &proof)).await
    }

    async fn flush(&self) -> Result<(), PlaceError> {
        self.blocking(Vec::new(), |shared| shared.pinned.flush(&shared.settings)).await
    }
}
