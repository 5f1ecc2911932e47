//! The pause between tries: none before the first, then growing, with jitter, so that the clients of a server
//! that comes back do not all arrive in the same moment.

use std::time::Duration;

/// Pauses of one session. Takes chance as a value.
#[derive(Debug)]
pub(crate) struct Pause {
    first: Duration,
    longest: Duration,
    tries: u32,
}

impl Pause {
    /// Starts without a pause.
    pub(crate) fn new(first: Duration, longest: Duration) -> Pause {
        Pause { first, longest, tries: 0 }
    }

    /// The pause before the next try; `chance` between 0 and 1 moves it by a quarter either way.
    pub(crate) fn next(&mut self, chance: f64) -> Duration {
        let tries = self.tries;
        self.tries = self.tries.saturating_add(1);
        let Some(doublings) = tries.checked_sub(1) else { return Duration::ZERO };
        let full = self.first.saturating_mul(2_u32.saturating_pow(doublings)).min(self.longest);
        full.mul_f64(0.75 + chance.clamp(0.0, 1.0) / 2.0)
    }

    /// All is well again: the next loss is met without a pause.
    pub(crate) fn reset(&mut self) {
        self.tries = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(pauses: &[Duration]) -> Vec<f64> {
        pauses.iter().map(Duration::as_secs_f64).collect()
    }

    #[test]
    fn grows_to_its_limit_and_starts_again() {
        let mut pause = Pause::new(Duration::from_secs(1), Duration::from_secs(300));
        let pauses: Vec<Duration> = (0..12).map(|_| pause.next(0.5)).collect();
        assert_eq!(secs(&pauses), [0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 300.0, 300.0]);
        pause.reset();
        assert_eq!(pause.next(0.5), Duration::ZERO);
    }

    #[test]
    fn jitter_is_a_quarter() {
        let mut pause = Pause::new(Duration::from_secs(4), Duration::from_secs(300));
        pause.next(0.0);
        assert_eq!((pause.next(0.0), pause.next(1.0)), (Duration::from_secs(3), Duration::from_secs(10)));
    }

    #[test]
    fn many_tries_do_not_overflow() {
        let mut pause = Pause::new(Duration::from_secs(1), Duration::from_secs(300));
        let last = (0..100).map(|_| pause.next(1.0)).last();
        assert_eq!(last, Some(Duration::from_secs(375)));
    }
}
