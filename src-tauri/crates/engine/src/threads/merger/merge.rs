//! Merge: what others committed becomes ours, in names; the contents follow.
//!
//! The git-annex branch is merged before the folder's branch, so that whoever sees a name can know where its content is.
//! What a person changed here at the same paths is committed before, as `git annex sync` does it, so that both programs
//! see the same two versions and give them the same names.

use tokio::runtime::Handle;
use tributary_formats::key::Key;
use tributary_formats::tree_path::TreePath;
use tributary_planner::{Heads, Input, Origin};
use tributary_repo::annex_branch::{MergeError as AnnexMergeError, MergeOutcome};
use tributary_repo::commit::CommitError;
use tributary_repo::merge::{self, Merged};
use tributary_repo::repository::OpenError;
use tributary_repo::{Oid, Repository, sync_branches, tree};

use super::uncommitted::uncommitted;
use crate::folder_facts::{Fact, FactSender};
use crate::state::arrivals::Arrivals;
use crate::state::commit_first::CommitFirst;
use crate::state::desk::{Desk, DeskError, DeskHandle};
use crate::state::facts;
use crate::state::places::Places;
use crate::state::repositories::Repositories;
use crate::threads::fetcher::unix_now;

/// How often a merge is tried anew because somebody else moved the branch at the same moment.
const TRIES: u32 = 10;

/// How often local changes are committed before others' are merged all the same. Once is enough, but for a file that
/// changed again while it was read, and for deletions that wait for the rest of a storm; and some are never committed:
/// files that cannot be read, that somebody keeps open, that are ignored, deletions that are held.
const ROUNDS: u32 = 3;

/// What a merge needs.
#[derive(Clone)]
pub(crate) struct Merge {
    pub(crate) desk: DeskHandle,
    pub(crate) repositories: Repositories,
    pub(crate) places: Places,
    /// The planner is told here of heads and contents, where there is one.
    pub(crate) tell: Option<FactSender>,
    /// The committer, where there is one.
    pub(crate) first: Option<CommitFirst>,
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
    /// The folder rests or stops, with changes that were to be committed first. Merged when it goes on.
    #[error("what was changed here is not committed yet")]
    Resting,
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
    /// Keys that gained or lost a name, or about whose locations something changed.
    keys: Vec<Key>,
    /// Whether anything moved.
    pub(crate) moved: bool,
}

/// How far a visit to the desk came.
enum Visit {
    /// All is merged.
    Merged,
    /// Local changes at these paths are to be committed first.
    Uncommitted(Vec<TreePath>),
}

/// Hands on what a merge brought.
pub(crate) fn deliver(brought: Brought, facts: &FactSender, apply: &Arrivals) {
    if !brought.from.is_empty() || !brought.conflicts.is_empty() {
        facts.send(Fact::Merged { from: brought.from, conflicts: brought.conflicts }).ok();
    }
    apply.versions();
}

impl Merge {
    /// Merges what a remote's branches hold (or, with no remote, what others pushed to this repository), and tells the
    /// planner of heads and contents. Blocks, and not at the desk while local changes are committed.
    pub(crate) fn merge(&self, remote: Option<&str>) -> Result<Brought, MergeFault> {
        let open_failed = |error: OpenError| MergeFault::Desk(error.into());
        // Before the git-annex branch moves: a merge of it alone is news for the other places too.
        let before = self.desk.here(|desk| facts::heads(desk))?;
        let annex = self.repositories.with(merge_annex_branches).map_err(open_failed)??;
        let made_merge = matches!(annex, MergeOutcome::Merged(_));
        let mut brought = Brought { made_merge, ..Brought::default() };
        for round in 0.. {
            let first = self.first.as_ref().filter(|_| round < ROUNDS);
            let visit = self.desk.here(|desk| {
                let visit = visit(desk, remote, first.is_some(), &mut brought)?;
                if matches!(visit, Visit::Merged) {
                    self.tell(desk, before, &mut brought)?;
                }
                Ok::<_, MergeFault>(visit)
            })?;
            let (Visit::Uncommitted(paths), Some(first)) = (visit, first) else { break };
            tracing::info!(paths = paths.len(), "changes made here are committed before others' are merged");
            if !Handle::current().block_on(first.committed(paths)) {
                // What was learned on the way is not asked about again.
                self.desk.here(|desk| self.tell(desk, before, &mut brought))?;
                return Err(MergeFault::Resting);
            }
        }
        Ok(brought)
    }

    /// Tells the planner. At the desk, so that no older truth comes after it.
    fn tell(&self, desk: &mut Desk, before: Heads, brought: &mut Brought) -> Result<(), MergeFault> {
        brought.keys.extend(desk.follow_annex_branch()?);
        brought.keys.sort_unstable();
        brought.keys.dedup();
        let untold = self.tell.is_some() && desk.has_untold_tips()?;
        brought.moved = untold || facts::heads(desk)? != before || !brought.keys.is_empty();
        let Some(tell) = self.tell.as_ref().filter(|_| brought.moved) else { return Ok(()) };
        let mut inputs = Vec::new();
        if !brought.keys.is_empty() {
            inputs.push(Input::Contents(facts::of_keys(desk, &self.places, &brought.keys, false)?));
        }
        let origin = if brought.made_merge { Origin::Merged } else { Origin::Forwarded };
        inputs.push(Input::Heads { heads: facts::heads_to_tell(desk)?, origin });
        tell.send(Fact::Planner(inputs)).ok();
        Ok(())
    }
}

