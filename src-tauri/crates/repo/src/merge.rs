//! Merging histories: a three-way merge of trees by our own walk, and the commit that records it.
//!
//! Everything is deterministic and symmetric: two repositories that merge the same heads make the same tree and even
//! the same commit, so that they do not go on merging each other's merges. Rules: `annex-format` 6.4.

pub(crate) mod objects;
mod rename;
mod walk;

use git2::{ErrorCode, Oid};

use self::objects::MergeObjects;
use self::walk::merge_trees;
use crate::commit::{CommitError, move_branch};
use crate::conflict::Conflict;
use crate::object_batch::WriteError;
use crate::refs;
use crate::tree::{TreeError, tree_of};

/// What merging comes to. Commits it names are on disk, durable, and no ref has moved yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Merged {
    /// We have all of it already.
    Nothing,
    /// We have nothing of our own: the branch can move to this commit.
    FastForward(Oid),
    /// A merge commit was made.
    Merge {
        /// The commit; ours and theirs are among its ancestors.
        commit: Oid,
        /// Its tree.
        tree: Oid,
        /// What both sides had changed, and how that was resolved; ordered by path.
        conflicts: Vec<Conflict>,
    },
}

impl Merged {
    /// The commit that the branch should move to; None when it can stay.
    pub fn target(&self) -> Option<Oid> {
        match self {
            Merged::Nothing => None,
            Merged::FastForward(commit) | Merged::Merge { commit, .. } => Some(*commit),
        }
    }
}

/// Why histories were not merged.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// A tree could not be read.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The result could not be made.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// The result could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// libgit2 failed: commits are missing or broken.
    #[error("git failed")]
    Git(#[from] git2::Error),
}

/// Merges other heads into ours (None: we have no commit yet). Heads contained in others are left out, and the order
/// they are given in does not matter. Histories without a common root are merged too.
///
/// The branch is not moved: the caller does that with [`advance`], after it took note of what will change.
pub fn merge_commits(
    git: &git2::Repository,
    ours: Option<Oid>,
    theirs: &[Oid],
) -> Result<Merged, MergeError> {
    let mut heads: Vec<Oid> = ours.iter().chain(theirs).copied().collect();
    heads.sort_unstable();
    heads.dedup();
    let heads = independent(git, &heads)?;
    let Some((first, rest)) = heads.split_first() else { return Ok(Merged::Nothing) };
    if rest.is_empty() {
        return Ok(if Some(*first) == ours { Merged::Nothing } else { Merged::FastForward(*first) });
    }
    let mut conflicts = Vec::new();
    let mut merged = (*first, tree_of(git, *first)?);
    for head in rest {
        let made = merge_two(git, merged.0, *head)?;
        merged = (made.commit, made.tree);
        conflicts.extend(made.conflicts);
    }
    conflicts.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(Merged::Merge { commit: merged.0, tree: merged.1, conflicts })
}

/// Moves the branch that HEAD is on from `ours` to a commit that contains it.
///
/// # Errors
/// [`CommitError::Raced`] when the branch is not at `ours` any more: merge again.
pub fn advance(
    git: &git2::Repository,
    ours: Option<Oid>,
    to: Oid,
    reflog_message: &str,
) -> Result<(), CommitError> {
    let branch = refs::head(git).map_err(CommitError::Ref)?;
    if branch.tip != ours {
        return Err(CommitError::Raced);
    }
    move_branch(git, &branch.name, ours, to, reflog_message)
}

/// Leaves out heads that another one contains.
fn independent(git: &git2::Repository, heads: &[Oid]) -> Result<Vec<Oid>, git2::Error> {
    let mut kept = Vec::new();
    for head in heads {
        let mut contained = false;
        for other in heads {
            contained = contained || (other != head && git.graph_descendant_of(*other, *head)?);
        }
        if !contained {
            kept.push(*head);
        }
    }
    Ok(kept)
}

struct MadeMerge {
    commit: Oid,
    tree: Oid,
    conflicts: Vec<Conflict>,
}

fn merge_two(git: &git2::Repository, one: Oid, other: Oid) -> Result<MadeMerge, MergeError> {
    // The order of parents must not depend on who merges.
    let (one, other) = if one <= other { (one, other) } else { (other, one) };
    let mut objects = MergeObjects::new(git)?;
    let base = base_tree(&mut objects, one, other, 0)?;
    let trees = (tree_of(git, one)?, tree_of(git, other)?);
    let merged = merge_trees(&mut objects, base, Some(trees.0), Some(trees.1))?;
    let tree = match merged.tree {
        Some(tree) => tree,
        None => objects.batch.tree(Vec::new())?,
    };
    let message = match merged.conflicts.is_empty() {
        true => format!("Merge commits {:.10} and {:.10}", one.to_string(), other.to_string()),
        false => MERGE_CONFLICT_FIX.to_owned(),
    };
    let who = merger(git, one, other)?;
    let commit = objects.batch.commit(tree, &[one, other], &who, &who, message.as_bytes())?;
    objects.batch.write_durably(git)?;
    Ok(MadeMerge { commit, tree, conflicts: merged.conflicts })
}

/// What git-annex says in the same place.
const MERGE_CONFLICT_FIX: &str = "git-annex automatic merge conflict fix";

/// The same name and time on every computer that merges these two, so that the commit has the same id everywhere.
fn merger(git: &git2::Repository, one: Oid, other: Oid) -> Result<git2::Signature<'static>, git2::Error> {
    let seconds = |commit: Oid| Ok::<_, git2::Error>(git.find_commit(commit)?.time().seconds());
    let latest = git2::Time::new(seconds(one)?.max(seconds(other)?), 0);
    git2::Signature::new("Tributary", "merge@tributary.invalid", &latest)
}

/// Criss-cross histories that are nested deeper are merged from one of their bases: right, with more conflicts.
const MAX_BASE_DEPTH: usize = 6;
/// As many bases are looked at.
const MAX_BASES: usize = 8;

/// The tree that both started from. Several bases (criss-cross merges) are merged with each other first.
fn base_tree(
    objects: &mut MergeObjects<'_>,
    one: Oid,
    other: Oid,
    depth: usize,
) -> Result<Option<Oid>, MergeError> {
    let mut bases: Vec<Oid> = match objects.git.merge_bases(one, other) {
        Ok(bases) => bases.iter().copied().collect(),
        Err(cause) if cause.code() == ErrorCode::NotFound => Vec::new(),
        Err(cause) => return Err(cause.into()),
    };
    bases.sort_unstable();
    let Some((first, rest)) = bases.split_first() else { return Ok(None) };
    let mut tree = Some(tree_of(objects.git, *first)?);
    if depth == MAX_BASE_DEPTH {
        return Ok(tree);
    }
    for next in rest.iter().take(MAX_BASES - 1) {
        let deeper = base_tree(objects, *first, *next, depth + 1)?;
        let next = tree_of(objects.git, *next)?;
        tree = merge_trees(objects, deeper, tree, Some(next))?.tree;
    }
    Ok(tree)
}
