//! Presence logs: `TIME STATUS INFO`, single spaces; STATUS `1`, `0` or `X`; INFO a UUID in location
//! logs, an address in `.log.web`, a key in `.log.ek`.
//!
//! The newest line about an INFO counts; of lines with the same time the one nearest the top.

use std::collections::BTreeMap;

use super::{fits_in_line, lines, split_word};
use crate::clock::Timestamp;
use crate::uuid::RepoUuid;

/// What a line says about its item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LogStatus {
    /// `1`: it is there.
    Present,
    /// `0`: it is not there any more.
    Missing,
    /// `X`: it is gone for good, and nobody need complain about that.
    Dead,
}

impl LogStatus {
    fn letter(self) -> u8 {
        match self {
            LogStatus::Present => b'1',
            LogStatus::Missing => b'0',
            LogStatus::Dead => b'X',
        }
    }

    fn parse(word: &[u8]) -> Option<LogStatus> {
        match word {
            b"1" => Some(LogStatus::Present),
            b"0" => Some(LogStatus::Missing),
            b"X" => Some(LogStatus::Dead),
            _ => None,
        }
    }
}

/// One line of a presence log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// When it was written.
    pub timestamp: Timestamp,
    /// What it says.
    pub status: LogStatus,
    /// About what.
    pub info: Vec<u8>,
}

impl LogLine {
    /// Reads a line without its end; none when it is not one.
    pub fn parse(line: &[u8]) -> Option<LogLine> {
        let (timestamp, rest) = split_word(line)?;
        let (status, info) = split_word(rest)?;
        if info.is_empty() {
            return None;
        }
        Some(LogLine {
            timestamp: Timestamp::parse(timestamp)?,
            status: LogStatus::parse(status)?,
            info: info.to_vec(),
        })
    }

    /// The line with its newline.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut line = format!("{} ", self.timestamp).into_bytes();
        line.extend([self.status.letter(), b' ']);
        line.extend(&self.info);
        line.push(b'\n');
        line
    }
}

/// A presence log, one entry per INFO.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PresenceLog {
    entries: BTreeMap<Vec<u8>, (Timestamp, LogStatus)>,
}

impl PresenceLog {
    /// Reads a log.
    pub fn parse(bytes: &[u8]) -> PresenceLog {
        let mut log = PresenceLog::default();
        for line in lines(bytes).filter_map(LogLine::parse) {
            let known = log.entries.get(&line.info);
            if known.is_none_or(|(timestamp, _)| *timestamp < line.timestamp) {
                log.entries.insert(line.info, (line.timestamp, line.status));
            }
        }
        log
    }

    /// What is on record about an item.
    pub fn status_of(&self, info: &[u8]) -> Option<LogStatus> {
        self.entries.get(info).map(|(_, status)| *status)
    }

    /// The items that are on record as present, ordered.
    pub fn present(&self) -> impl Iterator<Item = &[u8]> {
        let present = |entry: &(&Vec<u8>, &(Timestamp, LogStatus))| entry.1.1 == LogStatus::Present;
        self.entries.iter().filter(present).map(|(info, _)| &info[..])
    }

    /// Puts a change on record, made at `now` (seconds since 1970). Says whether that changed
    /// anything: nothing is written when the record says so already. "Missing" says nothing new
    /// about an item that is not on record, nor about one that is dead.
    pub fn set(&mut self, info: &[u8], status: LogStatus, now: u64) -> bool {
        let known = self.entries.get(info).copied();
        let (timestamp, old) = known.unwrap_or((Timestamp::UNKNOWN, LogStatus::Missing));
        let gone_already = status == LogStatus::Missing && old != LogStatus::Present;
        if old == status || gone_already || info.is_empty() || !fits_in_line(info) {
            return false;
        }
        let timestamp = Timestamp::next_after(now, timestamp);
        self.entries.insert(info.to_vec(), (timestamp, status));
        true
    }

    /// The entries, ordered by INFO.
    pub fn entries(&self) -> impl Iterator<Item = LogLine> {
        self.entries.iter().map(|(info, &(timestamp, status))| LogLine {
            timestamp,
            status,
            info: info.clone(),
        })
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The compacted log.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.entries().flat_map(|line| line.to_bytes()).collect()
    }
}

/// A location log: the presence log of a key's copies. It is what is on record, which may be stale.
///
/// Lines whose INFO is no UUID are kept, and count for nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LocationLog(PresenceLog);

impl LocationLog {
    /// Reads a location log.
    pub fn parse(bytes: &[u8]) -> LocationLog {
        LocationLog(PresenceLog::parse(bytes))
    }

