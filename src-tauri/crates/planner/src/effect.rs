//! What the engine is asked to do.

use tributary_formats::key::Key;

use crate::{Heads, Instant, PlaceId, Presence, Site};

/// Something for the engine to start; it does not wait for one effect before it starts the next.
///
/// Dropping unwanted contents has its place here, as `Drop { site, keys }`, once numcopies can prove a drop safe.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// Fetch from the place and merge, then say `Heads`, `Contents` and `FetchEnded`.
    Fetch {
        /// The place to ask.
        place: PlaceId,
    },
    /// Push these tips, or newer ones of ours (then say so in `PushEnded`).
    Push {
        /// The place to offer them to.
        place: PlaceId,
        /// Our tips.
        heads: Heads,
    },
    /// Send these contents, in this order as far as one at a time goes.
    Upload {
        /// The receiving place.
        place: PlaceId,
        /// What to send.
        keys: Vec<Key>,
    },
    /// Fetch these contents, in this order as far as one at a time goes.
    Download {
        /// The place that has them.
        place: PlaceId,
        /// What to fetch.
        keys: Vec<Key>,
    },
    /// Commit these lines to the location logs as one commit, then say `Heads` and `RecordEnded`. Lines that are on
    /// record already are left alone; when all are, there is no commit and no `Heads`.
    Record(Vec<(Key, Site, Presence)>),
    /// Tell our own devices to look; to be published even when it says the same as the last one, since another place
    /// may have got our news since.
    Announce,
    /// Say `Tick` at this moment. It replaces the moment asked for before.
    WakeAt(Instant),
}
