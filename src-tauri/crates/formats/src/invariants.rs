//! What holds for every parser whatever it is given: it does not panic, what it takes is written
//! and read back as the same, and nothing that it takes can leave a directory or break a line.
//!
//! Each function asserts that for one parser. The property tests and the fuzz targets call them.

use crate::branches;
use crate::clock::Timestamp;
use crate::data_size::parse_data_size;
use crate::extension::ExtensionRule;
use crate::glob::Glob;
use crate::journal as journal_names;
use crate::key::{Key, MAX_KEY_FILE_LEN};
use crate::logs::export::exports;
use crate::logs::{
    ChunkLog, LocationLog, MapLog, MetadataLog, NumberLog, RemoteConfig, Transitions, UuidLog, key_log_of,
};
use crate::matcher::{Facts, Vocabulary, parse};
use crate::p2p::{Reply, Request, escape_file, unescape_file};
use crate::pointer::{Pointer, format_pointer, parse_link_target, parse_pointer};
use crate::tree_path::TreePath;
use crate::union_merge::union_merge as merge;
use crate::uuid::RepoUuid;
use crate::variant::{variant_path, variant_path_of_blob};

/// A check of one parser: panics when something does not hold.
pub type Check = fn(&[u8]);

/// Every check by its name, for drivers.
pub const ALL: &[(&str, Check)] = &[
    ("key", key),
    ("pointer", pointer),
    ("tree_path", tree_path),
    ("small_texts", small_texts),
    ("journal", journal),
    ("presence_log", presence_log),
    ("uuid_log", uuid_log),
    ("map_log", map_log),
    ("number_log", number_log),
    ("metadata_log", metadata_log),
    ("remote_config", remote_config),
    ("transitions", transitions),
    ("union_merge", union_merge),
    ("expression", expression),
    ("p2p", p2p),
];

/// Keys, and their file names.
pub fn key(bytes: &[u8]) {
    if let Some(key) = Key::parse(bytes) {
        assert_eq!(key.as_bytes(), bytes);
        sound_key(&key);
    }
    if let Some(key) = Key::from_key_file(bytes) {
        assert_eq!(key.key_file(), bytes);
        sound_key(&key);
    }
    if let Some((log, key)) = key_log_of(bytes) {
        assert_eq!(log.path(&key), bytes);
    }
}

fn sound_key(key: &Key) {
    let file = key.key_file();
    assert!(TreePath::new(&file).is_ok() && !file.contains(&b'/') && file.len() <= MAX_KEY_FILE_LEN);
    assert_eq!(Key::from_key_file(&file).as_ref(), Some(key));
    assert!(!key.as_bytes().contains(&b'\n'));
    assert_eq!(key.without_chunk().hash_dir_mixed(), key.hash_dir_mixed());
    assert_eq!(parse_pointer(&format_pointer(key)), Pointer::Key(key.clone()));
    assert_eq!(parse_link_target(&key.link_target(3)).as_ref(), Some(key));
    let journal = journal_names::file_name(&key.log_path());
    assert_eq!(journal_names::path_of(&journal), Some(key.log_path()));
}

/// Pointers and link targets.
pub fn pointer(bytes: &[u8]) {
    if let Pointer::Key(key) | Pointer::ContentAppended(key) = parse_pointer(bytes) {
        sound_key(&key);
    }
    if let Some(key) = parse_link_target(bytes) {
        sound_key(&key);
    }
}

/// Paths, extensions and variants.
pub fn tree_path(bytes: &[u8]) {
    let rule = ExtensionRule::default();
    assert!(rule.extension_of(bytes).len() <= rule.max_count * (rule.max_length + 1));
    let Ok(path) = TreePath::new(bytes) else { return };
    assert_eq!(path.as_bytes(), bytes);
    assert_eq!(path.components().count(), path.depth() + 1);
    let again = match path.parent() {
        Some(parent) => parent.join(path.file_name()),
        None => TreePath::new(path.file_name()),
    };
    assert_eq!(again.as_ref(), Ok(&path));
    let key = Key::worm(1, 2, bytes);
    sound_key(&key);
    for variant in [variant_path(&path, &key), variant_path_of_blob(&path, "d5fb444d")] {
        assert_ne!(variant, path);
        assert_eq!(variant.parent(), path.parent());
        assert!(variant.file_name().len() <= path.file_name().len().max(MAX_KEY_FILE_LEN));
    }
}

