//! Refs moved by compare-and-swap under git's own ref locks, with reflog, and durable when the call returns.

use std::fs::File;

use git2::{ErrorCode, Oid};

/// Why a ref did not move.
#[derive(Debug, thiserror::Error)]
pub enum RefError {
    /// It is not where it was thought to be, or somebody holds its lock this moment: look again and start over.
    #[error("{name} moved meanwhile")]
    Raced {
        /// The ref.
        name: String,
    },
    /// HEAD is on no branch.
    #[error("HEAD is on no branch")]
    DetachedHead,
    /// libgit2 or the file system refused.
    #[error("{name} cannot be written")]
    Refused {
        /// The ref.
        name: String,
        /// libgit2's answer.
        source: git2::Error,
    },
}

/// The branch that HEAD is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Full name, such as `refs/heads/master`.
    pub name: String,
    /// Its commit; None before the first one.
    pub tip: Option<Oid>,
}

/// Reads which branch HEAD is on and where that is.
pub fn head(git: &git2::Repository) -> Result<Head, RefError> {
    let head = git.find_reference("HEAD").map_err(|source| refused("HEAD", source))?;
    let Ok(Some(name)) = head.symbolic_target() else { return Err(RefError::DetachedHead) };
    let name = name.to_owned();
    let tip = target(git, &name)?;
    Ok(Head { name, tip })
}

/// Where a ref points to, links followed; None when it does not exist.
pub fn target(git: &git2::Repository, name: &str) -> Result<Option<Oid>, RefError> {
    match git.refname_to_id(name) {
        Ok(oid) => Ok(Some(oid)),
        Err(cause) if cause.code() == ErrorCode::NotFound => Ok(None),
        Err(source) => Err(refused(name, source)),
    }
}

/// Moves a ref from `old` (None: it must not exist) to `new`.
pub fn move_ref(
    git: &git2::Repository,
    name: &str,
    old: Option<Oid>,
    new: Oid,
    reflog_message: &str,
) -> Result<(), RefError> {
    let moved = match old {
        Some(old) => git.reference_matching(name, new, true, old, reflog_message),
        None => git.reference(name, new, false, reflog_message),
    };
    match moved {
        Ok(_) => sync_ref(git, name),
        Err(cause) => match cause.code() {
            ErrorCode::Modified | ErrorCode::Exists | ErrorCode::Locked | ErrorCode::NotFound => {
                Err(RefError::Raced { name: name.to_owned() })
            }
            _ => Err(refused(name, cause)),
        },
    }
}

/// libgit2 renames the new file into place without syncing it: on some file systems a loss of power would leave it
/// empty, and git would call the repository broken.
fn sync_ref(git: &git2::Repository, name: &str) -> Result<(), RefError> {
    match File::open(git.commondir().join(name)).and_then(|file| file.sync_all()) {
        // Somebody may have packed or deleted it in this moment: then it is theirs to keep.
        Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
            Err(refused(name, git2::Error::from_str(&cause.to_string())))
        }
        _ => Ok(()),
    }
}

fn refused(name: &str, source: git2::Error) -> RefError {
    RefError::Refused { name: name.to_owned(), source }
}