    /// What is on record about a repository's copy.
    pub fn status_of(&self, uuid: &RepoUuid) -> Option<LogStatus> {
        self.0.status_of(uuid.as_str().as_bytes())
    }

    /// Whether a repository is on record as having the content.
    pub fn is_present(&self, uuid: &RepoUuid) -> bool {
        self.status_of(uuid) == Some(LogStatus::Present)
    }

    /// The repositories on record as having the content, ordered.
    pub fn present(&self) -> Vec<RepoUuid> {
        let uuid = |info| RepoUuid::parse_bytes(info).ok();
        self.0.present().filter_map(uuid).collect()
    }

    /// Whether the key was given up: it once had a copy, and every copy is on record as dead.
    pub fn is_dead(&self) -> bool {
        let mut all = self.0.entries().map(|line| line.status).peekable();
        all.peek().is_some() && all.all(|status| status == LogStatus::Dead)
    }

    /// Puts a change on record; see [`PresenceLog::set`].
    pub fn set(&mut self, uuid: &RepoUuid, status: LogStatus, now: u64) -> bool {
        self.0.set(uuid.as_str().as_bytes(), status, now)
    }

    /// The entries as they are written.
    pub fn entries(&self) -> impl Iterator<Item = LogLine> {
        self.0.entries()
    }

    /// The compacted log.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.to_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uuid(text: &str) -> RepoUuid {
        RepoUuid::parse(text).unwrap()
    }

    #[test]
    fn the_newest_line_counts_and_of_equals_the_topmost() {
        let log = LocationLog::parse(b"1s 1 a\n2s 0 a\n1.5s 1 a\n5s 0 b\n5s 1 b\n5s 1 c\n5s 0 c\n");
        assert_eq!(log.status_of(&uuid("a")), Some(LogStatus::Missing));
        assert_eq!(log.status_of(&uuid("b")), Some(LogStatus::Missing));
        assert_eq!(log.status_of(&uuid("c")), Some(LogStatus::Present));
        assert_eq!(log.status_of(&uuid("d")), None);
        assert_eq!(log.present(), [uuid("c")]);
        assert_eq!(log.to_bytes(), b"2s 0 a\n5s 0 b\n5s 1 c\n");
    }

    #[test]
    fn skips_what_it_cannot_read() {
        let log = PresenceLog::parse(b"\n1s 1\n1s 2 a\nx 1 a\n1s  1 a\n1s 1 \n7s 1 a\r\n8s 1 b c");
        assert_eq!(log.to_bytes(), b"7s 1 a\n8s 1 b c\n");
    }

    #[test]
    fn addresses_keep_their_spaces() {
        let line = b"1795329411.969753441s 1 http://127.0.0.1:8765/www/f.txt?x=a b&c=%20:1\n";
        let log = PresenceLog::parse(line);
        let url = &b"http://127.0.0.1:8765/www/f.txt?x=a b&c=%20:1"[..];
        assert_eq!(log.present().collect::<Vec<_>>(), [url]);
        assert_eq!(log.to_bytes(), line);
    }

    #[test]
    fn only_changes_are_written() {
        let mut log = LocationLog::parse(b"1700000005s 1 a\n1s X d\n");
        assert!(!log.set(&uuid("a"), LogStatus::Present, 1_800_000_000));
        assert!(!log.set(&uuid("b"), LogStatus::Missing, 1), "it never had it");
        assert!(!log.set(&uuid("d"), LogStatus::Missing, 9), "dead stays dead");
        assert!(log.set(&uuid("a"), LogStatus::Missing, 1_700_000_000));
        assert!(log.set(&uuid("b"), LogStatus::Present, 1_700_000_000));
        assert!(log.set(&uuid("d"), LogStatus::Present, 9));
        assert_eq!(log.to_bytes(), b"1700000006s 0 a\n1700000000s 1 b\n9s 1 d\n");
    }

    #[test]
    fn dead_keys() {
        assert!(LocationLog::parse(b"1795331328.535578830001s X a\n").is_dead());
        assert!(!LocationLog::parse(b"1s X a\n1s 0 b\n").is_dead());
        assert!(!LocationLog::default().is_dead());
    }

    #[test]
    fn an_info_that_would_break_a_line_is_refused() {
        let mut log = PresenceLog::default();
        assert!(!log.set(b"a\n9s 1 b", LogStatus::Present, 1));
        assert!(!log.set(b"", LogStatus::Present, 1));
    }
}
