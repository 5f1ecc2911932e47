//! Taking in: the content of changed files goes to the object store, off the desk, and each becomes an entry to be.

use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;

use tributary_formats::backend::Backend;
use tributary_formats::key::Key;
use tributary_formats::pointer::{self, MAX_POINTER_SIZE, Pointer};
use tributary_formats::tree_path::TreePath;
use tributary_repo::annex_branch::ReadError;
use tributary_repo::large_files::{AddRules, Candidate};
use tributary_repo::stat::FileStat;
use tributary_repo::store::IngestError;
use tributary_repo::tree::EntryMode;
use tributary_repo::{Repository, keysdb};

use super::survey::{Moved, Survey, identity};
use crate::parallel;

/// What a changed path will be.
#[derive(Debug)]
pub(super) struct TakenIn {
    pub path: TreePath,
    /// The file as it was read; one that changed since is looked at again.
    pub stat: FileStat,
    pub becomes: Becomes,
    /// The name that the file had before, when it was only moved.
    pub moved_from: Option<TreePath>,
}

/// What stands at the path, as git and git-annex will see it.
#[derive(Debug)]
pub(super) enum Becomes {
    /// A file whose content is in the object store now.
    Annexed { key: Key, executable: bool, locked: bool },
    /// A pointer that stands for content: it is to be filled.
    Pointer { key: Key, executable: bool },
    /// A link to an object: a locked file. `rewrite` when the target is not what this depth needs.
    Locked { key: Key, rewrite: bool },
    /// A file whose content goes into git.
    InGit { data: Vec<u8>, executable: bool },
    /// A link of the person's own.
    Link { target: Vec<u8> },
}

/// The outcome for a batch.
#[derive(Debug, Default)]
pub(super) struct Taken {
    pub entries: Vec<TakenIn>,
    /// Changed while they were read: again.
    pub again: Vec<TreePath>,
    /// Not to be read, and why.
    pub unreadable: Vec<(TreePath, std::io::Error)>,
    /// The disk is full: all of these wait.
    pub full: Vec<TreePath>,
}

/// Takes in what the survey found. Blocks.
///
/// # Errors
/// When the rules for adding cannot be read.
pub(super) fn take_in(repo: &Repository, survey: &Survey) -> Result<Taken, TakeInError> {
    let rules = AddRules::load(repo)?;
    let store = repo.store();
    let work = repo.work_tree().map_err(TakeInError::WorkTree)?;
    let mut taken = Taken::default();
    let mut to_store = Vec::new();
    for (path, stat) in &survey.files {
        let (path, stat) = (path.clone(), *stat);
        let executable = stat.is_executable();
        // A file that only got another name is not read again.
        if stat.size > 0
            && let Some(moved) = survey.moved.get(&identity(&stat))
            && moved.can_be(&repo.work_dir().join(OsStr::from_bytes(path.as_bytes())))
            && store.contains(&moved.key).unwrap_or(false)
        {
            let Moved { from, key, .. } = moved;
            let becomes = Becomes::Annexed { key: key.clone(), executable, locked: false };
            taken.entries.push(TakenIn { path, stat, becomes, moved_from: Some(from.clone()) });
            continue;
        }
        let candidate = Candidate { path: &path, size: stat.size };
        if let Some(key) = pointer_in(&work, &path, stat.size) {
            taken.took(path, Ok((stat, Becomes::Pointer { key, executable })))?;
        } else if rules.is_large(candidate) {
            let (locked, backend) = (!rules.add_unlocked(candidate), rules.backend_for(&path));
            to_store.push(ToStore { path, executable, locked, backend });
        } else {
            let data = read_whole(&work, &path, stat);
            taken.took(path, data.map(|data| (stat, Becomes::InGit { data, executable })))?;
        }
    }
    let stored = parallel::map(&to_store, |file| store.ingest(&work, &file.path, &file.backend));
    for (ToStore { path, executable, locked, .. }, stored) in to_store.into_iter().zip(stored) {
        let annexed = |key| Becomes::Annexed { key, executable, locked };
        taken.took(path, stored.map(|done| (done.stat, annexed(done.key))))?;
    }
    // Before a commit names them; off the desk, so that nobody waits for the disk there.
    let keys: Vec<_> = taken.entries.iter().filter_map(TakenIn::stored_now).collect();
    store.make_durable(keys.into_iter()).map_err(TakeInError::Durable)?;
    tell_git_annex(repo, &taken);
    for (path, stat) in &survey.links {
        match work.read_link(path) {
            Ok(target) => {
                let becomes = link(path, target);
                taken.entries.push(TakenIn { path: path.clone(), stat: *stat, becomes, moved_from: None });
            }
            Err(_) => taken.again.push(path.clone()),
        }
    }
    Ok(taken)
}

