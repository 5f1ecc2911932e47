//! The other places of a folder: its remotes, as git's configuration and remote.log have them.
//!
//! The configuration is git-annex's own, so git-annex sees the same remotes. A place keeps its number while the engine
//! runs, by its name.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, RwLock};

use tokio::sync::watch;
use tributary_formats::logs::remote::RemoteConfig;
use tributary_formats::logs::uuid_log::UuidLog;
use tributary_formats::uuid::RepoUuid;
use tributary_planner::{Place, PlaceId};
use tributary_repo::Repository;
use tributary_repo::annex_branch::ReadError;
use tributary_repo::remote::{GitRemote, RemoteKind};
use tributary_status::PlaceKind;

use crate::tunnel::Tunnels;
use crate::tunnel::address::Address;

/// One other place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceRow {
    /// Its number.
    pub id: PlaceId,
    /// The remote's name.
    pub name: String,
    /// Its repository; `None` for a git remote that carries names only.
    pub uuid: Option<RepoUuid>,
    /// How it is reached.
    pub reach: Reach,
    /// What using it costs.
    pub cost: u32,
    /// Whether we may only read from it.
    pub read_only: bool,
    /// Whether contents may go there: a special remote that somebody else set up waits to be confirmed.
    pub confirmed: bool,
    /// Whether it was seen with its mark, so that a folder without it is the mount point of a drive that is away. Kept
    /// in the configuration, and not in the database: no drive may be mistaken because a cache was lost.
    pub marked: bool,
}

/// `remote.NAME.…`: see [`PlaceRow::marked`]. git-annex leaves it alone.
const MARKED: &str = "tributary-marked";

/// Remembers that a place was seen with its mark.
///
/// # Errors
/// When the configuration cannot be written.
pub fn note_mark(repo: &Repository, name: &str) -> Result<(), PlacesError> {
    repo.git_config_set(&format!("remote.{name}.{MARKED}"), "true")
        .map_err(|error| PlacesError::Configuration(error.to_string()))
}

/// How a place is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// As a git remote.
    Git(GitRemote),
    /// As a special remote.
    Special {
        /// Its entry in remote.log.
        config: RemoteConfig,
        /// `remote.NAME.annex-directory`.
        directory: Option<PathBuf>,
    },
}

impl PlaceRow {
    /// What it is, for people.
    #[must_use]
    pub fn kind(&self) -> PlaceKind {
        match (&self.reach, &self.uuid) {
            (Reach::Special { .. }, _) => PlaceKind::Storage,
            (Reach::Git(_), Some(_)) => PlaceKind::GitWithContents,
            (Reach::Git(_), None) => PlaceKind::Git,
        }
    }

    /// Where it is, without secrets.
    #[must_use]
    pub fn url(&self) -> String {
        match &self.reach {
            Reach::Git(remote) => without_password(&remote.url),
            Reach::Special { directory: Some(directory), .. } => directory.display().to_string(),
            Reach::Special { config, .. } => config.get("url").unwrap_or_default().to_owned(),
        }
    }

    /// The directory that has to be there, when the place is on this machine.
    #[must_use]
    pub fn local_path(&self) -> Option<&std::path::Path> {
        match &self.reach {
            Reach::Git(GitRemote { kind: RemoteKind::LocalPath(path), .. }) => Some(path),
            Reach::Git(_) => None,
            Reach::Special { directory, .. } => directory.as_deref(),
        }
    }

    /// The repository on a paired device that it is, if it is one.
    #[must_use]
    pub(crate) fn peer(&self) -> Option<Address> {
        match &self.reach {
            Reach::Git(GitRemote { kind: RemoteKind::Stream { .. }, url, .. }) => Address::parse(url),
            _ => None,
        }
    }

    /// As the planner sees it.
    #[must_use]
    pub fn for_planner(&self) -> Place {
        let git = matches!(self.reach, Reach::Git(_));
        Place {
            id: self.id,
            uuid: self.uuid.clone(),
            git,
            contents: self.uuid.is_some() && self.confirmed,
            readable: true,
            writable: !self.read_only,
            cost: self.cost,
        }
    }
}

/// `scheme://user:secret@host/…` without the secret.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.into() };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    match authority.rsplit_once('@').and_then(|(login, host)| Some((login.split_once(':')?.0, host))) {
        Some((user, host)) => format!("{scheme}://{user}@{host}{path}"),
        None => url.into(),
    }
}

