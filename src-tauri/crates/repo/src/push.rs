//! Pushing: objects first, durably, then each ref by compare-and-swap.

use git2::Oid;

use crate::cancel::{Cancel, Meter};
use crate::remote::{GitRemote, RemoteError};

/// One ref to push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushSpec {
    /// Full name of the local ref, such as `refs/heads/master`.
    pub local: String,
    /// Full name at the remote, such as `refs/heads/synced/master`.
    pub remote: String,
    /// Whether the remote's ref may be replaced by a commit that does not contain it.
    pub force: bool,
}

/// What a push came to, ref by ref, in the order they were given. A local ref that does not exist is left out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pushed {
    /// One for each spec.
    pub refs: Vec<(PushSpec, RefOutcome)>,
}

/// What became of one ref of a push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefOutcome {
    /// The remote had it already.
    UpToDate(Oid),
    /// It is there now.
    Updated {
        /// Where the remote's ref was; None when it is new, or the transport does not tell.
        old: Option<Oid>,
        /// What was pushed.
        new: Oid,
    },
    /// The remote has commits that we lack: fetch, merge, push again.
    NeedsFetch,
    /// The branch is checked out there, in a repository with a work tree: push to `synced/BRANCH`.
    CheckedOut,
    /// A hook or rule of the remote refused it.
    Refused(String),
}

impl Pushed {
    /// Whether the remote now has what was pushed to this ref (full name at the remote).
    pub fn has(&self, remote_ref: &str) -> bool {
        self.refs.iter().any(|(spec, outcome)| {
            spec.remote == remote_ref
                && matches!(outcome, RefOutcome::UpToDate(_) | RefOutcome::Updated { .. })
        })
    }

    /// Whether some ref asks for a fetch first.
    pub fn needs_fetch(&self) -> bool {
        self.refs.iter().any(|(_, outcome)| *outcome == RefOutcome::NeedsFetch)
    }
}

/// Pushes refs. One ref that is refused does not keep the others back. Remote-tracking refs follow what was pushed.
pub fn push(
    git: &git2::Repository,
    remote: &GitRemote,
    specs: &[PushSpec],
    meter: &Meter<'_>,
    cancel: &Cancel,
) -> Result<Pushed, RemoteError> {
    let _ = (git, remote, specs, meter, cancel);
    todo!()
}

/// Pushes all that git-annex's sync would ([`crate::sync_branches::push_specs`]); a branch that is checked out there
/// goes to `synced/BRANCH` instead.
pub fn push_synced(
    git: &git2::Repository,
    remote: &GitRemote,
    branch: &str,
    meter: &Meter<'_>,
    cancel: &Cancel,
) -> Result<Pushed, RemoteError> {
    let _ = (git, remote, branch, meter, cancel);
    todo!()
}
