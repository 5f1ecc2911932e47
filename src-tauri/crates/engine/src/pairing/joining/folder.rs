//! The folder of a try to join: fetched from a place that came with the offer, or found where it is already.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tributary_formats::logs::uuid_log::UuidLog;
use tributary_formats::uuid::RepoUuid;
use tributary_repo::Repository;
use tributary_repo::cancel::Cancel;
use tributary_repo::repository::OpenError;
use tributary_status::{Failure, ProblemCode};
use tributary_xmpp::pairing::{Grant, PairingError, Right};

use crate::commands::{fault, folders, remotes};
use crate::engine::Engine;
use crate::pairing::message;
use crate::pairing::set_up::{SetUp, SharedPlace};
use crate::threads::committer::chain;

/// How long the first exchange with the inviter is waited for before its special remotes are left out.
const FIRST_EXCHANGE: Duration = Duration::from_secs(60);

/// What of a grant says which folder it is.
pub(super) struct Terms {
    /// The inviter's repository.
    pub(super) repository: RepoUuid,
    /// What the folder is called.
    pub(super) name: String,
    /// What we may do.
    pub(super) right: Right,
}

impl From<&Grant> for Terms {
    fn from(grant: &Grant) -> Self {
        Self { repository: grant.repository.clone(), name: grant.name.clone(), right: grant.right }
    }
}

/// The folder, before it is synced by this pairing.
pub(super) struct Fetched {
    pub(super) path: PathBuf,
    /// Its repository here.
    pub(super) ours: RepoUuid,
    /// Whether this try made it, so that it goes with the try when that fails.
    pub(super) made: bool,
    pub(super) existed: bool,
    /// The place that it came from.
    pub(super) from: Option<String>,
}

/// The places that came with an offer, as far as they can be used here, and the names of the others.
pub(super) struct Usable {
    places: Vec<SharedPlace>,
    /// The repositories by which the folder is recognised.
    known: Vec<RepoUuid>,
    /// The folder's branch.
    branch: String,
    left_out: Vec<String>,
}

/// Which places can be used. Folders of this machine need the person's yes, and have to be there.
pub(super) fn usable(set_up: SetUp, local_places: bool) -> Usable {
    let usable = |place: &SharedPlace| place.local_path().is_none_or(|path| local_places && path.is_dir());
    let (known, branch) = (set_up.known().to_vec(), set_up.branch().to_owned());
    let (places, others): (Vec<_>, Vec<_>) = set_up.into_places().into_iter().partition(usable);
    Usable { places, known, branch, left_out: others.iter().map(|place| place.name().to_owned()).collect() }
}

/// Gets the folder: what is there already when it is the same one, else from the first place that has it, else an empty
/// one that the inviter fills.
pub(super) async fn fetch(
    engine: &Arc<Engine>,
    path: &Path,
    grant: &Terms,
    usable: &Usable,
    given_up: &Cancel,
) -> Result<Fetched, Failure> {
    let existed = path.exists();
    let empty = !existed || std::fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none());
    if !empty {
        let ours = same_folder(path, grant, &usable.known).await?;
        return Ok(Fetched { path: path.into(), ours, made: false, existed, from: None });
    }
    for place in &usable.places {
        let SharedPlace::Git { name, url, read_only } = place else { continue };
        match folders::fetch(engine, url, path, name.clone(), None, given_up).await {
            Ok(()) => {
                let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.into());
                let fetched = Fetched {
                    ours: same_folder(&path, grant, &usable.known)
                        .await
                        .inspect_err(|_| folders::take_back(&path, existed))?,
                    path,
                    made: true,
                    existed,
                    from: Some(name.clone()),
                };
                if grant.right == Right::ReadOnly || *read_only {
                    only_read(&fetched.path, vec![name.clone()])
                        .await
                        .inspect_err(|_| fetched.take_back())?;
                }
                return Ok(fetched);
            }
            Err(_) if given_up.is_cancelled() => return Err(message::not_paired(PairingError::Cancelled)),
            Err(failure) => {
                let why = failure.sentence;
                tracing::info!(place = name, why, "a place that was offered does not give the folder");
            }
        }
    }
    // Then the paired computers bring it to each other, once both said yes: histories that begin apart are merged.
    let ours = folders::make_new(engine, path, &usable.branch).await?;
    let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.into());
    Ok(Fetched { path, ours, made: true, existed, from: None })
}

