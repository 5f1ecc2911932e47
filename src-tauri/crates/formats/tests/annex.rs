//! The real git-annex says the same: about keys, extensions, directories, expressions and logs.
//!
//! Every release at hand is asked, many questions to a process, about values made up from a seed.

#![allow(clippy::unwrap_used, reason = "a helper of tests that cannot go on has failed the test")]

use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use tributary_formats::logs::LocationLog;
use tributary_formats::matcher::{Facts, Vocabulary, parse};
use tributary_formats::{Backend, HashAlgorithm, Key, KeyHasher, TreePath, arbitrary, journal};
use tributary_testkit::{Annex, annex_versions, seed};

/// The release that made BLAKE3 and XXH3 its own, or a later one, is told by the year.
const HAS_NEW_HASHES: u32 = 20_260_000;

/// Values of a strategy, the same for the same seed.
fn sample<S: Strategy>(strategy: &S, count: usize) -> Vec<S::Value> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed().to_le_bytes());
    let mut runner =
        TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    (0..count).map(|_| strategy.new_tree(&mut runner).expect("a value can be made").current()).collect()
}

/// Runs `git annex ARGS…` with `input` and gives the lines that it wrote, empty ones left out.
fn batch(annex: &Annex, dir: &Path, args: &[&str], input: &[u8]) -> Vec<Vec<u8>> {
    let file = annex.sandbox().join("input");
    fs::write(&file, input).unwrap();
    let mut command = annex.sandbox().command("git-annex");
    command.current_dir(dir).args(args).stdin(File::open(&file).unwrap());
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git annex {args:?}: {errors}");
    let lines = output.stdout.split(|&b| b == b'\n').filter(|line| !line.is_empty());
    lines.map(<[u8]>::to_vec).collect()
}

