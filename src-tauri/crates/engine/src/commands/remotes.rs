//! Remotes of a folder: git remotes and special remotes, in git-annex's own configuration.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tributary_formats::logs::remote::RemoteConfig;
use tributary_formats::uuid::RepoUuid;
use tributary_remotes::{
    ConfigError, InitialiseError, LocalSettings, NoChunkRecords, PlaceError, RemoteName,
};
use tributary_repo::annex_branch::LogChange;
use tributary_repo::cancel::{Cancel, no_meter};
use tributary_repo::remote::{GitRemote, RemoteKind};
use tributary_repo::{Repository, bare, fetch};
use tributary_status::{Failure, PlaceKind, ProblemCode, RemoteRow, Reply};

use super::{done, fault};
use crate::engine::Engine;
use crate::folder::Folder;
use crate::folder_facts::Fact;
use crate::state::places::{
    PlaceRow, Places, Reach, forget_settings, note_mark, remote_names, special_remotes,
};
use crate::state::remote_uuid;
use crate::threads::committer::chain;
use crate::threads::fetcher::{self, unix_now};
use crate::threads::merger::merge::{Brought, Merge, MergeFault};

/// Longest name that a remote may have, bytes.
const MAX_NAME: usize = 64;

/// Adds a git remote, which may be one that this computer is only to read; returns after its first fetch and merge.
pub(crate) async fn add_git(
    engine: &Arc<Engine>,
    folder: &Path,
    name: String,
    url: String,
    contents: bool,
    read_only: bool,
) -> Result<Reply, Failure> {
    let folder = engine.folder(folder)?;
    check_name(&name)?;
    let this = folder.clone();
    let (named, from) = (name.clone(), url.clone());
    blocking(&folder, move |repo| {
        let known = GitRemote::find(repo.git(), &named).map_err(|error| failed(&error))?;
        let taken = remote_names(repo).contains(&named);
        match known {
            Some(known) if known.url != from => {
                return Err(fault(
                    None,
                    format!("There is a remote {named} already, at {}.", known.url),
                    "Choose another name, or remove that one first.",
                ));
            }
            None if taken => {
                return Err(fault(
                    None,
                    format!("There is a remote {named} already."),
                    "Choose another name.",
                ));
            }
            _ => {}
        }
        let fresh = known.is_none();
        if read_only {
            // Before there is a place that could be pushed to.
            only_read(repo, &named)?;
        }
        let added = connect(&this, repo, &named, &from, contents);
        if added.is_err() && fresh {
            // What does not answer now may be a slip of the pen: it is not kept.
            GitRemote::remove(repo.git(), &named).ok();
            repo.git_config_unset(&format!("remote.{named}.annex-readonly")).ok();
        }
        added.map_err(|failure| not_added(&named, failure))
    })
    .await?;
    folder.places_changed();
    done(format!("{name} is a place of {} now.", folder.path.display()))
}

fn connect(folder: &Folder, repo: &Repository, name: &str, url: &str, contents: bool) -> Result<(), Failure> {
    let remote = GitRemote::add(repo.git(), name, url).map_err(|error| failed(&error))?;
    if let RemoteKind::LocalPath(path) = &remote.kind {
        // A missing repository is made, but never the folder that it is to be in: that may be an unmounted drive.
        let parent_there = path.parent().is_some_and(Path::is_dir);
        if !path.exists() && parent_there {
            bare::create(path).map_err(|error| failed(&error))?;
        }
        if contents {
            bare::init_contents(path, name).map_err(|error| failed(&error))?;
        }
    } else if contents {
        return Err(fault(
            None,
            "Only a repository on this machine can be made to hold contents.",
            "Say `git annex init` in it on the server; then add it without --contents.",
        ));
    }
    learn_uuid(repo, &remote, &folder.cancel)?;
    let fetched = fetch::fetch(repo.git(), &remote, &no_meter, &folder.cancel);
    fetched.map_err(|error| {
        let (_, problem) = fetcher::remote_fault(name, &error);
        let (code, hint) = problem.map(|problem| (problem.code, problem.hint)).unzip();
        fault(code, format!("{}.", chain(&error)), hint.unwrap_or_default())
    })?;
    let merge = Merge {
        desk: folder.desk.clone(),
        repositories: folder.repositories.clone(),
        // The keys' facts are told anew when the places are read again; heads and files to place are told now.
        places: Places::default(),
        tell: Some(folder.facts.clone()),
        first: Some(folder.first.clone()),
    };
    let brought = match merge.merge(Some(name)) {
        // It is merged when the folder goes on.
        Err(MergeFault::Resting) => Brought::default(),
        merged => merged.map_err(|error| not_merged(name, &error))?,
    };
    folder.facts.send(Fact::Merged { from: brought.from, conflicts: brought.conflicts }).ok();
    folder.sync();
    Ok(())
}

