//! Passing on what others wrote: names at once, what came without a merge of ours soon, our own merges after a pause
//! that grows.
//!
//! Computers that merge different tips make different merges, which others have to merge again. In a ring that echoes:
//! without a pause, one change among sixteen computers was measured to cost 1,550 pushes. With it, one of the merges
//! gets round before the others are offered, and those who meet it take it over as it is.
//! What was written here never waits for this.

use crate::setback::{Seed, doubled};
use crate::{Config, Instant, Millis, Origin};

/// Pause before locations that were taken over as they are; lines that follow each other closely travel together.
const FORWARD: Millis = Millis(150);
/// First pause before a merge; it doubles with each merge of a storm. Longer than an exchange with a place that is near,
/// and no longer: among few computers it is most of what they wait for. Where exchanges take longer, it costs some more of
/// them, until it has doubled beyond that.
const FIRST: Millis = Millis(100);
/// A storm is over when nothing was merged for so long, or for twice the last pause.
const CALM: Millis = Millis::from_secs(60);
/// Merges are counted so far.
const MANY: u32 = 16;
/// Merges of names that are passed on at once before they count as a storm.
const AT_ONCE: u32 = 2;

/// The pause before what others wrote is passed on.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Relay {
    /// Merges since all was calm.
    merges: u32,
    last: Instant,
    pause: Millis,
    until: Option<Instant>,
}

impl Relay {
    /// Our tips moved; `names` tells whether the folder's branch did.
    pub(crate) fn moved(&mut self, origin: Origin, names: bool, config: &Config, now: Instant) {
        match origin {
            Origin::Local | Origin::Recorded => {}
            Origin::Forwarded if names => self.until = None,
            Origin::Forwarded => self.until = Some(self.at(FORWARD, config, now)),
            Origin::Merged => self.merged(names, config, now),
        }
    }

    /// What moved our tips last turns out to be what the place had, as it is.
    pub(crate) fn was_forwarded(&mut self, config: &Config, now: Instant) {
        if self.last == now {
            self.merges = self.merges.saturating_sub(1);
        }
        // It makes an end of the merge that waited: that is part of it.
        self.until = self.until.map(|_| self.at(FORWARD, config, now));
    }

    fn merged(&mut self, names: bool, config: &Config, now: Instant) {
        self.calm_down(now);
        self.last = now;
        if self.until.is_some() {
            // It travels with the merge that waits already.
            return;
        }
        self.merges = (self.merges + 1).min(MANY);
        if names && self.merges <= AT_ONCE {
            return;
        }
        self.pause = doubled(FIRST, self.merges - 1, config.retry.1);
        self.until = Some(self.at(self.pause, config, now));
    }

    /// The end of a pause; half of it is jitter, so that merges do not meet each other half way again.
    fn at(&self, pause: Millis, config: &Config, now: Instant) -> Instant {
        let jitter = Seed::of(config, ("relay", now)).part_of(pause.0 / 2, self.merges);
        now.after(Millis(pause.0 - jitter))
    }

    /// Forgets what is over by `now`.
    pub(crate) fn calm_down(&mut self, now: Instant) {
        self.until = self.until.filter(|until| now < *until);
        if now.since(self.last) >= CALM.max(Millis(2 * self.pause.0)) {
            (self.merges, self.last, self.pause) = (0, Instant::default(), Millis::default());
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
