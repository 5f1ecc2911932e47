//! Sentry: notices that the folder's repository became one that must not be written to: another branch or an adjusted
//! one was checked out, a merge was begun by hand, git-annex's assistant was started, `.git` is gone.
//!
//! Waits for changes of the few files that say so, and ends the folder's threads; what watches over the folder starts
//! them again when that is right, and says why it is not until then. Each commit asks the same before it moves a branch:
//! this is for the rest. Ends when told to stop, or when git's folder cannot be watched.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use notify::{Config, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::state::desk::{Desk, DeskHandle};
use crate::threads::committer::chain;

/// Names in `.git` and `.git/annex` that say what state the repository is in.
const TELLING: [&str; 9] = [
    "HEAD",
    "config",
    "daemon.pid",
    "MERGE_HEAD",
    "CHERRY_PICK_HEAD",
    "REVERT_HEAD",
    "rebase-merge",
    "rebase-apply",
    "BISECT_LOG",
];

/// The sentry's wiring.
pub(crate) struct Sentry {
    pub(crate) git_dir: PathBuf,
    pub(crate) desk: DeskHandle,
    /// Ends the folder's threads.
    pub(crate) folder: CancellationToken,
}

/// Runs until told to stop.
pub(crate) async fn run(sentry: Sentry, stop: CancellationToken) {
    let changed = Arc::new(Notify::new());
    let _eyes = match sentry.watch(changed.clone()) {
        Ok(eyes) => eyes,
        Err(error) => {
            tracing::warn!(%error, "the state of the repository cannot be watched");
            return;
        }
    };
    // It may have changed between opening and watching.
    changed.notify_one();
    while stop.run_until_cancelled(changed.notified()).await.is_some() {
        if let Err(error) = sentry.desk.with(Desk::fit).await {
            tracing::info!(fault = chain(&error), "the folder is stopped");
            sentry.folder.cancel();
        }
    }
}

impl Sentry {
    fn watch(&self, changed: Arc<Notify>) -> notify::Result<RecommendedWatcher> {
        let git_dir = self.git_dir.clone();
        let handler = move |event: notify::Result<notify::Event>| {
            let telling = |path: &Path| {
                path == git_dir
                    || path.file_name().is_some_and(|name| TELLING.iter().any(|telling| name == *telling))
            };
            // Reading is no news; a fault may be one.
            let news = event.map_or(true, |event| {
                !matches!(event.kind, EventKind::Access(_)) && event.paths.iter().any(|path| telling(path))
            });
            if news {
                changed.notify_one();
            }
        };
        let mut eyes = RecommendedWatcher::new(handler, Config::default())?;
        eyes.watch(&self.git_dir, RecursiveMode::NonRecursive)?;
        eyes.watch(&self.git_dir.join("annex"), RecursiveMode::NonRecursive)?;
        Ok(eyes)
    }
}
