//! Folders: added, cloned, removed.

use std::path::Path;
use std::sync::Arc;

use tokio::sync::broadcast::error::RecvError;
use tributary_formats::uuid::RepoUuid;
use tributary_repo::cancel::{Cancel, no_meter};
use tributary_repo::remote::{GitRemote, RemoteError};
use tributary_repo::repository::{CreateError, OpenError, Setup};
use tributary_repo::{Repository, fetch};
use tributary_status::{Failure, FolderState, ProblemCode, Reply, Settings};

use super::{done, fault, not_kept, remotes};
use crate::config::{FolderConfig, Pause};
use crate::engine::Engine;
use crate::state::desk::{Desk, DeskHandle};
use crate::state::places::Places;
use crate::state::repositories::Repositories;
use crate::threads::account::AccountAsk;
use crate::threads::committer::chain;
use crate::threads::fetcher;
use crate::threads::merger::merge::Merge;
use crate::threads::pairing::PairingAsk;

/// Makes a folder a synced one.
pub(super) async fn add(
    engine: &Arc<Engine>,
    path: &Path,
    description: Option<String>,
) -> Result<Reply, Failure> {
    let _turn = engine.changing.lock().await;
    not_watched(engine, path)?;
    if path.exists() && !path.is_dir() {
        return Err(fault(None, format!("{} is not a folder.", path.display()), "Name a folder."));
    }
    let setup = setup(engine, description);
    let top = path.to_owned();
    let made = tokio::task::spawn_blocking(move || make(&top, &setup)).await.expect("making does not panic");
    let new = made.map_err(|error| not_made(path, &error))?;
    run(engine, &std::fs::canonicalize(path).unwrap_or_else(|_| path.into())).await?;
    let how = if new { "is a synced folder now" } else { "is synced from now on, as it is" };
    done(format!("{} {how}.", path.display()))
}

/// A new repository, or the one that is there. True when it is new.
fn make(path: &Path, setup: &Setup) -> Result<bool, CreateError> {
    if path.symlink_metadata().is_err() {
        return Repository::create(path, setup).map(|_| true);
    }
    match Repository::open(path) {
        Ok(_) => Repository::adopt(path, setup).map(|_| false),
        Err(OpenError::NotAnnexed { .. }) => Repository::init_annex(path, setup).map(|_| false),
        Err(OpenError::NotRepository { .. }) => Repository::create(path, setup).map(|_| true),
        Err(error) => Err(error.into()),
    }
}

/// What git calls the remote that a clone came from.
const ORIGIN: &str = "origin";

/// Gets an existing folder from a git remote: names and logs are here when this returns.
pub(super) async fn clone(
    engine: &Arc<Engine>,
    url: &str,
    path: &Path,
    place: Option<String>,
    description: Option<String>,
) -> Result<Reply, Failure> {
    let place = place.unwrap_or_else(|| ORIGIN.to_owned());
    fetch(engine, url, path, place, description, &Cancel::new()).await?;
    let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.into());
    start(engine, &path).await?;
    done(format!("{} is here; its files arrive now.", path.display()))
}

/// Gets names and logs of a folder into an empty one, which is not synced yet. What fails or is cancelled leaves
/// nothing.
pub(crate) async fn fetch(
    engine: &Arc<Engine>,
    url: &str,
    path: &Path,
    place: String,
    description: Option<String>,
    cancel: &Cancel,
) -> Result<(), Failure> {
    let _turn = engine.changing.lock().await;
    not_watched(engine, path)?;
    remotes::check_name(&place)?;
    let existed = path.exists();
    let empty = !existed || std::fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none());
    if !empty {
        return Err(fault(
            None,
            format!("{} is not empty.", path.display()),
            "Clone into a new folder; files can be moved into it afterwards.",
        ));
    }
    let setup = setup(engine, description);
    let (top, from, cancel) = (path.to_owned(), url.to_owned(), cancel.clone());
    let clone = move || {
        Repository::init_to_fetch(&top).map_err(|error| made_in_vain(&top, existed, &error))?;
        fill(&top, &from, &place, &setup, &cancel).inspect_err(|_| take_back(&top, existed))
    };
    tokio::task::spawn_blocking(clone).await.expect("cloning does not panic")
}

/// Makes the repository of a folder that is to be filled by others, with a branch of their name, and is not synced yet.
pub(crate) async fn make_new(engine: &Arc<Engine>, path: &Path, branch: &str) -> Result<RepoUuid, Failure> {
    let _turn = engine.changing.lock().await;
    not_watched(engine, path)?;
    let existed = path.exists();
    let (top, branch, setup) = (path.to_owned(), branch.to_owned(), setup(engine, None));
    let make = move || {
        let made = Repository::create_on(&top, &branch, &setup);
        made.map(|repo| repo.uuid().clone()).map_err(|error| made_in_vain(&top, existed, &error))
    };
    tokio::task::spawn_blocking(make).await.expect("making does not panic")
}