/// UUIDs, times, sizes, globs, branch names, file names of the P2P protocol.
pub fn small_texts(bytes: &[u8]) {
    if let Ok(uuid) = RepoUuid::parse_bytes(bytes) {
        assert_eq!(uuid.as_str().as_bytes(), bytes);
    }
    if let Some(time) = Timestamp::parse(bytes) {
        assert_eq!(Timestamp::parse(time.to_string().as_bytes()), Some(time));
        assert!(Timestamp::next_after(0, time) > time);
    }
    let word = escape_file(bytes);
    assert!(!word.contains(&b' ') && !word.contains(&b'\n'));
    assert!(unescape_file(&word).len() <= bytes.len());
    if let Ok(text) = std::str::from_utf8(bytes) {
        parse_data_size(text);
        branches::adjusted(text);
        if let Some(glob) = Glob::new(text) {
            glob.matches(bytes);
        }
    }
}

/// Journal names.
pub fn journal(bytes: &[u8]) {
    if let Some(path) = journal_names::path_of(bytes) {
        assert_eq!(journal_names::file_name(&path), bytes);
        assert!(path.split(|&b| b == b'/').all(|part| !matches!(part, b"" | b"." | b"..")));
    }
}

/// Presence logs.
pub fn presence_log(bytes: &[u8]) {
    let log = LocationLog::parse(bytes);
    let written = log.to_bytes();
    assert_eq!(LocationLog::parse(&written), log);
    assert_eq!(written.iter().filter(|&&b| b == b'\n').count(), log.entries().count());
    assert!(log.present().iter().all(|uuid| log.is_present(uuid)));
}

/// Logs of one value per repository.
pub fn uuid_log(bytes: &[u8]) {
    let log = UuidLog::parse(bytes);
    assert_eq!(UuidLog::parse(&log.to_bytes()), log);
}

/// Logs of one value per field, and those made of them.
pub fn map_log(bytes: &[u8]) {
    let log = MapLog::parse(bytes);
    assert_eq!(MapLog::parse(&log.to_bytes()), log);
    exports(&log);
    let chunks = ChunkLog::parse(bytes);
    for (field, _) in log.iter() {
        let uuid = field.split(|&b| b == b':').next().unwrap_or_default();
        if let Ok(uuid) = RepoUuid::parse_bytes(uuid) {
            assert!(chunks.sets_of(&uuid).iter().all(|set| set.count > 0 && set.chunk_size > 0));
        }
    }
}

/// Logs of one number.
pub fn number_log(bytes: &[u8]) {
    let log = NumberLog::parse(bytes);
    assert_eq!(NumberLog::parse(&log.to_bytes()), log);
}

/// Metadata logs.
pub fn metadata_log(bytes: &[u8]) {
    let log = MetadataLog::parse(bytes);
    assert_eq!(MetadataLog::parse(&log.to_bytes()), log);
    for (field, value) in log.all() {
        assert!(log.values(field).any(|other| other == value));
    }
}

/// Configurations of special remotes.
pub fn remote_config(bytes: &[u8]) {
    if let Some(config) = RemoteConfig::parse(bytes) {
        let written = config.to_bytes();
        assert_eq!(RemoteConfig::parse(&written).as_ref(), Some(&config));
    }
}

/// Transition logs.
pub fn transitions(bytes: &[u8]) {
    let log = Transitions::parse(bytes);
    assert!(log.agrees_with(&log));
    assert_eq!(log.is_empty(), log.missing_in(&Transitions::default()).next().is_none());
}

