//! When to look at all places without being told: once for each fresh connection, with growing pauses while no hint
//! can reach us, and seldom while hints do.

use crate::planner::Round;
use crate::setback::Seed;
use crate::{Channel, Config, Instant, Millis};

/// The pace of looking.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Looking {
    channel: Channel,
    pause: Millis,
    next: Option<Instant>,
    round: Round,
}

impl Looking {
    pub(crate) fn new(config: &Config) -> Self {
        Self { channel: Channel::Down, pause: config.poll.0, next: None, round: Round::default() }
    }

    /// Whether hints reach us and leave us.
    pub(crate) fn channel_is_up(&self) -> bool {
        self.channel == Channel::Up
    }

    /// The channel changed: pauses start anew.
    pub(crate) fn channel(&mut self, channel: Channel, config: &Config) {
        self.channel = channel;
        self.pause = config.poll.0;
        self.next = None;
    }

    /// Something happened, here or elsewhere: more is likely to follow, so look again soon.
    pub(crate) fn activity(&mut self, config: &Config, now: Instant) {
        self.pause = config.poll.0;
        if self.channel == Channel::Down {
            let soon = now.after(self.pause);
            // Never later than it was, or steady changes here would keep us from looking there.
            self.next = self.next.map(|next| next.min(soon));
        }
    }

    /// Whether it is time to look at all places. `any` tells whether there is one.
    pub(crate) fn due(&mut self, any: bool, config: &Config, now: Instant) -> bool {
        if !any {
            self.next = None;
            return false;
        }
        match self.next {
            None => {
                self.plan(config, now);
                false
            }
            Some(next) if now < next => false,
            Some(_) => {
                self.pause = Millis(self.pause.0.saturating_mul(2)).min(config.poll.1);
                self.plan(config, now);
                true
            }
        }
    }

    pub(crate) fn next_moment(&self) -> Option<Instant> {
        self.next
    }

    pub(crate) fn round(&self) -> Round {
        self.round
    }

    /// Somebody asked to look everywhere.
    pub(crate) fn begin_round(&mut self) {
        self.round.0 += 1;
    }

    fn plan(&mut self, config: &Config, now: Instant) {
        let pause = match self.channel {
            Channel::Up => config.safety_poll,
            Channel::Down => self.pause,
        };
        let jitter = Seed::of(config, "poll").part_of(pause.0 / 8, 0);
        self.next = Some(now.after(Millis(pause.0 - jitter)));
    }
}
