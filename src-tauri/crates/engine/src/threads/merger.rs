//! Merger: takes in what others pushed to this repository, and what a person committed here by hand.
//!
//! Waits for changes of the refs that others push to (`synced/…`, git-annex's) and of our own branches; hands the
//! planner and the applier what came of it. Our own commits wake it too, and find nothing to do. Ends when told to
//! stop; where refs cannot be watched, the next look at a place does the same. While the folder rests, what is pushed
//! waits: what a person changes meanwhile is committed before it is merged.

pub(crate) mod merge;
mod uncommitted;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use notify::{Config, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use self::merge::{Merge, MergeFault, deliver};
use crate::folder_facts::FactSender;
use crate::state::arrivals::Arrivals;
use crate::threads::committer::chain;

/// A push moves several refs one after the other; after this much quiet they are taken in together.
const QUIET: Duration = Duration::from_millis(50);

/// The merger's wiring.
pub(crate) struct Merger {
    pub(crate) git_dir: PathBuf,
    pub(crate) merge: Merge,
    pub(crate) facts: FactSender,
    pub(crate) apply: Arc<Arrivals>,
    /// True while the folder rests.
    pub(crate) paused: watch::Receiver<bool>,
}

/// Runs until told to stop.
pub(crate) async fn run(mut merger: Merger, stop: CancellationToken) {
    let moved = Arc::new(Notify::new());
    let _eyes = merger.watch(moved.clone());
    loop {
        if stop.run_until_cancelled(moved.notified()).await.is_none() {
            return;
        }
        while tokio::time::timeout(QUIET, moved.notified()).await.is_ok() {}
        let resumed = merger.paused.wait_for(|paused| !paused);
        if !matches!(stop.run_until_cancelled(resumed).await, Some(Ok(_))) {
            return;
        }
        if !merger.take_in().await {
            moved.notify_one();
        }
    }
}

impl Merger {
    /// Watches the refs; the watch lasts as long as what is returned.
    fn watch(&self, moved: Arc<Notify>) -> Option<RecommendedWatcher> {
        let handler = move |event: notify::Result<notify::Event>| {
            // Reading refs is no news; a fault may be one.
            if !event.is_ok_and(|event| matches!(event.kind, EventKind::Access(_))) {
                moved.notify_one();
            }
        };
        let heads = self.git_dir.join("refs/heads");
        let synced = heads.join("synced");
        let made = std::fs::create_dir_all(&synced)
            .map_err(notify::Error::io)
            .and_then(|()| RecommendedWatcher::new(handler, Config::default()))
            .and_then(|mut eyes| {
                eyes.watch(&heads, RecursiveMode::NonRecursive)?;
                eyes.watch(&synced, RecursiveMode::NonRecursive)?;
                Ok(eyes)
            });
        made.inspect_err(|error| tracing::warn!(%error, "pushes to this repository cannot be heard")).ok()
    }

    /// Merges; false when the folder rests with something to commit first, and it is to be tried again.
    async fn take_in(&self) -> bool {
        let merge = self.merge.clone();
        let merged =
            tokio::task::spawn_blocking(move || merge.merge(None)).await.expect("merging does not panic");
        match merged {
            Ok(brought) if brought.moved => deliver(brought, &self.facts, &self.apply),
            Ok(_) => {}
            Err(MergeFault::Resting) => return false,
            // The next fetch meets the same and tells the person.
            Err(error) => tracing::info!(fault = chain(&error), "what was pushed here was not merged"),
        }
        true
    }
}