fn shown(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

#[test]
fn keys_of_files() {
    for version in annex_versions() {
        let annex = Annex::new(&version);
        let dir = annex.sandbox().join("repo");
        annex.init(&dir, "keys");
        let mut names = sample(&arbitrary::file_name(), 60);
        names.extend(
            ["a.b.c.d.e", "x.longext.gz", ".tar.gz", "file.gz~", "foo.bar..gz"]
                .map(|n| n.as_bytes().to_vec()),
        );
        let files: std::collections::BTreeMap<_, _> =
            names.into_iter().zip(sample(&vec(any::<u8>(), 0..300), 65)).collect();
        for (name, content) in &files {
            fs::write(dir.join(std::ffi::OsStr::from_bytes(name)), content).unwrap();
        }
        let input: Vec<u8> = files.keys().flat_map(|name| [&name[..], b"\0"].concat()).collect();
        let ask = |backend: &str| {
            batch(&annex, &dir, &["calckey", "--batch", "-z", &format!("--backend={backend}")], &input)
        };

        for algorithm in HashAlgorithm::ALL {
            let new = matches!(algorithm, HashAlgorithm::Blake3_256 | HashAlgorithm::Xxh3);
            if new && version.date() < HAS_NEW_HASHES {
                continue;
            }
            for backend in [Backend::hash(*algorithm, false), Backend::hash(*algorithm, true)] {
                let keys = ask(&backend.to_string());
                assert_eq!(keys.len(), files.len(), "{} {backend}", version.name);
                for ((name, content), theirs) in files.iter().zip(keys) {
                    let mut hasher = KeyHasher::new(&backend).unwrap();
                    hasher.update(content);
                    let ours = hasher.finish(name);
                    assert_eq!(shown(ours.as_bytes()), shown(&theirs), "{} {}", version.name, shown(name));
                }
            }
        }

        for ((name, content), theirs) in files.iter().zip(ask("WORM")) {
            let mtime = fs::metadata(dir.join(std::ffi::OsStr::from_bytes(name))).unwrap().mtime();
            let ours = Key::worm(content.len() as u64, mtime as u64, name);
            // Where git-annex makes a key that it cannot store, ours is cut.
            if Key::parse(&theirs).is_some() {
                assert_eq!(shown(ours.as_bytes()), shown(&theirs), "{} {}", version.name, shown(name));
            }
        }
    }
}

#[test]
fn places_of_keys() {
    // A line of the batch ends the key at a space.
    let one_word = |key: &Key| !key.as_bytes().contains(&b' ');
    let mut keys = sample(&arbitrary::key().prop_filter("one word", one_word), 300);
    let chunks: Vec<Key> = keys.iter().filter_map(|key| key.chunk_key(1024, 3)).collect();
    keys.extend(chunks);
    let input: Vec<u8> = keys.iter().flat_map(|key| [key.as_bytes(), b"\n"].concat()).collect();
    for version in annex_versions() {
        let annex = Annex::new(&version);
        let dir = annex.sandbox().join("repo");
        annex.init(&dir, "places");
        let format = "--format=${hashdirlower} ${hashdirmixed} ${objectpath}\\n";
        let answers = batch(&annex, &dir, &["examinekey", "--batch", format], &input);
        assert_eq!(answers.len(), keys.len(), "{}", version.name);
        for (key, theirs) in keys.iter().zip(answers) {
            let dirs = format!("{}/ {}/ ", key.hash_dir_lower(), key.hash_dir_mixed());
            let ours = [dirs.as_bytes(), &key.link_target(0)].concat();
            assert_eq!(shown(&ours), shown(&theirs), "{} {key:?}", version.name);
        }
    }
}

#[test]
fn expressions() {
    struct Text(TreePath);
    impl Facts for Text {
        fn path(&self) -> Option<&TreePath> {
            Some(&self.0)
        }
        fn size(&self) -> Option<u64> {
            Some(1500)
        }
        fn mime_type(&self) -> Option<&str> {
            Some("text/plain")
        }
    }
    let file = Text(TreePath::new("dir/a b.txt").unwrap());
    let word = select(vec![
        "and",
        "or",
        "not",
        "(",
        ")",
        "anything",
        "nothing",
        "include=*.txt",
        "exclude=dir/*",
        "include=*/?*.[a-t]*",
        "largerthan=1k",
        "largerthan=1.4651KiB",
        "smallerthan=1500.5b",
        "mimetype=text/*",
        "include=*.TXT",
        "nonsense",
    ]);
    // What git-annex makes of a parenthesis that closes nothing differs from case to case; here it is skipped.
    let closes = |words: &Vec<&str>| {
        let depth = words.iter().try_fold(0u32, |depth, &word| match word {
            "(" => Some(depth + 1),
            ")" => depth.checked_sub(1),
            _ => Some(depth),
        });
        depth.is_some()
    };
    let count = if std::env::var_os("TRIBUTARY_FULL").is_some() { 500 } else { 40 };
    let words = vec(word, 1..9).prop_filter("parentheses that close were opened", closes);
    let texts: Vec<String> = sample(&words, count).into_iter().map(|words| words.join(" ")).collect();
    for version in annex_versions() {
        let annex = Annex::new(&version);
        let dir = annex.sandbox().join("repo");
        annex.init(&dir, "expressions");
        for text in &texts {
            let facts = ["--largefiles", "--file=dir/a b.txt", "--size=1500", "--mimetype=text/plain"];
            let args = ["matchexpression"].into_iter().chain(facts).chain([text.as_str()]);
            let theirs = match annex.try_annex(&dir, args).code() {
                Some(0) => Some(true),
                Some(1) => Some(false),
                Some(42) => None,
                other => panic!("{other:?}: {text}"),
            };
            let ours =
                parse(text, Vocabulary::LargeFiles).ok().map(|expression| expression.matches_file(&file));
            assert_eq!(ours, theirs, "{} {text}", version.name);
        }
    }
}

#[test]
fn which_line_counts() {
    let line = (
        0..4u8,
        select(vec!["1", "0", "X", "2", ""]),
        select(vec!["a", "b", "c"]),
        select(vec!["s", "", ".5s", "x"]),
    )
        .prop_map(|(time, status, uuid, unit)| format!("{time}{unit} {status} {uuid}-uuid\n"));
    let logs: Vec<String> = sample(&vec(line, 1..12), 30).into_iter().map(|lines| lines.concat()).collect();
    for version in annex_versions() {
        let annex = Annex::new(&version);
        let dir = annex.sandbox().join("repo");
        annex.init(&dir, "logs");
        let keys: Vec<Key> =
            (0..logs.len()).map(|n| Key::parse(format!("SHA1-s1--{n:040}").as_bytes()).unwrap()).collect();
        for (key, log) in keys.iter().zip(&logs) {
            let name = journal::file_name(&key.log_path());
            fs::write(dir.join(".git/annex/journal").join(std::ffi::OsStr::from_bytes(&name)), log).unwrap();
        }
        // Commits the journal, so that nothing is said about that below.
        annex.annex(&dir, ["merge"]);
        for (key, log) in keys.iter().zip(&logs) {
            let found = annex.try_annex(&dir, ["whereis", "--key", &key.to_string(), "--format=${uuid}\\n"]);
            let mut theirs: Vec<_> = found.stdout().lines().map(str::to_owned).collect();
            theirs.sort();
            let ours: Vec<_> =
                LocationLog::parse(log.as_bytes()).present().iter().map(ToString::to_string).collect();
            assert_eq!(ours, theirs, "{}\n{log}", version.name);
        }
    }
}
