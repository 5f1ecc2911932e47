//! A git remote on a local path, read and written directly: no process is started, and only what is missing is
//! copied, as one pack or loose when it is little.
//!
//! Everything is done under the locks that git itself takes, so that git and git-annex may work there at the same time.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use git2::{ErrorCode, Oid, RepositoryOpenFlags};

use crate::cancel::{Cancel, Meter};
use crate::closure::{ClosureError, Copied, copy_missing};
use crate::object_batch::WriteError;
use crate::push::{PushSpec, RefOutcome};
use crate::refs::{self, RefError};
use crate::remote::{GitRemote, RemoteError};

/// What the direct way came to.
pub(crate) enum Direct<T> {
    /// It is done.
    Done(T),
    /// Git's own programs have to do it: there are hooks to run, or it is too much to hold in memory.
    LeaveToGit,
}

/// Opens the repository at a path.
pub(crate) fn open(remote: &GitRemote, path: &Path) -> Result<git2::Repository, RemoteError> {
    let name = remote.name.clone();
    match path.symlink_metadata() {
        Err(cause) if cause.kind() == io::ErrorKind::PermissionDenied => {
            return Err(RemoteError::Auth { name, said: cause.to_string() });
        }
        Err(cause) => return Err(RemoteError::Unreachable { name, said: why_not(path, &cause) }),
        Ok(_) => {}
    }
    let no_search = RepositoryOpenFlags::NO_SEARCH;
    git2::Repository::open_ext(path, no_search, &[] as &[&std::ffi::OsStr]).map_err(|cause| {
        match cause.code() {
            // An empty directory where a drive would be mounted is no repository either, so this stays a matter of
            // waiting for the person or for the drive.
            ErrorCode::NotFound => RemoteError::NotRepository { name },
            ErrorCode::Owner => RemoteError::Auth { name, said: cause.message().to_owned() },
            _ => RemoteError::Corrupt { name, said: cause.message().to_owned() },
        }
    })
}

/// A drive that is pulled out in the middle looks like a damaged repository, or like one without branches: whether it
/// is still there is asked before anybody believes either.
pub(crate) fn unless_gone<T>(
    remote: &GitRemote,
    there: &git2::Repository,
    result: Result<T, RemoteError>,
) -> Result<T, RemoteError> {
    if matches!(result, Err(RemoteError::Unreachable { .. } | RemoteError::Cancelled | RemoteError::Local(_)))
    {
        return result;
    }
    match there.path().join("objects").symlink_metadata() {
        Ok(_) => result,
        Err(cause) => {
            Err(RemoteError::Unreachable { name: remote.name.clone(), said: why_not(there.path(), &cause) })
        }
    }
}

/// Why a path cannot be looked at, in a person's words: what is most often wrong is that a drive is not there.
fn why_not(path: &Path, cause: &io::Error) -> String {
    match cause.kind() {
        io::ErrorKind::NotFound => format!("{} is missing", path.display()),
        _ => cause.to_string(),
    }
}

/// All refs of a repository but HEAD and other special ones; by name.
pub(crate) fn list(
    remote: &GitRemote,
    there: &git2::Repository,
) -> Result<BTreeMap<String, Oid>, RemoteError> {
    let corrupt = |cause: git2::Error| RemoteError::Corrupt {
        name: remote.name.clone(),
        said: cause.message().to_owned(),
    };
    let mut refs = BTreeMap::new();
    for reference in there.references().map_err(corrupt)? {
        let reference = reference.map_err(corrupt)?;
        // Names that are not UTF-8 cannot be pushed to by libgit2, and no tool makes them.
        let Ok(name) = reference.name() else { continue };
        if let Ok(resolved) = reference.resolve()
            && let Some(oid) = resolved.target()
        {
            refs.insert(name.to_owned(), oid);
        }
    }
    Ok(refs)
}

