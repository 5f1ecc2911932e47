//! Commits that others made from an index file that lags behind the branch.
//!
//! Git's index is one file, so it is written off the way of the changes. `git commit`, by hand or by git-annex, that
//! starts in between has our commit as its parent, and as its tree what the index file said before: it takes back what we
//! just committed, although nobody asked for that. What it took back is committed again on top of it.

use tributary_formats::tree_path::TreePath;
use tributary_repo::Oid;
use tributary_repo::commit::{self, TreeChange};
use tributary_repo::object_batch::ObjectBatch;
use tributary_repo::tree::{self, TreeEntry};

use super::{Desk, DeskError, Result};

/// What the commits say that put back what a lagging index took away.
const MESSAGE: &str = "tributary: kept what the index of the commit before did not have yet";

impl Desk {
    /// Commits again what somebody else's commit took away for no other reason than a lagging index. Returns the new
    /// commit, if there was need for one.
    pub(super) fn keep_from_stale_index(&self, theirs: Oid) -> Result<Option<Oid>> {
        let git = self.repo.git();
        let (Some(ours), Some(index_tree)) = (self.head, self.index_tree) else { return Ok(None) };
        if !git.graph_descendant_of(theirs, ours).map_err(|error| DeskError::Git(error.to_string()))? {
            return Ok(None);
        }
        let mut kept = Vec::new();
        for delta in tree::diff_trees(git, self.tree, Some(tree::tree_of(git, theirs)?))? {
            if delta.new == tree::entry_at(git, index_tree, &delta.path)?
                && self.still_stands(&delta.path, delta.old)?
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