/// Takes back what came of a repository that could not be made, unless it is somebody else's.
fn made_in_vain(path: &Path, existed: bool, error: &CreateError) -> Failure {
    if !matches!(error, CreateError::AlreadyRepository { .. }) {
        take_back(path, existed);
    }
    not_made(path, error)
}

/// Takes back the repository that a try made at a path, where nothing else is. A person may have put something into the
/// folder meanwhile, and git-annex that into the repository: then all of it stays.
pub(crate) fn take_back(path: &Path, existed: bool) {
    let repository = path.join(".git");
    let only_ours = std::fs::read_dir(path)
        .is_ok_and(|mut entries| entries.all(|entry| entry.is_ok_and(|entry| entry.file_name() == ".git")));
    let contents = std::fs::read_dir(repository.join("annex/objects"));
    if !only_ours || contents.is_ok_and(|mut entries| entries.next().is_some()) {
        tracing::info!(path = %path.display(), "what was put into a folder that could not be made stays");
        return;
    }
    std::fs::remove_dir_all(repository).ok();
    if !existed {
        std::fs::remove_dir(path).ok();
    }
}

/// Syncs a folder, whose repository is there, from now on.
pub(crate) async fn start(engine: &Arc<Engine>, path: &Path) -> Result<(), Failure> {
    let _turn = engine.changing.lock().await;
    not_watched(engine, path)?;
    run(engine, path).await
}

/// Fetches a folder into the empty repository at `path`, and makes it one of git-annex's.
fn fill(path: &Path, url: &str, place: &str, setup: &Setup, cancel: &Cancel) -> Result<(), Failure> {
    let failed = |why: String| {
        let sentence = format!("{url} could not be cloned: {why}");
        fault(None, sentence, "Check the address, and that you may read there.")
    };
    let git = Repository::open_to_fetch(path).map_err(|error| failed(format!("{}.", chain(&error))))?;
    let remote = GitRemote::add(&git, place, url)
        .map_err(|error| failed(format!("it is no address of a repository: {error}.")))?;
    fetch::fetch(&git, &remote, &no_meter, cancel).map_err(|error| match &error {
        RemoteError::Unreachable { .. } | RemoteError::NotRepository { .. } => {
            failed(format!("{}.", chain(&error)))
        }
        other => {
            let (_, problem) = fetcher::remote_fault(place, other);
            let failure = failed(format!("{}.", chain(other)));
            match problem {
                Some(problem) => Failure { code: Some(problem.code), hint: problem.hint, ..failure },
                None => failure,
            }
        }
    })?;
    let branch = tributary_repo::sync_branches::branch_at(&git, place)
        .map_err(|error| failed(format!("what it holds cannot be read: {error}.")))?
        .ok_or_else(|| {
            fault(
                None,
                format!("{url} holds no folder yet."),
                "Make one with `trib add`, and add this as a place of it: `trib remote add`.",
            )
        })?;
    git.set_head(&format!("refs/heads/{branch}")).map_err(|error| failed(format!("{error}.")))?;
    drop(git);
    let repo = Repository::init_annex(path, setup).map_err(|error| not_made(path, &error))?;
    remotes::learn_uuid(&repo, &remote, cancel)?;
    drop(repo);
    let desk = DeskHandle::new(Desk::open(path).map_err(|error| failed(format!("{}.", chain(&error))))?);
    let merge = Merge {
        desk: desk.clone(),
        repositories: Repositories::new(path.into()),
        places: Places::default(),
        tell: None,
        first: None,
    };
    merge.merge(Some(place)).map_err(|error| remotes::not_merged(url, &error))?;
    desk.here(|desk| desk.write_index()).map_err(|error| failed(format!("{}.", chain(&error))))
}

/// Forgets a folder; its files stay.
pub(super) async fn remove(engine: &Arc<Engine>, path: &Path) -> Result<Reply, Failure> {
    let _turn = engine.changing.lock().await;
    let known = engine
        .configure(|config| {
            let before = config.folders.len();
            config.folders.retain(|folder| folder.path != path);
            config.folders.len() < before
        })
        .map_err(not_kept)?;
    if !known {
        return Err(fault(
            None,
            format!("{} is not a synced folder.", path.display()),
            "`trib status` lists them.",
        ));
    }
    let ours = uuid_of(engine, path).await;
    forget(engine, path).await;
    if let Some(ours) = ours {
        engine.pairing.send(PairingAsk::FolderGone(ours)).ok();
    }
    done(format!("{} is not synced any more. Its files stay.", path.display()))
}

/// The repository of a folder that runs.
pub(crate) async fn uuid_of(engine: &Engine, path: &Path) -> Option<RepoUuid> {
    Some(engine.folders.get(path)?.desk.with(|desk| desk.repo.uuid().clone()).await)
}

