//! The unsettled keys: each is in the line of every lane that it may take now, and in no other.
//!
//! A key that is wanted nowhere else is forgotten at once, so the size of this follows what is left to do.

use std::collections::{BTreeMap, BTreeSet};

use tributary_formats::key::Key;

use crate::known::Places;
use crate::records::Records;
use crate::setback::{Seed, Setback};
use crate::wish::{Counted, Wish};
use crate::{
    Amount, Config, ContentFact, Direction, Failure, Instant, PlaceId, Presence, Site, TransferResult,
};

/// All unsettled keys.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Contents {
    wishes: BTreeMap<Key, Wish>,
    /// Keys to be looked at again at a moment.
    later: BTreeSet<(Instant, Key)>,
    /// Keys of which a transfer failed.
    failing: BTreeSet<Key>,
    up: Amount,
    down: Amount,
    nowhere: u64,
    /// This computer's disk is full: no downloads for a while.
    full_here: Option<Setback>,
}

/// The end of one transfer.
pub(crate) struct Ended {
    pub(crate) place: PlaceId,
    pub(crate) direction: Direction,
    pub(crate) key: Key,
    pub(crate) result: TransferResult,
}

impl Contents {
    /// Takes the truth about a key; what is under way and what failed is kept.
    pub(crate) fn learn(
        &mut self,
        fact: ContentFact,
        places: &mut Places,
        records: &mut Records,
        now: Instant,
    ) {
        records.compare_here(&fact.key, fact.here, fact.here_on_record, now);
        let on_record: BTreeSet<PlaceId> = fact.present_at.into_iter().collect();
        let mut present = on_record.clone();
        for place in on_record.iter().copied().chain(records.places_of(&fact.key)) {
            if records.compare_at(&fact.key, place, on_record.contains(&place)) {
                present.insert(place);
            } else {
                present.remove(&place);
            }
        }
        let mut wish = self.take(&fact.key, places).unwrap_or_default();
        let appeared: Vec<PlaceId> = present.difference(&wish.present).copied().collect();
        let wanted: BTreeSet<PlaceId> = fact.wanted_at.into_iter().collect();
        let changed = wish.here != fact.here
            || wish.wanted_here != fact.wanted_here
            || wish.present != present
            || wish.wanted != wanted;
        // A place that got it, or got it again, is worth a try whatever happened there before.
        wish.setbacks.retain(|(place, direction), setback| {
            let anew = *direction == Direction::Download && appeared.contains(place);
            let over = anew || (changed && setback.ends_with_change());
            !over
        });
        wish.size = fact.size;
        wish.here = fact.here;
        wish.wanted_here = fact.wanted_here;
        wish.fresh = fact.fresh;
        wish.present = present;
        wish.wanted = wanted;
        self.put(fact.key, wish, places, now);
    }

