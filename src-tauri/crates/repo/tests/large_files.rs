//! Annex or git, which backend, locked or not: the same answers as `git annex add`.

// Clippy lets tests unwrap, but not the functions that tests are made of.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;

use tributary_formats::tree_path::TreePath;
use tributary_repo::Repository;
use tributary_repo::large_files::{AddRules, Candidate};
use tributary_repo::repository::Setup;
use tributary_testkit::{Annex, newest_annex};

/// Files with their sizes.
const FILES: [(&str, u64); 8] = [
    ("a.txt", 3),
    ("b.dat", 3),
    ("big.txt", 2000),
    (".dot", 3),
    (".dir/file.dat", 2000),
    ("sub/.gitignore", 3),
    ("sub/c.dat", 2000),
    ("attr/d.dat", 3),
];

/// Names and values.
type Settings = &'static [(&'static str, &'static str)];

#[test]
fn the_same_answers_as_git_annex() {
    let attributes = "*.dat annex.largefiles=anything annex.backend=SHA512E\nattr/* annex.largefiles=nothing\n\
                      sub/* annex.largefiles=(largerthan=1kb)\n";
    let cases: [(&str, Settings, Settings, &str); 8] = [
        ("nothing set", &[], &[], ""),
        ("git configuration", &[("annex.largefiles", "largerthan=1kb")], &[], ""),
        ("for all clones", &[], &[("annex.largefiles", "largerthan=1kb and not include=*.txt")], ""),
        ("attributes", &[], &[("annex.largefiles", "nothing")], attributes),
        ("configuration before attributes", &[("annex.largefiles", "include=*.txt")], &[], attributes),
        ("dotfiles too", &[("annex.dotfiles", "true")], &[("annex.largefiles", "exclude=*/.gitignore")], ""),
        ("unlocked for all clones", &[("annex.backend", "MD5")], &[("annex.addunlocked", "true")], ""),
        ("some unlocked", &[("annex.addunlocked", "include=*.txt")], &[("annex.addunlocked", "true")], ""),
    ];
    // The rules are the same in all releases, and each case takes seconds.
    if let Some(version) = newest_annex() {
        let annex = Annex::new(&version);
        for (number, (name, here, everywhere, attributes)) in cases.iter().enumerate() {
            let dir = annex.sandbox().join(format!("repo{number}"));
            annex.init(&dir, "here");
            // What git-annex does when nothing is set is its assistant's business and differs from its `add`.
            annex.annex(&dir, ["config", "--set", "annex.addunlocked", "false"]);
            for (name, value) in *here {
                annex.git(&dir, ["config", name, value]);
            }
            for (name, value) in *everywhere {
                annex.annex(&dir, ["config", "--set", name, value]);
            }
            fs::write(dir.join(".gitattributes"), attributes).unwrap();
            annex.git(&dir, ["add", ".gitattributes"]);
            for (file, size) in FILES {
                fs::create_dir_all(dir.join(file).parent().unwrap()).unwrap();
                fs::write(dir.join(file), vec![b'x'; size as usize]).unwrap();
            }
            annex.annex(&dir, ["add", "."]);
            let listed = annex.annex(&dir, ["find", "--include=*", "--format=${file}\t${key}\n"]);
            let annexed: BTreeMap<&str, &str> =
                listed.lines().filter_map(|line| line.split_once('\t')).collect();

            let repo = Repository::open(&dir).unwrap();
            let rules = AddRules::load(&repo).unwrap();
            assert!(rules.unreadable_rule().is_none());
            for (file, size) in FILES {
                let path = TreePath::new(file).unwrap();
                let candidate = Candidate { path: &path, size };
                let key = annexed.get(file);
                let which = format!("{name}: {file} with git-annex {}", version.name);
                assert_eq!(rules.is_large(candidate), key.is_some(), "{which}");
                if let Some(key) = key {
                    let unlocked = dir.join(file).symlink_metadata().unwrap().is_file();
                    assert_eq!(rules.add_unlocked(candidate), unlocked, "{which}");
                    let backend = rules.backend_for(&path);
                    assert!(key.starts_with(&format!("{backend}-")), "{which}: {key}");
                }
            }
        }
    }
}

#[test]
fn a_rule_that_cannot_be_read_keeps_contents_out_of_git() {
    if let Some(version) = newest_annex() {
        let annex = Annex::new(&version);
        let dir = annex.sandbox().join("repo");
        annex.init(&dir, "here");
        annex.git(&dir, ["config", "annex.largefiles", "largerthan=1kb and somethingnew=1"]);
        let repo = Repository::open(&dir).unwrap();
        let rules = AddRules::load(&repo).unwrap();
        assert!(rules.unreadable_rule().is_some());
        let path = TreePath::new("f").unwrap();
        assert!(rules.is_large(Candidate { path: &path, size: 3 }));
    }
}

#[test]
fn attributes_are_found_wherever_they_are_set() {
    let dir = tempfile::tempdir().unwrap();
    let repo = Repository::create(
        dir.path(),
        &Setup { description: "here".to_owned(), filter_process: None, look_for_git_annex: false },
    )
    .unwrap();
    let path = |name: &str| TreePath::new(name).unwrap();
    let backend = |name: &str| AddRules::load(&repo).unwrap().backend_for(&path(name)).to_string();
    assert_eq!(backend("a/b/c"), "SHA256E");
    fs::create_dir_all(dir.path().join("a/b")).unwrap();
    fs::write(dir.path().join("a/.gitattributes"), "* annex.backend=SHA1\n").unwrap();
    assert_eq!(backend("a/b/c"), "SHA1", "in a directory above");
    assert_eq!(backend("b"), "SHA256E", "and only there");
    let info = repo.git_dir().join("info/attributes");
    let before = fs::read_to_string(&info).unwrap_or_default();
    fs::write(&info, before + "b annex.backend=MD5\n").unwrap();
    assert_eq!(backend("b"), "MD5");
}
