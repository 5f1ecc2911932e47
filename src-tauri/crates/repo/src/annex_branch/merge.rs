//! Merging other git-annex branches in, on trees: files that differ become the union of their lines.
//!
//! A merge commit is made from its parents alone: whoever merges the same tips makes the same commit, so that two
//! repositories that merge each other's branch at the same time are done with it, and do not merge merges for ever.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::io;

use git2::Oid;
use tributary_formats::branches::branch_merge;
use tributary_formats::logs::Transitions;
use tributary_formats::tree_path::TreePath;
use tributary_formats::union_merge::union_merge;

use super::write::Locked;
use super::{AnnexBranch, MergeError, MergeOutcome, ReadError, UpdateError};
use crate::commit::change_nodes;
use crate::object_batch::{ObjectBatch, Signature};
use crate::refs::RefError;
use crate::repository::lists_differences;
use crate::tree::{EntryMode, Node, TreeEntry, TreeReader, checked, push_name, tree_of};

/// How often a merge is tried while others move the branch.
const TRIES: usize = 20;

/// Hex digits of a commit in a merge's message.
const ABBREVIATED: usize = 12;

pub(super) fn merge(branch: &AnnexBranch<'_>, tips: &[Oid], now: u64) -> Result<MergeOutcome, MergeError> {
    let locked = Locked::new(branch)?;
    for _ in 0..TRIES {
        // A file in the journal would replace what is merged into the same file.
        locked.absorb_journal(now)?;
        let head = locked.head_or_create(now)?;
        match merge_into(&locked, head, tips) {
            Err(MergeError::Update(UpdateError::Ref(RefError::Raced { .. }))) => {}
            done => return done,
        }
    }
    Err(UpdateError::Busy.into())
}

fn merge_into(locked: &Locked<'_, '_>, head: Oid, tips: &[Oid]) -> Result<MergeOutcome, MergeError> {
    let branch = locked.branch;
    let tips = news(branch, head, tips)?;
    if tips.is_empty() {
        return Ok(MergeOutcome::Nothing);
    }
    let git = branch.repo.git();
    check_transitions(branch, head, &tips)?;
    if let [tip] = tips[..]
        && git.graph_descendant_of(tip, head).map_err(UpdateError::from)?
    {
        locked.publish(ObjectBatch::new(), Some(head), tip, "fast-forward")?;
        return Ok(MergeOutcome::FastForward(tip));
    }
    let mut batch = ObjectBatch::new();
    let tree = Union::new(branch, &mut batch)?.of_commits(head, &tips)?;
    let mut parents = tips;
    parents.push(head);
    parents.sort_unstable();
    let commit = merge_commit(git, &mut batch, tree, &parents).map_err(UpdateError::from)?;
    locked.publish(batch, Some(head), commit, "merge")?;
    Ok(MergeOutcome::Merged(commit))
}

/// The tips that have something to merge: not ignored, not contained in the branch nor in each other.
fn news(branch: &AnnexBranch<'_>, head: Oid, tips: &[Oid]) -> Result<Vec<Oid>, UpdateError> {
    let git = branch.repo.git();
    let ignored = ignored_tips(branch).map_err(UpdateError::Journal)?;
    let mut candidates: Vec<Oid> = Vec::new();
    for tip in tips.iter().copied().filter(|tip| !ignored.contains(tip)).collect::<BTreeSet<_>>() {
        if tip != head && !git.graph_descendant_of(head, tip)? {
            candidates.push(tip);
        }
    }
    let mut news = Vec::new();
    for &tip in &candidates {
        let mut contained = false;
        for &other in candidates.iter().filter(|&&other| other != tip) {
            contained |= git.graph_descendant_of(other, tip)?;
        }
        if !contained {
            news.push(tip);
        }
    }
    Ok(news)
}

/// `annex/ignoredrefs`: a commit a line, never to be merged: they were left behind by a transition.
fn ignored_tips(branch: &AnnexBranch<'_>) -> io::Result<BTreeSet<Oid>> {
    match fs::read_to_string(branch.repo.annex_dir().join("ignoredrefs")) {
        Ok(text) => Ok(text.lines().filter_map(|line| Oid::from_str(line.trim()).ok()).collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeSet::new()),
        Err(error) => Err(error),
    }
}

/// No side went through a transition that another lacks, or was tuned.
fn check_transitions(branch: &AnnexBranch<'_>, head: Oid, tips: &[Oid]) -> Result<(), MergeError> {
    let ours = transitions_of(branch, head)?;
    for &tip in tips {
        let theirs = transitions_of(branch, tip)?;
        if !ours.agrees_with(&theirs) {
            let missing = ours.missing_in(&theirs).chain(theirs.missing_in(&ours));
            let names: BTreeSet<String> = missing.map(ToString::to_string).collect();
            let transitions = names.into_iter().collect::<Vec<_>>().join(", ");
            return Err(MergeError::Transition { tip, transitions });
        }
        if lists_differences(&read_at(branch, tip, "difference.log")?) {
            return Err(MergeError::Tuned { tip });
        }
    }
    Ok(())
}

