//! Fetcher: asks one git remote what is new there and merges it.
//!
//! Started by the conductor for the planner's `Fetch`, at most once at a time for a place. Hands the planner our new
//! heads and what is to move, and the applier what is to be placed; ends with `FetchEnded`. The git-annex branch is
//! merged before the folder's branch, so that whoever sees a name can know where its content is.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use tributary_formats::key::Key;
use tributary_formats::tree_path::TreePath;
use tributary_formats::uuid::RepoUuid;
use tributary_planner::{Failure, FetchResult, Heads, Input, Origin, PlaceId};
use tributary_repo::annex_branch::{MergeError as AnnexMergeError, MergeOutcome};
use tributary_repo::cancel::{Cancel, no_meter};
use tributary_repo::commit::CommitError;
use tributary_repo::merge::{self, Merged};
use tributary_repo::remote::{GitRemote, RemoteError, Retry};
use tributary_repo::{Oid, Repository, fetch, refs, sync_branches};
use tributary_status::{Problem, ProblemCode};

use crate::folder_facts::{Ask, Fact, FactSender};
use crate::state::arrivals::Arrivals;
use crate::state::desk::{Desk, DeskError, DeskHandle};
use crate::state::facts;
use crate::state::places::{PlaceRow, Places, Reach};
use crate::state::problems::{Deed, problem};
use crate::state::remote_uuid::{self, Exchanged};
use crate::state::repositories::Repositories;
use crate::threads::committer::chain;

/// How often a merge is tried anew because somebody else moved the branch at the same moment.
const TRIES: u32 = 10;

/// The fetcher's wiring.
#[derive(Clone)]
pub(crate) struct Fetcher {
    pub(crate) repositories: Repositories,
    pub(crate) desk: DeskHandle,
    pub(crate) places: Places,
    pub(crate) facts: FactSender,
    pub(crate) apply: Arc<Arrivals>,
    pub(crate) cancel: Cancel,
}

