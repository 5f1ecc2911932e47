//! One direction of transfers with one place: whose turn is next, and what is under way.

use std::collections::{BTreeMap, BTreeSet};

use tributary_formats::key::Key;

use crate::setback::{Seed, Setback, rests};
use crate::{Config, Failure, Instant};

/// After so many failures in a row it is the place that is at fault, not the keys.
const FAILURES_OF_A_PLACE: u32 = 8;

/// A key's place in the line: what was saved just now first, then small before large, so that many are done soon.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Turn {
    pub(crate) old: bool,
    pub(crate) size: u64,
    pub(crate) key: Key,
}

/// Transfers in one direction.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Lane {
    ready: BTreeSet<Turn>,
    flying: BTreeMap<Key, u64>,
    bytes: u64,
    failures: u32,
    setback: Option<Setback>,
    full: bool,
}

impl Lane {
    pub(crate) fn queue(&mut self, turn: Turn) {
        self.ready.insert(turn);
    }

    pub(crate) fn unqueue(&mut self, turn: &Turn) {
        self.ready.remove(turn);
    }

    /// Takes the next keys to start: up to the limits, and none while the last lot is more than half under way, so
    /// that they leave in batches. A small key does not wait for a large one to be through.
    pub(crate) fn start(&mut self, config: &Config) -> Vec<Key> {
        let mut keys = Vec::new();
        if self.flying.len() > config.keys_in_flight / 2 {
            return keys;
        }
        while self.flying.len() < config.keys_in_flight {
            let Some(turn) = self.ready.first() else { break };
            let fits = self.bytes.saturating_add(turn.size) <= config.bytes_in_flight;
            if !(fits || self.flying.is_empty() || turn.size <= config.content_first_bytes) {
                break;
            }
            let Some(turn) = self.ready.pop_first() else { break };
            self.bytes = self.bytes.saturating_add(turn.size);
            self.flying.insert(turn.key.clone(), turn.size);
            keys.push(turn.key);
        }
        keys
    }

    /// A transfer ended; says whether it was under way.
    pub(crate) fn ended(&mut self, key: &Key) -> bool {
        let Some(size) = self.flying.remove(key) else { return false };
        self.bytes = self.bytes.saturating_sub(size);
        true
    }

    pub(crate) fn succeeded(&mut self) {
        self.failures = 0;
        self.setback = None;
        self.full = false;
    }

    /// Counts a failure of one key; too many in a row make the lane rest.
    pub(crate) fn failed(&mut self, seed: Seed, config: &Config, now: Instant) {
        self.failures = (self.failures + 1).min(FAILURES_OF_A_PLACE);
        // Those that were under way when the rest began do not make it longer.
        if self.failures >= FAILURES_OF_A_PLACE && !rests(self.setback, now) {
            self.setback = Some(Setback::next(self.setback, Failure::Later, seed, config, now));
        }
    }

    /// The receiving end is full.
    pub(crate) fn filled(&mut self, seed: Seed, config: &Config, now: Instant) {
        self.full = true;
        if !rests(self.setback, now) {
            self.setback = Some(Setback::next(self.setback, Failure::Later, seed, config, now));
        }
    }

    pub(crate) fn forgive(&mut self) {
        self.succeeded();
    }

    pub(crate) fn rests(&self, now: Instant) -> bool {
        rests(self.setback, now)
    }

    pub(crate) fn setback(&self) -> Option<Setback> {
        self.setback
    }

    pub(crate) fn is_full(&self) -> bool {
        self.full
    }

    pub(crate) fn is_flying(&self) -> bool {
        !self.flying.is_empty()
    }

    pub(crate) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Keys whose turn it is not yet.
    pub(crate) fn waiting(&self) -> Vec<Key> {
        self.ready.iter().map(|turn| turn.key.clone()).collect()
    }

    /// The moment when a rest ends that keeps something waiting.
    pub(crate) fn next_moment(&self) -> Option<Instant> {
        if self.ready.is_empty() { None } else { self.setback.and_then(|setback| setback.moment()) }
    }
}
