//! Fetching: the objects that a remote has and we lack, checked before any ref names them, and its branches.

mod over_stream;

use std::collections::{BTreeMap, BTreeSet};

use git2::{ErrorCode, Oid};

use crate::cancel::{Cancel, Meter};
use crate::remote::{GitRemote, RemoteError, RemoteKind};
use crate::transport::local::{self, Direct};
use crate::transport::process;

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
/// Nothing is merged. When this returns an error, no branch has changed.
pub fn fetch(
    git: &git2::Repository,
    remote: &GitRemote,
    meter: &Meter<'_>,
    cancel: &Cancel,
) -> Result<Fetched, RemoteError> {
    let before = tracking_refs(git, remote)?;
    match &remote.kind {
        RemoteKind::LocalPath(path) => {
            let there = local::open(remote, path)?;
            let listed = local::list(remote, &there);
            let offered = tracked(remote, local::unless_gone(remote, &there, listed)?);
            let tips = news(&before, &offered);
            let copied = local::fetch_objects(git, remote, &there, &tips, meter, cancel);
            match local::unless_gone(remote, &there, copied)? {
                Direct::Done(()) => update(git, remote, &before, &offered),
                Direct::LeaveToGit => fetch_with_git(git, remote, &before, meter, cancel),
            }
        }
        RemoteKind::Stream { .. } => over_stream::fetch(git, remote, &before, meter, cancel),
        RemoteKind::Ssh(_) | RemoteKind::Other => fetch_with_git(git, remote, &before, meter, cancel),
    }
}

/// Remote-tracking refs by name.
type Tracking = BTreeMap<String, Oid>;

fn fetch_with_git(
    git: &git2::Repository,
    remote: &GitRemote,
    before: &Tracking,
    meter: &Meter<'_>,
    cancel: &Cancel,
) -> Result<Fetched, RemoteError> {
    let mut command = process::git_command(git);
    // What is fetched is checked as strictly as git can, save for faults of old programs that do no harm.
    command.args(["-c", "fetch.fsckObjects=true", "-c", "maintenance.auto=false", "-c", "gc.auto=0"]);
    for harmless in HARMLESS_FAULTS {
        command.arg("-c").arg(format!("fetch.fsck.{harmless}=ignore"));
    }
    command.args(["fetch", "--no-tags", "--prune", "--no-write-fetch-head", "--no-recurse-submodules"]);
    command.args(["--atomic", "--progress", "--"]).arg(process::address(git, remote));
    for (there, here) in TRACKED {
        command.arg(format!("+{there}*:{}*", here_prefix(remote, here)));
    }
    process::restrict_protocols(&mut command, remote);
    let ended = process::run(&mut command, meter, cancel)?;
    if !ended.success {
        return Err(process::classify(&remote.name, &ended.stderr));
    }
    let after = tracking_refs(git, remote)?;
    Ok(Fetched { refs: changes(before, &after) })
}

/// What old programs, git-annex's own predecessors among them, wrote into commits and trees.
pub(crate) const HARMLESS_FAULTS: [&str; 7] = [
    "missingEmail",
    "missingNameBeforeEmail",
    "missingSpaceBeforeDate",
    "missingSpaceBeforeEmail",
    "badTimezone",
    "zeroPaddedDate",
    "zeroPaddedFilemode",
];

/// Which refs are fetched, and what they are called below `refs/remotes/NAME/`.
const TRACKED: [(&str, &str); 2] = [("refs/heads/", ""), ("refs/synced/", "refs-synced/")];

fn here_prefix(remote: &GitRemote, here: &str) -> String {
    format!("refs/remotes/{}/{here}", remote.name)
}

/// The local name of a remote's ref; None for one that is not fetched.
pub(crate) fn tracking_name(remote: &GitRemote, name: &str) -> Option<String> {
    TRACKED.iter().find_map(|(there, here)| Some(here_prefix(remote, here) + name.strip_prefix(there)?))
}

fn tracked(remote: &GitRemote, refs: BTreeMap<String, Oid>) -> Tracking {
    let local = |(name, oid): (String, Oid)| {
        let name = tracking_name(remote, &name)?;
        git2::Reference::is_valid_name(&name).then_some((name, oid))
    };
    refs.into_iter().filter_map(local).collect()
}

fn tracking_refs(git: &git2::Repository, remote: &GitRemote) -> Result<Tracking, RemoteError> {
    let mut refs = Tracking::new();
    for reference in git.references_glob(&here_prefix(remote, "*")).map_err(RemoteError::local)? {
        let reference = reference.map_err(RemoteError::local)?;
        // The symbolic `refs/remotes/NAME/HEAD` of a clone has no target of its own, and is left alone.
        if let (Ok(name), Some(oid)) = (reference.name(), reference.target()) {
            refs.insert(name.to_owned(), oid);
        }
    }
    Ok(refs)
}

fn news(before: &Tracking, offered: &Tracking) -> Vec<Oid> {
    let changed = offered.iter().filter(|(name, oid)| before.get(*name) != Some(*oid));
    changed.map(|(_, oid)| *oid).collect()
}

fn changes(before: &Tracking, after: &Tracking) -> Vec<RefChange> {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let change = |name: &String| RefChange {
        name: name.clone(),
        old: before.get(name).copied(),
        new: after.get(name).copied(),
    };
    names.into_iter().map(change).filter(|change| change.old != change.new).collect()
}

/// Moves the remote-tracking refs to where the remote has its branches.
fn update(
    git: &git2::Repository,
    remote: &GitRemote,
    before: &Tracking,
    offered: &Tracking,
) -> Result<Fetched, RemoteError> {
    let changes = changes(before, offered);
    // Deletions first: `a` may have made room for `a/b`.
    for change in changes.iter().filter(|change| change.new.is_none()) {
        let gone = git.find_reference(&change.name).and_then(|mut reference| reference.delete());
        match gone {
            Err(cause) if cause.code() != ErrorCode::NotFound => return Err(RemoteError::local(cause)),
            _ => {}
        }
    }
    for change in &changes {
        let Some(new) = change.new else { continue };
        // Only who fetches from this remote, pushes to it or is pushed to by it writes these refs: the last one wins, as
        // with git.
        let moved = git.reference(&change.name, new, true, "fetch");
        moved.map_err(|cause| RemoteError::not_followed(&remote.name, cause))?;
    }
    Ok(Fetched { refs: changes })
}
