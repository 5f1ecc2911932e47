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
        let full = self.full();
        self.tries = self.tries.saturating_add(1);
        full.mul_f64(0.75 + chance.clamp(0.0, 1.0) / 2.0)
    }

    /// The next pause without its jitter.
    fn full(&self) -> Duration {
        let Some(doublings) = self.tries.checked_sub(1) else { return Duration::ZERO };
        self.first.saturating_mul(2_u32.saturating_pow(doublings)).min(self.longest)
    }

    /// There was a session, if not for long. So there is a server that lets us in, and a network that breaks: who waits
    /// longer each time would be away for minutes because of a few bad moments. The next pause is at most this long.
    pub(crate) fn ease(&mut self, most: Duration) {
        while self.full() > most {
            self.tries -= 1;
        }
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
    fn sessions_that_are_lost_again_and_again_do_not_make_it_grow_for_ever() {
        let mut pause = Pause::new(Duration::from_secs(1), Duration::from_secs(300));
        for _ in 0..100 {
            // Two tries that fail, a session, and it is lost.
            pause.next(0.5);
            pause.next(0.5);
            pause.ease(Duration::from_secs(15));
            assert!(pause.full() <= Duration::from_secs(15), "{pause:?}");
        }
        assert_eq!(pause.next(0.5), Duration::from_secs(8), "and it is not forgotten either");
        assert_eq!(pause.next(0.5), Duration::from_secs(16), "a server that lets nobody in is left alone");
        pause.reset();
        pause.ease(Duration::ZERO);
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
