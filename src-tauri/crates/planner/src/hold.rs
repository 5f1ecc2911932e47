//! Content first: the names of a small local commit wait a moment for its contents, so that one push carries names
//! and locations, and whoever looks can fetch at once. A commit that is not small, or a place that is not quick,
//! pushes its names without them.

use std::collections::BTreeSet;

use tributary_formats::key::Key;

use crate::known::Places;
use crate::{Config, ContentFact, Direction, Instant, PlaceId};

/// Names that wait.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Hold {
    waiting: BTreeSet<(PlaceId, Key)>,
    until: Instant,
    keys: usize,
    bytes: u64,
}

impl Hold {
    /// Takes the facts of a local commit: opens a hold, adds to the open one, or gives up the one that grew too large.
    /// The moment at which it ends does not move, so that steady changes cannot keep names back.
    pub(crate) fn extend(
        open: Option<Self>,
        facts: &[ContentFact],
        places: &Places,
        config: &Config,
        now: Instant,
    ) -> Option<Self> {
        let mut fresh = facts.iter().filter(|fact| fact.fresh && fact.here).peekable();
        if fresh.peek().is_none() {
            return open;
        }
        let mut hold = open.unwrap_or_else(|| Self {
            waiting: BTreeSet::new(),
            until: now.after(config.content_first_wait),
            keys: 0,
            bytes: 0,
        });
        for fact in fresh {
            hold.keys += 1;
            hold.bytes = hold.bytes.saturating_add(fact.size.unwrap_or(u64::MAX));
            if hold.keys > config.content_first_keys || hold.bytes > config.content_first_bytes {
                return None;
            }
            let lacking = fact.wanted_at.iter().filter(|place| !fact.present_at.contains(place));
            for place in lacking {
                if places.get(place).is_some_and(|known| known.open(Direction::Upload, now)) {
                    hold.waiting.insert((*place, fact.key.clone()));
                }
            }
        }
        Some(hold)
    }

    /// The upload ended, well or not.
    pub(crate) fn uploaded(&mut self, place: PlaceId, key: &Key) {
        self.waiting.remove(&(place, key.clone()));
    }

    /// Nothing more can be sent to that place now.
    pub(crate) fn give_up(&mut self, place: PlaceId) {
        self.waiting.retain(|(waiting, _)| *waiting != place);
    }

    /// Whether all contents that it waited for are where they belong, so that only the record is left.
    pub(crate) fn is_sent(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether it is over at `now`.
    pub(crate) fn is_over(&self, recorded: bool, now: Instant) -> bool {
        now >= self.until || (self.is_sent() && recorded)
    }

    pub(crate) fn until(&self) -> Instant {
        self.until
    }
}
