//! The times in logs, which work as vector clocks: they order changes of one item, and are moved
//! past what they replace.
//!
//! Seconds since 1970, an optional decimal fraction, an optional trailing `s`. Compared as exact
//! decimals. Written as whole seconds with `s`, as git-annex does since 10.20231227; times that
//! others wrote keep their fraction.

use std::fmt;

/// Digits of a fraction that are kept; git-annex has at most twelve.
const FRACTION_DIGITS: usize = 18;
/// Digits of whole seconds that are taken, so that one second more never overflows.
const SECOND_DIGITS: usize = 18;

/// The time of a log line. One that is missing is older than every other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(Option<(u64, u64)>);

impl Timestamp {
    /// The time of lines that have none.
    pub const UNKNOWN: Timestamp = Timestamp(None);

    /// Whole seconds since 1970.
    pub fn from_seconds(seconds: u64) -> Timestamp {
        Timestamp(Some((seconds, 0)))
    }

    /// The time for a change made at `now` (seconds since 1970) to an entry of time `existing`:
    /// `now` when that is later, else the next whole second after the entry's.
    pub fn next_after(now: u64, existing: Timestamp) -> Timestamp {
        let now = Timestamp::from_seconds(now);
        match existing.0 {
            Some((seconds, _)) if now <= existing => Timestamp::from_seconds(seconds.saturating_add(1)),
            _ => now,
        }
    }

    /// Whole seconds since 1970; none when the time is unknown.
    pub fn seconds(self) -> Option<u64> {
        self.0.map(|(seconds, _)| seconds)
    }

    /// Reads a time; none when it is not one (signs, exponents, over 18 digits on a side).
    pub fn parse(text: &[u8]) -> Option<Timestamp> {
        let text = text.strip_suffix(b"s").unwrap_or(text);
        let dot = text.iter().position(|&b| b == b'.');
        let (whole, fraction) = match dot {
            Some(dot) => (&text[..dot], Some(&text[dot + 1..])),
            None => (text, None),
        };
        let seconds = digits(whole, SECOND_DIGITS)?;
        let attoseconds = match fraction {
            Some(fraction) => {
                let scale = 10u64.pow((FRACTION_DIGITS.checked_sub(fraction.len())?) as u32);
                digits(fraction, FRACTION_DIGITS)? * scale
            }
            None => 0,
        };
        Some(Timestamp(Some((seconds, attoseconds))))
    }
}

fn digits(text: &[u8], most: usize) -> Option<u64> {
    let plain = (1..=most).contains(&text.len()) && text.iter().all(u8::is_ascii_digit);
    plain.then(|| text.iter().fold(0, |n, b| n * 10 + u64::from(b - b'0')))
}

/// As in logs: `1700000000s`, `1795329411.969753441s`. An unknown time is written as 0.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, attoseconds) = self.0.unwrap_or_default();
        if attoseconds == 0 {
            return write!(f, "{seconds}s");
        }
        let fraction = format!("{attoseconds:018}");
        write!(f, "{seconds}.{}s", fraction.trim_end_matches('0'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Timestamp {
        Timestamp::parse(text.as_bytes()).unwrap_or_else(|| panic!("{text} should be a time"))
    }

    #[test]
    fn reads_and_writes() {
        for (text, back) in [
            ("1700000000s", "1700000000s"),
            ("1700000000", "1700000000s"),
            ("1795329411.969753441s", "1795329411.969753441s"),
            ("1795331328.535578830001s", "1795331328.535578830001s"),
            ("5.50", "5.5s"),
            ("0s", "0s"),
        ] {
            assert_eq!(time(text).to_string(), back);
        }
        for bad in [
            "",
            "s",
            "-1s",
            "+1",
            "1.s",
            ".5s",
            "1e9",
            "1 ",
            "9999999999999999999",
            "1.0000000000000000001",
            "1ss",
        ] {
            assert_eq!(Timestamp::parse(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn compares_as_decimals() {
        assert!(time("1.5") > time("1.49999999999"));
        assert!(time("1.10") == time("1.1"));
        assert!(time("10") > time("9.9"));
        assert!(Timestamp::UNKNOWN < time("0"));
    }

    #[test]
    fn moves_past_what_it_replaces() {
        let next = |now, existing| Timestamp::next_after(now, existing).to_string();
        assert_eq!(next(10, time("9.9")), "10s");
        assert_eq!(next(10, time("10")), "11s");
        assert_eq!(next(10, time("10.5")), "11s");
        assert_eq!(next(10, time("20")), "21s");
        assert_eq!(next(10, Timestamp::UNKNOWN), "10s");
    }
}