/// Copies the histories of `tips` from there to here. Nothing names them yet.
pub(crate) fn fetch_objects(
    git: &git2::Repository,
    remote: &GitRemote,
    there: &git2::Repository,
    tips: &[Oid],
    meter: &Meter<'_>,
    cancel: &Cancel,
) -> Result<Direct<()>, RemoteError> {
    match copy_missing(there, git, tips, meter, cancel).map_err(|cause| from_there(remote, cause))? {
        Copied::TooMany => Ok(Direct::LeaveToGit),
        Copied::All(mut batch) => {
            batch.write_durably(git).map_err(|cause| RemoteError::Local(Box::new(cause)))?;
            Ok(Direct::Done(()))
        }
    }
}

/// Pushes each spec with the commit that its local ref points to.
pub(crate) fn push(
    git: &git2::Repository,
    remote: &GitRemote,
    there: &git2::Repository,
    specs: &[(PushSpec, Oid)],
    meter: &Meter<'_>,
    cancel: &Cancel,
) -> Result<Direct<Vec<RefOutcome>>, RemoteError> {
    if has_hooks(there) || updates_work_tree(there) {
        return Ok(Direct::LeaveToGit);
    }
    let mut outcomes = Vec::new();
    for (spec, new) in specs {
        outcomes.push(prospect(git, remote, there, spec, *new)?);
    }
    let moving: Vec<Oid> = outcomes.iter().filter_map(|outcome| outcome.as_ref().err()?.1).collect();
    if !moving.is_empty() {
        match copy_missing(git, there, &moving, meter, cancel).map_err(|cause| from_here(remote, cause))? {
            Copied::TooMany => return Ok(Direct::LeaveToGit),
            Copied::All(mut batch) => {
                batch.write_durably(there).map_err(|cause| not_written(remote, cause))?;
            }
        }
    }
    let mut done = Vec::new();
    for ((spec, new), outcome) in specs.iter().zip(outcomes) {
        done.push(match outcome {
            Ok(outcome) => outcome,
            Err((old, _)) => match refs::move_ref(there, &spec.remote, old, *new, "push") {
                Ok(()) => RefOutcome::Updated { old, new: *new },
                // Somebody else pushed in this moment.
                Err(RefError::Raced { .. }) => RefOutcome::NeedsFetch,
                Err(RefError::Refused { source, .. }) => return Err(ref_not_written(remote, source)),
                Err(RefError::DetachedHead) => RefOutcome::Refused("HEAD is on no branch".to_owned()),
            },
        });
    }
    Ok(Direct::Done(done))
}

/// What is clear about a ref before anything is written: its outcome, or else where it is now and what it becomes.
type Prospect = Result<RefOutcome, (Option<Oid>, Option<Oid>)>;

fn prospect(
    git: &git2::Repository,
    remote: &GitRemote,
    there: &git2::Repository,
    spec: &PushSpec,
    new: Oid,
) -> Result<Prospect, RemoteError> {
    let old = refs::target(there, &spec.remote)
        .map_err(|cause| RemoteError::Corrupt { name: remote.name.clone(), said: cause.to_string() })?;
    let Some(tip) = old else {
        let unborn = is_checked_out(there, &spec.remote);
        return Ok(if unborn { Ok(RefOutcome::CheckedOut) } else { Err((None, Some(new))) });
    };
    if tip == new {
        return Ok(Ok(RefOutcome::UpToDate(new)));
    }
    if is_checked_out(there, &spec.remote) {
        return Ok(Ok(RefOutcome::CheckedOut));
    }
    // A commit that we do not have is not contained in ours.
    let forward = git.graph_descendant_of(new, tip).unwrap_or(false);
    if !forward && !spec.force {
        return Ok(Ok(RefOutcome::NeedsFetch));
    }
    if !forward && config_bool(there, "receive.denyNonFastForwards") == Some(true) {
        return Ok(Ok(RefOutcome::Refused("the remote denies non-fast-forwards".to_owned())));
    }
    Ok(Err((old, Some(new))))
}

