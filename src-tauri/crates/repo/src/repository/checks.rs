//! What a repository must be to be used: each state that must not be written to is told apart.

use std::fs::File;
use std::io;
use std::path::Path;

use git2::{ErrorCode, RepositoryOpenFlags, RepositoryState};
use rustix::process::{Flock, FlockOffsetType, FlockType, fcntl_getlk};
use tributary_formats::branches::ANNEX_REF;
use tributary_formats::uuid::RepoUuid;

use super::{ANNEX_VERSION, OpenError};

/// `path/.git` is a directory of its own: not missing, nor the file of a sub-module or linked work tree.
pub(super) fn own_git_directory(path: &Path) -> Result<(), OpenError> {
    let unreadable = |path: &Path, source| OpenError::Unreadable { path: path.to_owned(), source };
    path.metadata().map_err(|source| unreadable(path, source))?;
    let dot_git = path.join(".git");
    match dot_git.symlink_metadata() {
        Ok(meta) if meta.is_dir() => {
            dot_git.read_dir().map_err(|source| unreadable(&dot_git, source))?;
            Ok(())
        }
        Ok(_) => Err(OpenError::Linked { path: path.to_owned() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let bare = path.join("HEAD").is_file() && path.join("objects").is_dir();
            let path = path.to_owned();
            Err(if bare { OpenError::Bare { path } } else { OpenError::NotRepository { path } })
        }
        Err(source) => Err(unreadable(&dot_git, source)),
    }
}

/// Opens the git repository whose top is `path`, and no other around it.
pub(crate) fn open_git(path: &Path) -> Result<git2::Repository, OpenError> {
    let no_ceiling: [&Path; 0] = [];
    git2::Repository::open_ext(path, RepositoryOpenFlags::NO_SEARCH, no_ceiling).map_err(|error| {
        let path = path.to_owned();
        match error.code() {
            ErrorCode::NotFound => OpenError::NotRepository { path },
            ErrorCode::Owner => OpenError::NotOwned { path },
            _ => OpenError::Git(error),
        }
    })
}

/// The UUID of a repository of the right version.
pub(super) fn annex_uuid(git: &git2::Repository, path: &Path) -> Result<RepoUuid, OpenError> {
    let config = git.config()?.snapshot()?;
    if config.get_bool("annex.direct").unwrap_or(false) {
        return Err(OpenError::DirectMode);
    }
    let Ok(uuid) = config.get_string("annex.uuid") else {
        return Err(OpenError::NotAnnexed { path: path.to_owned() });
    };
    let version = config.get_string("annex.version").unwrap_or_else(|_| "none".to_owned());
    if version != ANNEX_VERSION {
        let newer = version.parse::<u64>().is_ok_and(|version| version > 10);
        return Err(if newer {
            OpenError::VersionTooNew { version }
        } else {
            OpenError::VersionTooOld { version }
        });
    }
    if config.get_bool("annex.pidlock").unwrap_or(false) {
        return Err(OpenError::PidLock);
    }
    RepoUuid::parse(&uuid).map_err(|_| OpenError::BadUuid)
}

/// No repository of the folder was tuned: a line of difference.log lists something in its brackets.
pub(super) fn not_tuned(git: &git2::Repository) -> Result<(), OpenError> {
    let branch = match git.find_reference(ANNEX_REF) {
        Ok(branch) => branch.peel_to_tree()?,
        Err(error) if error.code() == ErrorCode::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let Some(entry) = branch.get_name("difference.log") else { return Ok(()) };
    if lists_differences(git.find_blob(entry.id())?.content()) {
        return Err(OpenError::Tuned);
    }
    Ok(())
}

/// Whether the text of a difference.log names any tuning.
pub(crate) fn lists_differences(log: &[u8]) -> bool {
    let named = |line: &[u8]| {
        let open = line.iter().position(|&b| b == b'[');
        open.is_some_and(|open| line.get(open + 1).is_some_and(|&next| next != b']'))
    };
    log.split(|&b| b == b'\n').any(named)
}

/// HEAD is on an ordinary branch, and nothing that was started by hand is unfinished.
pub(super) fn checked_out(git: &git2::Repository) -> Result<(), OpenError> {
    let head = git.find_reference("HEAD")?;
    if head.kind() != Some(git2::ReferenceType::Symbolic) {
        return Err(OpenError::DetachedHead);
    }
    let branch = branch_of_head(git)?;
    if branch.starts_with("adjusted/") {
        return Err(OpenError::AdjustedBranch { branch });
    }
    let operation = match git.state() {
        RepositoryState::Clean => return Ok(()),
        RepositoryState::Merge => "merge",
        RepositoryState::Revert | RepositoryState::RevertSequence => "revert",
        RepositoryState::CherryPick | RepositoryState::CherryPickSequence => "cherry-pick",
        RepositoryState::Bisect => "bisect",
        RepositoryState::Rebase | RepositoryState::RebaseInteractive | RepositoryState::RebaseMerge => {
            "rebase"
        }
        RepositoryState::ApplyMailbox | RepositoryState::ApplyMailboxOrRebase => "am",
    };
    Err(OpenError::Unfinished { operation })
}

/// Short name of the branch that HEAD names.
pub(super) fn branch_of_head(git: &git2::Repository) -> Result<String, git2::Error> {
    let head = git.find_reference("HEAD")?;
    let target = head.symbolic_target()?.unwrap_or_default();
    match target.strip_prefix("refs/heads/") {
        Some(branch) => Ok(branch.to_owned()),
        None => Err(git2::Error::from_str("HEAD is not on a branch")),
    }
}

/// git-annex's assistant holds a record lock on its `daemon.pid` while it runs.
pub(super) fn no_assistant(annex_dir: &Path) -> Result<(), OpenError> {
    let path = annex_dir.join("daemon.pid");
    let unreadable = |source| OpenError::Unreadable { path: path.clone(), source };
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(unreadable(source)),
    };
    let wanted =
        Flock { start: 0, length: 0, pid: None, typ: FlockType::ReadLock, offset_type: FlockOffsetType::Set };
    match fcntl_getlk(&file, &wanted).map_err(|error| unreadable(error.into()))? {
        Some(held) => {
            let pid = held.pid.map_or(0, |pid| pid.as_raw_nonzero().get().unsigned_abs());
            Err(OpenError::AssistantRunning { pid })
        }
        None => Ok(()),
    }
}
