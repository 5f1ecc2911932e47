//! Commits that others made from an index file that lags behind the branch.
//!
//! Git's index is one file, so it is written off the way of the changes. `git commit`, by hand or by git-annex, that
//! starts in between has our commit as its parent, and as its tree what the index file said before: it takes back what we
//! just committed, although nobody asked for that. What it took back is committed again on top of it.
//!
//! The engine may also have been killed in between, and the commit be made while it was off. So the ledger keeps which
//! commit was ours, and of which tree the index file was then. What stands in the folder is found by the scan then, as a
//! change; what was merged and not placed yet would be found by nobody.

use tributary_formats::tree_path::TreePath;
use tributary_repo::commit::{self, CommitError, TreeChange};
use tributary_repo::index::IndexError;
use tributary_repo::object_batch::ObjectBatch;
use tributary_repo::tree::{self, TreeEntry};
use tributary_repo::{Oid, refs};

use super::{Desk, DeskError, Result};
use crate::state::ledger::BranchNote;

/// What the commits say that put back what a lagging index took away.
const MESSAGE: &str = "tributary: kept what the index of the commit before did not have yet";

impl Desk {
    /// Commits again what somebody else's commit took away for no other reason than a lagging index. Returns the new
    /// commit, if there was need for one.
    pub(super) fn keep_from_stale_index(&self, theirs: Oid) -> Result<Option<Oid>> {
        let (Some(commit), Some(index_tree)) = (self.head, self.index_tree) else { return Ok(None) };
        self.keep(BranchNote { commit, index_tree }, theirs, |path, ours| self.still_stands(path, ours))
    }

    /// At a start: commits again what a commit that was made since the last end took away in the same way, as far as it
    /// was not placed yet.
    pub(super) fn keep_from_index_of_last_run(&self) -> Result<()> {
        /// How often somebody may commit at the same moment.
        const TRIES: u32 = 10;
        let Some(last) = self.ledger.branch()? else { return Ok(()) };
        let git = self.repo.git();
        // What is gone was replaced by hand.
        if git.find_commit(last.commit).is_err() || git.find_tree(last.index_tree).is_err() {
            return Ok(());
        }
        for _ in 0..TRIES {
            let Some(tip) = refs::head(git)?.tip else { return Ok(()) };
            let kept = self.keep(last, tip, |path, _| Ok(self.ledger.standing(path)?.is_some()));
            if !matches!(kept, Err(DeskError::Commit(CommitError::Raced))) {
                return kept.map(drop);
            }
        }
        Err(CommitError::Raced.into())
    }

    fn keep(
        &self,
        last: BranchNote,
        theirs: Oid,
        stands: impl Fn(&TreePath, Option<TreeEntry>) -> Result<bool>,
    ) -> Result<Option<Oid>> {
        let git = self.repo.git();
        let descends = git.graph_descendant_of(theirs, last.commit);
        if !descends.map_err(|error| DeskError::Git(error.to_string()))? {
            return Ok(None);
        }
        let (ours, tree) = (tree::tree_of(git, last.commit)?, tree::tree_of(git, theirs)?);
        let mut kept = Vec::new();
        for delta in tree::diff_trees(git, Some(ours), Some(tree))? {
            if delta.new == tree::entry_at(git, last.index_tree, &delta.path)?
                && stands(&delta.path, delta.old)?
            {
                kept.push(TreeChange { path: delta.path, entry: delta.old });
            }
        }
        if kept.is_empty() {
            return Ok(None);
        }
        tracing::info!(paths = kept.len(), "a commit was made from an index that was not up to date");
        let author = self.repo.author();
        let mut batch = ObjectBatch::new();
        let made = commit::commit_changes(git, &mut batch, Some(theirs), &kept, MESSAGE, &author)?;
        Ok(made.map(|made| made.commit))
    }

    /// Writes git's index, and remembers that it was.
    ///
    /// # Errors
    /// As [`tributary_repo::index::WorkIndex::write`].
    pub fn write_index(&mut self) -> std::result::Result<(), IndexError> {
        self.index.write()?;
        if let (Some(commit), Some(index_tree)) = (self.head, self.tree)
            // Whoever committed meanwhile may have done so before the index was written: that is found out soon.
            && refs::head(self.repo.git()).is_ok_and(|head| head.tip == self.head)
        {
            self.note_branch(Some(BranchNote { commit, index_tree }));
        }
        Ok(())
    }

    /// Remembers, for the next start, that the branch is about to be at `commit`, or is already.
    pub fn note_commit(&mut self, commit: Oid) {
        if self.index.writes() > self.writes_before {
            self.note_index_file();
        }
        self.note_branch(self.index_tree.map(|index_tree| BranchNote { commit, index_tree }));
    }

    fn note_branch(&mut self, note: Option<BranchNote>) {
        if self.noted == Some(note) {
            return;
        }
        // It is of use only after a kill, and another fault of the ledger is met soon.
        match self.ledger.note_branch(note) {
            Ok(()) => self.noted = Some(note),
            Err(error) => tracing::warn!(%error, "the state of the index is not remembered"),
        }
    }

    /// Whether index and work tree hold our version of a path, so that whoever committed another one did not mean to.
    fn still_stands(&self, path: &TreePath, ours: Option<TreeEntry>) -> Result<bool> {
        let entry = self.index.get(path.as_bytes());
        if entry.map(|entry| entry.entry) != ours {
            return Ok(false);
        }
        let stat = self.work.stat(path).map_err(DeskError::WorkTree)?;
        Ok(match (entry, stat) {
            // Merged, and not placed yet: nobody but us knew of it.
            (Some(entry), _) if entry.skip_worktree => true,
            (Some(entry), Some(stat)) => entry.matches(&stat),
            (None, stat) => stat.is_none(),
            (Some(_), None) => false,
        })
    }
}
