//! Removing: every form of the content, and the directories that become empty.

use rustix::fs::{AtFlags, Mode, chmodat, unlinkat};
use rustix::io::Errno;
use tributary_formats::Key;

use super::Shared;
use super::layout::Layout;
use super::place::{Place, error};
use crate::chunks;
use crate::remote::{CheckError, RemoveError, Removed};
use crate::removal::SafeDropProof;

/// Removes the content that the proof names.
pub(super) fn remove(shared: &Shared, proof: &SafeDropProof) -> Result<Removed, RemoveError> {
    let (settings, key) = (&shared.settings, proof.key());
    if *proof.from() != settings.uuid {
        return Err(RemoveError::OtherRemote { key: key.clone(), proven: proof.from().clone() });
    }
    let recorded = settings.chunk_sets(key).map_err(|unknown| match unknown {
        CheckError::Place(place) => RemoveError::Place(place),
        CheckError::ChunkLog { key, source } => RemoveError::ChunkLog { key, source },
    })?;
    let place = shared.pinned.place(settings)?;
    let remove = |key: &Key| {
        let removed =
            [Layout::of(key), Layout::mixed(key)].iter().try_for_each(|layout| remove_file(&place, layout));
        removed.map_err(|errno| error(settings, errno))
    };
    remove(key)?;
    // Chunks of an upload that never got on record go too.
    let unrecorded = settings.own_set(key).filter(|own| !recorded.contains(own));
    for set in recorded.iter().copied().chain(unrecorded) {
        for piece in chunks::pieces(key, set, 1) {
            remove(&piece.key)?;
        }
    }
    Ok(Removed { chunks: recorded })
}

fn remove_file(place: &Place, layout: &Layout) -> rustix::io::Result<()> {
    match unlinkat(place, &layout.file, AtFlags::empty()) {
        Err(Errno::ACCESS) => {
            // Contents are frozen: their directory has to be writable first.
            chmodat(place, layout.dir(), Mode::from_raw_mode(0o755), AtFlags::empty())?;
            unlinkat(place, &layout.file, AtFlags::empty())?;
        }
        Err(Errno::NOENT | Errno::NOTDIR) => {}
        removed => removed?,
    }
    let [inner, outer] = layout.parents();
    for dir in [layout.dir(), inner, outer] {
        // The first that is not empty, or not there, ends it.
        if unlinkat(place, dir, AtFlags::REMOVEDIR).is_err() {
            break;
        }
    }
    Ok(())
}
