//! Fetcher: asks one git remote what is new there and merges it.
//!
//! Started by the conductor for the planner's `Fetch`, at most once at a time for a place. Hands the planner our new
//! heads and what is to move, and the applier what is to be placed; ends with `FetchEnded`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use tributary_formats::uuid::RepoUuid;
use tributary_planner::{Failure, FetchResult, Input, PlaceId};
use tributary_repo::annex_branch::MergeError as AnnexMergeError;
use tributary_repo::cancel::{Cancel, no_meter};
use tributary_repo::remote::{GitRemote, RemoteError, Retry};
use tributary_repo::{fetch, refs};
use tributary_status::{Problem, ProblemCode};

use crate::folder_facts::{Ask, Fact, FactSender};
use crate::state::arrivals::Arrivals;
use crate::state::desk::{Desk, DeskError};
use crate::state::facts;
use crate::state::places::{PlaceRow, Reach};
use crate::state::problems::{Deed, disk_full, problem};
use crate::state::remote_uuid::{self, Exchanged};
use crate::state::room::is_full;
use crate::threads::committer::chain;
use crate::threads::merger::merge::{Merge, MergeFault, deliver};

/// The fetcher's wiring.
#[derive(Clone)]
pub(crate) struct Fetcher {
    pub(crate) merge: Merge,
    pub(crate) facts: FactSender,
    pub(crate) apply: Arc<Arrivals>,
    pub(crate) cancel: Cancel,
}

impl Fetcher {
    /// Fetches from the place, merges, and tells.
    pub(crate) async fn fetch(self, place: PlaceRow) {
        let Reach::Git(remote) = place.reach.clone() else { return };
        let (id, this, uuid) = (place.id, self.clone(), place.uuid.clone());
        let ended = tokio::task::spawn_blocking(move || this.fetch_and_merge(&remote, uuid.as_ref())).await;
        let (result, learned) = match ended.expect("fetching does not panic") {
            Ok(done) => done,
            Err(fault) => (self.failed(&place, &fault), false),
        };
        self.facts.send(Fact::Planner(vec![Input::FetchEnded { place: PlaceId(id.0), result }])).ok();
        if learned {
            self.facts.send(Fact::Ask(Ask::PlacesChanged)).ok();
        }
    }

    /// How the fetch ended, and whether the remote turned out to hold contents.
    fn fetch_and_merge(
        &self,
        remote: &GitRemote,
        uuid: Option<&RepoUuid>,
    ) -> Result<(FetchResult, bool), FetchFault> {
        remote_uuid::check(remote, uuid)?;
        let (fetched, before) = self.merge.repositories.with(|repo| {
            let before = if uuid.is_none() { remote_uuid::on_record(repo) } else { Ok(BTreeSet::new()) };
            (fetch::fetch(repo.git(), remote, &no_meter, &self.cancel), before)
        })?;
        let changed = !fetched?.refs.is_empty();
        let name = remote.name.clone();
        let brought = self.merge.merge(Some(&name))?;
        self.went(&name, None);
        let moved = brought.moved;
        deliver(brought, &self.facts, &self.apply);
        let holds = self.merge.desk.here(|desk| {
            let holds = holds_ours(desk, &name)?;
            let heads = facts::heads(desk)?;
            Ok::<_, MergeFault>(holds.then_some(heads))
        })?;
        let learned = uuid.is_none() && self.learn_uuid(remote, before.ok());
        Ok((FetchResult::Done { changed: changed || moved, holds }, learned))
    }

    /// Finds out whether a remote that carried names only holds contents by now, when that is cheap.
    fn learn_uuid(&self, remote: &GitRemote, before: Option<BTreeSet<RepoUuid>>) -> bool {
        let learned = self.merge.repositories.with(|repo| {
            if repo.git_config_bool(&format!("remote.{}.annex-ignore", remote.name)) == Some(true) {
                return Ok(false);
            }
            let (Some(before), Ok(now)) = (before, remote_uuid::on_record(repo)) else { return Ok(false) };
            if !remote_uuid::worth_asking(remote, &before, &now) {
                return Ok(false);
            }
            remote_uuid::learn(repo, remote, &self.cancel)
        });
        match learned {
            Ok(Ok(learned)) => learned,
            // Names go on to travel; whether it holds contents is asked again.
            Ok(Err(error)) => {
                tracing::info!(remote = remote.name, error = chain(&error), "its UUID is not known");
                false
            }
            Err(_) => false,
        }
    }

    fn failed(&self, place: &PlaceRow, fault: &FetchFault) -> FetchResult {
        tracing::info!(place = place.name, fault = chain(fault), "a fetch failed");
        self.merge.repositories.clear_locks();
        let (failure, problem) = match fault {
            FetchFault::Remote(error) => remote_fault(&place.name, error),
            FetchFault::Exchanged(exchanged) => {
                (Failure::Person, Some(exchanged_problem(&place.name, exchanged)))
            }
            FetchFault::Merge(MergeFault::Resting) => (Failure::Later, None),
            FetchFault::Merge(fault) => {
                let (failure, problem) = merge_fault(&place.name, fault);
                (failure, Some(problem))
            }
            FetchFault::Open(error) => (Failure::Later, Some(not_merged(&place.name, error))),
        };
        if problem.is_some() {
            self.went(&place.name, problem);
        }
        FetchResult::Failed(failure)
    }

    fn went(&self, place: &str, fault: Option<Problem>) {
        self.facts.send(Fact::Went { place: place.to_owned(), deed: Deed::Fetch, fault }).ok();
    }
}

