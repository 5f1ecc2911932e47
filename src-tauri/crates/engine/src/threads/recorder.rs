//! Recorder: writes to the git-annex branch what came to, or left, which repository.
//!
//! Started by the conductor for the planner's `Record`; ends with our new heads and `RecordEnded`. One commit for a
//! batch, beside a git-annex that may be running.

use tributary_formats::key::Key;
use tributary_formats::logs::presence::LogStatus;
use tributary_planner::{Input, Origin, Presence, Site};
use tributary_repo::annex_branch::{LogChange, UpdateError};
use tributary_repo::repository::OpenError;
use tributary_status::ProblemCode;

use crate::folder_facts::{Fact, FactSender};
use crate::state::desk::{DeskError, DeskHandle};
use crate::state::facts;
use crate::state::places::Places;
use crate::state::problems::{disk_full, problem};
use crate::state::repositories::Repositories;
use crate::state::room::is_full;
use crate::threads::committer::chain;
use crate::threads::fetcher::unix_now;

/// The recorder's wiring.
#[derive(Clone)]
pub(crate) struct Recorder {
    pub(crate) repositories: Repositories,
    pub(crate) desk: DeskHandle,
    pub(crate) places: Places,
    pub(crate) facts: FactSender,
}

impl Recorder {
    /// Records the lines, with those that are no location (chunk logs), and tells.
    pub(crate) async fn record(self, lines: Vec<(Key, Site, Presence)>, others: Vec<LogChange>) {
        let this = self.clone();
        let done = tokio::task::spawn_blocking(move || this.record_blocking(&lines, others)).await;
        match done.expect("recording does not panic") {
            Ok(()) => {
                for code in [ProblemCode::DiskFull, ProblemCode::Internal] {
                    self.facts.send(Fact::Clear(code, "record".into())).ok();
                }
            }
            Err(fault) => {
                let sentence = format!("What is where could not be recorded: {}.", chain(&fault));
                let fault = if is_full(&fault) {
                    disk_full("record", sentence)
                } else {
                    let hint = "It is tried again. If it stays, run `trib doctor`.";
                    problem(ProblemCode::Internal, "record", sentence, hint)
                };
                self.facts.send(Fact::Raise(fault)).ok();
                self.facts.send(Fact::Planner(vec![Input::RecordEnded { ok: false }])).ok();
            }
        }
    }

    fn record_blocking(
        &self,
        lines: &[(Key, Site, Presence)],
        mut changes: Vec<LogChange>,
    ) -> Result<(), RecordFault> {
        let rows = self.places.rows();
        self.repositories.with(|repo| {
            for (key, site, presence) in lines {
                let uuid = match site {
                    Site::Here => Some(repo.uuid().clone()),
                    Site::At(id) => rows.iter().find(|row| row.id == *id).and_then(|row| row.uuid.clone()),
                };
                // A place that is configured no more has nothing to be recorded of.
                let Some(uuid) = uuid else { continue };
                let status = match presence {
                    Presence::Present => LogStatus::Present,
                    Presence::Missing => LogStatus::Missing,
                };
                changes.push(LogChange::Location { key: key.clone(), uuid, status });
            }
            repo.annex_branch().update(&changes, unix_now(), "update")
        })??;
        self.desk.here(|desk| {
            // What somebody pushed straight to the branch a moment ago is followed along with ours, and told by nobody
            // else.
            let mut keys = desk.follow_annex_branch()?;
            keys.extend(lines.iter().map(|(key, ..)| key.clone()));
            keys.sort_unstable();
            keys.dedup();
            let contents = facts::of_keys(desk, &self.places, &keys, false)?;
            let heads = facts::heads_to_tell(desk)?;
            let inputs = vec![
                Input::Contents(contents),
                Input::Heads { heads, origin: Origin::Recorded },
                Input::RecordEnded { ok: true },
            ];
            // At the desk, so that no older truth comes after it.
            self.facts.send(Fact::Planner(inputs)).ok();
            Ok(())
        })
    }
}

/// Why nothing was recorded.
#[derive(Debug, thiserror::Error)]
enum RecordFault {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Branch(#[from] UpdateError),
    #[error(transparent)]
    Desk(#[from] DeskError),
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;
    use tributary_formats::uuid::RepoUuid;
    use tributary_repo::Repository;

    use super::*;
    use crate::state::desk::scene::{Scene, key};

    #[tokio::test]
    async fn what_was_pushed_to_the_branch_meanwhile_is_told_too() {
        let mut scene = Scene::new();
        scene.merge(&[("ours", Some(key(1))), ("theirs", Some(key(2)))]);
        let dir = scene.machine.join("folder");
        let (facts, mut told) = mpsc::unbounded_channel();
        let recorder = Recorder {
            repositories: Repositories::new(dir.clone()),
            desk: DeskHandle::new(scene.desk),
            places: Places::default(),
            facts,
        };
        // A push moves the branch, and the record comes before the merger hears of it.
        let pushed = Repository::open(&dir).unwrap();
        let there = RepoUuid::parse("another").unwrap();
        let change = LogChange::Location { key: key(2), uuid: there, status: LogStatus::Present };
        pushed.annex_branch().update(&[change], unix_now(), "pushed").unwrap();
        recorder.record(vec![(key(1), Site::Here, Presence::Present)], vec![]).await;
        let mut keys = Vec::new();
        while let Ok(fact) = told.try_recv() {
            let Fact::Planner(inputs) = fact else { continue };
            for input in inputs {
                if let Input::Contents(facts) = input {
                    keys.extend(facts.into_iter().map(|fact| fact.key));
                }
            }
        }
        keys.sort_unstable();
        assert_eq!(keys, [key(1), key(2)]);
    }
}
