//! Telling our other devices that a place has news from us.
//!
//! Only what we pushed ourselves is told, never what a hint brought, so that hints cannot go round in circles. One
//! at a time: pushes that end meanwhile share the next one.

use crate::setback::{Seed, Setback, rests};
use crate::{Config, Failure, Instant};

/// The hint that is to be sent.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Announcing {
    wanted: bool,
    flying: bool,
    setback: Option<Setback>,
}

impl Announcing {
    /// A place got something from us that it did not have.
    pub(crate) fn news(&mut self) {
        self.wanted = true;
    }

    /// Whether to send now; it counts as sent.
    pub(crate) fn start(&mut self, channel_is_up: bool, now: Instant) -> bool {
        let start = channel_is_up && self.wanted && !self.flying && !rests(self.setback, now);
        if start {
            self.wanted = false;
            self.flying = true;
        }
        start
    }

    /// Takes the end of it.
    pub(crate) fn ended(&mut self, ok: bool, config: &Config, now: Instant) {
        self.flying = false;
        if ok {
            self.setback = None;
        } else {
            self.wanted = true;
            let seed = Seed::of(config, "announce");
            self.setback = Some(Setback::next(self.setback, Failure::Later, seed, config, now));
        }
    }

    /// A fresh connection, or a person: delays are over.
    pub(crate) fn forgive(&mut self) {
        self.setback = None;
    }

    /// Whether one is under way, or could be.
    pub(crate) fn is_pending(&self, channel_is_up: bool) -> bool {
        self.flying || (self.wanted && channel_is_up)
    }

    pub(crate) fn next_moment(&self, channel_is_up: bool) -> Option<Instant> {
        let waits = self.wanted && !self.flying && channel_is_up;
        self.setback.filter(|_| waits).and_then(|setback| setback.moment())
    }
}
