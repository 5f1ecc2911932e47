//! Commits and trees, with git itself as the judge.

// Clippy lets tests unwrap, but not the functions that tests are made of.
#![allow(clippy::unwrap_used)]

use std::time::Instant;

use git2::Oid;
use tributary_formats::TreePath;
use tributary_repo::commit::{CommitError, TreeChange, blob_entry, commit_changes};
use tributary_repo::object_batch::ObjectBatch;
use tributary_repo::refs;
use tributary_repo::tree::{EntryMode, TreeEntry, diff_trees, entry_at, tree_of};
use tributary_testkit::Repo;

fn path(text: &str) -> TreePath {
    TreePath::new(text).unwrap()
}

fn author() -> git2::Signature<'static> {
    git2::Signature::new("Anna B", "anna@example.org", &git2::Time::new(1_700_000_000, 60)).unwrap()
}

/// A change that puts a file, or removes the path.
fn change(batch: &mut ObjectBatch, at: &str, content: Option<&str>) -> TreeChange {
    let entry = content.map(|text| blob_entry(batch, EntryMode::File, text.as_bytes().to_vec()).unwrap());
    TreeChange { path: path(at), entry }
}

/// Commits `PATH`, `CONTENT` pairs on top of the branch, whatever it holds.
fn commit(git: &git2::Repository, files: &[(&str, Option<&str>)]) -> Oid {
    let mut batch = ObjectBatch::new();
    let changes: Vec<_> = files.iter().map(|(at, content)| change(&mut batch, at, *content)).collect();
    let parent = refs::head(git).unwrap().tip;
    commit_changes(git, &mut batch, parent, &changes, "a change", &author()).unwrap().unwrap().commit
}

fn listing(repo: &Repo) -> Vec<String> {
    let listed = repo.git(["ls-tree", "-r", "--name-only", "HEAD"]).text();
    listed.lines().map(str::to_owned).collect()
}

#[test]
fn commits_are_gits_own() {
    let repo = Repo::new();
    let git = git2::Repository::open(repo.path()).unwrap();
    commit(
        &git,
        &[("a.txt", Some("1")), ("dir/b", Some("2")), ("dir/sub/c", Some("3")), ("dir.x", Some("4"))],
    );
    assert_eq!(listing(&repo), ["a.txt", "dir.x", "dir/b", "dir/sub/c"]);
    commit(&git, &[("dir/sub/c", None), ("dir/b", Some("two"))]);
    assert_eq!(listing(&repo), ["a.txt", "dir.x", "dir/b"], "a directory that is empty vanishes");
    assert_eq!(repo.git(["show", "HEAD:dir/b"]).text(), "two");

    repo.git(["fsck", "--strict", "--no-dangling"]).ok();
    assert_eq!(
        repo.git(["log", "--format=%an %ae %at %s", "-1"]).text(),
        "Anna B anna@example.org 1700000000 a change"
    );
    assert_eq!(
        repo.git(["reflog", "--format=%gs", "master"]).text(),
        "commit: a change\ncommit (initial): a change"
    );
    assert_eq!(repo.git(["symbolic-ref", "HEAD"]).text(), "refs/heads/master");
}

#[test]
fn a_file_becomes_a_directory_and_back() {
    let repo = Repo::new();
    let git = git2::Repository::open(repo.path()).unwrap();
    commit(&git, &[("x", Some("file")), ("x.y", Some("between them in bytewise order"))]);
    commit(&git, &[("x", None), ("x/a", Some("1")), ("x/b/c", Some("2"))]);
    assert_eq!(listing(&repo), ["x.y", "x/a", "x/b/c"]);
    commit(&git, &[("x/a", None), ("x/b/c", None), ("x", Some("file again"))]);
    assert_eq!(listing(&repo), ["x", "x.y"]);
    repo.git(["fsck", "--strict", "--no-dangling"]).ok();
}

#[test]
fn no_commit_without_a_change() {
    let repo = Repo::new();
    let git = git2::Repository::open(repo.path()).unwrap();
    let first = commit(&git, &[("a", Some("1"))]);
    let mut batch = ObjectBatch::new();
    let same = [change(&mut batch, "a", Some("1")), change(&mut batch, "never/there", None)];
    assert_eq!(commit_changes(&git, &mut batch, Some(first), &same, "x", &author()).unwrap(), None);
    assert_eq!(refs::head(&git).unwrap().tip, Some(first));
}

