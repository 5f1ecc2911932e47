//! Logs of one value per repository: `UUID VALUE timestamp=TS`, the oldest of git-annex's formats.
//!
//! `uuid.log`, `remote.log`, `trust.log`, `group.log`, `preferred-content.log`,
//! `required-content.log`, `schedule.log`, `activity.log`, `difference.log`. Values may hold spaces
//! and even `timestamp=`: the last word of the line is the time. The newest line about a UUID
//! counts; of lines with the same time the last.

use std::collections::BTreeMap;

use super::{fits_in_line, lines, split_word};
use crate::clock::Timestamp;
use crate::uuid::RepoUuid;

const TIMESTAMP: &[u8] = b"timestamp=";

/// A log of one value per repository. Values are bytes as they stand in the line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UuidLog {
    entries: BTreeMap<RepoUuid, (Timestamp, Vec<u8>)>,
}

impl UuidLog {
    /// Reads a log.
    pub fn parse(bytes: &[u8]) -> UuidLog {
        let mut log = UuidLog::default();
        for (uuid, timestamp, value) in lines(bytes).filter_map(parse_line) {
            let known = log.entries.get(&uuid);
            if known.is_none_or(|(known, _)| *known <= timestamp) {
                log.entries.insert(uuid, (timestamp, value.to_vec()));
            }
        }
        log
    }

    /// A repository's value.
    pub fn get(&self, uuid: &RepoUuid) -> Option<&[u8]> {
        self.entries.get(uuid).map(|(_, value)| &value[..])
    }

    /// A repository's value as text, when it is text.
    pub fn get_text(&self, uuid: &RepoUuid) -> Option<&str> {
        std::str::from_utf8(self.get(uuid)?).ok()
    }

    /// When a repository's value was set.
    pub fn timestamp_of(&self, uuid: &RepoUuid) -> Option<Timestamp> {
        self.entries.get(uuid).map(|(timestamp, _)| *timestamp)
    }

    /// Sets a repository's value at `now` (seconds since 1970). Says whether that changed anything;
    /// a value with a line's end in it is refused.
    pub fn set(&mut self, uuid: &RepoUuid, value: &[u8], now: u64) -> bool {
        let known = self.entries.get(uuid);
        if known.is_some_and(|(_, known)| known == value) || !fits_in_line(value) {
            return false;
        }
        let existing = known.map_or(Timestamp::UNKNOWN, |(timestamp, _)| *timestamp);
        let timestamp = Timestamp::next_after(now, existing);
        self.entries.insert(uuid.clone(), (timestamp, value.to_vec()));
        true
    }

    /// All repositories with their values, ordered by UUID.
    pub fn iter(&self) -> impl Iterator<Item = (&RepoUuid, &[u8])> {
        self.entries.iter().map(|(uuid, (_, value))| (uuid, &value[..]))
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The compacted log.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (uuid, (timestamp, value)) in &self.entries {
            bytes.extend(uuid.as_str().as_bytes());
            bytes.push(b' ');
            bytes.extend(value);
            if *timestamp != Timestamp::UNKNOWN {
                bytes.extend(format!(" timestamp={timestamp}").bytes());
            }
            bytes.push(b'\n');
        }
        bytes
    }
}

fn parse_line(line: &[u8]) -> Option<(RepoUuid, Timestamp, &[u8])> {
    let (uuid, rest) = split_word(line).unwrap_or((line, b""));
    let uuid = RepoUuid::parse_bytes(uuid).ok()?;
    let last = rest.iter().rposition(|&b| b == b' ').map_or(0, |space| space + 1);
    let timestamp = rest[last..].strip_prefix(TIMESTAMP).and_then(Timestamp::parse);
    Some(match timestamp {
        Some(timestamp) => (uuid, timestamp, &rest[..last.saturating_sub(1)]),
        None => (uuid, Timestamp::UNKNOWN, rest),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAPTOP: &str = "11111111-2222-3333-4444-555555555555";

    fn uuid(text: &str) -> RepoUuid {
        RepoUuid::parse(text).unwrap()
    }

    #[test]
    fn real_lines() {
        for (line, value) in [
            (
                format!("{LAPTOP} my laptop  two=spaces & timestamp=5 timestamp=1700000000s\n"),
                "my laptop  two=spaces & timestamp=5",
            ),
            (format!("{LAPTOP} client mine timestamp=1700000001s\n"), "client mine"),
            (format!("{LAPTOP} X timestamp=1700000001s\n"), "X"),
            (format!("{LAPTOP}  timestamp=1700000001s\n"), ""),
            (
                format!(
                    "{LAPTOP} fsck self 30m every day at any time; fsck usb 1h every month at 4 AM timestamp=1700000000s\n"
                ),
                "fsck self 30m every day at any time; fsck usb 1h every month at 4 AM",
            ),
        ] {
            let log = UuidLog::parse(line.as_bytes());
            assert_eq!(log.get_text(&uuid(LAPTOP)), Some(value));
            assert_eq!(String::from_utf8(log.to_bytes()).unwrap(), line);
        }
    }

    #[test]
    fn the_newest_counts_and_of_equals_the_last() {
        let log = UuidLog::parse(
            b"a one timestamp=1795330862.086594137s\na m1 timestamp=1795330860.310235919s\n\
              b x timestamp=5s\nb y timestamp=5s\nc old\nc new timestamp=0s\nd timestamp=3s\n",
        );
        let of = |name| log.get_text(&uuid(name)).unwrap();
        assert_eq!((of("a"), of("b"), of("c"), of("d")), ("one", "y", "new", ""));
    }

    #[test]
    fn a_line_without_time_is_the_oldest() {
        let log = UuidLog::parse(b"a some words\nb timestamp=x\n");
        assert_eq!(log.get_text(&uuid("a")), Some("some words"));
        assert_eq!(log.get_text(&uuid("b")), Some("timestamp=x"));
        assert_eq!(log.to_bytes(), b"a some words\nb timestamp=x\n");
    }

    #[test]
    fn setting() {
        let mut log = UuidLog::parse(b"a x timestamp=50.5s\n");
        assert!(!log.set(&uuid("a"), b"x", 99));
        assert!(!log.set(&uuid("a"), b"x\nb evil timestamp=99s", 99));
        assert!(log.set(&uuid("a"), b"y", 10));
        assert!(log.set(&uuid("b"), b"", 10));
        assert_eq!(log.to_bytes(), b"a y timestamp=51s\nb  timestamp=10s\n");
        assert_eq!(UuidLog::parse(&log.to_bytes()), log);
    }
}
