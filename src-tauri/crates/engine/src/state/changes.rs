//! Changes: the paths that the watcher saw and the committer has not taken yet.
//!
//! A set, so that a storm of events on one file is one path. The reader sleeps until there is something; how long a
//! batch may grow is a pure function of the times.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};
use tributary_formats::tree_path::TreePath;

use super::deletions::More;

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

/// Most paths of a batch in which files are looked for that were moved.
pub const MOVED: usize = 10 * FULL;

/// What the watcher saw.
#[derive(Debug, Default)]
pub struct Changes {
    inner: Mutex<Inner>,
    news: Notify,
    /// Told when a batch ended, or the first look.
    ends: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct Inner {
    paths: BTreeSet<TreePath>,
    /// Those that are all in the next batch: the watcher saw that they went, or somebody waits for them.
    gone: BTreeSet<TreePath>,
    /// How many looks are going on that will add paths.
    coming: u32,
    first: Option<Instant>,
    last: Option<Instant>,
    /// How many batches were taken, and of how many the commit ended.
    taken: u64,
    done: u64,
    /// Whether the committer keeps paths that it has not decided about.
    undecided: bool,
    /// Whether the folder was looked through since it was opened.
    looked_through: bool,
    /// Ask for a batch that ends at once: a person waits.
    hurry: bool,
}

/// Tells one batch from the others: they are taken one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BatchNumber(u64);

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

/// More paths are on their way to a batch: a directory that appeared is being walked.
///
/// The batch is not complete before, so that both halves of a move are in it. Ends when dropped.
#[derive(Debug)]
pub struct Coming<'c>(&'c Changes);

impl Drop for Coming<'_> {
    fn drop(&mut self) {
        self.0.lock().coming -= 1;
        self.0.news.notify_one();
    }
}

/// Says when a batch is complete: after a little quiet, a storm after a second, a full one at once. `coming` when more
/// paths are known to be on their way.
#[must_use]
pub fn ripeness(now: Instant, first: Instant, last: Instant, paths: usize, coming: bool) -> Ripeness {
    if paths == 0 {
        return Ripeness::Empty;
    }
    let limit = if paths < STORM_PATHS && !coming { PATIENCE } else { STORM };
    let ripe_at = if coming { first + limit } else { (last + QUIET).min(first + limit) };
    if paths >= FULL || now >= ripe_at { Ripeness::Ripe } else { Ripeness::In(ripe_at - now) }
}

impl Changes {
    /// Adds paths that changed.
    pub fn add(&self, paths: impl IntoIterator<Item = TreePath>) {
        self.gather(|inner| inner.paths.extend(paths));
    }

    /// Adds paths that went. They are all in the next batch, however large a storm it is part of, so that a file that
    /// appears under another name is known to be moved, and is not read.
    pub fn add_gone(&self, paths: impl IntoIterator<Item = TreePath>) {
        self.gather(|inner| inner.gone.extend(paths));
    }

    fn gather<T>(&self, add: impl FnOnce(&mut Inner) -> T) -> T {
        let mut inner = self.lock();
        let before = inner.len();
        let added = add(&mut inner);
        if inner.len() == 0 {
            return added;
        }
        let now = Instant::now();
        inner.first.get_or_insert(now);
        inner.last = Some(now);
        let grew = inner.len() > before;
        drop(inner);
        if grew {
            self.news.notify_one();
        }
        added
    }