#[test]
fn everything_deleted_leaves_an_empty_tree() {
    let repo = Repo::new();
    let git = git2::Repository::open(repo.path()).unwrap();
    commit(&git, &[("d/a", Some("1"))]);
    commit(&git, &[("d/a", None)]);
    assert!(listing(&repo).is_empty());
    repo.git(["fsck", "--strict", "--no-dangling"]).ok();
}

#[test]
fn somebody_elses_commit_is_never_passed_over() {
    let repo = Repo::new();
    let git = git2::Repository::open(repo.path()).unwrap();
    let first = commit(&git, &[("a", Some("1"))]);
    repo.git(["commit", "-q", "--allow-empty", "-m", "by hand"]).ok();
    let theirs = repo.git(["rev-parse", "HEAD"]).text();
    let mut batch = ObjectBatch::new();
    let changes = [change(&mut batch, "a", Some("2"))];
    let raced = commit_changes(&git, &mut batch, Some(first), &changes, "x", &author());
    assert!(matches!(raced, Err(CommitError::Raced)));
    assert_eq!(repo.git(["rev-parse", "HEAD"]).text(), theirs);

    let held = repo.git_dir().join("refs/heads/master.lock");
    std::fs::write(&held, "").unwrap();
    let tip = refs::head(&git).unwrap().tip;
    let changes = [change(&mut batch, "a", Some("3"))];
    let locked = commit_changes(&git, &mut batch, tip, &changes, "x", &author());
    assert!(matches!(locked, Err(CommitError::Raced)), "git holds the ref's lock in this moment");
}

#[test]
fn trees_are_compared_as_git_compares_them() {
    let repo = Repo::new();
    let git = git2::Repository::open(repo.path()).unwrap();
    let old =
        commit(&git, &[("a", Some("1")), ("b/c", Some("2")), ("b/d", Some("3")), ("same/x", Some("4"))]);
    let new = commit(
        &git,
        &[("a", None), ("a/now/dir", Some("5")), ("b/c", Some("new")), ("b/d", None), ("b.e", Some("6"))],
    );
    let [old_tree, new_tree] = [old, new].map(|commit| tree_of(&git, commit).unwrap());
    let status = |entry: (Option<TreeEntry>, Option<TreeEntry>)| match entry {
        (None, Some(_)) => "A",
        (Some(_), None) => "D",
        _ => "M",
    };
    let deltas = diff_trees(&git, Some(old_tree), Some(new_tree)).unwrap();
    let ours: Vec<String> =
        deltas.iter().map(|delta| format!("{}\t{}", status((delta.old, delta.new)), delta.path)).collect();
    let judge = ["diff-tree", "-r", "--no-renames", "--name-status", &old.to_string(), &new.to_string()];
    let mut git_says: Vec<String> = repo.git(judge).text().lines().map(str::to_owned).collect();
    git_says.sort_by_key(|line| line[2..].to_owned());
    assert_eq!(ours, git_says);

    assert!(entry_at(&git, new_tree, &path("a/now/dir")).unwrap().is_some());
    assert_eq!(entry_at(&git, new_tree, &path("a/now")).unwrap(), None, "a directory is no entry");
    assert_eq!(entry_at(&git, new_tree, &path("b/c/d")).unwrap(), None, "nothing lies below a file");
    let all = diff_trees(&git, None, Some(new_tree)).unwrap();
    assert_eq!(all.len(), 4, "everything is new against the empty tree");
}

#[test]
fn ten_thousand_files_make_one_pack() {
    let repo = Repo::new();
    let git = git2::Repository::open(repo.path()).unwrap();
    let mut batch = ObjectBatch::new();
    let begun = Instant::now();
    let changes: Vec<_> = (0..10_000)
        .map(|n| {
            change(&mut batch, &format!("d{}/f{n}", n % 100), Some(&format!("/annex/objects/key-{n}\n")))
        })
        .collect();
    commit_changes(&git, &mut batch, None, &changes, "many", &author()).unwrap().unwrap();
    eprintln!("10,000 files: {:?}", begun.elapsed());
    let packs = std::fs::read_dir(repo.git_dir().join("objects/pack")).unwrap();
    let packs = packs.filter(|file| file.as_ref().unwrap().path().extension().is_some_and(|e| e == "pack"));
    assert_eq!(packs.count(), 1);
    assert_eq!(listing(&repo).len(), 10_000);
    repo.git(["fsck", "--strict"]).ok();
}
