//! Whether a file pays: how fast a stream has been so far, and how much there is to send.

use std::time::Duration;

/// After so many bytes, or so long a time of sending, it is known how fast a stream is.
const TRIAL_BYTES: u64 = 256 << 10;
const TRIAL_TIME: Duration = Duration::from_secs(3);
/// What would take less time in-band is not worth a file: one costs a few requests here and there.
const WORTH: Duration = Duration::from_secs(10);
/// What is less is not worth a file, however slow the stream is: it uses the account's room at the server.
const LEAST: u64 = 64 << 10;

/// How fast a stream takes what is sent.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Pace {
    bytes: u64,
    time: Duration,
}

impl Pace {
    /// So many bytes took so long.
    pub(super) fn took(&mut self, bytes: u64, time: Duration) {
        self.bytes += bytes;
        self.time += time;
    }

    /// How long so many bytes would take; none while that is not known.
    fn estimate(&self, bytes: u64) -> Option<Duration> {
        let known = self.bytes > 0 && (self.bytes >= TRIAL_BYTES || self.time >= TRIAL_TIME);
        let seconds = self.time.as_secs_f64() * bytes as f64 / self.bytes as f64;
        known.then(|| Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
    }

    /// Whether a file with so many bytes pays.
    pub(super) fn pays(&self, bytes: u64) -> bool {
        bytes >= LEAST && self.estimate(bytes).is_some_and(|time| time >= WORTH)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(bytes: u64, millis: u64) -> Pace {
        Pace { bytes, time: Duration::from_millis(millis) }
    }

    #[test]
    fn a_slow_stream_and_much_to_send_make_a_file() {
        // What prosody and ejabberd let through as they are shipped, in bytes a second.
        for rate in [7_200, 2_300] {
            let slow = pace(3 * rate, 3_000);
            assert!(slow.pays(10 << 20));
            assert!(slow.pays(1 << 20) && slow.pays(WORTH.as_secs() * rate + LEAST));
            assert!(!slow.pays(LEAST - 1), "too little for a file");
        }
        assert!(!pace(7_200 * 3, 3_000).pays(70_000), "less than ten seconds");
    }

    #[test]
    fn a_fast_stream_needs_none() {
        let fast = pace(1 << 20, 500);
        assert!(!fast.pays(10 << 20), "five seconds");
        assert!(fast.pays(50 << 20));
        assert!(!fast.pays(1 << 20));
        assert!(!pace(1 << 20, 0).pays(u64::MAX), "no time at all");
    }

    #[test]
    fn nothing_is_known_at_first() {
        assert!(!Pace::default().pays(u64::MAX));
        assert!(!pace(TRIAL_BYTES - 1, 2_999).pays(100 << 20));
        assert!(pace(TRIAL_BYTES - 1, 3_000).pays(100 << 20));
        assert!(!pace(0, 60_000).pays(100 << 20), "nothing was sent: the other side may be gone");
        let mut pace = pace(1000, 1_000);
        pace.took(1000, Duration::from_secs(2));
        assert!(pace.pays(100 << 20));
    }
}
