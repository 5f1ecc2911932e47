//! Writing the branch beside a running git-annex (`annex-format` 5.5).
//!
//! All of it happens under `journal.lck`. What git-annex left in the journal is committed along: a commit of a path that
//! has a journal file would be undone by git-annex, which takes the journal's version for the newer one.

use std::collections::BTreeMap;

use git2::Oid;
use tributary_formats::branches::{ANNEX_REF, BRANCH_CREATED, BRANCH_UPDATE};
use tributary_formats::logs::{LogFamily, family_of};
use tributary_formats::tree_path::TreePath;
use tributary_formats::union_merge::union_merge;

use super::change::compact;
use super::{AnnexBranch, Files, LogChange, UpdateError};
use crate::commit::{TreeChange, change_tree};
use crate::journal::{Journal, JournalFile, LockedJournal};
use crate::object_batch::ObjectBatch;
use crate::refs::{self, RefError};
use crate::tree::{EntryMode, TreeEntry};

/// How often a commit is tried while others, who do not take the lock, move the branch.
const TRIES: usize = 20;

/// The branch while nobody else writes it.
pub(super) struct Locked<'b, 'r> {
    pub(super) branch: &'b AnnexBranch<'r>,
    journal: LockedJournal,
}

/// New contents of files, by path.
type NewContents = BTreeMap<TreePath, Vec<u8>>;

impl<'b, 'r> Locked<'b, 'r> {
    pub(super) fn new(branch: &'b AnnexBranch<'r>) -> Result<Self, UpdateError> {
        let journal = Journal::of(branch.repo).lock().map_err(UpdateError::Journal)?;
        Ok(Locked { branch, journal })
    }

    /// Commits the changes and the journal; None when there was nothing new.
    pub(super) fn update(
        &self,
        changes: &[LogChange],
        now: u64,
        message: &str,
    ) -> Result<Option<Oid>, UpdateError> {
        let pending = self.journal.files().map_err(UpdateError::Journal)?;
        for _ in 0..TRIES {
            let head = self.head_or_create(now)?;
            let files = self.branch.files_of(head)?;
            let new = new_contents(&files, &pending, changes, now)?;
            match self.commit(head, files.tree(), new, now, message) {
                Err(UpdateError::Ref(RefError::Raced { .. })) => {}
                done => {
                    let done = done?;
                    self.journal.remove(&pending).map_err(UpdateError::Journal)?;
                    return Ok(done);
                }
            }
        }
        Err(UpdateError::Busy)
    }

    fn commit(
        &self,
        head: Oid,
        tree: Oid,
        new: NewContents,
        now: u64,
        message: &str,
    ) -> Result<Option<Oid>, UpdateError> {
        if new.is_empty() {
            return Ok(None);
        }
        let git = self.branch.repo.git();
        let mut batch = ObjectBatch::new();
        let mut changes = Vec::with_capacity(new.len());
        for (path, content) in new {
            let entry = TreeEntry { mode: EntryMode::File, oid: batch.blob(content)? };
            changes.push(TreeChange { path, entry: Some(entry) });
        }
        let new_tree = match change_tree(git, &mut batch, Some(tree), &changes)? {
            Some(new_tree) => new_tree,
            None => batch.tree(Vec::new())?,
        };
        let who = self.branch.repo.author_at(now);
        let commit = batch.commit(new_tree, &[head], &who, &who, message.as_bytes())?;
        self.publish(batch, Some(head), commit, message)?;
        Ok(Some(commit))
    }

    /// Makes the objects durable, then moves the branch.
    pub(super) fn publish(
        &self,
        mut batch: ObjectBatch,
        old: Option<Oid>,
        new: Oid,
        message: &str,
    ) -> Result<(), UpdateError> {
        let git = self.branch.repo.git();
        batch.write_durably(git)?;
        Ok(refs::move_ref(git, ANNEX_REF, old, new, message)?)
    }

    /// The branch's tip. A branch that is missing starts where one of the remotes' is, else with an empty tree.
    pub(super) fn head_or_create(&self, now: u64) -> Result<Oid, UpdateError> {
        if let Some(head) = self.branch.head()? {
            return Ok(head);
        }
        let mut batch = ObjectBatch::new();
        let start = match self.branch.tips()?.first() {
            Some(tip) => tip.commit,
            None => {
                let tree = batch.tree(Vec::new())?;
                let who = self.branch.repo.author_at(now);
                batch.commit(tree, &[], &who, &who, BRANCH_CREATED.as_bytes())?
            }
        };
        match self.publish(batch, None, start, BRANCH_CREATED) {
            Ok(()) => Ok(start),
            // Git-annex made it in this moment.
            Err(UpdateError::Ref(RefError::Raced { .. })) => self.branch.head()?.ok_or(UpdateError::Busy),
            Err(error) => Err(error),
        }
    }

    /// Commits the journal alone.
    pub(super) fn absorb_journal(&self, now: u64) -> Result<(), UpdateError> {
        self.update(&[], now, BRANCH_UPDATE).map(|_| ())
    }
}

/// What the files become that differ from the branch's.
fn new_contents(
    files: &Files<'_>,
    pending: &[JournalFile],
    changes: &[LogChange],
    now: u64,
) -> Result<NewContents, UpdateError> {
    let mut new = NewContents::new();
    for file in pending {
        let committed = files.read(&file.path)?;
        let content = absorb(&file.path, &file.content, &committed);
        if content != committed {
            new.insert(file.path.clone(), content);
        }
    }
    for change in changes {
        let path = change.path();
        let path = TreePath::new(&path)
            .map_err(|_| UpdateError::BadPath { path: String::from_utf8_lossy(&path).into_owned() })?;
        let changed = match new.get(&path) {
            Some(content) => change.apply(content, now),
            None => change.apply(&files.read(&path)?, now),
        };
        if let Some(content) = changed {
            new.insert(path, content);
        }
    }
    Ok(new)
}

/// The journal's version of a file with the branch's, which may have moved since git-annex wrote it.
fn absorb(path: &TreePath, pending: &[u8], committed: &[u8]) -> Vec<u8> {
    if committed.is_empty() || pending == committed || family_of(path.as_bytes()) == LogFamily::Other {
        return pending.to_vec();
    }
    compact(path.as_bytes(), union_merge(pending, committed))
}
