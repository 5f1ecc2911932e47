//! A push or a fetch that is too large for one go, in stages: each is taken in before the next begins, so that a stream
//! that is lost costs one stage and not all of them.

use std::collections::HashSet;

use git2::{Oid, Sort};

use crate::tree::{TreeError, diff_trees, tree_of};

/// About as many bytes go in one stage, before they are compressed. A commit is never cut.
pub(crate) const STAGE: u64 = 4 << 20;

/// What a change of one path costs beside its content: its part of the trees that it lies in.
const PATH_COST: u64 = 200;
/// What a commit costs by itself.
const COMMIT_COST: u64 = 400;

/// The commits to push one after the other so that none brings much more than `most` bytes; the last one is `new`.
/// Each is an ancestor of the next. `has`: what the other side has; commits that are not here count for nothing.
pub(crate) fn stages(
    git: &git2::Repository,
    new: Oid,
    has: &[Oid],
    most: u64,
) -> Result<Vec<Oid>, TreeError> {
    let line = line(git, new, has).map_err(|source| TreeError::Object { oid: new, source })?;
    let (mut stages, mut size): (Vec<Oid>, u64) = (Vec::new(), 0);
    let mut sent = HashSet::new();
    for (at, commit) in line.iter().enumerate() {
        let cost = cost(git, *commit, &mut sent)?;
        if size > 0 && size + cost > most {
            stages.push(line[at - 1]);
            size = 0;
        }
        size += cost;
    }
    stages.push(new);
    Ok(stages)
}

/// The first of the [`stages`] when there are several: what a guest takes first that lacks so much.
pub(crate) fn first_stage(
    git: &git2::Repository,
    new: Oid,
    has: &[Oid],
    most: u64,
) -> Result<Option<Oid>, TreeError> {
    let line = line(git, new, has).map_err(|source| TreeError::Object { oid: new, source })?;
    let (mut size, mut sent) = (0, HashSet::new());
    for (at, commit) in line.iter().enumerate() {
        let cost = cost(git, *commit, &mut sent)?;
        if size > 0 && size + cost > most {
            return Ok(Some(line[at - 1]));
        }
        size += cost;
    }
    Ok(None)
}

/// The first parents of `new`, oldest first, without what the other side has. Each is an ancestor of the next; what else
/// a merge brought comes with the merge.
fn line(git: &git2::Repository, new: Oid, has: &[Oid]) -> Result<Vec<Oid>, git2::Error> {
    let mut walk = git.revwalk()?;
    walk.simplify_first_parent()?;
    walk.set_sorting(Sort::TOPOLOGICAL | Sort::REVERSE)?;
    walk.push(new)?;
    for oid in has.iter().filter(|oid| git.find_commit(**oid).is_ok()) {
        walk.hide(*oid)?;
    }
    walk.collect()
}

/// About what a commit adds to its first parent.
fn cost(git: &git2::Repository, commit: Oid, sent: &mut HashSet<Oid>) -> Result<u64, TreeError> {
    let unreadable = |source| TreeError::Object { oid: commit, source };
    let parent = git.find_commit(commit).map_err(unreadable)?.parent_ids().next();
    let before = parent.map(|parent| tree_of(git, parent)).transpose()?;
    let odb = git.odb().map_err(unreadable)?;
    let mut cost = COMMIT_COST;
    for delta in diff_trees(git, before, Some(tree_of(git, commit)?))? {
        cost += PATH_COST;
        if let Some(entry) = delta.new
            && sent.insert(entry.oid)
        {
            // A sub-module's commit is not here and is not sent.
            cost += odb.read_header(entry.oid).map_or(0, |(size, _)| size as u64);
        }
    }
    Ok(cost)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commit::{TreeChange, blob_entry, commit_changes};
    use crate::object_batch::ObjectBatch;
    use crate::tree::EntryMode;
    use tributary_formats::TreePath;

    fn commits(git: &git2::Repository, sizes: &[usize]) -> Vec<Oid> {
        let who = git2::Signature::new("A", "a@a", &git2::Time::new(1, 0)).unwrap();
        let mut made: Vec<Oid> = Vec::new();
        for (at, size) in sizes.iter().enumerate() {
            let mut batch = ObjectBatch::new();
            let content = vec![at as u8; *size];
            let change = TreeChange {
                path: TreePath::new(format!("f{at}").as_bytes()).unwrap(),
                entry: Some(blob_entry(&mut batch, EntryMode::File, content).unwrap()),
            };
            let parent = made.last().copied();
            made.push(commit_changes(git, &mut batch, parent, &[change], "x", &who).unwrap().unwrap().commit);
        }
        made
    }

    #[test]
    fn a_history_is_cut_between_commits() {
        let repo = tributary_testkit::Repo::new();
        let git = git2::Repository::open(repo.path()).unwrap();
        let made = commits(&git, &[100, 100, 5000, 100, 100, 100]);
        let last = made[5];
        let stages = |has: &[Oid], most| {
            let stages = stages(&git, last, has, most).unwrap();
            let first = first_stage(&git, last, has, most).unwrap();
            assert_eq!(first, stages.first().copied().filter(|first| *first != last));
            stages
        };
        assert_eq!(stages(&[], 1 << 20), [last], "small enough for one go");
        assert_eq!(stages(&[], 3000), [made[1], made[2], last], "a commit that is too large goes by itself");
        assert_eq!(stages(&[], 1), made, "one by one, never less");
        assert_eq!(stages(&[made[2]], 3000), [last], "what is there is not sent again");
        let unknown = Oid::from_str(&"12".repeat(20)).unwrap();
        assert_eq!(stages(&[unknown, made[3]], 1), [made[4], last]);
        assert_eq!(stages(&[last], 1), [last]);
    }
}