/// A file whose content belongs in the store, and what it will be.
struct ToStore {
    path: TreePath,
    executable: bool,
    locked: bool,
    backend: Backend,
}

impl Taken {
    /// Takes note of how the reading of one file went.
    fn took(
        &mut self,
        path: TreePath,
        read: Result<(FileStat, Becomes), IngestError>,
    ) -> Result<(), TakeInError> {
        match read {
            Ok((stat, becomes)) => self.entries.push(TakenIn { path, stat, becomes, moved_from: None }),
            Err(IngestError::Gone | IngestError::Changed | IngestError::NotFile) => self.again.push(path),
            Err(IngestError::Unreadable(source)) => self.unreadable.push((path, source)),
            Err(IngestError::Full(_)) => self.full.push(path),
            Err(error @ (IngestError::Backend(_) | IngestError::Store(_))) => {
                return Err(TakeInError::Store(error));
            }
        }
        Ok(())
    }
}

/// Why a batch could not be taken in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TakeInError {
    /// The rules for adding cannot be read.
    #[error(transparent)]
    Rules(#[from] ReadError),
    /// The folder cannot be read.
    #[error("the folder cannot be read")]
    WorkTree(#[source] std::io::Error),
    /// The object store does not take anything.
    #[error(transparent)]
    Store(IngestError),
    /// What was stored cannot be made durable.
    #[error("the disk failed to keep what was written")]
    Durable(#[source] std::io::Error),
}

/// Tells git-annex which files keep their key under a name that has another extension; else it would take them in anew as
/// soon as git reads them again.
fn tell_git_annex(repo: &Repository, taken: &Taken) {
    let renamed = taken.entries.iter().filter(|item| item.moved_from.is_some());
    let files: Vec<_> = renamed
        .filter_map(|item| match &item.becomes {
            Becomes::Annexed { key, .. } => Some((item.path.clone(), key.clone(), item.stat)),
            _ => None,
        })
        .collect();
    if let Err(error) = keysdb::record_renamed(repo, &files) {
        tracing::info!(%error, "git-annex is not told of renamed files");
    }
}

fn link(path: &TreePath, target: Vec<u8>) -> Becomes {
    match pointer::parse_link_target(&target) {
        Some(key) => {
            let rewrite = key.link_target(path.depth()) != target;
            Becomes::Locked { key, rewrite }
        }
        None => Becomes::Link { target },
    }
}

/// The key of a pointer file, as git leaves one where nobody filled it. Most files are told apart by their first bytes.
fn pointer_in(work: &tributary_repo::place_in_tree::WorkTree, path: &TreePath, size: u64) -> Option<Key> {
    const MARK: &[u8] = b"/annex/objects/";
    const START: usize = 256;
    if size < MARK.len() as u64 || size > MAX_POINTER_SIZE as u64 {
        return None;
    }
    let mut file = work.open_file(path).ok()?;
    let mut text = vec![0; START];
    let read = file.read(&mut text).ok()?;
    text.truncate(read);
    if !text.windows(MARK.len()).any(|window| window == MARK) {
        return None;
    }
    file.take(MAX_POINTER_SIZE as u64).read_to_end(&mut text).ok()?;
    match pointer::parse_pointer(&text) {
        Pointer::Key(key) => Some(key),
        _ => None,
    }
}

fn read_whole(
    work: &tributary_repo::place_in_tree::WorkTree,
    path: &TreePath,
    stat: FileStat,
) -> Result<Vec<u8>, IngestError> {
    let mut file = work.open_file(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => IngestError::Gone,
        _ => IngestError::Unreadable(error),
    })?;
    let mut data = Vec::new();
    file.read_to_end(&mut data).map_err(IngestError::Unreadable)?;
    let after = work.stat(path).map_err(IngestError::Unreadable)?;
    if after.is_none_or(|after| !after.same_version(&stat)) || data.len() as u64 != stat.size {
        return Err(IngestError::Changed);
    }
    Ok(data)
}

impl TakenIn {
    /// The key whose content was put into the store just now.
    fn stored_now(&self) -> Option<&Key> {
        match &self.becomes {
            Becomes::Annexed { key, .. } if self.moved_from.is_none() => Some(key),
            _ => None,
        }
    }
}

impl Becomes {
    /// Git's mode for it.
    pub(super) fn mode(&self) -> EntryMode {
        match self {
            Self::Annexed { locked: true, .. } | Self::Locked { .. } | Self::Link { .. } => EntryMode::Link,
            Self::Annexed { executable, .. }
            | Self::Pointer { executable, .. }
            | Self::InGit { executable, .. } => crate::state::desk::file_mode(*executable),
        }
    }
}
