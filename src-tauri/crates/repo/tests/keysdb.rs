//! A file that was renamed to another extension keeps its key, for git-annex too.

// Clippy lets tests unwrap, but not the functions that tests are made of.
#![allow(clippy::unwrap_used)]

use std::fs;

use tributary_formats::key::Key;
use tributary_formats::tree_path::TreePath;
use tributary_repo::Repository;
use tributary_repo::keysdb::record_inodes;
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
        let parsed = Key::parse(key.as_bytes()).unwrap();
        let file = repo.work_tree().unwrap().stat(&TreePath::new("a.md").unwrap()).unwrap().unwrap();
        let object = repo.store().locate(&parsed).unwrap();
        let object = FileStat::from(&object.symlink_metadata().unwrap());
        let rows = [(parsed.clone(), file), (parsed, object)];
        record_inodes(&repo, &rows).unwrap();
        record_inodes(&repo, &rows).unwrap();
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
    record_inodes(&repo, &[(Key::parse(b"WORM-s1-m1--f").unwrap(), stat)]).unwrap();
    assert!(!repo.annex_dir().join("keysdb").exists());
}
