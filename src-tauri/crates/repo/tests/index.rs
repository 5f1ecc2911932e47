//! The index of the work tree, with git itself as the judge.

// Clippy lets tests unwrap, but not the functions that tests are made of.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use git2::Oid;
use tributary_repo::index::{IndexEntry, IndexError, WorkIndex};
use tributary_repo::stat::FileStat;
use tributary_repo::tree::{EntryMode, TreeEntry};
use tributary_testkit::Repo;

fn open(repo: &Repo) -> (git2::Repository, WorkIndex) {
    let git = git2::Repository::open(repo.path()).unwrap();
    let index = WorkIndex::open(&git).unwrap();
    (git, index)
}

fn stat(file: &Path) -> FileStat {
    FileStat::from(&fs::symlink_metadata(file).unwrap())
}

fn blob(repo: &Repo, text: &str) -> TreeEntry {
    let git = git2::Repository::open(repo.path()).unwrap();
    TreeEntry { mode: EntryMode::File, oid: git.blob(text.as_bytes()).unwrap() }
}

/// Makes git use a filter that writes down that it ran. What it puts out is not what the index holds.
fn with_telltale_filter(repo: &Repo) -> impl Fn() -> bool + use<> {
    let ran = repo.sandbox().join("filter-ran");
    let script = format!("touch {}; cat", ran.display());
    repo.git(["config", "filter.annex.clean", &script]).ok();
    fs::write(repo.git_dir().join("info/attributes"), "* filter=annex\n").unwrap();
    move || ran.exists()
}

/// Sets a file's time into the past, so that nothing is racy.
fn make_old(file: &Path, seconds: u64) {
    let time = SystemTime::now() - Duration::from_secs(seconds);
    fs::File::options().write(true).open(file).unwrap().set_modified(time).unwrap();
}

#[test]
fn git_trusts_the_stat_data() {
    let repo = Repo::new();
    let pointer = blob(&repo, "/annex/objects/SHA256E-s7--abc\n");
    let ran = with_telltale_filter(&repo);
    let (_git, mut index) = open(&repo);
    for (name, mode) in [("plain", 0o644), ("run", 0o755), ("dir/odd \n\u{e9}", 0o600)] {
        let file = repo.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, "content").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        make_old(&file, 100);
        let mode = if mode == 0o755 { EntryMode::Executable } else { EntryMode::File };
        let entry = IndexEntry::placed(TreeEntry { mode, ..pointer }, &stat(&file));
        assert!(entry.matches(&stat(&file)));
        index.set(name.as_bytes(), entry);
    }
    index.write().unwrap();
    repo.git(["commit", "-q", "--no-verify", "-m", "all"]).ok();
    assert_eq!(repo.git(["status", "--short"]).text(), "");
    repo.git(["diff-files", "--quiet"]).ok();
    assert!(!ran(), "git had to look at no file");

    fs::write(repo.path().join("plain"), "Content").unwrap();
    assert_eq!(repo.git(["status", "--short"]).text(), " M plain");
    assert!(ran(), "an edit is looked at");
}

#[test]
fn an_edit_in_the_same_second_is_seen() {
    let repo = Repo::new();
    let file = repo.path().join("f");
    fs::write(&file, "one").unwrap();
    let entry = blob(&repo, "one");
    let (_git, mut index) = open(&repo);
    index.set(b"f", IndexEntry::placed(entry, &stat(&file)));
    // As fast as it can be, with the same size: git compares whole seconds only.
    fs::write(&file, "two").unwrap();
    index.write().unwrap();
    repo.git(["commit", "-q", "-m", "x"]).ok();
    assert_eq!(repo.git(["status", "--short"]).text(), " M f");
}

