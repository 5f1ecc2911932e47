//! Logs of one value per field: `TS FIELD VALUE`. FIELD is one word, VALUE may hold spaces.
//!
//! `config.log`, `group-preferred-content.log`, `export.log`, `proxy.log`, `cluster.log`,
//! `maxsize.log`, and of a key `.log.cnk`, `.log.rmt`, `.log.cid`. The newest line about a field
//! counts; of lines with the same time the last.

use std::collections::BTreeMap;

use super::{fits_in_line, lines, split_word};
use crate::clock::Timestamp;

/// A log of one value per field.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MapLog {
    entries: BTreeMap<Vec<u8>, (Timestamp, Vec<u8>)>,
}

impl MapLog {
    /// Reads a log.
    pub fn parse(bytes: &[u8]) -> MapLog {
        let mut log = MapLog::default();
        for (timestamp, field, value) in lines(bytes).filter_map(parse_line) {
            let known = log.entries.get(field);
            if known.is_none_or(|(known, _)| *known <= timestamp) {
                log.entries.insert(field.to_vec(), (timestamp, value.to_vec()));
            }
        }
        log
    }

    /// A field's value. An empty one mostly means that it was unset.
    pub fn get(&self, field: &[u8]) -> Option<&[u8]> {
        self.entries.get(field).map(|(_, value)| &value[..])
    }

    /// A field's value as text, when it is text and not empty.
    pub fn get_text(&self, field: &str) -> Option<&str> {
        let text = std::str::from_utf8(self.get(field.as_bytes())?).ok()?;
        (!text.is_empty()).then_some(text)
    }

    /// Sets a field at `now` (seconds since 1970). Says whether that changed anything; a field that
    /// is not one word, and a line's end anywhere, are refused.
    pub fn set(&mut self, field: &[u8], value: &[u8], now: u64) -> bool {
        let is_word = !field.is_empty() && !field.contains(&b' ') && fits_in_line(field);
        let known = self.entries.get(field);
        if known.is_some_and(|(_, known)| known == value) || !is_word || !fits_in_line(value) {
            return false;
        }
        let existing = known.map_or(Timestamp::UNKNOWN, |(timestamp, _)| *timestamp);
        let timestamp = Timestamp::next_after(now, existing);
        self.entries.insert(field.to_vec(), (timestamp, value.to_vec()));
        true
    }

    /// All fields with their values, ordered by field.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.entries.iter().map(|(field, (_, value))| (&field[..], &value[..]))
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The compacted log.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (field, (timestamp, value)) in &self.entries {
            bytes.extend(format!("{timestamp} ").bytes());
            bytes.extend(field);
            bytes.push(b' ');
            bytes.extend(value);
            bytes.push(b'\n');
        }
        bytes
    }
}

fn parse_line(line: &[u8]) -> Option<(Timestamp, &[u8], &[u8])> {
    let (timestamp, rest) = split_word(line)?;
    let (field, value) = split_word(rest).unwrap_or((rest, b""));
    let timestamp = Timestamp::parse(timestamp)?;
    (!field.is_empty()).then_some((timestamp, field, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn real_lines() {
        let text = b"1700000001s annex.addunlocked \n1700000000s annex.largefiles largerthan=100kb and not mimetype=text/*\n";
        let log = MapLog::parse(text);
        assert_eq!(log.get(b"annex.addunlocked"), Some(&b""[..]));
        assert_eq!(log.get_text("annex.addunlocked"), None);
        assert_eq!(log.get_text("annex.largefiles"), Some("largerthan=100kb and not mimetype=text/*"));
        assert_eq!(log.to_bytes(), text);
    }

    #[test]
    fn the_newest_counts_and_of_equals_the_last() {
        let log = MapLog::parse(b"5s a x\n5s a y\n4s a z\n1s b\nnonsense\n2s  c\n");
        assert_eq!(log.to_bytes(), b"5s a y\n1s b \n");
    }

    #[test]
    fn setting() {
        let mut log = MapLog::parse(b"5s a x\n");
        assert!(!log.set(b"a", b"x", 9));
        assert!(!log.set(b"a b", b"x", 9) && !log.set(b"", b"x", 9) && !log.set(b"a", b"\r", 9));
        assert!(log.set(b"a", b"", 3));
        assert_eq!(log.to_bytes(), b"6s a \n");
    }
}
