//! Commit first: the committer takes in what a person changed, before somebody else goes on.
//!
//! Waits for signals alone, and never for ever: not while the folder rests, not when it stops, and not for longer than
//! [`PATIENCE`].

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tributary_formats::tree_path::TreePath;

use crate::state::changes::Changes;

/// Longest that others' changes wait for those made here. A batch takes milliseconds, a gibibyte in it a few seconds, and
/// the walk through a large folder on a slow disk as much. What takes longer than this must not keep everything else
/// waiting. Nothing is lost then: the version made here keeps the path, and only the others' gets a name beside it.
const PATIENCE: Duration = Duration::from_secs(30);

/// A way to have the committer go first.
#[derive(Clone)]
pub(crate) struct CommitFirst {
    changes: Arc<Changes>,
    paused: watch::Receiver<bool>,
    stop: CancellationToken,
    patience: Duration,
}

impl CommitFirst {
    /// The committer takes its batches from `changes`, while the folder is not `paused`, until `stop`.
    pub(crate) fn new(changes: Arc<Changes>, paused: watch::Receiver<bool>, stop: CancellationToken) -> Self {
        Self { changes, paused, stop, patience: PATIENCE }
    }

    /// Waits until the committer has gone through these paths. Some of them it may not commit: what cannot be read, what
    /// somebody still writes, deletions that are held. False when the folder rests or stops instead.
    pub(crate) async fn committed(&self, paths: Vec<TreePath>) -> bool {
        let mut paused = self.paused.clone();
        let through = async {
            // A folder that was just opened is walked through: of a move, one half may not be known yet.
            self.changes.known().await;
            let batch = self.changes.ask(paths);
            self.changes.ended(batch).await;
        };
        tokio::select! {
            biased;
            () = self.stop.cancelled() => false,
            _ = paused.wait_for(|paused| *paused) => false,
            () = through => true,
            () = tokio::time::sleep(self.patience) => {
                tracing::info!("what was changed here takes long to commit, so others' changes are merged first");
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Scene {
        changes: Arc<Changes>,
        pause: watch::Sender<bool>,
        stop: CancellationToken,
        first: CommitFirst,
    }

    impl Scene {
        fn new() -> Self {
            let (changes, stop) = (Arc::new(Changes::default()), CancellationToken::new());
            changes.looked_through();
            let (pause, paused) = watch::channel(false);
            let first = CommitFirst::new(changes.clone(), paused, stop.clone());
            Self { changes, pause, stop, first }
        }
    }

    fn path() -> Vec<TreePath> {
        vec![TreePath::new("file").unwrap()]
    }

    #[tokio::test]
    async fn the_batch_that_has_the_path_is_waited_for() {
        let scene = Scene::new();
        let committer = async {
            assert_eq!(scene.changes.next_batch(0).await, path());
            assert_eq!(scene.changes.waiting(), 1, "it is being committed");
            scene.changes.done();
        };
        let ((), committed) = tokio::join!(committer, scene.first.committed(path()));
        assert!(committed);
        assert_eq!(scene.changes.waiting(), 0);
    }

    #[tokio::test]
    async fn a_folder_that_was_just_opened_is_looked_through_first() {
        let (pause, paused) = watch::channel(false);
        let changes = Arc::new(Changes::default());
        let first = CommitFirst::new(changes.clone(), paused, CancellationToken::new());
        let mut committed = std::pin::pin!(first.committed(path()));
        assert!(futures::poll!(&mut committed).is_pending());
        assert_eq!(changes.waiting(), 0, "the other half of a move may still be found");
        changes.looked_through();
        assert!(futures::poll!(&mut committed).is_pending());
        assert_eq!(changes.waiting(), 1);
        drop(pause);
    }

    #[tokio::test]
    async fn neither_a_pause_nor_the_end_is_waited_out() {
        let scene = Scene::new();
        let begun = tokio::time::Instant::now();
        scene.pause.send(true).unwrap();
        assert!(!scene.first.committed(path()).await);
        scene.pause.send(false).unwrap();
        scene.stop.cancel();
        assert!(!scene.first.committed(path()).await);
        assert!(begun.elapsed() < PATIENCE);
    }

    #[tokio::test]
    async fn a_committer_that_takes_too_long_keeps_nobody_for_ever() {
        let mut scene = Scene::new();
        scene.first.patience = Duration::from_millis(20);
        assert!(scene.first.committed(path()).await, "others go on");
        assert_eq!(scene.changes.waiting(), 1, "it was not committed");
    }
}
