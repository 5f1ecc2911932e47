//! A token bucket: the first states of a burst leave at once, the rest at the pace that the strictest shipped
//! server allows.

use std::time::Duration;

use tokio::time::Instant;

/// States that may leave at once.
const CAPACITY: u32 = 8;
/// A token comes back after this; with states of about 2 kB it stays within ejabberd's shipped 3 kB/s.
const REFILL: Duration = Duration::from_secs(1);

/// Tokens for publishing. Takes the time as a value.
#[derive(Debug)]
pub(crate) struct Bucket {
    tokens: u32,
    /// When the present count of tokens was right.
    counted: Instant,
}

impl Bucket {
    /// A full bucket.
    pub(crate) fn new(now: Instant) -> Bucket {
        Bucket { tokens: CAPACITY, counted: now }
    }

    /// Takes a token.
    ///
    /// # Errors
    /// When there is none: the moment when there will be one.
    pub(crate) fn take(&mut self, now: Instant) -> Result<(), Instant> {
        let back = now.saturating_duration_since(self.counted).as_secs() / REFILL.as_secs();
        let back = u32::try_from(back).unwrap_or(CAPACITY).min(CAPACITY);
        self.tokens = (self.tokens + back).min(CAPACITY);
        // A full bucket gains nothing by waiting; else only whole tokens are counted, so no fraction is lost.
        self.counted = if self.tokens == CAPACITY { now } else { self.counted + REFILL * back };
        match self.tokens.checked_sub(1) {
            Some(left) => {
                self.tokens = left;
                Ok(())
            }
            None => Err(self.counted + REFILL),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_one_a_second() {
        let start = Instant::now();
        let mut bucket = Bucket::new(start);
        for _ in 0..CAPACITY {
            assert_eq!(bucket.take(start), Ok(()));
        }
        assert_eq!(bucket.take(start), Err(start + REFILL));
        assert_eq!(bucket.take(start + REFILL), Ok(()));
        assert_eq!(bucket.take(start + REFILL), Err(start + REFILL * 2));
    }

    #[test]
    fn fractions_add_up_and_rest_fills_it() {
        let start = Instant::now();
        let mut bucket = Bucket::new(start);
        while bucket.take(start).is_ok() {}
        assert_eq!(bucket.take(start + REFILL * 3 / 2), Ok(()), "one and a half tokens are one");
        assert_eq!(bucket.take(start + REFILL * 2), Ok(()), "and the half is not lost");
        let later = start + REFILL * 10_000;
        for _ in 0..CAPACITY {
            assert_eq!(bucket.take(later), Ok(()));
        }
        assert!(bucket.take(later).is_err(), "a long rest gives no more than a full bucket");
    }
}
