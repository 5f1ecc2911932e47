//! A file that was renamed to another extension keeps its key, for git-annex too.

// Clippy lets tests unwrap, but not the functions that tests are made of.
#![allow(clippy::unwrap_used)]

use std::fs;

use tributary_formats::key::Key;
use tributary_formats::tree_path::TreePath;
use tributary_repo::Repository;
use tributary_repo::keysdb::record_renamed;
use tributary_repo::stat::FileStat;
use tributary_testkit::{Annex, annex_versions};

/// Adds `a.txt` with git-annex, renames it to `a.md` as another program does, and says what git-annex makes of it.
fn rename(annex: &Annex, name: &str, record: bool) -> (String, String) {
    let dir = annex.sandbox().join(name);
    annex.init(&dir, "here");
    annex.git(&dir, ["config", "annex.addunlocked", "true"]);
    fs::write(dir.join("a.txt"), "content").unwrap();
    annex.annex(&dir, ["add", "a.txt"]);
    annex.git(&dir, ["commit", "-q", "-m", "a"]);
    let key = annex.annex(&dir, ["lookupkey", "a.txt"]);

    let repo = Repository::open(&dir).unwrap();
    let content = fs::read(dir.join("a.txt")).unwrap();
    fs::remove_file(dir.join("a.txt")).unwrap();
    fs::write(dir.join("a.md"), content).unwrap();
    let pointer = annex.git(&dir, ["rev-parse", ":a.txt"]);
    annex.git(&dir, ["rm", "-q", "--cached", "a.txt"]);
    annex.git(&dir, ["update-index", "--add", "--cacheinfo", &format!("100644,{pointer},a.md")]);
    annex.git(&dir, ["commit", "-q", "-m", "renamed"]);
    if record {
        let path = TreePath::new("a.md").unwrap();
        let file = repo.work_tree().unwrap().stat(&path).unwrap().unwrap();
        let renamed = [(path, Key::parse(key.as_bytes()).unwrap(), file)];
        record_renamed(&repo, &renamed).unwrap();
        record_renamed(&repo, &renamed).unwrap();
    }
    annex.git(&dir, ["add", "a.md"]);
    (key, annex.annex(&dir, ["lookupkey", "a.md"]))
}

#[test]
fn rows_keep_the_key() {
    for version in annex_versions() {
        let annex = Annex::new(&version);
        let (before, after) = rename(&annex, "recorded", true);
        assert_eq!(before, after, "git-annex {} trusts the row", version.name);
        let (before, after) = rename(&annex, "not-recorded", false);
        assert_ne!(before, after, "without the row it makes a new key: else this test shows nothing");
    }
}

#[test]
fn without_a_database_nothing_is_made() {
    let sandbox = tributary_testkit::Sandbox::new();
    let setup = tributary_repo::repository::Setup {
        description: "here".into(),
        filter_process: None,
        look_for_git_annex: false,
    };
    let repo = Repository::create(&sandbox.join("repo"), &setup).unwrap();
    let stat = FileStat::from(&sandbox.path().metadata().unwrap());
    let key = Key::parse(b"SHA256E-s1--00.txt").unwrap();
    record_renamed(&repo, &[(TreePath::new("a.md").unwrap(), key, stat)]).unwrap();
    assert!(!repo.annex_dir().join("keysdb").exists());
}

#[test]
fn only_files_with_another_extension_are_recorded() {
    for version in annex_versions() {
        let annex = Annex::new(&version);
        let dir = annex.sandbox().join("folder");
        annex.init(&dir, "here");
        fs::write(dir.join("a.txt"), "content").unwrap();
        annex.annex(&dir, ["add", "a.txt"]);
        let key = Key::parse(annex.annex(&dir, ["lookupkey", "a.txt"]).as_bytes()).unwrap();
        let repo = Repository::open(&dir).unwrap();
        // Any file will do: what counts is its name.
        let stat = FileStat::from(&dir.metadata().unwrap());
        let file = |name: &str| (TreePath::new(name).unwrap(), key.clone(), stat);
        let recorded = |files: &[_]| {
            record_renamed(&repo, files).unwrap();
            let database = rusqlite::Connection::open(repo.annex_dir().join("keysdb/db")).unwrap();
            let query = "SELECT count(*) FROM content WHERE inodecache = ?1";
            database.query_row(query, [stat.inode_cache()], |row| row.get::<_, u32>(0)).unwrap()
        };
        assert_eq!(recorded(&[file("b.txt"), file("dir.md/c.txt")]), 0, "their key is the one of their name");
        assert_eq!(recorded(&[file("b.txt"), file("b.md"), file("c")]), 1, "of two, one row tells");
    }
}