#[test]
fn an_edit_before_the_index_was_written_is_seen_later() {
    let repo = Repo::new();
    let file = repo.path().join("f");
    fs::write(&file, "one").unwrap();
    make_old(&file, 50);
    let entry = blob(&repo, "one");
    let (_git, mut index) = open(&repo);
    let mut seen = stat(&file);
    // The edit lies in the same past second, and the program that made it hides behind the same size.
    fs::write(&file, "two").unwrap();
    make_old(&file, 50);
    seen.ctime = (seen.ctime.0, 1);
    index.set(b"f", IndexEntry::placed(entry, &seen));
    index.write().unwrap();
    repo.git(["commit", "-q", "-m", "x"]).ok();
    assert_eq!(repo.git(["status", "--short"]).text(), " M f");
}

#[test]
fn files_that_are_not_placed_are_left_alone() {
    let repo = Repo::new();
    let entry = blob(&repo, "/annex/objects/SHA256E-s7--abc\n");
    let (git, mut index) = open(&repo);
    index.set(b"arriving", IndexEntry::not_placed(entry));
    index.set(b"dir/old", IndexEntry::not_placed(entry));
    fs::create_dir(repo.path().join("dir")).unwrap();
    fs::write(repo.path().join("dir/old"), "the old version").unwrap();
    index.write().unwrap();
    repo.git(["commit", "-q", "-m", "x"]).ok();
    assert_eq!(repo.git(["status", "--short"]).text(), "");
    repo.git(["add", "-A"]).ok();
    assert_eq!(repo.git(["status", "--short"]).text(), "", "nothing is taken for deleted or changed");

    let again = WorkIndex::open(&git).unwrap();
    assert!(again.get(b"arriving").unwrap().skip_worktree);
    assert!(!again.get(b"dir/old").unwrap().matches(&stat(&repo.path().join("dir/old"))));
}

#[test]
fn what_git_wrote_is_read_in_every_version() {
    for version in ["2", "3", "4"] {
        let repo = Repo::new().with_file("a/b", b"1").with_executable("a/c", b"2").with_link("l", "a/b");
        repo.git(["add", "-A"]).ok();
        repo.git(["update-index", "--skip-worktree", "a/c"]).ok();
        repo.git(["update-index", "--index-version", version]).ok();
        let (_git, mut index) = open(&repo);
        let listed: Vec<_> = index.iter().map(|(path, entry)| (path.to_vec(), entry.entry.mode)).collect();
        let expected = [
            (b"a/b".to_vec(), EntryMode::File),
            (b"a/c".to_vec(), EntryMode::Executable),
            (b"l".to_vec(), EntryMode::Link),
        ];
        assert_eq!(listed, expected);
        for name in ["a/b", "l"] {
            assert!(index.get(name.as_bytes()).unwrap().matches(&stat(&repo.path().join(name))), "{name}");
        }
        assert!(index.get(b"a/c").unwrap().skip_worktree);
        assert_eq!(index.under(b"a").count(), 2);

        assert_eq!(index.remove_under(b"a"), 2);
        index.write().unwrap();
        assert_eq!(repo.git(["ls-files"]).text(), "l", "git reads what was written, version {version}");
    }
}

#[test]
fn a_split_index_is_made_whole() {
    let repo = Repo::new().with_file("a", b"1");
    repo.git(["add", "-A"]).ok();
    repo.git(["update-index", "--split-index"]).ok();
    fs::write(repo.path().join("b"), "2").unwrap();
    repo.git(["add", "-A"]).ok();
    let (_git, mut index) = open(&repo);
    assert_eq!(index.len(), 2);
    index.remove(b"a");
    index.write().unwrap();
    assert_eq!(repo.git(["ls-files"]).text(), "b");
}

#[test]
fn extensions_of_git_are_no_hindrance() {
    let repo = Repo::new().with_file("a", b"1").commit();
    repo.git(["update-index", "--untracked-cache"]).ok();
    repo.git(["config", "index.threads", "2"]).ok();
    repo.git(["status", "--short"]).ok();
    let (_git, mut index) = open(&repo);
    let entry = *index.get(b"a").unwrap();
    index.set(b"a2", IndexEntry { skip_worktree: true, ..entry });
    index.write().unwrap();
    assert_eq!(repo.git(["status", "--short"]).text(), "A  a2");
    repo.git(["fsck", "--strict"]).ok();
}