/// Whether a work tree there has the branch checked out, and so would show the push as changes of its own.
fn is_checked_out(there: &git2::Repository, name: &str) -> bool {
    if matches!(
        there.config().and_then(|c| c.get_string("receive.denyCurrentBranch")).as_deref(),
        Ok("ignore" | "false" | "warn")
    ) {
        return false;
    }
    let at_top = !there.is_bare() && refs::head(there).is_ok_and(|head| head.name == name);
    at_top || linked_heads(there).any(|head| head == name)
}

/// The branches that linked work trees have checked out, as their HEAD files say.
fn linked_heads(there: &git2::Repository) -> impl Iterator<Item = String> {
    let dirs = std::fs::read_dir(there.commondir().join("worktrees")).into_iter().flatten().flatten();
    let heads = dirs.filter_map(|dir| std::fs::read_to_string(dir.path().join("HEAD")).ok());
    heads.filter_map(|head| Some(head.strip_prefix("ref: ")?.trim_end().to_owned()))
}

/// `receive.denyCurrentBranch=updateInstead`: git changes the work tree, too.
fn updates_work_tree(there: &git2::Repository) -> bool {
    let value = there.config().and_then(|config| config.get_string("receive.denyCurrentBranch"));
    !there.is_bare() && value.is_ok_and(|value| value.eq_ignore_ascii_case("updateInstead"))
}

fn config_bool(git: &git2::Repository, name: &str) -> Option<bool> {
    git.config().and_then(|config| config.get_bool(name)).ok()
}

/// The hooks that a push may run on the receiving side.
const RECEIVING_HOOKS: [&str; 7] = [
    "pre-receive",
    "update",
    "post-receive",
    "post-update",
    "reference-transaction",
    "proc-receive",
    "push-to-checkout",
];

fn has_hooks(there: &git2::Repository) -> bool {
    let dir = match there.config().and_then(|config| config.get_path("core.hooksPath")) {
        // A relative path starts where hooks run: in the git directory of a bare repository, else at the top.
        Ok(path) => there.workdir().unwrap_or(there.path()).join(path),
        Err(_) => there.commondir().join("hooks"),
    };
    RECEIVING_HOOKS.iter().any(|name| is_executable(&dir.join(name)))
}

pub(crate) fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// A fetch: the remote gives.
pub(crate) fn from_there(remote: &GitRemote, cause: ClosureError) -> RemoteError {
    let name = remote.name.clone();
    match cause {
        ClosureError::Missing { ref source, .. } => {
            RemoteError::Corrupt { name, said: format!("{cause}: {}", source.message()) }
        }
        ClosureError::Hostile { .. } => RemoteError::Hostile { name, said: cause.to_string() },
        ClosureError::Receiver(_) => RemoteError::Local(Box::new(cause)),
        ClosureError::Cancelled => RemoteError::Cancelled,
    }
}

/// A push: we give.
fn from_here(remote: &GitRemote, cause: ClosureError) -> RemoteError {
    match cause {
        ClosureError::Receiver(source) => {
            RemoteError::Corrupt { name: remote.name.clone(), said: source.message().to_owned() }
        }
        ClosureError::Cancelled => RemoteError::Cancelled,
        ClosureError::Missing { .. } | ClosureError::Hostile { .. } => RemoteError::Local(Box::new(cause)),
    }
}

fn not_written(remote: &GitRemote, cause: WriteError) -> RemoteError {
    match cause {
        WriteError::Io(cause) => from_io(remote, &cause),
        WriteError::Git(cause) => ref_not_written(remote, cause),
    }
}

/// libgit2 passes the system's words on, not its number.
fn ref_not_written(remote: &GitRemote, cause: git2::Error) -> RemoteError {
    super::process::classify(&remote.name, cause.message())
}

fn from_io(remote: &GitRemote, cause: &io::Error) -> RemoteError {
    let (name, said) = (remote.name.clone(), cause.to_string());
    match cause.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => RemoteError::Full { name },
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            RemoteError::ReadOnly { name, said }
        }
        // A drive that is pulled out answers like this, too.
        _ => RemoteError::Unreachable { name, said },
    }
}
