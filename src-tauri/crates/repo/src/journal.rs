//! The journal: changes of the git-annex branch that git-annex has not committed yet.
//!
//! Format: `annex-format` 5.4.

use std::io;
use std::path::PathBuf;

use crate::lock::FileLock;
use crate::repository::Repository;

/// `GITDIR/annex/journal`.
#[derive(Debug, Clone)]
pub struct Journal {
    dir: PathBuf,
    lock: PathBuf,
}

/// The journal while `journal.lck` is held exclusively: neither git-annex nor another of our threads changes it.
#[derive(Debug)]
pub struct LockedJournal {
    journal: Journal,
    lock: FileLock,
}

/// A pending change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalFile {
    /// Path in the git-annex branch.
    pub path: Vec<u8>,
    /// The complete new content, up to its last whole line.
    pub content: Vec<u8>,
    /// The journal's own file.
    file: PathBuf,
}

impl Journal {
    /// The journal of a repository.
    pub fn of(repo: &Repository) -> Journal {
        let annex = repo.annex_dir();
        Journal { dir: annex.join("journal"), lock: annex.join("journal.lck") }
    }

    /// The pending version of a path, if there is one.
    pub fn read(&self, path: &[u8]) -> io::Result<Option<Vec<u8>>> {
        let _ = path;
        todo!()
    }

    /// Waits for `journal.lck`.
    pub fn lock(&self) -> io::Result<LockedJournal> {
        let _ = &self.lock;
        todo!()
    }
}

impl LockedJournal {
    /// All pending changes.
    pub fn files(&self) -> io::Result<Vec<JournalFile>> {
        let _ = (&self.journal.dir, &self.lock);
        todo!()
    }

    /// Deletes changes that are committed now.
    pub fn remove(&self, files: &[JournalFile]) -> io::Result<()> {
        let _ = files;
        todo!()
    }
}
