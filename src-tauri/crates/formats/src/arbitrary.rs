//! Strategies for proptest: made-up keys, names and logs, the odd ones as likely as the plain.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::backend::{Backend, HashAlgorithm};
use crate::clock::Timestamp;
use crate::hasher::KeyHasher;
use crate::key::Key;
use crate::logs::{LocationLog, LogStatus};
use crate::tree_path::TreePath;
use crate::uuid::RepoUuid;

/// Any backend that hashes.
pub fn hash_backend() -> impl Strategy<Value = Backend> {
    let algorithm = select(HashAlgorithm::ALL);
    (algorithm, any::<bool>()).prop_map(|(algorithm, extended)| Backend::hash(algorithm, extended))
}

/// A key of some content, under any kind of backend; rarely a chunk's.
pub fn key() -> impl Strategy<Value = Key> {
    let hashed =
        (hash_backend(), vec(any::<u8>(), 0..20), file_name()).prop_map(|(backend, content, name)| {
            let mut hasher = KeyHasher::new(&backend).expect("it is a hash");
            hasher.update(&content);
            hasher.finish(&name)
        });
    let size = 0..=u64::MAX;
    let worm = (size.clone(), any::<u64>(), file_name())
        .prop_map(|(size, mtime, name)| Key::worm(size, mtime, &name));
    let url = (proptest::option::of(size), file_name()).prop_map(|(size, url)| Key::url(&url, size));
    let foreign = ("[A-Z][A-Z0-9_.]{0,9}", proptest::option::of(any::<u64>()), vec(0x20u8.., 0..60))
        .prop_filter_map("a key that is not refused", |(backend, size, name)| {
            Key::from_parts(Backend::parse(&backend)?, size, None, &name)
        });
    let whole = prop_oneof![4 => hashed, 1 => worm, 1 => url, 2 => foreign];
    (whole, proptest::option::weighted(0.1, (1..=u64::MAX, 1..=u64::MAX)))
        .prop_map(|(key, chunk)| chunk.and_then(|(size, n)| key.chunk_key(size, n)).unwrap_or(key))
}

/// A repository's UUID, or a special remote's odd one.
pub fn repo_uuid() -> impl Strategy<Value = RepoUuid> {
    let real = "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}";
    let odd = select(vec![RepoUuid::WEB, "a", "timestamp=5s", "é", "x:y"]).prop_map(str::to_owned);
    prop_oneof![8 => real, 2 => odd].prop_map(|text| RepoUuid::parse(&text).expect("made to be one"))
}

/// One component of a path: plain, odd, or not UTF-8.
pub fn file_name() -> impl Strategy<Value = Vec<u8>> {
    let plain = "[a-zA-Z0-9]{1,8}(\\.[a-zA-Z0-9]{1,5}){0,3}".prop_map(String::into_bytes);
    let odd = vec(
        select(vec![
            "a", ".", " ", "-", "\n", "é", "日", "%", "&", ":", ",", "tar", ".gz", "~", "\\", "*", "'",
        ]),
        1..8,
    )
    .prop_map(|parts| parts.concat().into_bytes());
    let raw = vec(any::<u8>().prop_filter("no slash, no NUL", |b| !matches!(b, b'/' | 0)), 1..20);
    prop_oneof![plain, odd, raw].prop_filter("a sound name", |name| TreePath::new(name).is_ok())
}

/// A path of up to four components.
pub fn tree_path() -> impl Strategy<Value = TreePath> {
    vec(file_name(), 1..=4).prop_map(|parts| TreePath::new(parts.join(&b'/')).expect("of sound names"))
}

/// A time, sometimes with a fraction.
pub fn timestamp() -> impl Strategy<Value = Timestamp> {
    let text = prop_oneof!["[0-9]{1,12}s", "[0-9]{1,12}\\.[0-9]{1,12}s"];
    text.prop_map(|text| Timestamp::parse(text.as_bytes()).expect("made to be one"))
}

/// What a line of a presence log says.
pub fn log_status() -> impl Strategy<Value = LogStatus> {
    select(vec![LogStatus::Present, LogStatus::Missing, LogStatus::Dead])
}

/// A location log that came about by changes.
pub fn location_log() -> impl Strategy<Value = LocationLog> {
    vec((repo_uuid(), log_status(), any::<u32>()), 0..8).prop_map(|changes| {
        let mut log = LocationLog::default();
        for (uuid, status, now) in changes {
            log.set(&uuid, status, now.into());
        }
        log
    })
}

/// Bytes that look like one of the texts that are read here: words and marks of all of them, in any
/// order, so that parsers get past their first step.
pub fn near_text() -> impl Strategy<Value = Vec<u8>> {
    const PARTS: &[&[u8]] = &[
        b" ",
        b"\n",
        b"\r",
        b"-",
        b"--",
        b"=",
        b":",
        b"/",
        b".",
        b"..",
        b"_",
        b"__",
        b"&",
        b"&a",
        b"&s",
        b"&c",
        b"&32;",
        b"%",
        b"%%",
        b"!",
        b"+",
        b"(",
        b")",
        b"[",
        b"]",
        b"<",
        b">",
        b"\0",
        b"\xff",
        b"\xc3",
        "é".as_bytes(),
        b"0",
        b"1",
        b"X",
        b"7",
        b"s",
        b"1.5s",
        b"1700000000s",
        b" timestamp=",
        b" timestamp=3s",
        b"SHA256E",
        b"WORM",
        b"-s6",
        b"-m1",
        b"-S2",
        b"-C1",
        b"--abc.txt",
        b"SHA1-s1--a",
        b"/annex/objects/",
        b"/annex/",
        b".log",
        b".log.cnk",
        b"UUID",
        b"name",
        b"type",
        b"tag",
        b"+x",
        b"-x",
        b"!eA==",
        b"ForgetGitHistory",
        b"and",
        b"or",
        b"not",
        b"anything",
        b"include=",
        b"*",
        b"?",
        b"copies=",
        b"largerthan=",
        b"1kb",
        b"metadata=",
        b"GET",
        b"PUT",
        b"DATA",
        b"ERROR",
        b"VERSION",
        b"CHANGED",
        b"SUCCESS-PLUS",
        b".git",
        b"git~1",
        b".variant-",
        b"numcopies",
    ];
    let part = prop_oneof![6 => select(PARTS.to_vec()).prop_map(<[u8]>::to_vec), 1 => vec(any::<u8>(), 0..6)];
    vec(part, 0..14).prop_map(|parts| parts.concat())
}
