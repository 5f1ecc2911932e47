//! The planner of one folder.

use crate::{Config, Effect, Input, Instant, Settled};

/// Decides for one folder what moves where and when. Holds what is unsettled and nothing that has to survive: a new
/// one that is told the facts again goes on where this one was.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Planner {
    config: Config,
}

/// A number for each time that somebody asked to look everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Round(pub u64);

impl Planner {
    /// A planner that knows nothing yet.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self { config }
    }

    /// Takes a fact that came at `now` and answers with what to start.
    pub fn handle(&mut self, input: Input, now: Instant) -> Vec<Effect> {
        let _ = (&self.config, input, now);
        todo!()
    }

    /// What is left to do.
    #[must_use]
    pub fn settled(&self) -> Settled {
        todo!()
    }

    /// The round of looking that the last `LookNow` began.
    #[must_use]
    pub fn round(&self) -> Round {
        todo!()
    }

    /// Whether every place that is up was asked since that round began; one that failed to answer counts as asked.
    #[must_use]
    pub fn looked_since(&self, round: Round) -> bool {
        let _ = round;
        todo!()
    }
}
