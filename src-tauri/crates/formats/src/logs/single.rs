//! Logs of one number: `TS N`, in `numcopies.log` and `mincopies.log`.
//!
//! The newest line counts; of lines with the same time the greatest number.

use super::{lines, split_word};
use crate::clock::Timestamp;

/// A log of one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NumberLog {
    entry: Option<(Timestamp, u32)>,
}

impl NumberLog {
    /// Reads a log.
    pub fn parse(bytes: &[u8]) -> NumberLog {
        NumberLog { entry: lines(bytes).filter_map(parse_line).max() }
    }

    /// The number.
    pub fn get(&self) -> Option<u32> {
        self.entry.map(|(_, number)| number)
    }

    /// Sets the number at `now` (seconds since 1970). Says whether that changed anything.
    pub fn set(&mut self, number: u32, now: u64) -> bool {
        if self.get() == Some(number) {
            return false;
        }
        let existing = self.entry.map_or(Timestamp::UNKNOWN, |(timestamp, _)| timestamp);
        self.entry = Some((Timestamp::next_after(now, existing), number));
        true
    }

    /// The compacted log.
    pub fn to_bytes(&self) -> Vec<u8> {
        let line = |(timestamp, number)| format!("{timestamp} {number}\n").into_bytes();
        self.entry.map(line).unwrap_or_default()
    }
}

fn parse_line(line: &[u8]) -> Option<(Timestamp, u32)> {
    let (timestamp, number) = split_word(line)?;
    if !number.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = std::str::from_utf8(number).ok()?.parse().ok()?;
    Some((Timestamp::parse(timestamp)?, number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_counts_and_of_equals_the_greatest() {
        assert_eq!(NumberLog::parse(b"1s 9\n5s 5\n5s 3\n4s 7\n").get(), Some(5));
        assert_eq!(NumberLog::parse(b"5s 9\n5s 10\n").get(), Some(10), "numbers, not words");
        assert_eq!(NumberLog::parse(b"5s x\n5s -1\n5s\n5s +1\n").get(), None);
    }

    #[test]
    fn setting() {
        let mut log = NumberLog::parse(b"5s 2\n");
        assert!(!log.set(2, 9));
        assert!(log.set(3, 4));
        assert_eq!(log.to_bytes(), b"6s 3\n");
        assert_eq!(NumberLog::default().to_bytes(), b"");
    }
}
