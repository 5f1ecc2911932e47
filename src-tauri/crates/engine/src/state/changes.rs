//! Changes: the paths that the watcher saw and the committer has not taken yet.
//!
//! A set, so that a storm of events on one file is one path. The reader sleeps until there is something; how long a
//! batch may grow is a pure function of the times.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tributary_formats::tree_path::TreePath;

/// Quiet after the newest change that ends a batch: a program that writes several files does so in one go.
pub const QUIET: Duration = Duration::from_millis(15);

/// Longest that a batch of few changes waits for quiet.
pub const PATIENCE: Duration = Duration::from_millis(50);

/// Longest that a storm of changes is gathered.
pub const STORM: Duration = Duration::from_secs(1);

/// From this many paths on it is a storm.
pub const STORM_PATHS: usize = 20;

/// A batch of this many paths is taken at once, so that others work on it while the storm goes on.
pub const FULL: usize = 1000;

/// What the watcher saw.
#[derive(Debug, Default)]
pub struct Changes {
    inner: Mutex<Inner>,
    news: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    paths: BTreeSet<TreePath>,
    first: Option<Instant>,
    last: Option<Instant>,
    /// Batches that were taken and whose commit has not ended.
    taken: u32,
    /// Ask for a batch that ends at once: a person waits.
    hurry: bool,
}

/// Whether a batch is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ripeness {
    /// There is nothing.
    Empty,
    /// Look again after this long.
    In(Duration),
    /// Take it.
    Ripe,
}

/// Says when a batch is complete: after a little quiet, a storm after a second, a full one at once.
#[must_use]
pub fn ripeness(now: Instant, first: Instant, last: Instant, paths: usize) -> Ripeness {
    if paths == 0 {
        return Ripeness::Empty;
    }
    let limit = if paths < STORM_PATHS { PATIENCE } else { STORM };
    let ripe_at = (last + QUIET).min(first + limit);
    if paths >= FULL || now >= ripe_at { Ripeness::Ripe } else { Ripeness::In(ripe_at - now) }
}

impl Changes {
    /// Adds paths that changed.
    pub fn add(&self, paths: impl IntoIterator<Item = TreePath>) {
        let mut inner = self.lock();
        let before = inner.paths.len();
        inner.paths.extend(paths);
        if inner.paths.is_empty() {
            return;
        }
        let now = Instant::now();
        inner.first.get_or_insert(now);
        inner.last = Some(now);
        let grew = inner.paths.len() > before;
        drop(inner);
        if grew {
            self.news.notify_one();
        }
    }

    /// Ends the batch now.
    pub fn hurry(&self) {
        self.lock().hurry = true;
        self.news.notify_one();
    }

    /// Waits for a complete batch and takes it. `done` must be told when its commit ended.
    pub async fn next_batch(&self) -> Vec<TreePath> {
        loop {
            let news = self.news.notified();
            let ripeness = self.take_if_ripe();
            match ripeness {
                Ok(batch) => return batch,
                Err(Ripeness::In(pause)) => {
                    tokio::time::timeout(pause, news).await.ok();
                }
                Err(_) => news.await,
            }
        }
    }

    /// Says that the batch taken last is committed, or was put back.
    pub fn done(&self) {
        self.lock().taken -= 1;
    }

    /// How many paths are not committed, with a batch that is being committed counted as one at least.
    #[must_use]
    pub fn waiting(&self) -> usize {
        let inner = self.lock();
        inner.paths.len() + inner.taken as usize
    }

    fn take_if_ripe(&self) -> Result<Vec<TreePath>, Ripeness> {
        let mut inner = self.lock();
        let (Some(first), Some(last)) = (inner.first, inner.last) else { return Err(Ripeness::Empty) };
        let ripeness = ripeness(Instant::now(), first, last, inner.paths.len());
        if ripeness != Ripeness::Ripe && !inner.hurry {
            return Err(ripeness);
        }
        inner.hurry = false;
        inner.taken += 1;
        let batch: Vec<_> = if inner.paths.len() > FULL {
            let rest = inner.paths.iter().nth(FULL).cloned().expect("there are more");
            let rest = inner.paths.split_off(&rest);
            std::mem::replace(&mut inner.paths, rest).into_iter().collect()
        } else {
            (inner.first, inner.last) = (None, None);
            std::mem::take(&mut inner.paths).into_iter().collect()
        };
        Ok(batch)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().expect("no holder of this lock panics")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_save_is_taken_after_a_moment_of_quiet() {
        let start = Instant::now();
        assert_eq!(ripeness(start, start, start, 1), Ripeness::In(QUIET));
        assert_eq!(ripeness(start + QUIET, start, start, 1), Ripeness::Ripe);
    }

    #[test]
    fn few_changes_wait_no_longer_than_patience_and_a_storm_no_longer_than_a_second() {
        let start = Instant::now();
        let at = |pause| start + pause;
        assert_eq!(ripeness(at(PATIENCE), start, at(PATIENCE), 2), Ripeness::Ripe);
        assert_ne!(ripeness(at(PATIENCE), start, at(PATIENCE), STORM_PATHS), Ripeness::Ripe);
        assert_eq!(ripeness(at(STORM), start, at(STORM), STORM_PATHS), Ripeness::Ripe);
        assert_eq!(ripeness(start, start, start, FULL), Ripeness::Ripe);
    }

    #[tokio::test]
    async fn a_storm_leaves_in_full_batches_and_nothing_is_lost() {
        let changes = Changes::default();
        let all: Vec<_> = (0..FULL * 2 + 7).map(|n| TreePath::new(format!("f{n:06}")).unwrap()).collect();
        changes.add(all.clone());
        let mut seen = Vec::new();
        while seen.len() < all.len() {
            let batch = changes.next_batch().await;
            assert!(batch.len() <= FULL);
            seen.extend(batch);
            changes.done();
        }
        assert_eq!(seen, all);
        assert_eq!(changes.waiting(), 0);
    }
}
