//! Index file: git's index, written off the way of a change.

use std::time::{Duration, Instant, SystemTime};

use tributary_repo::index::IndexError;
use tributary_repo::memory;
use tributary_status::ProblemCode;

use super::{Conductor, INDEX_PAUSE, Mind};
use crate::state::conflicts::Conflicts;
use crate::state::desk::Desk;
use crate::state::problems::{disk_full, problem};
use crate::state::room::is_full;
use crate::threads::committer::chain;

/// Pause before the index is tried again when another git holds its lock.
const INDEX_RETRY: Duration = Duration::from_millis(200);

impl Conductor {
    /// Gives back what the work took. The next change pays a few milliseconds for it, the rest of the day nothing.
    pub(super) async fn rest(&self) {
        // First the others: the packs that they share are let go of with the last handle.
        self.repositories.rest();
        if let Err(error) = self.desk.with(Desk::rest).await {
            tracing::info!(fault = chain(&error), "the folder is stopped");
            self.folder.cancel();
        }
        tokio::task::spawn_blocking(memory::give_back);
    }

    /// Writes git's index, and once more as soon as git can trust all of it. Whether it is written.
    pub(super) async fn write_index(&self, mind: &mut Mind) -> bool {
        mind.index_due = None;
        let written = self.desk.with(|desk| {
            // Git's index is that of another branch then, and the folder is being stopped.
            desk.fit().ok()?;
            Some(desk.write_index().map(|()| {
                let paths = desk.index.iter().map(|(path, _)| path);
                (desk.index.settles_at(), Conflicts::among(paths, |path| desk.index.get(path).is_some()))
            }))
        });
        let Some(written) = written.await else { return true };
        match written {
            Ok((settles_at, conflicts)) => {
                Self::tell_of_conflicts(mind, &conflicts);
                for code in [ProblemCode::Internal, ProblemCode::DiskFull] {
                    mind.problems.clear(code, "index");
                }
                // Until then git would run its filter on files of this second, and git-annex's gives a file whose name
                // has another extension than its key a new key.
                let left = settles_at.and_then(|at| at.duration_since(SystemTime::now()).ok());
                mind.index_due = left.map(|left| Instant::now() + left);
                if left.is_none() {
                    // All is quiet: what the work took is not needed for a while.
                    self.rest().await;
                }
                return true;
            }
            Err(IndexError::Locked) => {
                let repositories = self.repositories.clone();
                tokio::task::spawn_blocking(move || repositories.clear_locks()).await.ok();
                mind.index_due = Some(Instant::now() + INDEX_RETRY);
            }
            Err(error) => {
                let sentence = format!("Git's index could not be written: {}.", chain(&error));
                mind.problems.raise(if is_full(&error) {
                    disk_full("index", sentence)
                } else {
                    let hint = "It is tried again. If it stays, run `git status` in the folder.";
                    problem(ProblemCode::Internal, "index", sentence, hint)
                });
                mind.index_due = Some(Instant::now() + 10 * INDEX_PAUSE);
            }
        }
        false
    }

    /// Says which versions stand beside each other; what was said already stays as it is, with its time.
    fn tell_of_conflicts(mind: &mut Mind, conflicts: &Conflicts) {
        let said = mind.problems.list().iter().find(|known| known.code == ProblemCode::ConflictKept);
        let new = conflicts.problem();
        if said.map(|known| &known.sentence) == new.as_ref().map(|new| &new.sentence) {
            return;
        }
        mind.problems.replace(ProblemCode::ConflictKept, new.into_iter().collect());
        mind.status_due.get_or_insert_with(Instant::now);
    }
}