#[test]
fn edits_of_two_writers_are_both_kept() {
    let repo = Repo::new().with_file("a", b"1").with_file("b", b"2").commit();
    let (git, mut ours) = open(&repo);
    let mut theirs = WorkIndex::open(&git).unwrap();
    let entry = *ours.get(b"a").unwrap();
    ours.set(b"ours", entry);
    theirs.remove(b"b");
    theirs.write().unwrap();
    assert!(ours.changed_on_disk().unwrap());
    ours.write().unwrap();
    assert_eq!(repo.git(["ls-files"]).text(), "a\nours");

    fs::write(repo.git_dir().join("index.lock"), "").unwrap();
    ours.remove(b"a");
    assert!(matches!(ours.write(), Err(IndexError::Locked)));
    fs::remove_file(repo.git_dir().join("index.lock")).unwrap();
    ours.write().unwrap();
    assert_eq!(repo.git(["ls-files"]).text(), "ours");
}

#[test]
fn a_file_and_a_directory_cannot_have_one_name() {
    let repo = Repo::new();
    let entry = IndexEntry::not_placed(TreeEntry { mode: EntryMode::File, oid: blob(&repo, "x").oid });
    let (_git, mut index) = open(&repo);
    index.set(b"x/a", entry);
    index.set(b"x/b/c", entry);
    index.set(b"x.y", entry);
    index.set(b"x", entry);
    assert_eq!(index.iter().map(|(path, _)| path).collect::<Vec<_>>(), [&b"x"[..], b"x.y"]);
    index.set(b"x/a", entry);
    assert_eq!(index.iter().map(|(path, _)| path).collect::<Vec<_>>(), [&b"x.y"[..], b"x/a"]);
}

#[test]
fn conflicts_of_a_merge_by_hand_survive() {
    let repo = Repo::new().with_file("f", b"base\n").commit();
    repo.git(["checkout", "-q", "-b", "other"]).ok();
    let repo = repo.with_file("f", b"theirs\n").commit();
    repo.git(["checkout", "-q", "master"]).ok();
    let repo = repo.with_file("f", b"ours\n").commit();
    assert!(!repo.git(["merge", "-q", "other"]).success(), "the two overlap");
    let before = repo.git(["ls-files", "--unmerged"]).text();
    let (_git, mut index) = open(&repo);
    let conflicts: Vec<_> = index.conflicts().map(|(path, conflict)| (path.to_vec(), *conflict)).collect();
    assert_eq!(conflicts.len(), 1);
    assert!(index.get(b"f").is_none());
    let ours: Oid = conflicts[0].1.ours.unwrap().oid;
    assert_eq!(ours.to_string(), repo.git(["rev-parse", "master:f"]).text());
    index.set(b"g", IndexEntry::not_placed(conflicts[0].1.base.unwrap()));
    index.write().unwrap();
    assert_eq!(repo.git(["ls-files", "--unmerged"]).text(), before);
}

#[test]
fn a_racy_index_settles() {
    let repo = Repo::new();
    let pointer = blob(&repo, "/annex/objects/SHA256E-s7--abc\n");
    let ran = with_telltale_filter(&repo);
    let file = repo.path().join("f");
    let (_git, mut index) = open(&repo);
    fs::write(&file, "content").unwrap();
    index.set(b"f", IndexEntry::placed(pointer, &stat(&file)));
    let settles = index.settles_at();
    index.write().unwrap();
    // The test itself may just have passed from one second to the next.
    if let Some(moment) = settles {
        let wait = moment.duration_since(SystemTime::now()).unwrap_or_default();
        std::thread::sleep(wait);
        assert!(index.is_racy());
    }
    index.write().unwrap();
    assert!(!index.is_racy());
    repo.git(["diff-files", "--quiet"]).ok();
    assert!(!ran(), "from then on git need not look");
}