    /// Takes the end of a transfer.
    pub(crate) fn ended(
        &mut self,
        ended: Ended,
        places: &mut Places,
        records: &mut Records,
        config: &Config,
        now: Instant,
    ) {
        let Ended { place, direction, key, result } = ended;
        let lane = (place, direction);
        let seed = Seed::of(config, (place, direction));
        let mut wish = self.take(&key, places);
        if let Some(wish) = &mut wish {
            wish.flying.remove(&lane);
        }
        if let Some(known) = places.get_mut(&place) {
            known.lane_mut(direction).ended(&key);
            match result {
                TransferResult::Done => {
                    known.unreachable = None;
                    known.lane_mut(direction).succeeded();
                }
                TransferResult::Failed(Failure::Unreachable) => {
                    let before = known.unreachable;
                    if !before.is_some_and(|setback| setback.rests(now)) {
                        known.unreachable =
                            Some(Setback::next(before, Failure::Unreachable, seed, config, now));
                    }
                }
                TransferResult::Failed(Failure::Later) => known.lane_mut(direction).failed(seed, config, now),
                TransferResult::NoSpace if direction == Direction::Upload => {
                    known.lane_mut(direction).filled(seed, config, now);
                }
                _ => {}
            }
        }
        match (direction, result) {
            (Direction::Upload, TransferResult::Done) if places.contains_key(&place) => {
                records.note(key.clone(), Site::At(place), Presence::Present, true, now);
            }
            (Direction::Download, TransferResult::Done) => {
                self.full_here = None;
                records.note(key.clone(), Site::Here, Presence::Present, false, now);
            }
            (Direction::Download, TransferResult::SourceLacks) if places.contains_key(&place) => {
                records.note(key.clone(), Site::At(place), Presence::Missing, false, now);
            }
            (Direction::Download, TransferResult::NoSpace)
                if !self.full_here.is_some_and(|setback| setback.rests(now)) =>
            {
                let seed = Seed::of(config, "full here");
                self.full_here = Some(Setback::next(self.full_here, Failure::Later, seed, config, now));
            }
            _ => {}
        }
        let Some(mut wish) = wish else { return };
        match (direction, result) {
            (Direction::Upload, TransferResult::Done) => {
                wish.present.insert(place);
                wish.setbacks.remove(&lane);
            }
            (Direction::Download, TransferResult::Done) => {
                wish.here = true;
                wish.setbacks.retain(|(_, direction), _| *direction == Direction::Upload);
            }
            (Direction::Download, TransferResult::SourceLacks) => {
                wish.present.remove(&place);
                wish.setbacks.remove(&lane);
            }
            (Direction::Upload, TransferResult::KeyGone) => wish.here = false,
            (Direction::Download, TransferResult::KeyGone) => wish.wanted_here = false,
            // The lane, the place or the disk rests, not the key.
            (_, TransferResult::NoSpace | TransferResult::Failed(Failure::Unreachable)) => {}
            (_, result) => {
                let failure = match result {
                    TransferResult::Failed(failure) => failure,
                    // A place that sends rubbish once may be rewritten by whoever has it whole.
                    _ => Failure::Later,
                };
                let seed = Seed::of(config, (&lane, &key));
                let before = wish.setbacks.get(&lane).copied();
                wish.setbacks.insert(lane, Setback::next(before, failure, seed, config, now));
            }
        }
        self.put(key, wish, places, now);
    }

    /// Takes the next keys to start in a lane.
    pub(crate) fn start(
        &mut self,
        place: PlaceId,
        direction: Direction,
        places: &mut Places,
        config: &Config,
        now: Instant,
    ) -> Vec<Key> {
        let Some(known) = places.get_mut(&place).filter(|known| known.open(direction, now)) else {
            return Vec::new();
        };
        if direction == Direction::Download && self.full_here.is_some_and(|setback| setback.rests(now)) {
            return Vec::new();
        }
        let keys = known.lane_mut(direction).start(config);
        for key in &keys {
            if let Some(wish) = self.wishes.get_mut(key) {
                wish.queued.remove(&(place, direction));
                wish.flying.insert((place, direction));
            }
        }
        keys
    }

    /// Looks again at keys whose moment has come.
    pub(crate) fn wake(&mut self, places: &mut Places, now: Instant) {
        while self.later.first().is_some_and(|(moment, _)| *moment <= now) {
            let Some((_, key)) = self.later.pop_first() else { break };
            self.settle(&key, places, now);
        }
    }

    /// The place came, went, or rests: keys that it may serve may have to go elsewhere. It is a walk over all that is
    /// unsettled, and as rare as the event.
    pub(crate) fn place_changed(&mut self, place: PlaceId, places: &mut Places, now: Instant) {
        let concerned = |wish: &&Wish| wish.present.contains(&place) || wish.wanted.contains(&place);
        let keys: Vec<Key> =
            self.wishes.iter().filter(|(_, wish)| concerned(wish)).map(|(key, _)| key.clone()).collect();
        for key in keys {
            self.settle(&key, places, now);
        }
    }

    /// Keys in line for a download from a place that stopped answering may have another source.
    pub(crate) fn find_other_sources(&mut self, place: PlaceId, places: &mut Places, now: Instant) {
        let waiting = places.get(&place).map(|known| known.downloads.waiting()).unwrap_or_default();
        for key in waiting {
            self.settle(&key, places, now);
        }
    }

    /// The place is gone; it is taken out of `places` too.
    pub(crate) fn forget_place(&mut self, place: PlaceId, places: &mut Places, now: Instant) {
        places.remove(&place);
        let keys: Vec<Key> = self.wishes.keys().cloned().collect();
        for key in keys {
            let Some(mut wish) = self.take(&key, places) else { continue };
            wish.present.remove(&place);
            wish.wanted.remove(&place);
            wish.flying.retain(|(at, _)| *at != place);
            wish.setbacks.retain(|(at, _), _| *at != place);
            self.put(key, wish, places, now);
        }
    }

