//! Applier: the only thread that writes to the person's folder.
//!
//! Waits to be woken after merges and downloads; places every merged version whose content is here, removes what others
//! deleted, and tells the conductor how many files it touched. Content first: a new file does not show before its
//! content is here, a changed one keeps its old content until then. Ends when told to stop.
//!
//! Replacing or removing first proves that what stands there is the version last known; if not, the person's edit stays
//! and goes to the committer.

mod act;
mod rounds;
mod settle;

use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tributary_formats::tree_path::TreePath;
use tributary_repo::place_in_tree::PlaceError;
use tributary_status::ProblemCode;

use self::rounds::{Pass, Walk};
use self::settle::Settled;
use crate::folder_facts::{Fact, FactSender};
use crate::parallel;
use crate::state::arrivals::{Arrivals, Arrived};
use crate::state::changes::Changes;
use crate::state::desk::DeskHandle;
use crate::state::problems::problem;
use crate::state::repositories::Repositories;
use crate::threads::committer::chain;

/// The applier's wiring.
pub(crate) struct Applier {
    pub(crate) desk: DeskHandle,
    pub(crate) repositories: Repositories,
    pub(crate) changes: Arc<Changes>,
    pub(crate) facts: FactSender,
    pub(crate) wake: Arc<Arrivals>,
    pub(crate) paused: watch::Receiver<bool>,
}

/// Runs until told to stop.
pub(crate) async fn run(mut applier: Applier, stop: CancellationToken) {
    let mut arrived = Arrived::Versions;
    loop {
        if *applier.paused.borrow_and_update() {
            let resumed = applier.paused.wait_for(|paused| !paused);
            if !matches!(stop.run_until_cancelled(resumed).await, Some(Ok(_))) {
                return;
            }
        }
        applier.place_all(arrived, &stop).await;
        arrived = tokio::select! {
            () = stop.cancelled() => return,
            arrived = applier.wake.next() => arrived,
            changed = applier.paused.changed() => if changed.is_err() { return } else { Arrived::Versions },
        };
    }
}

impl Applier {
    /// Places everything of what arrived that can be placed.
    ///
    /// Placements come before removals, since content that leaves one name may be wanted under another; and once more
    /// when a removal made room where a directory became a file, or a file a directory.
    async fn place_all(&self, mut arrived: Arrived, stop: &CancellationToken) {
        let mut total = Settled::default();
        loop {
            let versions = arrived == Arrived::Versions;
            let placed = self.pass(Pass::Place, Walk::for_arrival(arrived), stop).await;
            arrived = Arrived::Versions;
            let removed = if versions {
                self.pass(Pass::Remove, Walk::for_arrival(Arrived::Versions), stop).await
            } else {
                Settled::default()
            };
            let makes_room = !versions || removed.touched > 0;
            let again = (!placed.blocked.is_empty() && makes_room) || placed.again;
            total.touched += placed.touched + removed.touched;
            total.failure = total.failure.or(placed.failure).or(removed.failure);
            if !again || stop.is_cancelled() {
                // What still stands in the way is the person's: the committer takes it in.
                self.changes.add(placed.blocked);
                break;
            }
        }
        if total.touched > 0 {
            self.facts.send(Fact::Applied { files: total.touched }).ok();
        }
        self.tell(total.failure);
    }

    /// Walks once through the paths that are not placed and that the walk is about.
    async fn pass(&self, pass: Pass, mut walk: Walk, stop: &CancellationToken) -> Settled {
        let mut total = Settled::default();
        while !stop.is_cancelled() && !walk.is_done() {
            let round = self.desk.with(move |desk| {
                let tasks = rounds::next_round(desk, pass, &mut walk)?;
                Ok::<_, crate::state::desk::DeskError>((tasks, walk))
            });
            let tasks = match round.await {
                Ok((tasks, rest)) => {
                    walk = rest;
                    tasks
                }
                Err(error) => {
                    tracing::warn!(%error, "what is to be placed cannot be read");
                    break;
                }
            };
            if !tasks.is_empty() {
                let repositories = self.repositories.clone();
                let placed = tokio::task::spawn_blocking(move || {
                    let work = repositories.with(tributary_repo::Repository::work_tree);
                    let done = if rounds::are_independent(&tasks) {
                        let done = parallel::map(&tasks, |task| act::act(&work, task));
                        act::clear_behind(&work, &tasks);
                        done
                    } else {
                        let in_order = tasks.iter().map(|task| {
                            let done = act::act(&work, task);
                            act::clear_behind(&work, std::slice::from_ref(task));
                            done
                        });
                        in_order.collect()
                    };
                    let placed: Vec<_> = done.into_iter().zip(tasks).collect();
                    act::tell_git_annex(&repositories, &placed);
                    placed
                })
                .await
                .expect("placing does not panic");
                let (settled, noted) = self.desk.with(move |desk| settle::settle(desk, placed)).await;
                total.touched += settled.touched;
                total.again |= settled.again;
                total.failure = total.failure.or(settled.failure);
                total.blocked.extend(settled.blocked);
                self.changes.add(settled.edited);
                if let Err(error) = noted {
                    tracing::warn!(%error, "what was placed cannot be noted");
                }
            }
        }
        total
    }

    fn tell(&self, failure: Option<(TreePath, PlaceError)>) {
        let Some((path, error)) = failure else {
            for code in [ProblemCode::ReadOnly, ProblemCode::DiskFull] {
                self.facts.send(Fact::Clear(code, "folder".into())).ok();
            }
            return;
        };
        let (code, hint) = match &error {
            PlaceError::Full(_) => (ProblemCode::DiskFull, "Make room on the disk; it goes on by itself."),
            _ => (ProblemCode::ReadOnly, "Give yourself permission to write there; it goes on by itself."),
        };
        let sentence =
            format!("{} could not be put into the folder: {}.", path.to_string_lossy(), chain(&error));
        let mut fault = problem(code, "folder", sentence, hint);
        fault.needs_you = true;
        self.facts.send(Fact::Raise(fault)).ok();
    }
}
