//! Recorder: writes to the git-annex branch what came to, or left, which repository.
//!
//! Started by the conductor for the planner's `Record`; ends with our new heads and `RecordEnded`. One commit for a
//! batch, beside a git-annex that may be running.

use tributary_formats::key::Key;
use tributary_formats::logs::presence::LogStatus;
use tributary_planner::{Input, Origin, Presence, Site};
use tributary_repo::annex_branch::LogChange;
use tributary_status::ProblemCode;

use crate::folder_facts::{Fact, FactSender};
use crate::state::desk::DeskHandle;
use crate::state::facts;
use crate::state::places::Places;
use crate::state::problems::problem;
use crate::state::repositories::Repositories;
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
            Ok(()) => drop(self.facts.send(Fact::Clear(ProblemCode::Internal, "record".into()))),
            Err(error) => {
                let sentence = format!("What is where could not be recorded: {error}.");
                let hint = "It is tried again. If it stays, run `trib doctor`.";
                self.facts.send(Fact::Raise(problem(ProblemCode::Internal, "record", sentence, hint))).ok();
                self.facts.send(Fact::Planner(vec![Input::RecordEnded { ok: false }])).ok();
            }
        }
    }

    fn record_blocking(
        &self,
        lines: &[(Key, Site, Presence)],
        mut changes: Vec<LogChange>,
    ) -> Result<(), String> {
        let rows = self.places.rows();
        self.repositories
            .with(|repo| {
                for (key, site, presence) in lines {
                    let uuid = match site {
                        Site::Here => Some(repo.uuid().clone()),
                        Site::At(id) => {
                            rows.iter().find(|row| row.id == *id).and_then(|row| row.uuid.clone())
                        }
                    };
                    // A place that is configured no more has nothing to be recorded of.
                    let Some(uuid) = uuid else { continue };
                    let status = match presence {
                        Presence::Present => LogStatus::Present,
                        Presence::Missing => LogStatus::Missing,
                    };
                    changes.push(LogChange::Location { key: key.clone(), uuid, status });
                }
                repo.annex_branch().update(&changes, unix_now(), "update").map_err(|error| chain(&error))
            })
            .map_err(|error| chain(&error))??;
        self.desk.here(|desk| {
            desk.follow_annex_branch().map_err(|error| chain(&error))?;
            let keys: Vec<_> = lines.iter().map(|(key, ..)| key.clone()).collect();
            let contents = facts::of_keys(desk, &self.places, &keys, false).map_err(|error| chain(&error))?;
            let heads = facts::heads(desk).map_err(|error| chain(&error))?;
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
