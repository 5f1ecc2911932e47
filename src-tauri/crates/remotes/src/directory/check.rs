//! Asking whether a content is there.

use tributary_formats::Key;

use super::Shared;
use super::config::Settings;
use super::layout::Layout;
use super::place::{Place, error};
use crate::chunks::{self, ChunkSet};
use crate::remote::CheckError;

/// Asks for a batch of keys; the answers are in their order.
pub(super) fn check_all(shared: &Shared, keys: &[Key]) -> Vec<Result<bool, CheckError>> {
    let settings = &shared.settings;
    let place = match settings.open_place() {
        Ok(place) => place,
        // Each key is owed its own error, so each asks for itself.
        Err(_) => return keys.iter().map(|key| check(&settings.open_place()?, settings, key)).collect(),
    };
    keys.iter().map(|key| check(&place, settings, key)).collect()
}

/// Whole, or in all chunks of one of the sets on record. The form in which contents are stored now is looked for first.
fn check(place: &Place, settings: &Settings, key: &Key) -> Result<bool, CheckError> {
    let chunked = settings.own_set(key).is_some();
    let now = if chunked { in_chunks } else { whole };
    let once = if chunked { whole } else { in_chunks };
    Ok(now(place, settings, key)? || once(place, settings, key)?)
}

fn whole(place: &Place, settings: &Settings, key: &Key) -> Result<bool, CheckError> {
    is_there(place, settings, key, key.size())
}

fn in_chunks(place: &Place, settings: &Settings, key: &Key) -> Result<bool, CheckError> {
    for set in settings.chunk_sets(key)? {
        if has_set(place, settings, key, set)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn has_set(place: &Place, settings: &Settings, key: &Key, set: ChunkSet) -> Result<bool, CheckError> {
    for piece in chunks::pieces(key, set, 1) {
        if !is_there(place, settings, &piece.key, piece.size)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether the file of a key or chunk is there, with the right size: one that a power failure cut off is not.
fn is_there(place: &Place, settings: &Settings, key: &Key, size: Option<u64>) -> Result<bool, CheckError> {
    let right = |there: u64| size.is_none_or(|size| size == there);
    for layout in [Layout::of(key), Layout::mixed(key)] {
        let there = place.file_size(&layout.file).map_err(|cause| error(settings, cause))?;
        if there.is_some_and(right) {
            return Ok(true);
        }
    }
    Ok(false)
}
