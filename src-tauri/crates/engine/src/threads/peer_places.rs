//! Peer places: keeps a git remote in the folder for each paired device that may change it too.
//!
//! Waits for changes of the book of peers; writes the folder's git configuration and tells the conductor. So paired
//! devices are places like others, and are there for git by hand as well. Contents never go over them. Ends when told
//! to stop.

use std::collections::BTreeSet;

use tokio_util::sync::CancellationToken;
use tributary_repo::Repository;
use tributary_repo::remote::GitRemote;
use tributary_xmpp::pairing::Right;

use crate::folder_facts::{Ask, Fact, FactSender};
use crate::state::peers::{Peer, Peers, Share};
use crate::state::places::remote_names;
use crate::state::repositories::Repositories;
use crate::threads::committer::chain;
use crate::tunnel::address::Address;

/// `remote.NAME.…`: the device that the remote is. git and git-annex leave it alone.
const DEVICE: &str = "tributary-device";

/// Longest name of a remote that comes from the name of a device, in letters.
const LONGEST_NAME: usize = 40;

/// The wiring.
pub(crate) struct PeerPlaces {
    pub(crate) peers: Peers,
    pub(crate) repositories: Repositories,
    pub(crate) facts: FactSender,
}

/// Runs until told to stop.
pub(crate) async fn run(places: PeerPlaces, stop: CancellationToken) {
    let mut changes = places.peers.changes();
    loop {
        changes.mark_unchanged();
        let (peers, repositories) = (places.peers.clone(), places.repositories.clone());
        let aligned = tokio::task::spawn_blocking(move || repositories.with(|repo| align(repo, &peers)));
        match aligned.await.expect("writing the configuration does not panic") {
            Ok(Ok(true)) => drop(places.facts.send(Fact::Ask(Ask::PlacesChanged))),
            Ok(Ok(false)) => {}
            Ok(Err(error)) => {
                tracing::warn!(error = chain(&error), "paired computers are no places of this folder")
            }
            Err(error) => {
                tracing::warn!(error = chain(&error), "paired computers are no places of this folder")
            }
        }
        match stop.run_until_cancelled(changes.changed()).await {
            Some(Ok(())) => {}
            _ => return,
        }
    }
}

/// Why the configuration was not brought in line.
#[derive(Debug, thiserror::Error)]
#[error("the configuration of the remotes cannot be written")]
struct AlignError(#[source] Box<dyn std::error::Error + Send + Sync>);

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> AlignError {
    AlignError(Box::new(error))
}

/// Makes the remotes those of the paired devices. True when something changed.
fn align(repo: &Repository, peers: &Peers) -> Result<bool, AlignError> {
    // While nobody is logged in, nobody is known to be paired, and nobody is known to be removed.
    if peers.account().is_none() {
        return Ok(false);
    }
    let wanted: Vec<Wanted> = peers.in_folder(repo.uuid()).iter().filter_map(Wanted::of).collect();
    let mut changed = false;
    let mut kept = BTreeSet::new();
    for remote in GitRemote::list(repo.git()).map_err(failed)? {
        let device = repo.git_config_get(&format!("remote.{}.{DEVICE}", remote.name));
        let Some(device) = device else { continue };
        match wanted.iter().find(|wanted| wanted.url == remote.url && wanted.device == device) {
            Some(wanted) => {
                changed |= set_right(repo, &remote.name, wanted)?;
                kept.insert(wanted.url.clone());
            }
            None => changed |= GitRemote::remove(repo.git(), &remote.name).map_err(failed)?,
        }
    }
    for wanted in wanted.iter().filter(|wanted| !kept.contains(&wanted.url)) {
        let name = free_name(&wanted.name, &remote_names(repo));
        let set = |key: &str, value: &str| repo.git_config_set(&format!("remote.{name}.{key}"), value);
        // Before the address, so that nobody meets it half made: it is never asked for contents.
        set("annex-ignore", "true").map_err(failed)?;
        set(DEVICE, &wanted.device).map_err(failed)?;
        set_right(repo, &name, wanted)?;
        GitRemote::add(repo.git(), &name, &wanted.url).map_err(failed)?;
        changed = true;
    }
    Ok(changed)
}

/// A remote that there has to be.
struct Wanted {
    name: String,
    url: String,
    device: String,
    read_only: bool,
}

impl Wanted {
    /// None while the device has no repository yet; nor when it may only read here, for then nothing of it is taken
    /// over, and what is new here it fetches by itself.
    fn of((peer, share): &(Peer, Share)) -> Option<Wanted> {
        if share.they_may == Right::ReadOnly {
            return None;
        }
        let repository = share.theirs.clone()?;
        let address = Address { account: peer.address.to_bare(), repository };
        Some(Wanted {
            name: name_from(&peer.name),
            url: address.url(),
            device: peer.id().to_string(),
            read_only: share.we_may == Right::ReadOnly,
        })
    }
}

/// Writes what we may do there; true when it was otherwise.
fn set_right(repo: &Repository, name: &str, wanted: &Wanted) -> Result<bool, AlignError> {
    let key = format!("remote.{name}.annex-readonly");
    let is = repo.git_config_bool(&key).unwrap_or(false);
    if is != wanted.read_only {
        repo.git_config_set(&key, if wanted.read_only { "true" } else { "false" }).map_err(failed)?;
    }
    Ok(is != wanted.read_only)
}

/// A device's name as the name of a remote: letters, digits and dashes of it.
fn name_from(device: &str) -> String {
    let words = device.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let name: String = words.collect::<Vec<_>>().join("-").chars().take(LONGEST_NAME).collect();
    if name.is_empty() { "computer".into() } else { name.to_ascii_lowercase() }
}

/// The name, or with a number behind it when it is taken.
fn free_name(name: &str, taken: &[String]) -> String {
    let taken = |name: &String| taken.iter().any(|other| other.eq_ignore_ascii_case(name));
    let numbered = (2..).map(|number| format!("{name}-{number}"));
    std::iter::once(name.to_owned()).chain(numbered).find(|name| !taken(name)).expect("numbers do not end")
}