/// Why a fetch failed.
#[derive(Debug, thiserror::Error)]
enum FetchFault {
    #[error(transparent)]
    Open(#[from] tributary_repo::repository::OpenError),
    #[error(transparent)]
    Exchanged(#[from] Exchanged),
    #[error(transparent)]
    Remote(#[from] RemoteError),
    #[error(transparent)]
    Merge(#[from] MergeFault),
}

/// What a person is told when another repository is where a place was.
pub(crate) fn exchanged_problem(place: &str, exchanged: &Exchanged) -> Problem {
    Problem {
        needs_you: true,
        ..problem(
            ProblemCode::PlaceChanged,
            place,
            format!("{place} is another place than it was: {exchanged}."),
            "Nothing was read or written there. Bring the right drive, or remove this place and add it again.",
        )
    }
}

/// What a failed merge means to the planner and to a person.
pub(crate) fn merge_fault(place: &str, fault: &MergeFault) -> (Failure, Problem) {
    let MergeFault::AnnexBranch(AnnexMergeError::Transition { .. }) = fault else {
        return (Failure::Later, not_merged(place, fault));
    };
    let forgotten = Problem {
        needs_you: true,
        ..problem(
            ProblemCode::ForgottenHistory,
            place,
            format!("The history at {place} was forgotten with `git annex forget`, so it is not merged."),
            "Run `git annex sync` in this folder to follow it. Nothing was changed or lost.",
        )
    };
    (Failure::Person, forgotten)
}

fn not_merged(place: &str, fault: &(dyn std::error::Error + 'static)) -> Problem {
    if is_full(fault) {
        return no_room(place, fault);
    }
    problem(
        ProblemCode::CorruptRepository,
        place,
        format!("What {place} has could not be merged: {}.", chain(fault)),
        "It is tried again. If it stays, run `git fsck` in the folder.",
    )
}

/// What a person is told when what a place has does not fit on this computer.
fn no_room(place: &str, fault: &(dyn std::error::Error + 'static)) -> Problem {
    disk_full(place, format!("What {place} has could not be taken in: {}.", chain(fault)))
}

/// What an error of a git remote means to the planner and to a person.
pub(crate) fn remote_fault(place: &str, error: &RemoteError) -> (Failure, Option<Problem>) {
    if matches!(error, RemoteError::Local(_)) && is_full(error) {
        return (Failure::Later, Some(no_room(place, error)));
    }
    let (code, hint) = match error {
        RemoteError::Cancelled => return (Failure::Later, None),
        RemoteError::Unreachable { .. } | RemoteError::NotRepository { .. } => {
            (ProblemCode::PlaceUnreachable, "It is tried again by itself when it is back.")
        }
        RemoteError::Auth { .. } => {
            (ProblemCode::PlaceRefused, "Check that your key or password for it is still right.")
        }
        RemoteError::ReadOnly { .. } => {
            (ProblemCode::PlaceRefused, "Give yourself permission to write there.")
        }
        RemoteError::Full { .. } => (ProblemCode::PlaceFull, "Make room there; it goes on by itself."),
        RemoteError::Corrupt { .. } | RemoteError::Hostile { .. } => {
            (ProblemCode::CorruptRepository, "Run `git fsck` there. Nothing of it was taken.")
        }
        RemoteError::Local(_) | RemoteError::Other { .. } => {
            (ProblemCode::PlaceUnreachable, "It is tried again by itself.")
        }
    };
    let failure = match (error, error.retry()) {
        (RemoteError::Unreachable { .. } | RemoteError::NotRepository { .. }, _) => Failure::Unreachable,
        (_, Retry::Later) => Failure::Later,
        // A full disk heals too, and so does what is wrong here; a person does not always tell.
        (RemoteError::Full { .. } | RemoteError::Local(_), _) => Failure::Later,
        (_, Retry::AfterPerson) => Failure::Person,
        (_, Retry::Never) => Failure::Never,
    };
    let needs_you = failure == Failure::Person;
    let sentence = format!("{}.", chain(error));
    (failure, Some(Problem { needs_you, ..problem(code, place, sentence, hint) }))
}

/// Whether the remote's branches, as they were fetched last, hold all that ours do.
fn holds_ours(desk: &Desk, remote: &str) -> Result<bool, MergeFault> {
    let git_failed = |error: &dyn std::error::Error| MergeFault::Git(error.to_string());
    let branch = desk.repo.branch().map_err(|error| git_failed(&error))?;
    let (ours, annex) = desk.tips()?;
    for (tip, name) in [(ours, branch.as_str()), (annex, "git-annex")] {
        let Some(tip) = tip else { continue };
        let mut held = false;
        for at in [format!("refs/remotes/{remote}/{name}"), format!("refs/remotes/{remote}/synced/{name}")] {
            let Some(there) = refs::target(desk.repo.git(), &at).map_err(DeskError::from)? else { continue };
            held |= there == tip
                || desk.repo.git().graph_descendant_of(there, tip).map_err(|error| git_failed(&error))?;
        }
        if !held {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Seconds since 1970.
pub(crate) fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_to_be_tried_again_is() {
        let (name, said) = (|| "hub".to_owned(), || "words".to_owned());
        for (error, failure, needs_you) in [
            (RemoteError::Local(Box::new(std::io::Error::other("locked"))), Failure::Later, false),
            (RemoteError::Full { name: name() }, Failure::Later, false),
            (RemoteError::Other { name: name(), said: said() }, Failure::Later, false),
            (RemoteError::Unreachable { name: name(), said: said() }, Failure::Unreachable, false),
            (RemoteError::Corrupt { name: name(), said: said() }, Failure::Person, true),
            (RemoteError::Auth { name: name(), said: said() }, Failure::Person, true),
        ] {
            let (meant, problem) = remote_fault("hub", &error);
            assert_eq!(
                (meant, problem.map(|problem| problem.needs_you)),
                (failure, Some(needs_you)),
                "{error}"
            );
        }
    }
}
