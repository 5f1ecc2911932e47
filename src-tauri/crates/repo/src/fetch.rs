//! Fetching: the objects that a remote has and we lack, checked before any ref names them, and its branches.

use git2::Oid;

use crate::cancel::{Cancel, Meter};
use crate::remote::{GitRemote, RemoteError};

/// What a fetch brought.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fetched {
    /// The remote-tracking refs that changed.
    pub refs: Vec<RefChange>,
}

/// A ref that moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefChange {
    /// Full name of the local ref, such as `refs/remotes/hub/master`.
    pub name: String,
    /// Where it was; None when it is new.
    pub old: Option<Oid>,
    /// Where it is; None when the remote does not have it any more.
    pub new: Option<Oid>,
}

/// Fetches all branches (`refs/heads/*` to `refs/remotes/NAME/*`) and what assistants leave under `refs/synced/`
/// (to `refs/remotes/NAME/refs-synced/*`). Branches that are gone there are pruned; tags are not fetched.
///
/// Nothing is merged. When this returns an error, no ref has changed.
pub fn fetch(
    git: &git2::Repository,
    remote: &GitRemote,
    meter: &Meter<'_>,
    cancel: &Cancel,
) -> Result<Fetched, RemoteError> {
    let _ = (git, remote, meter, cancel);
    todo!()
}
