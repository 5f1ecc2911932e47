//! Metadata logs (`.log.met`, `.log.rmet`): `TS FIELD +VALUE -VALUE FIELD2 +VALUE …`.
//!
//! About each field and value the newest line counts: `+` set, `-` unset. A value that holds a
//! space or a line's end, or starts with `!`, is written as `!` and base64. Field names are
//! compared without regard to case. A change's time is moved past every line of the file.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::{lines, split_word};
use crate::clock::Timestamp;

/// The longest field name, in bytes.
const MAX_FIELD_LEN: usize = 255;

/// A metadata log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MetadataLog {
    entries: BTreeMap<(Field, Vec<u8>), (Timestamp, bool)>,
}

/// A field's name: `folded` is what is compared.
#[derive(Debug, Clone)]
struct Field {
    folded: String,
    written: String,
}

impl MetadataLog {
    /// Reads a log. Words that cannot be read are skipped.
    pub fn parse(bytes: &[u8]) -> MetadataLog {
        let mut log = MetadataLog::default();
        for line in lines(bytes) {
            log.take_line(line);
        }
        log
    }

    /// The values of a field, ordered.
    pub fn values<'a>(&'a self, field: &str) -> impl Iterator<Item = &'a [u8]> {
        let folded = field.to_lowercase();
        self.all().filter(move |(name, _)| name.to_lowercase() == folded).map(|(_, value)| value)
    }

    /// All fields with their values, ordered.
    pub fn all(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let set = self.entries.iter().filter(|(_, (_, set))| *set);
        set.map(|((field, value), _)| (field.written.as_str(), &value[..]))
    }

    /// Sets or unsets a value at `now` (seconds since 1970). Says whether that changed anything; a
    /// field's name has to be a letter or digit, then letters, digits, `_`, `-`, `.` (and `:` after
    /// a remote's UUID).
    pub fn set(&mut self, field: &str, value: &[u8], set: bool, now: u64) -> bool {
        let Some(field) = Field::parse(field.as_bytes()) else {
            return false;
        };
        let item = (field, value.to_vec());
        let is_set = self.entries.get(&item).is_some_and(|(_, set)| *set);
        if is_set == set {
            return false;
        }
        let newest = self.entries.values().map(|(timestamp, _)| *timestamp).max();
        let timestamp = Timestamp::next_after(now, newest.unwrap_or_default());
        self.entries.insert(item, (timestamp, set));
        true
    }

    /// The compacted log: one line for each time, fields and values ordered.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut by_time: BTreeMap<Timestamp, Vec<u8>> = BTreeMap::new();
        let mut last_field: BTreeMap<Timestamp, &Field> = BTreeMap::new();
        for ((field, value), &(timestamp, set)) in &self.entries {
            let line = by_time.entry(timestamp).or_insert_with(|| timestamp.to_string().into_bytes());
            if last_field.insert(timestamp, field) != Some(field) {
                line.push(b' ');
                line.extend(field.written.bytes());
            }
            line.extend([b' ', if set { b'+' } else { b'-' }]);
            line.extend(escape(value));
        }
        by_time.into_values().flat_map(|line| [line, b"\n".to_vec()].concat()).collect()
    }

    fn take_line(&mut self, line: &[u8]) {
        let Some((timestamp, rest)) = split_word(line) else { return };
        let Some(timestamp) = Timestamp::parse(timestamp) else { return };
        let mut field = None;
        for word in rest.split(|&b| b == b' ').filter(|word| !word.is_empty()) {
            let set = match word[0] {
                b'+' => true,
                b'-' => false,
                _ => {
                    field = Field::parse(word);
                    continue;
                }
            };
            if let (Some(field), Some(value)) = (field.clone(), unescape(&word[1..])) {
                let entry = self.entries.entry((field, value)).or_insert((timestamp, set));
                // Of equal times a "set" counts, so that the lines' order does not matter.
                *entry = (*entry).max((timestamp, set));
            }
        }
    }
}

impl Field {
    fn parse(word: &[u8]) -> Option<Field> {
        let written = std::str::from_utf8(word).ok()?;
        let fits = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':');
        let starts = written.starts_with(char::is_alphanumeric);
        if !starts || written.len() > MAX_FIELD_LEN || !written.chars().all(fits) {
            return None;
        }
        Some(Field { folded: written.to_lowercase(), written: written.to_owned() })
    }
}

impl PartialEq for Field {
    fn eq(&self, other: &Self) -> bool {
        self.folded == other.folded
    }
}
impl Eq for Field {}
impl PartialOrd for Field {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Field {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.folded.cmp(&other.folded)
    }
}

fn escape(value: &[u8]) -> Vec<u8> {
    let plain = !value.starts_with(b"!") && !value.iter().any(|b| b" \r\n".contains(b));
    if plain {
        return value.to_vec();
    }
    format!("!{}", BASE64.encode(value)).into_bytes()
}

fn unescape(word: &[u8]) -> Option<Vec<u8>> {
    match word.strip_prefix(b"!") {
        Some(encoded) => BASE64.decode(encoded).ok(),
        None => Some(word.to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn real_lines() {
        let text = "1700000000s author +!QW5uIEJlZQ==\n1700000002s e +é Mixed-Case +1 tag -foo u +!IWJhbmc= year +2020\n";
        let log = MetadataLog::parse(text.as_bytes());
        assert_eq!(log.values("Author").collect::<Vec<_>>(), [b"Ann Bee"]);
        assert_eq!(log.values("mixed-case").collect::<Vec<_>>(), [b"1"]);
        assert_eq!(log.values("u").collect::<Vec<_>>(), [b"!bang"]);
        assert_eq!(log.values("tag").count(), 0, "it was unset");
        assert_eq!(String::from_utf8(log.to_bytes()).unwrap(), text);
    }

    #[test]
    fn the_newest_counts() {
        let log = MetadataLog::parse(b"5s t +a -b\n6s t -a +b\n4s t +a\n7s t +c +d\n");
        assert_eq!(log.values("t").collect::<Vec<_>>(), [b"b", b"c", b"d"]);
    }

    #[test]
    fn setting_moves_past_every_line() {
        let mut log = MetadataLog::parse(b"50s other +x\n");
        assert!(log.set("tag", b"new", true, 10));
        assert!(!log.set("TAG", b"new", true, 99));
        assert!(
            !log.set("tag", b"none", false, 99)
                && !log.set("-x", b"", true, 1)
                && !log.set("a b", b"", true, 1)
        );
        assert_eq!(log.to_bytes(), b"50s other +x\n51s tag +new\n");
        assert!(log.set("tag", b"new", false, 10));
        assert_eq!(log.to_bytes(), b"50s other +x\n52s tag -new\n");
    }
}
