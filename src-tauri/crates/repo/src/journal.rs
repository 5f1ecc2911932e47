//! The journal: changes of the git-annex branch that git-annex has not committed yet.
//!
//! A file holds the complete new content of the branch file that its name stands for. Format: `annex-format` 5.4.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use tributary_formats::journal;
use tributary_formats::tree_path::TreePath;

use crate::lock::FileLock;
use crate::repository::Repository;

/// No log is larger than this, in bytes; what is larger is not read into memory.
pub(crate) const MAX_LOG: u64 = 256 << 20;

/// `GITDIR/annex/journal`.
#[derive(Debug, Clone)]
pub struct Journal {
    dir: PathBuf,
    lock: PathBuf,
}

/// The journal while `journal.lck` is held exclusively: neither git-annex nor another of our threads changes it, or
/// writes the git-annex branch.
#[derive(Debug)]
pub struct LockedJournal {
    journal: Journal,
    _lock: FileLock,
}

/// A pending change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalFile {
    /// Path in the git-annex branch.
    pub path: TreePath,
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
    pub fn read(&self, path: &TreePath) -> io::Result<Option<Vec<u8>>> {
        read_whole_lines(&self.dir.join(OsStr::from_bytes(&journal::file_name(path.as_bytes()))))
    }

    /// Waits for `journal.lck`.
    pub fn lock(&self) -> io::Result<LockedJournal> {
        let lock = match FileLock::exclusive(&self.lock) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(&self.dir)?;
                FileLock::exclusive(&self.lock)
            }
            lock => lock,
        };
        Ok(LockedJournal { journal: self.clone(), _lock: lock? })
    }
}

impl LockedJournal {
    /// All pending changes. Directories, and names that stand for no path, are git-annex's business.
    pub fn files(&self) -> io::Result<Vec<JournalFile>> {
        let entries = match fs::read_dir(&self.journal.dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut files = Vec::new();
        for entry in entries {
            let entry = entry?;
            let path =
                journal::path_of(entry.file_name().as_bytes()).and_then(|path| TreePath::new(path).ok());
            let Some(path) = path.filter(|_| entry.file_type().is_ok_and(|kind| kind.is_file())) else {
                continue;
            };
            if let Some(content) = read_whole_lines(&entry.path())? {
                files.push(JournalFile { path, content, file: entry.path() });
            }
        }
        // Directories list in any order; results must not depend on it.
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(files)
    }

    /// Deletes changes that are committed now.
    pub fn remove(&self, files: &[JournalFile]) -> io::Result<()> {
        files.iter().try_for_each(|file| fs::remove_file(&file.file))
    }
}

/// Reads a journal file; None when it is not there. A last line without its end was cut off and is left out.
fn read_whole_lines(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let mut content = Vec::new();
    match File::open(path) {
        Ok(file) => file.take(MAX_LOG + 1).read_to_end(&mut content)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    if content.len() as u64 > MAX_LOG {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let whole = content.iter().rposition(|&b| b == b'\n').map_or(0, |end| end + 1);
    content.truncate(whole);
    Ok(Some(content))
}