/// The places at one moment.
pub type Rows = Arc<Vec<PlaceRow>>;

/// The places of one folder, shared by its threads.
#[derive(Clone, Default)]
pub struct Places {
    table: Arc<RwLock<Table>>,
    /// The way to paired devices; none in a folder that does not run yet.
    tunnels: Option<Tunnels>,
    /// Told when they were read anew.
    reads: Arc<watch::Sender<()>>,
}

#[derive(Debug, Default)]
struct Table {
    numbers: BTreeMap<String, PlaceId>,
    rows: Rows,
}

impl Places {
    /// Places of which some are on paired devices.
    pub(crate) fn reaching(tunnels: Tunnels) -> Self {
        Self { tunnels: Some(tunnels), ..Self::default() }
    }

    /// Whether the device with this place is online: a number that differs each time it came.
    pub(crate) fn peer_is_there(&self, row: &PlaceRow) -> Option<u64> {
        self.tunnels.as_ref()?.is_there(&row.peer()?.url())
    }

    /// Counts what changed of which devices are online. Never changes where there are none.
    pub(crate) fn presence_changes(&self) -> Option<watch::Receiver<u64>> {
        Some(self.tunnels.as_ref()?.presence_changes())
    }

    /// The places, as they were read last.
    #[must_use]
    pub fn rows(&self) -> Rows {
        self.table.read().expect("no writer panics").rows.clone()
    }

    /// The place of this number.
    #[must_use]
    pub fn row(&self, id: PlaceId) -> Option<PlaceRow> {
        self.rows().iter().find(|row| row.id == id).cloned()
    }

    /// Reads the places again. Returns the old and the new rows. Blocks.
    ///
    /// # Errors
    /// When configuration or remote.log cannot be read.
    pub fn read(&self, repo: &Repository) -> Result<(Rows, Rows), PlacesError> {
        let found = read_rows(repo)?;
        let mut table = self.table.write().expect("no writer panics");
        let mut rows = Vec::new();
        for mut row in found {
            let next = PlaceId(u32::try_from(table.numbers.len()).expect("few remotes"));
            row.id = *table.numbers.entry(row.name.clone()).or_insert(next);
            rows.push(row);
        }
        let before = std::mem::replace(&mut table.rows, Arc::new(rows));
        let now = table.rows.clone();
        drop(table);
        self.reads.send_replace(());
        Ok((before, now))
    }

    /// Tells each time that they were read anew.
    pub(crate) fn reads(&self) -> watch::Receiver<()> {
        self.reads.subscribe()
    }
}