/// Why nothing was merged.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MergeFault {
    /// The git-annex branches do not go together.
    #[error(transparent)]
    AnnexBranch(#[from] AnnexMergeError),
    /// The branch could not be merged.
    #[error(transparent)]
    Merge(#[from] merge::MergeError),
    /// The branch could not be moved.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// The desk failed.
    #[error(transparent)]
    Desk(#[from] DeskError),
    /// The repository cannot be read.
    #[error("the repository cannot be read: {0}")]
    Git(String),
}

/// What a merge brought.
#[derive(Debug, Default)]
pub(crate) struct Brought {
    /// Who made the new commits.
    pub(crate) from: Vec<String>,
    /// What both sides had changed.
    pub(crate) conflicts: Vec<(TreePath, Vec<TreePath>)>,
    /// Whether a merge commit was made, and not only what others made taken over.
    made_merge: bool,
    /// Whether anything moved.
    pub(crate) moved: bool,
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
        let (fetched, before) = self.repositories.with(|repo| {
            let before = if uuid.is_none() { remote_uuid::on_record(repo) } else { Ok(BTreeSet::new()) };
            (fetch::fetch(repo.git(), remote, &no_meter, &self.cancel), before)
        })?;
        let changed = !fetched?.refs.is_empty();
        let name = remote.name.clone();
        let brought =
            merge_from(&self.desk, &self.repositories, &self.places, Some(&name), Some(&self.facts))?;
        self.went(&name, None);
        let moved = brought.moved;
        deliver(brought, &self.facts, &self.apply);
        let holds = self.desk.here(|desk| {
            let holds = holds_ours(desk, &name)?;
            let heads = facts::heads(desk)?;
            Ok::<_, MergeFault>(holds.then_some(heads))
        })?;
        let learned = uuid.is_none() && self.learn_uuid(remote, before.ok());
        Ok((FetchResult::Done { changed: changed || moved, holds }, learned))
    }

    /// Finds out whether a remote that carried names only holds contents by now, when that is cheap.
    fn learn_uuid(&self, remote: &GitRemote, before: Option<BTreeSet<RepoUuid>>) -> bool {
        let learned = self.repositories.with(|repo| {
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
        self.repositories.clear_locks();
        let (failure, problem) = match fault {
            FetchFault::Remote(error) => remote_fault(&place.name, error),
            FetchFault::Exchanged(exchanged) => {
                (Failure::Person, Some(exchanged_problem(&place.name, exchanged)))
            }
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
    problem(
        ProblemCode::CorruptRepository,
        place,
        format!("What {place} has could not be merged: {}.", chain(fault)),
        "It is tried again. If it stays, run `git fsck` in the folder.",
    )
}

/// What an error of a git remote means to the planner and to a person.
pub(crate) fn remote_fault(place: &str, error: &RemoteError) -> (Failure, Option<Problem>) {
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
        // A full disk heals too, and a person does not always tell.
        (RemoteError::Full { .. }, _) => Failure::Later,
        (_, Retry::AfterPerson) => Failure::Person,
        (_, Retry::Never) => Failure::Never,
    };
    let needs_you = failure == Failure::Person;
    let sentence = format!("{}.", chain(error));
    (failure, Some(Problem { needs_you, ..problem(code, place, sentence, hint) }))
}

/// Hands on what a merge brought.
pub(crate) fn deliver(brought: Brought, facts: &FactSender, apply: &Arrivals) {
    if !brought.from.is_empty() || !brought.conflicts.is_empty() {
        facts.send(Fact::Merged { from: brought.from, conflicts: brought.conflicts }).ok();
    }
    apply.versions();
}

/// Merges what a remote's branches hold (or, with no remote, what others pushed to this repository), and tells the
/// planner of heads and contents, where there is one. Blocks.
pub(crate) fn merge_from(
    desk: &DeskHandle,
    repositories: &Repositories,
    places: &Places,
    remote: Option<&str>,
    tell: Option<&FactSender>,
) -> Result<Brought, MergeFault> {
    let open_failed = |error: tributary_repo::repository::OpenError| MergeFault::Desk(error.into());
    // Before the git-annex branch moves: a merge of it alone is news for the other places too.
    let before = desk.here(|desk| facts::heads(desk))?;
    let annex = repositories.with(merge_annex_branches).map_err(open_failed)??;
    let made = matches!(annex, MergeOutcome::Merged(_));
    desk.here(|desk| merge_at_desk(desk, places, remote, before, made, tell))
}

fn merge_annex_branches(repo: &Repository) -> Result<MergeOutcome, MergeFault> {
    let branch = repo.annex_branch();
    let tips = branch.tips().map_err(|error| MergeFault::Git(error.to_string()))?;
    let commits: Vec<Oid> = tips.into_iter().map(|tip| tip.commit).collect();
    Ok(branch.merge(&commits, unix_now())?)
}

fn merge_at_desk(
    desk: &mut Desk,
    places: &Places,
    remote: Option<&str>,
    before: Heads,
    annex_merge_made: bool,
    tell: Option<&FactSender>,
) -> Result<Brought, MergeFault> {
    let mut brought = Brought { made_merge: annex_merge_made, ..Brought::default() };
    let mut keys: Vec<Key> = Vec::new();
    for attempt in 0.. {
        if attempt == TRIES {
            return Err(CommitError::Raced.into());
        }
        keys.extend(desk.catch_up()?.unwrap_or_default());
        match merge_branch(desk, remote, &mut brought) {
            Err(MergeFault::Commit(CommitError::Raced)) => {}
            Err(error) => return Err(error),
            Ok(touched) => {
                keys.extend(touched);
                break;
            }
        }
    }
    keys.extend(desk.follow_annex_branch()?);
    keys.sort_unstable();
    keys.dedup();
    let heads = facts::heads(desk)?;
    brought.moved = heads != before || !keys.is_empty();
    let Some(tell) = tell else { return Ok(brought) };
    let mut inputs = Vec::new();
    if !keys.is_empty() {
        inputs.push(Input::Contents(facts::of_keys(desk, places, &keys, false)?));
    }
    if brought.moved {
        let origin = if brought.made_merge { Origin::Merged } else { Origin::Forwarded };
        inputs.push(Input::Heads { heads, origin });
        // At the desk, so that no older truth comes after it.
        tell.send(Fact::Planner(inputs)).ok();
    }
    Ok(brought)
}

fn merge_branch(
    desk: &mut Desk,
    remote: Option<&str>,
    brought: &mut Brought,
) -> Result<Vec<Key>, MergeFault> {
    let branch = desk.repo.branch().map_err(|error| MergeFault::Git(error.to_string()))?;
    let ours = desk.head;
    let theirs =
        sync_branches::merge_candidates(desk.repo.git(), remote, &branch).map_err(DeskError::from)?;
    if theirs.is_empty() {
        return Ok(vec![]);
    }
    let merged = merge::merge_commits(desk.repo.git(), ours, &theirs)?;
    let Some(target) = merged.target() else { return Ok(vec![]) };
    // What stands in the folder is noted before the branch names what will stand there.
    let before = desk.tree();
    let tree = tributary_repo::tree::tree_of(desk.repo.git(), target).map_err(DeskError::from)?;
    let deltas =
        tributary_repo::tree::diff_trees(desk.repo.git(), before, Some(tree)).map_err(DeskError::from)?;
    desk.arrive(&deltas)?;
    merge::advance(desk.repo.git(), ours, target, "tributary: merge")?;
    let (_, keys) = desk.follow(target)?;
    brought.from = authors(desk, ours, &theirs);
    if let Merged::Merge { conflicts, .. } = merged {
        brought.made_merge = true;
        brought.conflicts.extend(conflicts.into_iter().map(|conflict| (conflict.path, conflict.variants)));
    }
    Ok(keys)
}

/// The descriptions in the messages of commits that are new to us: `… in DESCRIPTION`.
fn authors(desk: &Desk, ours: Option<Oid>, theirs: &[Oid]) -> Vec<String> {
    const LOOK_AT: usize = 100;
    let git = desk.repo.git();
    let Ok(mut walk) = git.revwalk() else { return vec![] };
    for tip in theirs {
        walk.push(*tip).ok();
    }
    if let Some(ours) = ours {
        walk.hide(ours).ok();
    }
    let mut names: Vec<String> = Vec::new();
    for commit in walk.take(LOOK_AT).flatten() {
        let Ok(commit) = git.find_commit(commit) else { continue };
        let message = String::from_utf8_lossy(commit.message_bytes()).into_owned();
        let first = message.lines().next().unwrap_or_default();
        let name = ["tributary in ", "git-annex in "].iter().find_map(|start| first.strip_prefix(start));
        let name = name.map_or_else(
            || String::from_utf8_lossy(commit.author().name_bytes()).into_owned(),
            str::to_owned,
        );
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
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
