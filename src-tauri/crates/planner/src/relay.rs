//! Passing on what others wrote: names at once, what came without a merge of ours soon, our own merges after a pause
//! that grows.
//!
//! Two computers that merge the same two tips make two different merges, which others have to merge again. In a ring
//! that echoes: without a pause, one change among sixteen computers was measured to cost 1,500 pushes. With it, one of
//! the merges gets round before the others are offered, and those who meet it take it over as it is.
//! What was written here never waits for this.

use crate::setback::{Seed, doubled};
use crate::{Config, Instant, Millis, Origin};

/// Pause before locations that were taken over as they are; lines that follow each other closely travel together.
const FORWARD: Millis = Millis(150);
/// First pause before a merge; it doubles with each merge of a storm.
const FIRST: Millis = Millis(500);
/// Longest pause.
const LONGEST: Millis = Millis::from_secs(30);
/// A storm is over when nothing was merged for so long.
const CALM: Millis = Millis::from_secs(60);
/// Merges of names that are passed on at once before they count as a storm.
const AT_ONCE: u32 = 2;

/// The pause before what others wrote is passed on.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Relay {
    merges: u32,
    last: Instant,
    until: Option<Instant>,
}

impl Relay {
    /// Our tips moved; `names` tells whether the folder's branch did.
    pub(crate) fn moved(&mut self, origin: Origin, names: bool, config: &Config, now: Instant) {
        self.calm_down(now);
        let pause = match origin {
            Origin::Local | Origin::Recorded => return,
            Origin::Forwarded if names => Millis(0),
            Origin::Forwarded => FORWARD,
            Origin::Merged => {
                self.last = now;
                self.merges = (self.merges + 1).min(16);
                if names && self.merges <= AT_ONCE {
                    Millis(0)
                } else {
                    doubled(FIRST, self.merges - 1, LONGEST)
                }
            }
        };
        let jitter = Seed::of(config, ("relay", now)).part_of(pause.0 / 2, self.merges);
        let until = now.after(Millis(pause.0 - jitter));
        // What is taken over as it is makes an end of the merge that waited: it is part of it, or was overtaken.
        let sooner = self.until.is_none_or(|waiting| waiting <= now || until < waiting);
        if origin == Origin::Forwarded || sooner {
            self.until = (pause.0 > 0).then_some(until);
        }
    }

    /// Forgets what is over by `now`.
    pub(crate) fn calm_down(&mut self, now: Instant) {
        self.until = self.until.filter(|until| now < *until);
        if now.since(self.last) >= CALM {
            *self = Self { until: self.until, ..Self::default() };
        }
    }

    /// Whether what others wrote has to wait.
    pub(crate) fn waits(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| now < until)
    }

    pub(crate) fn until(&self) -> Option<Instant> {
        self.until
    }
}
