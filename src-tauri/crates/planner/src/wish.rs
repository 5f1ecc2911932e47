//! What is unsettled about one key.

use std::collections::{BTreeMap, BTreeSet};

use tributary_formats::key::Key;

use crate::known::{Known, Places};
use crate::lane::Turn;
use crate::setback::{Setback, rests};
use crate::{Direction, Instant, PlaceId};

/// A key that is wanted and lacking somewhere.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Wish {
    pub(crate) size: Option<u64>,
    pub(crate) here: bool,
    pub(crate) wanted_here: bool,
    pub(crate) fresh: bool,
    /// Places that have it: on record, or about to be recorded.
    pub(crate) present: BTreeSet<PlaceId>,
    pub(crate) wanted: BTreeSet<PlaceId>,
    /// Lanes in which it waits for its turn.
    pub(crate) queued: BTreeSet<(PlaceId, Direction)>,
    /// Lanes in which it is under way.
    pub(crate) flying: BTreeSet<(PlaceId, Direction)>,
    pub(crate) setbacks: BTreeMap<(PlaceId, Direction), Setback>,
    /// The moment at which it is to be looked at again.
    pub(crate) later: Option<Instant>,
    pub(crate) counted: Counted,
}

/// What a wish adds to the sums that `status` shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Counted {
    pub(crate) uploads: u64,
    pub(crate) download: bool,
    pub(crate) nowhere: bool,
}

/// Where a key may go now, and when to look again.
pub(crate) struct Standing {
    pub(crate) lanes: BTreeSet<(PlaceId, Direction)>,
    pub(crate) later: Option<Instant>,
    pub(crate) counted: Counted,
}

impl Wish {
    /// Its place in a line.
    pub(crate) fn turn(&self, key: &Key) -> Turn {
        Turn { old: !self.fresh, size: self.size.unwrap_or(0), key: key.clone() }
    }

    /// Whether it is wanted here and not here.
    pub(crate) fn lacks_here(&self) -> bool {
        self.wanted_here && !self.here
    }

    /// Places that want it from us: all that lack it, once it is here.
    pub(crate) fn lacking(&self) -> impl Iterator<Item = PlaceId> + '_ {
        self.wanted.difference(&self.present).copied().filter(|_| self.here)
    }

    /// Decides which lanes it belongs into at `now`.
    pub(crate) fn standing(&self, places: &Places, now: Instant) -> Standing {
        let mut standing = Standing { lanes: BTreeSet::new(), later: None, counted: Counted::default() };
        for place in self.lacking() {
            let Some(known) = places.get(&place).filter(|known| known.allows(Direction::Upload)) else {
                continue;
            };
            standing.counted.uploads += 1;
            let lane = (known.place.id, Direction::Upload);
            if !self.flying.contains(&lane) {
                standing.admit(lane, self.setbacks.get(&lane).copied(), now);
            }
        }
        if self.lacks_here() {
            standing.counted.download = true;
            let flying = self.flying.iter().any(|(_, direction)| *direction == Direction::Download);
            if !flying {
                self.choose_source(places, now, &mut standing);
            }
        }
        standing
    }

    /// Puts it in line at the cheapest place that has it and answers.
    fn choose_source(&self, places: &Places, now: Instant, standing: &mut Standing) {
        let sources = self.present.iter().filter_map(|place| places.get(place));
        let sources: Vec<&Known> =
            sources.filter(|known| known.up && known.allows(Direction::Download)).collect();
        standing.counted.nowhere = sources.is_empty();
        let lane = |known: &Known| (known.place.id, Direction::Download);
        let best = sources
            .iter()
            .filter(|known| !rests(self.setbacks.get(&lane(known)).copied(), now))
            .min_by_key(|known| (!known.open(Direction::Download, now), known.place.cost, known.place.id));
        match best {
            Some(best) => standing.admit(lane(best), None, now),
            None => sources.iter().for_each(|known| {
                standing.admit(lane(known), self.setbacks.get(&lane(known)).copied(), now);
            }),
        }
    }
}

impl Standing {
    fn admit(&mut self, lane: (PlaceId, Direction), setback: Option<Setback>, now: Instant) {
        match setback {
            Some(setback) if setback.rests(now) => {
                self.later = self.later.into_iter().chain(setback.moment()).min();
            }
            _ => {
                self.lanes.insert(lane);
            }
        }
    }
}
