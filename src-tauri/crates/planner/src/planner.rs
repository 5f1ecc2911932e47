//! The planner of one folder: what it holds, and how an input becomes effects.

mod facts;
mod next;
mod settling;

use crate::announcing::Announcing;
use crate::contents::Contents;
use crate::hold::Hold;
use crate::known::Places;
use crate::looking::Looking;
use crate::records::Records;
use crate::relay::Relay;
use crate::{Config, Effect, Heads, Input, Instant};

/// Decides for one folder what moves where and when. Holds what is unsettled and nothing that has to survive: a new
/// one that is told the facts again goes on where this one was.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Planner {
    config: Config,
    paused: bool,
    heads: Heads,
    places: Places,
    contents: Contents,
    records: Records,
    hold: Option<Hold>,
    relay: Relay,
    looking: Looking,
    announcing: Announcing,
    /// The moment asked for with the last `WakeAt`, until it has come.
    wake: Option<Instant>,
}

/// A number for each time that somebody asked to look everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Round(pub u64);

impl Planner {
    /// A planner that knows nothing yet.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            paused: false,
            heads: Heads::NONE,
            places: Places::new(),
            contents: Contents::default(),
            records: Records::default(),
            hold: None,
            relay: Relay::default(),
            looking: Looking::new(&config),
            announcing: Announcing::default(),
            wake: None,
            config,
        }
    }

    /// Takes a fact that came at `now` and answers with what to start, in this order: contents, records, names, hints.
    pub fn handle(&mut self, input: Input, now: Instant) -> Vec<Effect> {
        self.take(input, now);
        self.next(now)
    }

    /// The round of looking that the last `LookNow` began.
    #[must_use]
    pub fn round(&self) -> Round {
        self.looking.round()
    }

    /// Whether every place that is up was asked since that round began. One that failed to answer counts as asked.
    #[must_use]
    pub fn looked_since(&self, round: Round) -> bool {
        let mut asked = self.places.values().filter(|known| known.can_be_looked_at());
        asked.all(|known| known.unreachable.is_some() || known.exchange.answered_since(round))
    }
}
