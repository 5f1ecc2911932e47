//! Pusher: offers our commits to one git remote.
//!
//! Started by the conductor for the planner's `Push`, at most once at a time for a place; ends with `PushEnded`. It
//! pushes what our branches are at by then, and says so. Branches and order: git-annex's `synced/` scheme.

use tributary_planner::{Failure, Heads, Input, PushResult};
use tributary_repo::cancel::{Cancel, no_meter};
use tributary_repo::push::{self, Pushed, RefOutcome};
use tributary_repo::remote::{GitRemote, RemoteError, RemoteKind};
use tributary_repo::{refs, stale_locks};
use tributary_status::Problem;

use crate::folder_facts::{Fact, FactSender};
use crate::state::facts::head;
use crate::state::places::{PlaceRow, Reach};
use crate::state::problems::Deed;
use crate::state::remote_uuid;
use crate::state::repositories::Repositories;
use crate::threads::fetcher::{exchanged_problem, remote_fault};

/// The pusher's wiring.
#[derive(Clone)]
pub(crate) struct Pusher {
    pub(crate) repositories: Repositories,
    pub(crate) facts: FactSender,
    pub(crate) cancel: Cancel,
}

impl Pusher {
    /// Pushes to the place and tells.
    pub(crate) async fn push(self, place: PlaceRow, wanted: Heads) {
        let Reach::Git(remote) = place.reach.clone() else { return };
        if self.exchanged(&place, &remote).await {
            let result = PushResult::Failed(Failure::Person);
            let input = Input::PushEnded { place: place.id, pushed: wanted, result };
            self.facts.send(Fact::Planner(vec![input])).ok();
            return;
        }
        let this = self.clone();
        let ended = tokio::task::spawn_blocking(move || {
            let ended = this.push_blocking(&remote);
            if !matches!(ended, Ok((_, PushResult::Done { .. }))) {
                this.clear_locks(&remote);
            }
            ended
        })
        .await;
        let (pushed, result) = match ended.expect("pushing does not panic") {
            Ok(done) => done,
            Err(error) => {
                tracing::info!(place = place.name, %error, "a push failed");
                (wanted, PushResult::Failed(self.failed(&place, &error)))
            }
        };
        if matches!(result, PushResult::Done { .. }) {
            self.went(&place, None);
        }
        let input = Input::PushEnded { place: place.id, pushed, result };
        self.facts.send(Fact::Planner(vec![input])).ok();
    }

    /// Whether another repository is where the place was; says so.
    async fn exchanged(&self, place: &PlaceRow, remote: &GitRemote) -> bool {
        let (remote, uuid) = (remote.clone(), place.uuid.clone());
        let checked = tokio::task::spawn_blocking(move || remote_uuid::check(&remote, uuid.as_ref())).await;
        match checked.expect("checking does not panic") {
            Ok(()) => false,
            Err(exchanged) => {
                self.went(place, Some(exchanged_problem(&place.name, &exchanged)));
                true
            }
        }
    }

    /// A process that was killed may have left a lock there, or here, that would refuse every push from now on.
    fn clear_locks(&self, remote: &GitRemote) {
        if let RemoteKind::LocalPath(path) = &remote.kind {
            let inside = path.join(".git");
            stale_locks::clear(if inside.is_dir() { &inside } else { path }, stale_locks::SHARED);
        }
        self.repositories.clear_locks();
    }

    fn push_blocking(&self, remote: &GitRemote) -> Result<(Heads, PushResult), RemoteError> {
        let local = |error: Box<dyn std::error::Error + Send + Sync>| RemoteError::Local(error);
        self.repositories
            .with(|repo| {
                let branch = repo.branch().map_err(|error| local(Box::new(error)))?;
                let tip = |name: &str| {
                    refs::target(repo.git(), name).map(head).map_err(|error| local(Box::new(error)))
                };
                let heads = Heads {
                    branch: tip(&format!("refs/heads/{branch}"))?,
                    annex: tip("refs/heads/git-annex")?,
                };
                let pushed = push::push_synced(repo.git(), remote, &branch, &no_meter, &self.cancel)?;
                Ok((heads, outcome(&remote.name, &branch, heads, &pushed)?))
            })
            .map_err(|error| local(Box::new(error)))?
    }

    fn failed(&self, place: &PlaceRow, error: &RemoteError) -> Failure {
        let (failure, problem) = remote_fault(&place.name, error);
        if problem.is_some() {
            self.went(place, problem);
        }
        failure
    }

    fn went(&self, place: &PlaceRow, fault: Option<Problem>) {
        self.facts.send(Fact::Went { place: place.name.clone(), deed: Deed::Push, fault }).ok();
    }
}

/// What a push came to: done when the place has our branch under one name or another, and our git-annex branch under
/// its own. `synced/git-annex` does not count: it is forced, so that somebody else's push may replace it unseen.
fn outcome(remote: &str, branch: &str, heads: Heads, pushed: &Pushed) -> Result<PushResult, RemoteError> {
    let has = |name: &str| pushed.has(&format!("refs/heads/{name}"));
    let complete = (!heads.branch.exists() || has(branch) || has(&format!("synced/{branch}")))
        && (!heads.annex.exists() || has("git-annex"));
    let news = pushed.refs.iter().any(|(_, outcome)| matches!(outcome, RefOutcome::Updated { .. }));
    if complete {
        return Ok(PushResult::Done { news });
    }
    if pushed.needs_fetch() {
        return Ok(PushResult::NeedsFetch { news });
    }
    let said = pushed.refs.iter().find_map(|(_, outcome)| match outcome {
        RefOutcome::Refused(said) => Some(said.clone()),
        _ => None,
    });
    Err(RemoteError::ReadOnly { name: remote.into(), said: said.unwrap_or_else(|| "it was refused".into()) })
}