/// Finds out whether a git remote holds contents. A person who names it means it to be used, so that an earlier "this
/// server has no git-annex" is asked again.
pub(super) fn learn_uuid(repo: &Repository, remote: &GitRemote, cancel: &Cancel) -> Result<(), Failure> {
    let ignore = format!("remote.{}.annex-ignore", remote.name);
    repo.git_config_unset(&ignore).map_err(|error| failed(&error))?;
    let learned = remote_uuid::learn(repo, remote, cancel);
    learned.map(drop).map_err(|error| fault(None, format!("{}.", chain(&error)), "Check the address."))
}

/// Why what a place holds was not merged: in the words in which it would be said later.
pub(super) fn not_merged(name: &str, error: &MergeFault) -> Failure {
    let (_, problem) = fetcher::merge_fault(name, error);
    fault(Some(problem.code), problem.sentence, problem.hint)
}

/// Keeps this computer from writing to a place.
pub(crate) fn only_read(repo: &Repository, name: &str) -> Result<(), Failure> {
    repo.git_config_set(&format!("remote.{name}.annex-readonly"), "true").map_err(|error| failed(&error))
}

/// Enables a special remote that came with the folder: one that remote.log does not know is not made.
pub(crate) async fn enable_known(
    engine: &Arc<Engine>,
    folder: &Path,
    name: String,
    parameters: BTreeMap<String, String>,
    read_only: bool,
) -> Result<Reply, Failure> {
    let running = engine.folder(folder)?;
    let named = name.clone();
    blocking(&running, move |repo| {
        let known = special_remotes(repo).map_err(|error| failed(&error))?;
        if !known.iter().any(|(_, config)| config.name() == Some(&named)) {
            return Err(not_there(&named));
        }
        if read_only { only_read(repo, &named) } else { Ok(()) }
    })
    .await?;
    add_special(engine, folder, name, parameters).await
}

/// Enables the special remote of this name when remote.log knows it, else makes it.
pub(super) async fn add_special(
    engine: &Arc<Engine>,
    folder: &Path,
    name: String,
    parameters: BTreeMap<String, String>,
) -> Result<Reply, Failure> {
    let folder = engine.folder(folder)?;
    check_name(&name)?;
    let named = name.clone();
    let made = blocking(&folder, move |repo| enable_or_make(repo, &named, parameters)).await?;
    if made {
        let desk = folder.desk.clone();
        let heads = desk.with(|desk| {
            desk.follow_annex_branch().ok();
            crate::state::facts::heads_to_tell(desk)
        });
        if let Ok(heads) = heads.await {
            let origin = tributary_planner::Origin::Recorded;
            folder.facts.send(Fact::Planner(vec![tributary_planner::Input::Heads { heads, origin }])).ok();
        }
    }
    folder.places_changed();
    let how = if made { "is a new place" } else { "is a place" };
    done(format!("{name} {how} of {} now.", folder.path.display()))
}