/// The union merge of two halves.
pub fn union_merge(bytes: &[u8]) {
    let (ours, theirs) = bytes.split_at(bytes.len() / 2);
    let merged = merge(ours, theirs);
    assert_eq!(merge(theirs, ours), merged);
    assert_eq!(merge(&merged, ours), merged);
    let known = LocationLog::parse(&merged);
    for side in [ours, theirs] {
        for line in LocationLog::parse(side).entries() {
            let newest = known.entries().find(|entry| entry.info == line.info);
            assert!(newest.is_some_and(|newest| newest.timestamp >= line.timestamp), "a merge loses nothing");
        }
    }
}

/// Expressions.
pub fn expression(bytes: &[u8]) {
    struct Nothing;
    impl Facts for Nothing {}
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for vocabulary in [Vocabulary::LargeFiles, Vocabulary::PreferredContent] {
        let Ok(expression) = parse(text, vocabulary) else { continue };
        let negated = parse(&format!("not ({text}"), vocabulary);
        // Parentheses that close more than they open end the added ones early.
        let balanced = !text.contains(')') && !expression.any_term(|term| !is_plain(term));
        if let (Ok(negated), true) = (negated, balanced) {
            assert_ne!(negated.matches_file(&Nothing), expression.matches_file(&Nothing));
        }
    }
}

/// Whether a term says the same under `not`.
fn is_plain(term: &crate::matcher::Term) -> bool {
    use crate::matcher::Term::{GroupWanted, Present, Standard};
    !matches!(term, Present | Standard | GroupWanted)
}

/// Lines of the P2P protocol.
pub fn p2p(bytes: &[u8]) {
    let body = |line: &[u8]| line.strip_suffix(b"\n").map(<[u8]>::to_vec);
    if let Ok(request) = Request::parse(bytes) {
        let line = body(&request.to_bytes()).expect("a line ends in a newline");
        assert!(!line.contains(&b'\n'));
        assert_eq!(Request::parse(&line), Ok(request));
    }
    if let Ok(reply) = Reply::parse(bytes) {
        let line = body(&reply.to_bytes()).expect("a line ends in a newline");
        assert!(!line.contains(&b'\n'));
        assert_eq!(Reply::parse(&line), Ok(reply));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arbitrary;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            ALL.iter().for_each(|(_, check)| check(&bytes));
        }

        #[test]
        fn bytes_that_look_right(bytes in arbitrary::near_text()) {
            ALL.iter().for_each(|(_, check)| check(&bytes));
        }

        #[test]
        fn keys_are_read_back(made in arbitrary::key()) {
            key(made.as_bytes());
            key(&made.key_file());
            prop_assert_eq!(Key::parse(made.as_bytes()), Some(made.clone()));
            prop_assert_eq!(Key::from_parts(made.backend().clone(), made.size(), made.mtime(), made.name()), Some(made.without_chunk()));
        }

        #[test]
        fn paths_are_read_back(path in arbitrary::tree_path()) {
            tree_path(path.as_bytes());
        }

        #[test]
        fn times_are_read_back(time in arbitrary::timestamp(), now in any::<u32>()) {
            small_texts(time.to_string().as_bytes());
            let next = Timestamp::next_after(now.into(), time);
            prop_assert!(next > time && next >= Timestamp::from_seconds(now.into()));
        }

        #[test]
        fn a_change_counts_whoever_merges(
            mut log in arbitrary::location_log(),
            uuid in arbitrary::repo_uuid(),
            status in arbitrary::log_status(),
            now in any::<u32>(),
        ) {
            let before = log.to_bytes();
            presence_log(&before);
            let said = log.status_of(&uuid);
            if log.set(&uuid, status, now.into()) {
                prop_assert_ne!(Some(status), said);
                let merged = LocationLog::parse(&merge(&before, &log.to_bytes()));
                prop_assert_eq!(merged.status_of(&uuid), Some(status), "the change is newer than what it replaced");
                prop_assert_eq!(merged, log);
            } else {
                prop_assert_eq!(log.to_bytes(), before);
            }
        }
    }
}