/// The repository of the folder at this path, if it is a copy of the one that is offered: its history knows one of the
/// repositories that the inviter's does. A place to which the inviter may not write has not heard of the inviter's own.
async fn same_folder(path: &Path, grant: &Terms, known: &[RepoUuid]) -> Result<RepoUuid, Failure> {
    let top = path.to_owned();
    let theirs: Vec<RepoUuid> = known.iter().chain([&grant.repository]).cloned().collect();
    let looked = tokio::task::spawn_blocking(move || {
        let repo = Repository::open(&top)?;
        let log = repo.annex_branch().read(b"uuid.log").unwrap_or_default();
        let log = UuidLog::parse(&log);
        let known = theirs.iter().any(|uuid| log.get(uuid).is_some());
        Ok::<_, OpenError>((repo.uuid().clone(), known))
    });
    let another = |sentence: String| {
        let hint = "Choose an empty folder, or one that does not exist yet. Nothing was changed.";
        fault(Some(ProblemCode::PairingFailed), sentence, hint)
    };
    match looked.await.expect("looking does not panic") {
        Ok((ours, true)) => Ok(ours),
        Ok((_, false)) => Err(another(format!(
            "{} holds another folder: its history knows nothing of {}.",
            path.display(),
            grant.name
        ))),
        Err(OpenError::NotRepository { .. } | OpenError::NotAnnexed { .. }) => {
            Err(another(format!("{} is not empty.", path.display())))
        }
        Err(error) => Err(another(format!("{} cannot be used: {}.", path.display(), chain(&error)))),
    }
}

/// Syncs the folder from now on.
pub(super) async fn start(engine: &Arc<Engine>, fetched: &Fetched) -> Result<(), Failure> {
    if engine.configuration().folders.iter().any(|known| known.path == fetched.path) {
        return Ok(());
    }
    folders::start(engine, &fetched.path).await
}

/// Adds the other places; those that are there already stay. Gives the names of those that could not be added.
pub(super) async fn add_places(
    engine: &Arc<Engine>,
    fetched: &Fetched,
    grant: &Terms,
    usable: &Usable,
) -> Vec<String> {
    let mut missing = vec![];
    let special = |place: &SharedPlace| matches!(place, SharedPlace::Special { .. });
    if fetched.made && fetched.from.is_none() && usable.places.iter().any(special) {
        // What a special remote is stands in the folder's own log.
        tokio::time::timeout(FIRST_EXCHANGE, exchanged(engine, fetched, grant)).await.ok();
    }
    for place in usable.places.iter().filter(|place| Some(place.name()) != fetched.from.as_deref()) {
        let name = place.name().to_owned();
        let read_only = grant.right == Right::ReadOnly || place.is_read_only();
        let added = match place {
            SharedPlace::Git { url, .. } => {
                remotes::add_git(engine, &fetched.path, name.clone(), url.clone(), false, read_only).await
            }
            SharedPlace::Special { directory, .. } => {
                // What else it is stands in the folder's own remote.log, which came with it.
                let directory = directory.iter().map(|path| ("directory".to_owned(), path.clone()));
                remotes::enable_known(
                    engine,
                    &fetched.path,
                    name.clone(),
                    directory.collect::<BTreeMap<_, _>>(),
                    read_only,
                )
                .await
            }
        };
        if let Err(failure) = added {
            tracing::info!(place = name, sentence = failure.sentence, "a place that was offered is not used");
            missing.push(name);
        }
    }
    missing
}

/// Ends when the folder knows the inviter's repository.
async fn exchanged(engine: &Arc<Engine>, fetched: &Fetched, grant: &Terms) {
    let mut events = engine.subscribe();
    loop {
        if let Some(folder) = engine.folders.get(&fetched.path)
            && folder.known_repositories().await.contains(&grant.repository)
        {
            return;
        }
        if matches!(events.recv().await, Err(tokio::sync::broadcast::error::RecvError::Closed)) {
            return;
        }
    }
}

/// Keeps this computer from writing to these places.
async fn only_read(path: &Path, names: Vec<String>) -> Result<(), Failure> {
    let top = path.to_owned();
    let set = tokio::task::spawn_blocking(move || {
        let repo = Repository::open(&top).map_err(|error| chain(&error))?;
        names.iter().try_for_each(|name| remotes::only_read(&repo, name).map_err(|failure| failure.sentence))
    });
    set.await
        .expect("configuring does not panic")
        .map_err(|why| fault(None, format!("{why}."), "Nothing was set up, here or there."))
}

impl Usable {
    /// The names of those that cannot be used here.
    pub(super) fn left_out(&self) -> &[String] {
        &self.left_out
    }

    /// The places as they can be kept.
    pub(super) fn to_keep(&self) -> SetUp {
        SetUp::keeping(self.places.clone(), self.known.clone(), self.branch.clone())
    }
}

impl Fetched {
    /// Takes back what was made here. What a person has put in meanwhile stays.
    pub(super) fn take_back(&self) {
        if self.made {
            folders::take_back(&self.path, self.existed);
        }
    }
}