fn merge_annex_branches(repo: &Repository) -> Result<MergeOutcome, MergeFault> {
    let branch = repo.annex_branch();
    let tips = branch.tips().map_err(|error| MergeFault::Git(error.to_string()))?;
    let commits: Vec<Oid> = tips.into_iter().map(|tip| tip.commit).collect();
    Ok(branch.merge(&commits, unix_now())?)
}

/// Merges the branch, anew when somebody else moves it at the same moment.
fn visit(
    desk: &mut Desk,
    remote: Option<&str>,
    commit_first: bool,
    brought: &mut Brought,
) -> Result<Visit, MergeFault> {
    for _ in 0..TRIES {
        brought.keys.extend(desk.catch_up()?.unwrap_or_default());
        match merge_branch(desk, remote, commit_first, brought) {
            Err(MergeFault::Commit(CommitError::Raced)) => {}
            other => return other,
        }
    }
    Err(CommitError::Raced.into())
}

fn merge_branch(
    desk: &mut Desk,
    remote: Option<&str>,
    commit_first: bool,
    brought: &mut Brought,
) -> Result<Visit, MergeFault> {
    let branch = desk.repo.branch().map_err(|error| MergeFault::Git(error.to_string()))?;
    let ours = desk.head;
    let theirs =
        sync_branches::merge_candidates(desk.repo.git(), remote, &branch).map_err(DeskError::from)?;
    if theirs.is_empty() {
        return Ok(Visit::Merged);
    }
    let merged = merge::merge_commits(desk.repo.git(), ours, &theirs)?;
    let Some(target) = merged.target() else { return Ok(Visit::Merged) };
    let before = desk.tree();
    let tree = tree::tree_of(desk.repo.git(), target).map_err(DeskError::from)?;
    let deltas = tree::diff_trees(desk.repo.git(), before, Some(tree)).map_err(DeskError::from)?;
    if commit_first {
        let paths = uncommitted(desk, &deltas)?;
        if !paths.is_empty() {
            return Ok(Visit::Uncommitted(paths));
        }
    }
    // What stands in the folder is noted before the branch names what will stand there.
    desk.arrive(&deltas)?;
    desk.note_commit(target);
    merge::advance(desk.repo.git(), ours, target, "tributary: merge")?;
    let (_, keys) = desk.follow(target)?;
    brought.keys.extend(keys);
    brought.from = authors(desk, ours, &theirs);
    if let Merged::Merge { conflicts, .. } = merged {
        brought.made_merge = true;
        brought.conflicts.extend(conflicts.into_iter().map(|conflict| (conflict.path, conflict.variants)));
    }
    Ok(Visit::Merged)
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

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;
    use tributary_formats::uuid::RepoUuid;
    use tributary_repo::annex_branch::LogChange;

    use super::*;
    use crate::state::desk::scene::Scene;

    /// The heads of which the planner was told meanwhile.
    fn told(facts: &mut mpsc::UnboundedReceiver<Fact>) -> Vec<Heads> {
        let inputs = std::iter::from_fn(|| facts.try_recv().ok()).flat_map(|fact| match fact {
            Fact::Planner(inputs) => inputs,
            _ => vec![],
        });
        inputs
            .filter_map(|input| if let Input::Heads { heads, .. } = input { Some(heads) } else { None })
            .collect()
    }

    #[test]
    fn a_push_of_nothing_but_the_git_annex_branch_is_told() {
        let mut scene = Scene::new();
        let dir = scene.machine.join("folder");
        let known = facts::heads_to_tell(&mut scene.desk).unwrap();
        let (tell, mut facts) = mpsc::unbounded_channel();
        let merge = Merge {
            desk: DeskHandle::new(scene.desk),
            repositories: Repositories::new(dir.clone()),
            places: Places::default(),
            tell: Some(tell),
            first: None,
        };
        assert!(!merge.merge(None).unwrap().moved);
        assert_eq!(told(&mut facts), [], "it knows");
        // Straight to the branch, and no location in it.
        let pushed = Repository::open(&dir).unwrap();
        let change = LogChange::Description {
            uuid: RepoUuid::parse("another").unwrap(),
            description: "another computer".into(),
        };
        pushed.annex_branch().update(&[change], unix_now(), "pushed").unwrap();
        assert!(merge.merge(None).unwrap().moved);
        let heads = told(&mut facts);
        assert_eq!(heads.len(), 1);
        assert_ne!(heads[0], known);
        assert!(!merge.merge(None).unwrap().moved, "once is enough");
    }
}