/// Ends what runs for a folder that is not configured any more.
async fn forget(engine: &Arc<Engine>, path: &Path) {
    let watched = engine.watched.lock().expect("no holder panics").remove(path);
    if let Some(watched) = watched {
        watched.cancel();
    }
    if let Some(folder) = engine.folders.get(path) {
        folder.stop().await;
    }
    engine.account.send(AccountAsk::FolderGone(path.into())).ok();
    engine.board.remove_folder(path);
}

fn not_watched(engine: &Engine, path: &Path) -> Result<(), Failure> {
    for known in engine.configuration().folders {
        if known.path == path {
            return Err(fault(
                None,
                format!("{} is a synced folder already.", path.display()),
                "There is nothing to do.",
            ));
        }
        if path.starts_with(&known.path) || known.path.starts_with(path) {
            return Err(fault(
                None,
                format!(
                    "{} and the synced folder {} lie in one another.",
                    path.display(),
                    known.path.display()
                ),
                "Choose a folder of its own.",
            ));
        }
    }
    Ok(())
}

/// How a new clone of a folder describes itself, and how git finds our filter where git-annex is missing.
fn setup(engine: &Engine, description: Option<String>) -> Setup {
    // People tell their computers apart by name; where a folder lies on each is that computer's affair.
    let description = description.unwrap_or_else(|| computer_name(&engine.configuration().settings));
    let filter_process = crate::host::trib_binary()
        .map(|trib| format!("{} filter-process", shell_quoted(&trib.display().to_string())));
    Setup { description, filter_process, look_for_git_annex: true }
}

/// What this computer is called.
pub(crate) fn computer_name(settings: &Settings) -> String {
    match settings.computer_name.as_str() {
        "" => rustix::system::uname().nodename().to_string_lossy().into_owned(),
        name => name.to_owned(),
    }
}

/// One word of a command line that git hands to a shell.
fn shell_quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Keeps the folder in the configuration, starts it, and waits until its status is up.
async fn run(engine: &Arc<Engine>, path: &Path) -> Result<(), Failure> {
    let folder = FolderConfig { path: path.into(), pause: Pause::Off, first_sync_done: false };
    engine.configure(|config| config.folders.push(folder.clone())).map_err(not_kept)?;
    let mut events = engine.subscribe();
    engine.watch_over(folder);
    loop {
        let status = engine.board.folder(path);
        if engine.folders.get(path).is_some() && status.is_some() {
            return Ok(());
        }
        if let Some(status) =
            status.filter(|status| status.uuid.is_empty() && status.state == FolderState::NeedsYou)
        {
            // What could not be added is not kept as a folder that does not run.
            engine.configure(|config| config.folders.retain(|known| known.path != path)).map_err(not_kept)?;
            forget(engine, path).await;
            let first = status.problems.into_iter().next();
            let hint = first.as_ref().map(|problem| problem.hint.clone()).unwrap_or_default();
            return Err(fault(first.map(|problem| problem.code), status.sentence, hint));
        }
        if matches!(events.recv().await, Err(RecvError::Closed)) {
            return Err(fault(None, "Tributary is stopping.", "Start it again."));
        }
    }
}

fn not_made(path: &Path, error: &CreateError) -> Failure {
    let (code, hint) = match error {
        CreateError::InsideRepository { .. } => (None, "Choose a folder that lies in no repository."),
        CreateError::Open(OpenError::AdjustedBranch { .. }) => (
            Some(ProblemCode::AdjustedBranch),
            "Check out the branch it was made from, such as `git checkout master`, and add the folder again.",
        ),
        CreateError::Open(OpenError::AssistantRunning { .. }) => {
            (Some(ProblemCode::OtherAssistant), "Stop it with `git annex assistant --stop`.")
        }
        CreateError::Open(OpenError::Bare { .. }) => {
            (None, "A bare repository is a place, not a folder: add it with `trib remote add`.")
        }
        CreateError::Open(_) => (Some(ProblemCode::UnsupportedRepository), "It is left as it is."),
        CreateError::Io { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied => {
            (Some(ProblemCode::ReadOnly), "Give yourself permission to write there.")
        }
        CreateError::Io { source, .. } if source.kind() == std::io::ErrorKind::StorageFull => {
            (Some(ProblemCode::DiskFull), "Make room on the disk.")
        }
        _ => (None, "Nothing in the folder was changed."),
    };
    fault(code, format!("{} cannot be synced: {}.", path.display(), chain(error)), hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_that_somebody_else_made_meanwhile_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("theirs");
        Repository::init_to_fetch(&path).unwrap();
        let error = Repository::init_to_fetch(&path).unwrap_err();
        made_in_vain(&path, true, &error);
        assert!(path.join(".git").exists());
    }
}
