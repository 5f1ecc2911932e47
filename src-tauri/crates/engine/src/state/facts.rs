//! What the planner is told of keys and heads, read at the desk.

use std::cell::LazyCell;

use tributary_formats::key::Key;
use tributary_formats::tree_path::TreePath;
use tributary_formats::uuid::RepoUuid;
use tributary_planner::{ContentFact, Head, Heads};
use tributary_repo::Oid;
use tributary_repo::attributes::AnnexAttributes;

use super::desk::tips::Tips;
use super::desk::{Desk, DeskError};
use super::ledger::About;
use super::places::{PlaceRow, Places};

/// Names of a content that preferences are asked about.
const NAMES: u32 = 20;

/// The truth of these keys: here or not, wanted where, on record where. `fresh` ones were named by a local commit
/// just now.
pub fn of_keys(
    desk: &Desk,
    places: &Places,
    keys: &[Key],
    fresh: bool,
) -> Result<Vec<ContentFact>, DeskError> {
    let store = desk.repo.store();
    let rows = places.rows();
    let mut facts = Vec::with_capacity(keys.len());
    // Where nobody has a preference, one name is enough to be wanted.
    let about = desk.ledger.about(keys, if desk.wishes.any() { NAMES } else { 1 })?;
    // Few preferences ask for it.
    let attributes = LazyCell::new(|| AnnexAttributes::of(&desk.repo));
    let numcopies = |path: &TreePath| attributes.get(path, "annex.numcopies")?.trim().parse().ok();
    for (key, About { names, locations, kept_elsewhere }) in keys.iter().zip(about) {
        let here = store.contains(key).map_err(DeskError::WorkTree)?;
        let wants = |uuid: &RepoUuid| {
            !names.is_empty() && desk.wishes.wants(uuid, key, &names, &locations, &numcopies)
        };
        let wanted_here = wants(desk.repo.uuid()) && !kept_elsewhere;
        let at = |asked: &dyn Fn(&PlaceRow, &RepoUuid) -> bool| {
            let matching = rows.iter().filter(|row| row.uuid.as_ref().is_some_and(|uuid| asked(row, uuid)));
            matching.map(|row| row.id).collect()
        };
        facts.push(ContentFact {
            key: key.clone(),
            size: key.size(),
            here,
            here_on_record: locations.contains(desk.repo.uuid()),
            wanted_here,
            present_at: at(&|_, uuid| locations.contains(uuid)),
            wanted_at: at(&|row, uuid| row.confirmed && wants(uuid)),
            fresh: fresh && here,
        });
    }
    Ok(facts)
}

/// Keys about which something may be to do: wanted here and lacking, on record wrongly, or lacking at a place.
pub fn unsettled(desk: &Desk, places: &Places) -> Result<Vec<Key>, DeskError> {
    let mut uuids: Vec<_> = places.rows().iter().filter_map(|row| row.uuid.clone()).collect();
    uuids.push(desk.repo.uuid().clone());
    Ok(desk.ledger.keys_lacking_at(&uuids)?)
}

/// Our own tips.
pub fn heads(desk: &Desk) -> Result<Heads, DeskError> {
    Ok(of_tips(desk.tips()?))
}

/// Our own tips, for the planner: it counts as told.
pub fn heads_to_tell(desk: &mut Desk) -> Result<Heads, DeskError> {
    Ok(of_tips(desk.tell_tips()?))
}

fn of_tips((branch, annex): Tips) -> Heads {
    Heads { branch: head(branch), annex: head(annex) }
}

/// A commit as the planner knows it.
#[must_use]
pub fn head(commit: Option<Oid>) -> Head {
    commit.map_or(Head::NONE, |oid| Head(oid.as_bytes().try_into().expect("SHA-1 ids have 20 bytes")))
}
