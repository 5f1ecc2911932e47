//! Housekeeper: keeps the repository, and transfer points on this machine, from growing into many small files.
//!
//! Looks now and then while nothing is going on, and has git repack what grew too much, under git's own locks. Ends when
//! told to stop.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tributary_repo::cancel::Cancel;
use tributary_repo::housekeeping;
use tributary_repo::remote::{GitRemote, RemoteKind};

use crate::state::changes::Changes;
use crate::state::places::{Places, Reach};

/// Pause between two looks.
const PAUSE: Duration = Duration::from_secs(15 * 60);

/// The housekeeper's wiring.
pub(crate) struct Housekeeper {
    pub(crate) git_dir: PathBuf,
    pub(crate) places: Places,
    pub(crate) changes: Arc<Changes>,
    pub(crate) cancel: Cancel,
}

/// Runs until told to stop.
pub(crate) async fn run(keeper: Housekeeper, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(PAUSE)).await.is_some() {
        if keeper.changes.waiting() > 0 {
            continue;
        }
        for dir in keeper.repositories() {
            let (at, cancel) = (dir.clone(), keeper.cancel.clone());
            let tidied = tokio::task::spawn_blocking(move || housekeeping::tidy(&at, &cancel)).await;
            match tidied.expect("tidying does not panic") {
                Ok(true) => tracing::info!(dir = %dir.display(), "repacked"),
                Ok(false) => {}
                Err(error) => tracing::info!(dir = %dir.display(), %error, "not repacked"),
            }
        }
    }
}

impl Housekeeper {
    /// Ours, and those of places on this machine that we may write to.
    fn repositories(&self) -> Vec<PathBuf> {
        let mut dirs = vec![self.git_dir.clone()];
        for row in self.places.rows().iter().filter(|row| !row.read_only) {
            if let Reach::Git(GitRemote { kind: RemoteKind::LocalPath(path), .. }) = &row.reach {
                let inside = path.join(".git");
                dirs.push(if inside.is_dir() { inside } else { path.clone() });
            }
        }
        dirs.retain(|dir| dir.is_dir());
        dirs
    }
}