    /// Delays of keys are over: at one place, or everywhere. What failed for ever is tried again only when the place
    /// `changed`.
    pub(crate) fn forgive(
        &mut self,
        place: Option<PlaceId>,
        changed: bool,
        places: &mut Places,
        now: Instant,
    ) {
        if place.is_none() {
            self.full_here = None;
        }
        let failing: Vec<Key> = self.failing.iter().cloned().collect();
        for key in failing {
            if let Some(wish) = self.wishes.get_mut(&key) {
                wish.setbacks.retain(|(at, _), setback| {
                    place.is_some_and(|place| place != *at) || (setback.ends_with_change() && !changed)
                });
            }
            self.settle(&key, places, now);
        }
    }

    /// The next moment at which something here changes by itself.
    pub(crate) fn next_moment(&self) -> Option<Instant> {
        let full = self.full_here.filter(|_| self.down.keys > 0).and_then(|setback| setback.moment());
        self.later.first().map(|(moment, _)| *moment).into_iter().chain(full).min()
    }

    pub(crate) fn up(&self) -> Amount {
        self.up
    }

    pub(crate) fn down(&self) -> Amount {
        self.down
    }

    /// How many of `down` no place that is up has.
    pub(crate) fn nowhere(&self) -> u64 {
        self.nowhere
    }

    pub(crate) fn is_full_here(&self) -> bool {
        self.full_here.is_some()
    }

    pub(crate) fn wishes(&self) -> impl Iterator<Item = &Wish> {
        self.wishes.values()
    }

    /// Transfers that failed.
    pub(crate) fn failing(&self) -> impl Iterator<Item = (&Key, (PlaceId, Direction))> {
        self.failing.iter().flat_map(|key| {
            let lanes = self.wishes.get(key).into_iter().flat_map(|wish| wish.setbacks.keys());
            lanes.map(move |lane| (key, *lane))
        })
    }

    fn settle(&mut self, key: &Key, places: &mut Places, now: Instant) {
        if let Some(wish) = self.take(key, places) {
            self.put(key.clone(), wish, places, now);
        }
    }

    /// Takes a wish out of everything that refers to it.
    fn take(&mut self, key: &Key, places: &mut Places) -> Option<Wish> {
        let mut wish = self.wishes.remove(key)?;
        let turn = wish.turn(key);
        for (place, direction) in std::mem::take(&mut wish.queued) {
            if let Some(known) = places.get_mut(&place) {
                known.lane_mut(direction).unqueue(&turn);
            }
        }
        if let Some(moment) = wish.later.take() {
            self.later.remove(&(moment, key.clone()));
        }
        self.failing.remove(key);
        let size = wish.size.unwrap_or(0);
        let counted = std::mem::take(&mut wish.counted);
        self.up.keys -= counted.uploads;
        self.up.bytes = self.up.bytes.saturating_sub(size.saturating_mul(counted.uploads));
        self.down.keys -= u64::from(counted.download);
        self.down.bytes = self.down.bytes.saturating_sub(size.saturating_mul(counted.download.into()));
        self.nowhere -= u64::from(counted.nowhere);
        Some(wish)
    }

    /// Puts a wish where it belongs now; a settled one is forgotten.
    fn put(&mut self, key: Key, mut wish: Wish, places: &mut Places, now: Instant) {
        let standing = wish.standing(places, now);
        if wish.flying.is_empty() && standing.counted == Counted::default() {
            return;
        }
        let turn = wish.turn(&key);
        for (place, direction) in &standing.lanes {
            if let Some(known) = places.get_mut(place) {
                known.lane_mut(*direction).queue(turn.clone());
            }
        }
        if let Some(moment) = standing.later {
            self.later.insert((moment, key.clone()));
        }
        if !wish.setbacks.is_empty() {
            self.failing.insert(key.clone());
        }
        let size = wish.size.unwrap_or(0);
        let counted = standing.counted;
        self.up.keys += counted.uploads;
        self.up.bytes = self.up.bytes.saturating_add(size.saturating_mul(counted.uploads));
        self.down.keys += u64::from(counted.download);
        self.down.bytes = self.down.bytes.saturating_add(size.saturating_mul(counted.download.into()));
        self.nowhere += u64::from(counted.nowhere);
        wish.queued = standing.lanes;
        wish.later = standing.later;
        wish.counted = counted;
        self.wishes.insert(key, wish);
    }
}