    /// Says that a look goes on which will add paths.
    pub fn coming(&self) -> Coming<'_> {
        self.lock().coming += 1;
        Coming(self)
    }

    /// Says that the folder was looked through: what changed while nobody watched is among the paths.
    pub fn looked_through(&self) {
        self.lock().looked_through = true;
        self.ends.send_replace(());
    }

    /// Whether the folder was looked through, and all that was found is committed.
    #[must_use]
    pub fn is_all_taken_in(&self) -> bool {
        let looked_through = self.lock().looked_through;
        looked_through && self.waiting() == 0
    }

    /// Waits until the folder was looked through.
    pub async fn known(&self) {
        self.until(|inner| inner.looked_through).await;
    }

    /// Adds paths to the next batch, however large a storm it is part of, and says which batch that is.
    pub fn ask(&self, paths: impl IntoIterator<Item = TreePath>) -> BatchNumber {
        self.gather(|inner| {
            inner.gone.extend(paths);
            BatchNumber(inner.taken + 1)
        })
    }

    /// Waits until that batch is committed, or was put back.
    pub async fn ended(&self, batch: BatchNumber) {
        self.until(|inner| inner.done >= batch.0).await;
    }

    async fn until(&self, holds: impl Fn(&Inner) -> bool) {
        let mut ends = self.ends.subscribe();
        while !holds(&self.lock()) {
            ends.changed().await.expect("the sender is ours");
        }
    }

    /// Ends the batch now.
    pub fn hurry(&self) {
        self.lock().hurry = true;
        self.news.notify_one();
    }

    /// Waits for a complete batch and takes it. `done` must be told when its commit ended. Of so many files (`gone`) the
    /// new names are looked for: as many may be in the batch, since what was moved is not read, and whoever hears of a
    /// move at once has less to do than with one in parts.
    pub async fn next_batch(&self, gone: usize) -> Vec<TreePath> {
        let most = gone.clamp(FULL, MOVED);
        loop {
            let news = self.news.notified();
            let ripeness = self.take_if_ripe(most);
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
        self.lock().done += 1;
        self.ends.send_replace(());
    }

    /// What waits, or is on its way, beside the batch that is being committed.
    #[must_use]
    pub fn more(&self) -> More {
        let inner = self.lock();
        More { any: inner.len() > 0 || inner.coming > 0, gone: !inner.gone.is_empty() }
    }

    /// Says whether the committer keeps paths of earlier batches that it has not decided about.
    pub fn undecided(&self, some: bool) {
        self.lock().undecided = some;
    }

    /// How many paths are not committed, with a batch that is being committed, a look that goes on, and what is not
    /// decided, counted as one each.
    #[must_use]
    pub fn waiting(&self) -> usize {
        let inner = self.lock();
        let busy = inner.taken - inner.done + u64::from(inner.coming) + u64::from(inner.undecided);
        inner.len() + usize::try_from(busy).unwrap_or(usize::MAX)
    }

    fn take_if_ripe(&self, most: usize) -> Result<Vec<TreePath>, Ripeness> {
        let mut inner = self.lock();
        let (Some(first), Some(last)) = (inner.first, inner.last) else { return Err(Ripeness::Empty) };
        let ripeness = ripeness(Instant::now(), first, last, inner.len(), inner.coming > 0);
        if ripeness != Ripeness::Ripe && !inner.hurry {
            return Err(ripeness);
        }
        inner.hurry = false;
        inner.taken += 1;
        let mut batch = if inner.paths.len() > most {
            let rest = inner.paths.iter().nth(most).cloned().expect("there are more");
            let rest = inner.paths.split_off(&rest);
            std::mem::replace(&mut inner.paths, rest)
        } else {
            (inner.first, inner.last) = (None, None);
            std::mem::take(&mut inner.paths)
        };
        batch.append(&mut inner.gone);
        Ok(batch.into_iter().collect())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().expect("no holder of this lock panics")
    }
}

