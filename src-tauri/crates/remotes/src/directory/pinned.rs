//! The place of the stores that are not durable yet, kept open until they are.
//!
//! The kernel tells a lost write to whoever had the file system open before it happened; so the handle that
//! [`Pinned::flush`] asks is the one that the stores used.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::config::Settings;
use super::incoming;
use super::layout::Layout;
use super::place::{Place, error};
use crate::place_error::PlaceError;

/// Up to this many files are made durable one by one.
const FEW: usize = 16;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Pinned(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    place: Option<Arc<Place>>,
    /// What was stored since the last flush, as long as it is little.
    stored: Vec<Layout>,
    /// A place went away with stores that were not flushed: the next flush has to say so.
    lost: bool,
    /// What earlier runs left behind was cleared away.
    tidied: bool,
}

impl Pinned {
    /// The open place to store into.
    pub fn place(&self, settings: &Settings) -> Result<Arc<Place>, PlaceError> {
        let mut state = self.lock();
        if let Some(place) = &state.place {
            if place.is_at(settings) {
                return Ok(Arc::clone(place));
            }
            state.place = None;
            state.lost = true;
        }
        let place = Arc::new(settings.open_place()?);
        if !state.tidied {
            state.tidied = true;
            incoming::remove_abandoned(&place, settings);
        }
        state.place = Some(Arc::clone(&place));
        Ok(place)
    }

    /// Takes note of a file that was stored.
    pub fn note(&self, layout: &Layout) {
        let mut state = self.lock();
        if state.stored.len() <= FEW {
            state.stored.push(layout.clone());
        }
    }

    /// Makes the stores since the last time durable: a few one by one, without waiting for what others wrote to the same
    /// disk, many with all that its file system has.
    pub fn flush(&self, settings: &Settings) -> Result<(), PlaceError> {
        let (place, stored, lost) = {
            let mut state = self.lock();
            (state.place.take(), std::mem::take(&mut state.stored), std::mem::take(&mut state.lost))
        };
        if let Some(place) = place {
            let synced = match stored.len() > FEW {
                true => place.sync(),
                false => stored.iter().try_for_each(|layout| place.sync_file(layout)),
            };
            synced.map_err(|source| error(settings, source))?;
        }
        if lost {
            let source =
                io::Error::new(io::ErrorKind::NotFound, "the drive was taken away before all was written");
            return Err(PlaceError::Unreachable { remote: settings.name.clone(), source });
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is whole between any two statements that could panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