/// True when it was made, not only enabled here.
fn enable_or_make(
    repo: &Repository,
    name: &str,
    mut parameters: BTreeMap<String, String>,
) -> Result<bool, Failure> {
    let kind = parameters.remove("type");
    let directory = parameters.remove("directory").map(PathBuf::from);
    let known = special_remotes(repo).map_err(|error| failed(&error))?;
    let known = known.into_iter().find(|(_, config)| config.name() == Some(name));
    if known.is_none() && remote_names(repo).contains(&name.to_owned()) {
        return Err(fault(None, format!("There is a git remote {name} already."), "Choose another name."));
    }
    let new = known.is_none();
    let (uuid, mut config) = match known {
        Some(known) => known,
        None => {
            let uuid = uuid::Uuid::new_v4().to_string();
            (RepoUuid::parse(&uuid).expect("a UUID is one"), RemoteConfig::default())
        }
    };
    if new {
        let kind = kind.ok_or_else(|| {
            fault(None, "A new place needs a type.", "Say `type=directory directory=/path encryption=none`.")
        })?;
        if !parameters.contains_key("encryption") {
            return Err(fault(
                None,
                "A new place needs `encryption=`.",
                "Say `encryption=none` when whoever can read the place may read the files.",
            ));
        }
        config.set("type", &kind);
        config.set("name", name);
    } else if let (Some(kind), Some(was)) = (kind, config.remote_type())
        && kind != was
    {
        return Err(fault(
            None,
            format!("{name} has the type {was}, not {kind}."),
            "Leave the type out, or choose another name.",
        ));
    }
    if let Some(how) = parameters.get("encryption")
        && config.get("encryption").is_some_and(|was| was != how.as_str())
    {
        return Err(fault(None, format!("The encryption of {name} cannot be changed."), "Make a new place."));
    }
    let changes_config = parameters.iter().any(|(field, value)| config.get(field) != Some(value.as_str()));
    for (field, value) in &parameters {
        config.set(field, value);
    }
    let at = |key: &str| format!("remote.{name}.{key}");
    if let (Some(was), Some(now)) = (repo.git_config_get(&at("annex-directory")), &directory)
        && Path::new(&was) != now
    {
        return Err(fault(
            None,
            format!("{name} is at {was} on this computer."),
            "Remove it here first (`trib remote remove`), then add it with its new place.",
        ));
    }
    let directory = directory.or_else(|| repo.git_config_get(&at("annex-directory")).map(PathBuf::from));
    let settings = LocalSettings {
        name: RemoteName::new(name),
        repository: repo.uuid().clone(),
        directory: directory.clone(),
        // The person says that this is the place, mark or not.
        marked: false,
        cost: None,
        chunk_records: Arc::new(NoChunkRecords),
    };
    tributary_remotes::initialise(&uuid, &config, &settings)
        .map_err(|error| not_made(name, directory.as_deref(), &error))?;
    let changed = new || changes_config;
    if changed {
        let mut changes = vec![LogChange::Remote { uuid: uuid.clone(), config: config.clone() }];
        if new {
            changes.push(LogChange::Description { uuid: uuid.clone(), description: name.into() });
        }
        repo.annex_branch().update(&changes, unix_now(), "update").map_err(|error| failed(&error))?;
    }
    let set = |key: &str, value: &str| repo.git_config_set(&at(key), value).map_err(|error| failed(&error));
    set("annex-uuid", uuid.as_str())?;
    if let Some(directory) = &directory {
        set("annex-directory", &directory.display().to_string())?;
    }
    set("skipfetchall", "true")?;
    // The person named the place just now: that is the confirmation that newer git-annex asks for.
    set("annex-verified", "verified")?;
    note_mark(repo, name).map_err(|error| failed(&error))?;
    Ok(changed)
}

/// Lists the remotes, and the special remotes that are known and not enabled here.
pub(super) async fn list(engine: &Arc<Engine>, folder: &Path) -> Result<Reply, Failure> {
    let folder = engine.folder(folder)?;
    let remotes = blocking(&folder, |repo| {
        let places = Places::default();
        let (_, rows) = places.read(repo).map_err(|error| failed(&error))?;
        let mut remotes: Vec<_> = rows.iter().map(row).collect();
        for (uuid, config) in special_remotes(repo).map_err(|error| failed(&error))? {
            if !rows.iter().any(|row| row.uuid.as_ref() == Some(&uuid)) {
                remotes.push(RemoteRow {
                    name: config.name().unwrap_or_default().to_owned(),
                    kind: config.remote_type().unwrap_or_default().to_owned(),
                    url: String::new(),
                    uuid: Some(uuid.to_string()),
                    contents: true,
                    confirmed: false,
                });
            }
        }
        Ok(remotes)
    })
    .await?;
    Ok(Reply::Remotes { remotes })
}

fn row(row: &PlaceRow) -> RemoteRow {
    let kind = match &row.reach {
        Reach::Git(_) => "git".into(),
        Reach::Special { config, .. } => config.remote_type().unwrap_or_default().to_owned(),
    };
    RemoteRow {
        name: row.name.clone(),
        kind,
        url: row.url(),
        uuid: row.uuid.as_ref().map(ToString::to_string),
        contents: row.kind() != PlaceKind::Git,
        confirmed: row.confirmed,
    }
}

/// Forgets a remote here; what it holds stays.
pub(super) async fn remove(engine: &Arc<Engine>, folder: &Path, name: String) -> Result<Reply, Failure> {
    let folder = change(engine, folder, &name, |repo, name| {
        let git_remote = GitRemote::remove(repo.git(), name).map_err(|error| failed(&error))?;
        if !git_remote {
            forget_settings(repo, name).map_err(|error| failed(&error))?;
        }
        Ok(())
    })
    .await?;
    done(format!("{name} is no place of {} any more. What it holds stays.", folder.path.display()))
}