impl Inner {
    fn len(&self) -> usize {
        self.paths.len() + self.gone.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_save_is_taken_after_a_moment_of_quiet() {
        let start = Instant::now();
        assert_eq!(ripeness(start, start, start, 1, false), Ripeness::In(QUIET));
        assert_eq!(ripeness(start + QUIET, start, start, 1, false), Ripeness::Ripe);
    }

    #[test]
    fn few_changes_wait_no_longer_than_patience_and_a_storm_no_longer_than_a_second() {
        let start = Instant::now();
        let at = |pause| start + pause;
        assert_eq!(ripeness(at(PATIENCE), start, at(PATIENCE), 2, false), Ripeness::Ripe);
        assert_ne!(ripeness(at(PATIENCE), start, at(PATIENCE), STORM_PATHS, false), Ripeness::Ripe);
        assert_eq!(ripeness(at(STORM), start, at(STORM), STORM_PATHS, false), Ripeness::Ripe);
        assert_eq!(ripeness(start, start, start, FULL, false), Ripeness::Ripe);
    }

    #[test]
    fn a_batch_waits_for_what_is_coming_but_not_for_ever() {
        let start = Instant::now();
        assert_ne!(ripeness(start + PATIENCE, start, start, 1, true), Ripeness::Ripe);
        assert_eq!(ripeness(start + STORM, start, start, 1, true), Ripeness::Ripe);
    }

    #[tokio::test]
    async fn what_went_is_in_the_first_batch_of_a_storm() {
        let changes = Changes::default();
        let path = |name: &str, n| TreePath::new(format!("{name}{n:06}")).unwrap();
        changes.add((0..FULL + 1).map(|n| path("a", n)));
        changes.add_gone((0..FULL + 1).map(|n| path("b", n)));
        let batch = changes.next_batch(0).await;
        assert_eq!(batch.len(), FULL + FULL + 1);
        assert!(batch.contains(&path("b", FULL)) && !batch.contains(&path("a", FULL)));
    }

    #[tokio::test]
    async fn what_is_asked_for_is_in_the_next_batch_of_a_storm_and_its_end_is_told() {
        let changes = Changes::default();
        let path = |name: &str, n| TreePath::new(format!("{name}{n:06}")).unwrap();
        changes.add((0..FULL + 1).map(|n| path("a", n)));
        changes.next_batch(0).await;
        let mine = changes.ask([path("b", 0)]);
        changes.add((0..FULL + 1).map(|n| path("a", n)));
        let mut ended = std::pin::pin!(changes.ended(mine));
        changes.done();
        assert!(futures::poll!(&mut ended).is_pending(), "that batch was taken before");
        assert!(changes.next_batch(0).await.contains(&path("b", 0)));
        assert!(futures::poll!(&mut ended).is_pending(), "it is being committed");
        changes.done();
        ended.await;
        assert!(changes.waiting() > 0, "the storm goes on");
    }

    #[tokio::test]
    async fn as_many_as_went_may_come_at_once() {
        for (gone, most) in [(0, FULL), (FULL + 5, FULL + 5), (MOVED + 5, MOVED)] {
            let changes = Changes::default();
            changes.add((0..MOVED + 9).map(|n| TreePath::new(format!("f{n:06}")).unwrap()));
            assert_eq!(changes.next_batch(gone).await.len(), most);
        }
    }

    #[tokio::test]
    async fn a_walk_that_ends_makes_its_batch_ripe() {
        let changes = Changes::default();
        let look = changes.coming();
        changes.add_gone([TreePath::new("old").unwrap()]);
        assert_eq!(changes.waiting(), 2);
        let started = Instant::now();
        let (batch, ()) = tokio::join!(changes.next_batch(0), async {
            tokio::task::yield_now().await;
            changes.add([TreePath::new("new").unwrap()]);
            drop(look);
        });
        assert_eq!(batch.len(), 2);
        assert!(started.elapsed() < STORM);
    }

    #[tokio::test]
    async fn a_storm_leaves_in_full_batches_and_nothing_is_lost() {
        let changes = Changes::default();
        let all: Vec<_> = (0..FULL * 2 + 7).map(|n| TreePath::new(format!("f{n:06}")).unwrap()).collect();
        changes.add(all.clone());
        let mut seen = Vec::new();
        while seen.len() < all.len() {
            let batch = changes.next_batch(0).await;
            assert!(batch.len() <= FULL);
            seen.extend(batch);
            changes.done();
        }
        assert_eq!(seen, all);
        assert_eq!(changes.waiting(), 0);
    }
}