fn transitions_of(branch: &AnnexBranch<'_>, commit: Oid) -> Result<Transitions, UpdateError> {
    Ok(Transitions::parse(&read_at(branch, commit, "transitions.log")?))
}

fn read_at(branch: &AnnexBranch<'_>, commit: Oid, name: &str) -> Result<Vec<u8>, UpdateError> {
    let path = TreePath::new(name).expect("a plain file name is a path");
    Ok(branch.files_of(commit)?.read(&path)?)
}

/// Who and when are those of the newest parent.
fn merge_commit(
    git: &git2::Repository,
    batch: &mut ObjectBatch,
    tree: Oid,
    parents: &[Oid],
) -> Result<Oid, git2::Error> {
    let mut newest: Option<(i64, Oid, Signature)> = None;
    for &parent in parents {
        let commit = git.find_commit(parent)?;
        let (who, seconds) = (commit.committer().to_owned(), commit.committer().when().seconds());
        if newest.as_ref().is_none_or(|(time, oid, _)| (*time, *oid) < (seconds, parent)) {
            newest = Some((seconds, parent, who));
        }
    }
    let (_, _, who) = newest.expect("a merge has parents");
    let names: Vec<String> =
        parents.iter().map(|parent| parent.to_string()[..ABBREVIATED].to_owned()).collect();
    let message = branch_merge(&names.iter().map(String::as_str).collect::<Vec<_>>());
    batch.commit(tree, parents, &who, &who, message.as_bytes())
}

/// The union of trees. Sub-trees that are equal are not opened.
struct Union<'u, 'r> {
    branch: &'u AnnexBranch<'r>,
    reader: TreeReader<'r>,
    batch: &'u mut ObjectBatch,
    /// Unions that are only in the batch so far, for the next tip.
    made: HashMap<Oid, Vec<u8>>,
}

impl<'u, 'r> Union<'u, 'r> {
    fn new(branch: &'u AnnexBranch<'r>, batch: &'u mut ObjectBatch) -> Result<Self, UpdateError> {
        let reader = TreeReader::new(branch.repo.git())?;
        Ok(Union { branch, reader, batch, made: HashMap::new() })
    }

    fn of_commits(mut self, head: Oid, tips: &[Oid]) -> Result<Oid, UpdateError> {
        let git = self.branch.repo.git();
        let mut tree = tree_of(git, head)?;
        for &tip in tips {
            let theirs = tree_of(git, tip)?;
            let mut changes = Vec::new();
            self.differences(&mut Vec::new(), tree, theirs, &mut changes)?;
            let changes = changes.iter().map(|(path, node)| (path, Some(*node)));
            let merged = change_nodes(&mut self.reader, self.batch, Some(tree), changes)?;
            tree = match merged {
                Some(merged) => merged,
                None => self.batch.tree(Vec::new())?,
            };
        }
        Ok(tree)
    }

    /// Lists what our tree must change to hold theirs too.
    fn differences(
        &mut self,
        path: &mut Vec<u8>,
        ours: Oid,
        theirs: Oid,
        changes: &mut Vec<(TreePath, Node)>,
    ) -> Result<(), UpdateError> {
        if ours == theirs {
            return Ok(());
        }
        for (name, [our, their]) in self.reader.align([Some(ours), Some(theirs)])? {
            let Some(their) = their.filter(|their| Some(*their) != our) else { continue };
            let parent = path.len();
            push_name(path, &name);
            // Checked at each level, so that the path cannot grow without end.
            let here = checked(path)?;
            match (our, their) {
                (None, their) => changes.push((here, their)),
                (Some(Node::Tree(our)), Node::Tree(their)) => self.differences(path, our, their, changes)?,
                (Some(Node::Entry(our)), Node::Entry(their)) => {
                    let oid = self.of_blobs(our.oid, their.oid)?;
                    let merged = TreeEntry { mode: EntryMode::File, oid };
                    if merged != our {
                        changes.push((here, Node::Entry(merged)));
                    }
                }
                // A file here and a directory there: no log is either. The directory stays, whoever merges.
                (Some(Node::Entry(_)), their @ Node::Tree(_)) => changes.push((here, their)),
                (Some(Node::Tree(_)), Node::Entry(_)) => {}
            }
            path.truncate(parent);
        }
        Ok(())
    }

    fn of_blobs(&mut self, ours: Oid, theirs: Oid) -> Result<Oid, UpdateError> {
        let merged = union_merge(&self.blob(ours)?, &self.blob(theirs)?);
        let oid = self.batch.blob(merged.clone())?;
        self.made.insert(oid, merged);
        Ok(oid)
    }

    fn blob(&self, oid: Oid) -> Result<Vec<u8>, ReadError> {
        match self.made.get(&oid) {
            Some(made) => Ok(made.clone()),
            None => self.branch.read_blob(oid),
        }
    }
}