/// Confirms a place that somebody else set up.
pub(super) async fn confirm(engine: &Arc<Engine>, folder: &Path, name: String) -> Result<Reply, Failure> {
    change(engine, folder, &name, |repo, name| {
        repo.git_config_set(&format!("remote.{name}.annex-verified"), "verified")
            .map_err(|error| failed(&error))
    })
    .await?;
    done(format!("Contents may go to {name} now."))
}

/// Changes a place that has to be there, and says to the folder that it changed.
async fn change(
    engine: &Arc<Engine>,
    folder: &Path,
    name: &str,
    work: impl FnOnce(&Repository, &str) -> Result<(), Failure> + Send + 'static,
) -> Result<Arc<Folder>, Failure> {
    let folder = engine.folder(folder)?;
    check_name(name)?;
    let named = name.to_owned();
    blocking(&folder, move |repo| {
        if !remote_names(repo).contains(&named) {
            return Err(not_there(&named));
        }
        work(repo, &named)
    })
    .await?;
    folder.places_changed();
    Ok(folder)
}

/// Whether a name can be a section of git's configuration and a part of a ref.
pub(crate) fn name_is_good(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= MAX_NAME
        && !name.starts_with(['-', '.'])
        && !name.ends_with(['.', '/'])
        && !name.contains("..")
        && name.chars().all(|c| c.is_alphanumeric() || "-_.".contains(c))
}

/// Refuses a name that cannot be a place's.
pub(super) fn check_name(name: &str) -> Result<(), Failure> {
    if name_is_good(name) {
        Ok(())
    } else {
        Err(fault(
            None,
            format!("{name:?} cannot be the name of a place."),
            "Use letters, digits, `-`, `_` and `.`, at most 64 bytes.",
        ))
    }
}

async fn blocking<T: Send + 'static>(
    folder: &Arc<Folder>,
    act: impl FnOnce(&Repository) -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let repositories = folder.repositories.clone();
    tokio::task::spawn_blocking(move || repositories.with(act))
        .await
        .expect("commands do not panic")
        .map_err(|error| failed(&error))?
}

fn failed(error: &(dyn std::error::Error + 'static)) -> Failure {
    fault(None, format!("{}.", chain(error)), "Nothing was changed.")
}

fn not_there(name: &str) -> Failure {
    fault(None, format!("There is no place {name}."), "`trib remote list` lists them.")
}

/// Says first what was tried, where a cause alone would leave that open.
fn not_added(name: &str, failure: Failure) -> Failure {
    if failure.code.is_some() {
        return failure;
    }
    Failure { sentence: format!("{name} could not be added: {}", failure.sentence), ..failure }
}

fn not_made(name: &str, directory: Option<&Path>, error: &InitialiseError) -> Failure {
    let at = directory.unwrap_or(Path::new("The folder")).display();
    match error {
        InitialiseError::Config(ConfigError::NoPlace(_)) => fault(
            None,
            format!("Where {name} is on this computer is not known."),
            "Say it: `directory=/path`.",
        ),
        InitialiseError::Place(PlaceError::Unreachable { source, .. }) => fault(
            Some(ProblemCode::PlaceUnreachable),
            format!("{name} could not be added: {}.", chain(source)),
            "Plug the drive in or mount it, and make the folder if it is a new one.",
        ),
        InitialiseError::Place(PlaceError::WrongPlace { found, .. }) => fault(
            Some(ProblemCode::PlaceChanged),
            format!("{at} belongs to another place, {found}."),
            "Choose another folder. A place of this folder is enabled by its own name; `trib remote list` has it.",
        ),
        error => {
            let hint = match error {
                InitialiseError::Config(ConfigError::UnsupportedEncryption(_)) => {
                    "Use `encryption=none` for now."
                }
                InitialiseError::Config(ConfigError::UnsupportedType(_)) => "Use `type=directory` for now.",
                InitialiseError::Config(_) => "Look at the parameters; they are git-annex's own.",
                InitialiseError::NotADirectory { .. } => "Name a folder.",
                InitialiseError::Place(PlaceError::Full { .. }) => "Make room there.",
                InitialiseError::Place(_) => "Check that you may write there.",
            };
            fault(None, format!("{name} could not be added: {}.", chain(error)), hint)
        }
    }
}
