//! The planner's own time: milliseconds on a clock that only its caller can read.
//!
//! It must never run backwards within one planner; where it starts means nothing. Suspend should count, so that
//! what was due while the lid was closed is due when it opens (CLOCK_BOOTTIME, not CLOCK_MONOTONIC).

use std::fmt;

/// A moment in milliseconds since a start that the caller chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(pub u64);

/// A length of time in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Millis(pub u64);

impl Instant {
    /// The moment `wait` later; the far end of time when that would overflow.
    #[must_use]
    pub fn after(self, wait: Millis) -> Self {
        Self(self.0.saturating_add(wait.0))
    }

    /// How long after `earlier` this is; nothing when it is not after it.
    #[must_use]
    pub fn since(self, earlier: Self) -> Millis {
        Millis(self.0.saturating_sub(earlier.0))
    }
}

impl Millis {
    /// So many whole seconds.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1000))
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03} s", self.0 / 1000, self.0 % 1000)
    }
}