/// Why the places could not be read.
#[derive(Debug, thiserror::Error)]
pub enum PlacesError {
    /// remote.log cannot be read.
    #[error(transparent)]
    RemoteLog(#[from] ReadError),
    /// The configuration cannot be read.
    #[error("the configuration of the remotes cannot be read: {0}")]
    Configuration(String),
}

/// Cost of a git remote on this machine, of a `directory`, and of what is reached over a network.
/// Source: git-annex `doc/git-annex.mdwn`, remote.<name>.annex-cost, 10.20261026.
const LOCAL_COST: u32 = 100;
const REMOTE_COST: u32 = 200;

fn read_rows(repo: &Repository) -> Result<Vec<PlaceRow>, PlacesError> {
    let git_failed = |error: &dyn std::error::Error| PlacesError::Configuration(error.to_string());
    let mut rows = Vec::new();
    for remote in GitRemote::list(repo.git()).map_err(|error| git_failed(&error))? {
        let setting = |key: &str| repo.git_config_get(&format!("remote.{}.{key}", remote.name));
        let flag =
            |key: &str| repo.git_config_bool(&format!("remote.{}.{key}", remote.name)).unwrap_or(false);
        if repo.git_config_bool(&format!("remote.{}.annex-sync", remote.name)) == Some(false) {
            continue;
        }
        let local = matches!(remote.kind, RemoteKind::LocalPath(_));
        let uuid = if flag("annex-ignore") {
            None
        } else {
            setting("annex-uuid").and_then(|text| RepoUuid::parse(&text).ok())
        };
        rows.push(PlaceRow {
            id: PlaceId(0),
            name: remote.name.clone(),
            uuid,
            cost: cost(setting("annex-cost"), if local { LOCAL_COST } else { REMOTE_COST }),
            read_only: flag("annex-readonly"),
            confirmed: true,
            marked: false,
            reach: Reach::Git(remote),
        });
    }
    for (uuid, config) in special_remotes(repo)? {
        let Some(name) = local_name(repo, &uuid) else { continue };
        let setting = |key: &str| repo.git_config_get(&format!("remote.{name}.{key}"));
        if repo.git_config_bool(&format!("remote.{name}.annex-sync")) == Some(false) {
            continue;
        }
        let local = config.remote_type() == Some("directory");
        rows.push(PlaceRow {
            id: PlaceId(0),
            cost: cost(setting("annex-cost"), if local { LOCAL_COST } else { REMOTE_COST }),
            read_only: repo.git_config_bool(&format!("remote.{name}.annex-readonly")).unwrap_or(false),
            confirmed: setting("annex-verified").is_none_or(|how| how == "verified"),
            marked: repo.git_config_bool(&format!("remote.{name}.{MARKED}")).unwrap_or(false),
            reach: Reach::Special { config, directory: setting("annex-directory").map(PathBuf::from) },
            uuid: Some(uuid),
            name,
        });
    }
    rows.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(rows)
}

fn cost(configured: Option<String>, otherwise: u32) -> u32 {
    // git-annex takes fractions; whole numbers are enough to order places.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
    configured
        .and_then(|text| text.parse::<f32>().ok())
        .map_or(otherwise, |cost| cost.clamp(0.0, 1_000_000.0) as u32)
}

/// The entries of remote.log.
///
/// # Errors
/// When the git-annex branch cannot be read.
pub fn special_remotes(repo: &Repository) -> Result<Vec<(RepoUuid, RemoteConfig)>, ReadError> {
    let log = UuidLog::parse(&repo.annex_branch().read(b"remote.log")?);
    let entry = |(uuid, value): (&RepoUuid, &[u8])| Some((uuid.clone(), RemoteConfig::parse(value)?));
    Ok(log.iter().filter_map(entry).collect())
}

/// The name under which a special remote is enabled here, if it is.
fn local_name(repo: &Repository, uuid: &RepoUuid) -> Option<String> {
    remote_names(repo).into_iter().find(|name| {
        repo.git_config_get(&format!("remote.{name}.annex-uuid")).as_deref() == Some(uuid.as_str())
    })
}

/// Every remote's name in the configuration, special ones included.
#[must_use]
pub fn remote_names(repo: &Repository) -> Vec<String> {
    let mut names: Vec<_> = remote_settings(repo).into_iter().map(|(name, _)| name).collect();
    names.dedup();
    names
}

/// Forgets every setting of a remote. Settings that vanish meanwhile are forgotten too.
///
/// # Errors
/// When the configuration cannot be written.
pub fn forget_settings(repo: &Repository, name: &str) -> Result<(), PlacesError> {
    for (remote, key) in remote_settings(repo) {
        if remote == name {
            repo.git_config_unset(&format!("remote.{remote}.{key}"))
                .map_err(|error| PlacesError::Configuration(error.to_string()))?;
        }
    }
    Ok(())
}

/// Every remote's settings in the configuration, as (name, key), sorted. libgit2's own list has only remotes with a
/// URL, which special remotes have not.
fn remote_settings(repo: &Repository) -> Vec<(String, String)> {
    let mut found = std::collections::BTreeSet::new();
    if let Ok(config) = repo.git().config().and_then(|mut config| config.snapshot())
        && let Ok(entries) = config.entries(Some(r"^remote\..+\..+$"))
    {
        let listed = entries.for_each(|entry| {
            let name = entry.name().ok().and_then(|name| name.strip_prefix("remote."));
            if let Some((name, key)) = name.and_then(|name| name.rsplit_once('.')) {
                found.insert((name.to_owned(), key.to_owned()));
            }
        });
        if let Err(error) = listed {
            tracing::warn!(%error, "the configuration of the remotes cannot be read");
        }
    }
    found.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_in_a_url_is_not_shown() {
        assert_eq!(without_password("https://ann:secret@host:1/p@x"), "https://ann@host:1/p@x");
        assert_eq!(without_password("ssh://ann@host/p"), "ssh://ann@host/p");
        assert_eq!(without_password("/media/a:b@c"), "/media/a:b@c");
    }
}
