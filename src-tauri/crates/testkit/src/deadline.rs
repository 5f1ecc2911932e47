//! Waiting for something to become true, with a limit and without a fixed sleep.

use std::thread;
use std::time::{Duration, Instant};

/// The first pause between two looks; it doubles up to [`LONGEST_PAUSE`], so that what is quick is seen at once and
/// what is slow costs no processor.
const FIRST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// A moment after which waiting is a failure.
#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    start: Instant,
    limit: Duration,
}

impl Deadline {
    /// A deadline `limit` from now.
    pub fn after(limit: Duration) -> Self {
        Deadline { start: Instant::now(), limit }
    }

    /// The time that is left; zero when it has passed.
    pub fn left(&self) -> Duration {
        self.limit.saturating_sub(self.start.elapsed())
    }

    /// Whether no time is left.
    pub fn passed(&self) -> bool {
        self.left().is_zero()
    }

    /// The time since the deadline was made.
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }
}

/// Looks again and again until `probe` gives a value, and returns it; at least one look is made, and one after the limit.
///
/// # Panics
///
/// With `what` (a sentence part: "the daemon's socket appears") when `limit` passes first.
#[track_caller]
pub fn eventually<T>(limit: Duration, what: &str, probe: impl FnMut() -> Option<T>) -> T {
    match within(limit, probe) {
        Some(value) => value,
        None => panic!("waited {:.1} s in vain: {what}", limit.as_secs_f64()),
    }
}

/// As [`eventually`], but gives `None` when the limit passes.
pub fn within<T>(limit: Duration, mut probe: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Deadline::after(limit);
    let mut pause = FIRST_PAUSE;
    loop {
        let last = deadline.passed();
        if let Some(value) = probe() {
            return Some(value);
        }
        if last {
            return None;
        }
        thread::sleep(pause.min(deadline.left()));
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_the_value_as_soon_as_it_is_there() {
        let mut looks = 0;
        let value = eventually(Duration::from_secs(10), "the third look comes", || {
            looks += 1;
            (looks == 3).then_some(looks)
        });
        assert_eq!(value, 3);
    }

    #[test]
    fn looks_once_more_when_the_time_is_over() {
        let mut looks = 0;
        assert_eq!(
            within(Duration::ZERO, || {
                looks += 1;
                Some(looks)
            }),
            Some(1),
            "a limit of zero is one look"
        );
    }

    #[test]
    #[should_panic(expected = "waited 0.0 s in vain: pigs fly")]
    fn says_what_did_not_happen() {
        eventually(Duration::from_millis(10), "pigs fly", || None::<()>);
    }
}
