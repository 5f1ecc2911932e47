//! Location changes that are true and not yet on the git-annex branch.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use tributary_formats::key::Key;

use crate::setback::{Seed, Setback, doubled};
use crate::{Config, Failure, Instant, Millis, PlaceId, Presence, Site};

/// So many arrivals are part of a storm: the next of it may come after a pause.
const STORM: usize = 256;

/// What waits to be recorded, and what is being recorded.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Records {
    dirty: BTreeMap<(Key, Site), Presence>,
    flying: Option<BTreeMap<(Key, Site), Presence>>,
    /// Whether somebody waits for one of `dirty`: others can fetch only what is on record at a place they reach.
    /// That a content arrived here is only of interest, so it may gather company for a moment.
    urgent: bool,
    /// How many of `dirty` others can fetch when they are on record, about.
    fetchable: usize,
    /// When the oldest and the newest of `dirty` became true.
    first: Option<Instant>,
    last: Option<Instant>,
    /// Records asked for since transfers have been running without a break.
    in_batch: u32,
    setback: Option<Setback>,
}

/// What else goes on when a record may be due.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Around {
    /// Any transfer is under way.
    pub(crate) transferring: bool,
    /// Any place is being looked at.
    pub(crate) fetching: bool,
    /// A push waits for the record.
    pub(crate) awaited: bool,
}

impl Records {
    /// Something became true that is not on record.
    pub(crate) fn note(&mut self, key: Key, site: Site, presence: Presence, urgent: bool, now: Instant) {
        if self.flying.as_ref().is_some_and(|flying| flying.get(&(key.clone(), site)) == Some(&presence)) {
            self.dirty.remove(&(key, site));
            self.forget_when_clean();
            return;
        }
        self.fetchable += usize::from(site != Site::Here && is(presence));
        self.dirty.insert((key, site), presence);
        self.urgent |= urgent;
        self.first.get_or_insert(now);
        self.last = Some(now);
    }

    /// Takes what is on record, and true, of our own copy; notes the difference.
    pub(crate) fn compare_here(&mut self, key: &Key, here: bool, on_record: bool, now: Instant) {
        let site = (key.clone(), Site::Here);
        let soon_on_record = self
            .flying
            .as_ref()
            .and_then(|flying| flying.get(&site))
            .map_or(on_record, |presence| is(*presence));
        if here == soon_on_record {
            self.dirty.remove(&site);
            self.forget_when_clean();
        } else if self.dirty.get(&site).copied().map(is) != Some(here) {
            let presence = if here { Presence::Present } else { Presence::Missing };
            self.note(site.0, site.1, presence, true, now);
        }
    }

    /// Takes whether a key is at a place, as the log has it; answers with what will be on record in the end.
    pub(crate) fn compare_at(&mut self, key: &Key, place: PlaceId, on_record: bool) -> bool {
        let site = (key.clone(), Site::At(place));
        let flying = self.flying.as_ref().and_then(|flying| flying.get(&site)).copied().map(is);
        match self.dirty.get(&site).copied().map(is) {
            // Somebody else recorded it meanwhile.
            Some(dirty) if dirty == on_record && flying.is_none() => {
                self.dirty.remove(&site);
                self.forget_when_clean();
                dirty
            }
            Some(dirty) => dirty,
            None => flying.unwrap_or(on_record),
        }
    }

    /// Places of which something about this key waits to be recorded, or is being recorded.
    pub(crate) fn places_of(&self, key: &Key) -> Vec<PlaceId> {
        let range = sites_of(key);
        let dirty = self.dirty.range(range.clone());
        let flying = self.flying.iter().flat_map(|flying| flying.range(range.clone()));
        dirty
            .chain(flying)
            .filter_map(|((_, site), _)| match site {
                Site::Here => None,
                Site::At(place) => Some(*place),
            })
            .collect()
    }

    /// The place is gone: nothing can be said of it any more.
    pub(crate) fn forget_place(&mut self, place: PlaceId) {
        self.dirty.retain(|(_, site), _| *site != Site::At(place));
        self.forget_when_clean();
    }

    /// When the next record is due: at once when a batch of transfers is over or others wait for many, soon when not.
    /// What only arrived here waits while more may come: a record in the middle of somebody's storm sets our history
    /// apart from theirs, and both have to merge.
    pub(crate) fn due(&self, around: Around, config: &Config) -> Option<Instant> {
        let (first, last) = (self.first?, self.last?);
        if self.flying.is_some() {
            return None;
        }
        let Around { transferring, fetching, awaited } = around;
        let many = self.fetchable >= config.record_keys;
        let due = if awaited || (self.urgent && (many || !transferring)) {
            first
        } else if self.urgent {
            let patience = doubled(config.record_wait, self.in_batch, config.record_wait_long);
            last.after(config.record_wait).min(first.after(patience))
        } else if self.dirty.len() >= STORM {
            last.after(Millis(2 * config.record_wait.0)).min(first.after(config.record_wait_arrivals))
        } else if transferring || fetching {
            last.after(config.record_wait).min(first.after(config.record_wait_arrivals))
        } else {
            // Computers that got the same news at the same moment would push at the same moment.
            let quarter = config.record_wait.0 / 4;
            let jitter = Seed::of(config, first).part_of(2 * quarter, 0);
            last.after(Millis(quarter + jitter)).min(first.after(config.record_wait_arrivals))
        };
        match self.setback {
            None => Some(due),
            Some(setback) => setback.moment().map(|moment| moment.max(due)),
        }
    }

    /// Takes all that waits; it counts as being recorded.
    pub(crate) fn start(&mut self, transferring: bool) -> Vec<(Key, Site, Presence)> {
        let lines = std::mem::take(&mut self.dirty);
        self.in_batch = if transferring { (self.in_batch + 1).min(16) } else { 0 };
        self.forget_when_clean();
        let answer = lines.iter().map(|((key, site), presence)| (key.clone(), *site, *presence)).collect();
        self.flying = Some(lines);
        answer
    }

    /// Takes the end of a record; what was not recorded waits again.
    pub(crate) fn ended(&mut self, ok: bool, config: &Config, now: Instant) {
        let Some(flying) = self.flying.take() else { return };
        if ok {
            self.setback = None;
            return;
        }
        self.setback =
            Some(Setback::next(self.setback, Failure::Later, Seed::of(config, "record"), config, now));
        for (site, presence) in flying {
            // What became true since is newer.
            self.dirty.entry(site).or_insert(presence);
        }
        if !self.dirty.is_empty() {
            self.urgent = true;
            self.first.get_or_insert(now);
            self.last.get_or_insert(now);
        }
    }

    /// A person asked: delays are over.
    pub(crate) fn forgive(&mut self) {
        self.setback = None;
    }

    /// Whether nothing waits and nothing is under way.
    pub(crate) fn is_idle(&self) -> bool {
        self.dirty.is_empty() && self.flying.is_none()
    }

    fn forget_when_clean(&mut self) {
        if self.dirty.is_empty() {
            self.urgent = false;
            self.fetchable = 0;
            self.first = None;
            self.last = None;
        }
    }
}

fn is(presence: Presence) -> bool {
    presence == Presence::Present
}

fn sites_of(key: &Key) -> RangeInclusive<(Key, Site)> {
    (key.clone(), Site::Here)..=(key.clone(), Site::At(PlaceId(u32::MAX)))
}
