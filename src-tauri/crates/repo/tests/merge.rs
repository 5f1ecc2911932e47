//! Merges: properties over random trees, and the vectors that git-annex agrees with.

// Clippy lets tests unwrap, but not the functions that tests are made of.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};

use git2::Oid;
use proptest::prelude::*;
use tributary_formats::{Key, TreePath};
use tributary_repo::commit::{TreeChange, blob_entry, change_tree, link_entry, pointer_entry};
use tributary_repo::conflict::ConflictKind;
use tributary_repo::merge::{Merged, merge_commits};
use tributary_repo::object_batch::ObjectBatch;
use tributary_repo::tree::{Content, EntryMode, content_of, diff_trees};
use tributary_testkit::Repo;

/// What a path holds, in the words of these tests.
#[derive(Debug, Clone, PartialEq, Eq)]
enum File {
    Unlocked(u8, bool),
    Locked(u8),
    Text(&'static str, bool),
    Link(&'static str),
}

use File::{Link, Locked, Text, Unlocked};

type Files = BTreeMap<&'static str, File>;

/// Keys of the contents `one\n` and `two\n`, and some more.
fn key(number: u8) -> Key {
    let name = match number {
        1 => "SHA256E-s4--2c8b08da5ce60398e1f19af0e5dccc744df274b826abe585eaba68c525434806.txt".to_owned(),
        2 => "SHA256E-s4--27dd8ed44a83ff94d557f9fd0412ed5a8cbca69ea04922d88c01184a07300a5a.txt".to_owned(),
        n => format!("SHA256E-s{n}--{}.txt", format!("{n:02x}").repeat(32)),
    };
    Key::parse(name.as_bytes()).unwrap()
}

fn author(seconds: i64) -> git2::Signature<'static> {
    git2::Signature::new("Anna", "anna@example.org", &git2::Time::new(seconds, 0)).unwrap()
}

fn tree(git: &git2::Repository, batch: &mut ObjectBatch, files: &Files) -> Oid {
    let changes: Vec<TreeChange> = files
        .iter()
        .map(|(path, file)| {
            let path = TreePath::new(path).unwrap();
            let plain = |executable| if executable { EntryMode::Executable } else { EntryMode::File };
            let entry = match file {
                Unlocked(n, executable) => pointer_entry(batch, &key(*n), *executable),
                Locked(n) => link_entry(batch, &key(*n), &path),
                Text(text, executable) => blob_entry(batch, plain(*executable), text.as_bytes().to_vec()),
                Link(target) => blob_entry(batch, EntryMode::Link, target.as_bytes().to_vec()),
            };
            TreeChange { path, entry: Some(entry.unwrap()) }
        })
        .collect();
    match change_tree(git, batch, None, &changes).unwrap() {
        Some(tree) => tree,
        None => batch.tree(Vec::new()).unwrap(),
    }
}

fn commit(git: &git2::Repository, files: &Files, parents: &[Oid], seconds: i64) -> Oid {
    let mut batch = ObjectBatch::new();
    let tree = tree(git, &mut batch, files);
    let who = author(seconds);
    let commit = batch.commit(tree, parents, &who, &who, b"an edit").unwrap();
    batch.write(git).unwrap();
    commit
}

fn merged(git: &git2::Repository, ours: Oid, theirs: Oid) -> (Oid, Oid, Vec<(String, ConflictKind)>) {
    match merge_commits(git, Some(ours), &[theirs]).unwrap() {
        Merged::Merge { commit, tree, conflicts } => {
            (commit, tree, conflicts.into_iter().map(|c| (c.path.to_string(), c.kind)).collect())
        }
        other => panic!("no merge: {other:?}"),
    }
}

/// The merge of two edits of `base`, as a list of `PATH CONTENT`.
fn outcome(
    base: &[(&'static str, File)],
    ours: &[(&'static str, File)],
    theirs: &[(&'static str, File)],
) -> Vec<String> {
    let repo = Repo::bare();
    let git = git2::Repository::open(repo.path()).unwrap();
    let files = |list: &[(&'static str, File)]| list.iter().cloned().collect::<Files>();
    let base = commit(&git, &files(base), &[], 1);
    let ours = commit(&git, &files(ours), &[base], 2);
    let theirs = commit(&git, &files(theirs), &[base], 3);
    let (there, back) = (merged(&git, ours, theirs), merged(&git, theirs, ours));
    assert_eq!(there, back, "both sides come to the same commit");
    git.reference("refs/heads/master", there.0, true, "").unwrap();
    repo.git(["fsck", "--strict", "--no-dangling"]).ok();
    describe(&git, there.1)
}

fn describe(git: &git2::Repository, tree: Oid) -> Vec<String> {
    let deltas = diff_trees(git, None, Some(tree)).unwrap();
    let line = |delta: &tributary_repo::tree::TreeDelta| {
        let entry = delta.new.unwrap();
        let executable = if entry.mode == EntryMode::Executable { " +x" } else { "" };
        let what = match content_of(git, entry).unwrap() {
            Content::Annexed { key: k, locked } => {
                let number = (0..=255).find(|n| key(*n) == k).unwrap();
                format!("{}{number}", if locked { "locked " } else { "" })
            }
            _ => {
                let blob = git.find_blob(entry.oid).unwrap();
                format!("{:?}", String::from_utf8_lossy(blob.content()))
            }
        };
        format!("{} = {what}{executable}", delta.path)
    };
    deltas.iter().map(line).collect()
}

#[test]
fn two_contents_of_one_file() {
    let both = outcome(
        &[("f.txt", Unlocked(9, false))],
        &[("f.txt", Unlocked(1, false))],
        &[("f.txt", Unlocked(2, true))],
    );
    assert_eq!(both, ["f.variant-16e4.txt = 2 +x", "f.variant-5d43.txt = 1"]);
    let locked = outcome(&[], &[("sub/f.txt", Locked(1))], &[("sub/f.txt", Unlocked(2, false))]);
    assert_eq!(locked, ["sub/f.variant-16e4.txt = 2", "sub/f.variant-5d43.txt = locked 1"]);
    let again = outcome(&[], &[("f.variant-abcd.txt", Locked(1))], &[("f.variant-abcd.txt", Locked(2))]);
    let long = |n: u8| format!("f.variant-abcd.variant-{}.txt = locked {n}", key(n));
    assert_eq!(again, [long(2), long(1)]);
}

#[test]
fn a_variant_that_is_there_already_is_not_made_twice() {
    let base = [("f.txt", Unlocked(9, false))];
    let ours = [("f.txt", Unlocked(1, false)), ("f.variant-5d43.txt", Locked(1))];
    let both = outcome(&base, &ours, &[("f.txt", Unlocked(2, false))]);
    assert_eq!(both, ["f.variant-16e4.txt = 2", "f.variant-5d43.txt = 1"]);
    let ours = [("f.txt", Unlocked(1, false)), ("f.variant-5d43.txt", Unlocked(3, false))];
    let both = outcome(&base, &ours, &[("f.txt", Unlocked(2, false))]);
    let long = format!("f.variant-5d43.variant-{}.txt = 1", key(1));
    assert_eq!(
        both,
        ["f.variant-16e4.txt = 2".to_owned(), "f.variant-5d43.txt = 3".to_owned(), long],
        "another content has the name"
    );
}

#[test]
fn one_content_locked_and_unlocked() {
    let base = [("f", Locked(9))];
    assert_eq!(outcome(&base, &[("f", Locked(1))], &[("f", Unlocked(1, true))]), ["f = 1 +x"]);
    assert_eq!(outcome(&[], &[("f", Unlocked(1, false))], &[("f", Unlocked(1, true))]), ["f = 1 +x"]);
}

#[test]
fn changed_here_and_deleted_there() {
    let base = [("f.txt", Unlocked(9, false)), ("other", Text("x", false))];
    let deleted = [("other", Text("x", false))];
    let kept = outcome(&base, &[("f.txt", Unlocked(2, false)), ("other", Text("x", false))], &deleted);
    assert_eq!(kept, ["f.variant-16e4.txt = 2", "other = \"x\""]);
    let text = outcome(&[("t", Text("a", false))], &[("t", Text("b", false))], &[]);
    assert_eq!(text, ["t = \"b\""], "a file in git stays where it is");
}

#[test]
fn annexed_against_a_file_in_git() {
    let kept = outcome(&[], &[("f.txt", Unlocked(1, false))], &[("f.txt", Text("text", false))]);
    assert_eq!(kept, ["f.txt = \"text\"", "f.variant-5d43.txt = 1"]);
    let link = outcome(&[], &[("f.txt", Locked(1))], &[("f.txt", Link("elsewhere"))]);
    assert_eq!(link, ["f.txt = \"elsewhere\"", "f.variant-5d43.txt = locked 1"]);
}

#[test]
fn a_file_against_a_directory() {
    let kept = outcome(&[], &[("f.txt", Unlocked(1, false))], &[("f.txt/inner", Unlocked(2, false))]);
    assert_eq!(kept, ["f.txt/inner = 2", "f.variant-5d43.txt = 1"]);
    // The directory was changed below and replaced by a file on the other side.
    let base = [("d/a", Unlocked(9, false)), ("d/b", Unlocked(8, false))];
    let ours = [("d/a", Unlocked(1, false)), ("d/b", Unlocked(8, false))];
    let kept = outcome(&base, &ours, &[("d", Unlocked(2, false))]);
    assert_eq!(kept, ["d.variant-16e4 = 2", "d/a.variant-5d43 = 1"]);
    // It was only left as it was: then the file simply takes its place.
    assert_eq!(
        outcome(&base, &[("x", Locked(1)), base[0].clone(), base[1].clone()], &[("d", Unlocked(2, false))]),
        ["d = 2", "x = locked 1"]
    );
    // A file that became a directory here, and went there.
    assert_eq!(outcome(&[("f", Unlocked(9, false))], &[("f/a", Unlocked(1, false))], &[]), ["f/a = 1"]);
}

#[test]
fn texts_are_merged_when_they_can_be() {
    let base = [("t", Text("a\nb\nc\nd\ne\n", false))];
    let ours = [("t", Text("A\nb\nc\nd\ne\n", false))];
    let theirs = [("t", Text("a\nb\nc\nd\nE\n", true))];
    assert_eq!(outcome(&base, &ours, &theirs), [r#"t = "A\nb\nc\nd\nE\n" +x"#]);
    let overlapping = outcome(&base, &ours, &[("t", Text("X\nb\nc\nd\ne\n", false))]);
    assert_eq!(overlapping.len(), 2);
    assert!(overlapping.iter().all(|line| line.starts_with("t.variant-")), "{overlapping:?}");
}

#[test]
fn the_executable_bit_and_the_content_are_changed_apart() {
    let base = [("f", Unlocked(9, false))];
    assert_eq!(outcome(&base, &[("f", Unlocked(9, true))], &[("f", Unlocked(1, false))]), ["f = 1 +x"]);
    let base = [("f", Unlocked(9, true))];
    assert_eq!(outcome(&base, &[("f", Unlocked(9, false))], &[("f", Unlocked(1, true))]), ["f = 1"]);
}

#[test]
fn a_change_follows_a_renamed_file() {
    let base = [("old", Unlocked(9, false)), ("keep", Unlocked(8, false))];
    let renamed = [("dir/new", Unlocked(9, false)), ("keep", Unlocked(8, false))];
    let changed = [("old", Unlocked(1, true)), ("keep", Unlocked(8, false))];
    assert_eq!(outcome(&base, &renamed, &changed), ["dir/new = 1 +x", "keep = 8"]);
    let locked = outcome(&[("old", Locked(9))], &[("d/new", Locked(9))], &[("old", Locked(1))]);
    assert_eq!(locked, ["d/new = locked 1"]);
}

#[test]
fn heads_that_are_contained_need_no_merge() {
    let repo = Repo::bare();
    let git = git2::Repository::open(repo.path()).unwrap();
    let a = commit(&git, &Files::new(), &[], 1);
    let b = commit(&git, &Files::from([("f", Unlocked(1, false))]), &[a], 2);
    let c = commit(&git, &Files::from([("g", Unlocked(2, false))]), &[a], 3);
    assert_eq!(merge_commits(&git, Some(b), &[a, b]).unwrap(), Merged::Nothing);
    assert_eq!(merge_commits(&git, Some(a), &[b]).unwrap(), Merged::FastForward(b));
    assert_eq!(merge_commits(&git, None, &[a, b]).unwrap(), Merged::FastForward(b));
    assert_eq!(merge_commits(&git, None, &[]).unwrap(), Merged::Nothing);
    let one = merge_commits(&git, Some(b), &[c, a]).unwrap();
    assert_eq!(one, merge_commits(&git, Some(c), &[b]).unwrap(), "the same commit on every computer");
    let merge = one.target().unwrap();
    assert_eq!(merge_commits(&git, Some(b), &[merge, c]).unwrap(), Merged::FastForward(merge));
}

#[test]
fn histories_without_a_common_root() {
    let repo = Repo::bare();
    let git = git2::Repository::open(repo.path()).unwrap();
    let one = commit(&git, &Files::from([("a", Unlocked(1, false)), ("same", Unlocked(3, false))]), &[], 1);
    let other = commit(&git, &Files::from([("b", Unlocked(2, false)), ("same", Unlocked(3, false))]), &[], 2);
    let (_, tree, conflicts) = merged(&git, one, other);
    assert_eq!(describe(&git, tree), ["a = 1", "b = 2", "same = 3"]);
    assert!(conflicts.is_empty());
}

// ---- properties

const PATHS: [&str; 8] = ["a", "a/x", "a/y.txt", "b.txt", "b.txt/z", "c/d/e", "c/d", "f.variant-16e4"];
const TEXTS: [&str; 3] = ["1\n2\n3\n4\n", "1\n2\n3\nfour\n", "one\n2\n3\n4\n"];

fn file() -> impl Strategy<Value = File> {
    prop_oneof![
        4 => (1u8..6, any::<bool>()).prop_map(|(n, x)| Unlocked(n, x)),
        2 => (1u8..6).prop_map(Locked),
        2 => (0..TEXTS.len(), any::<bool>()).prop_map(|(n, x)| Text(TEXTS[n], x)),
        1 => prop_oneof![Just("p"), Just("q")].prop_map(Link),
    ]
}

/// A file or nothing for some of the paths.
fn edit() -> impl Strategy<Value = Vec<(&'static str, Option<File>)>> {
    let path = (0..PATHS.len()).prop_map(|n| PATHS[n]);
    proptest::collection::vec((path, proptest::option::weighted(0.75, file())), 0..6)
}

fn edited(files: &Files, edit: &[(&'static str, Option<File>)]) -> Files {
    let mut files = files.clone();
    for (path, file) in edit {
        let inside =
            |other: &str, dir: &str| other.strip_prefix(dir).is_some_and(|rest| rest.starts_with('/'));
        files.remove(path);
        if let Some(file) = file {
            files.retain(|other, _| !inside(other, path) && !inside(path, other));
            files.insert(path, file.clone());
        }
    }
    files
}

/// Keys that a side has and the base had nowhere.
fn saved(base: &Files, side: &Files) -> BTreeSet<u8> {
    let keys = |files: &Files| -> BTreeSet<u8> {
        let key = |file: &File| match file {
            Unlocked(n, _) | Locked(n) => Some(*n),
            _ => None,
        };
        files.values().filter_map(key).collect()
    };
    keys(side).difference(&keys(base)).copied().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn merging_is_symmetric_and_loses_nothing(start in edit(), one in edit(), other in edit(), related in any::<bool>()) {
        let repo = Repo::bare();
        let git = git2::Repository::open(repo.path()).unwrap();
        let base = edited(&Files::new(), &start);
        let (one, other) = (edited(&base, &one), edited(&base, &other));
        let root = commit(&git, &base, &[], 1);
        let parents = if related { vec![root] } else { vec![] };
        let (a, b) = (commit(&git, &one, &parents, 2), commit(&git, &other, &parents, 3));
        let (there, back) = (merged(&git, a, b), merged(&git, b, a));
        prop_assert_eq!(&there, &back);

        let listed = describe(&git, there.1);
        let common = if related { base } else { Files::new() };
        for number in saved(&common, &one).into_iter().chain(saved(&common, &other)) {
            let suffixes = [format!(" = {number}"), format!(" = {number} +x"), format!(" = locked {number}")];
            prop_assert!(
                listed.iter().any(|line| suffixes.iter().any(|suffix| line.ends_with(suffix))),
                "version {} is gone: {:?}", number, listed
            );
        }
        // Every path of the result is one that git accepts.
        for line in &listed {
            let path = line.split(" = ").next().unwrap();
            prop_assert!(TreePath::new(path).is_ok());
        }
    }

    #[test]
    fn nodes_that_merge_each_other_come_to_rest(
        start in edit(),
        edits in proptest::collection::vec(edit(), 3),
        meetings in proptest::collection::vec((0usize..3, 0usize..3), 0..8),
    ) {
        let repo = Repo::bare();
        let git = git2::Repository::open(repo.path()).unwrap();
        let base = edited(&Files::new(), &start);
        let root = commit(&git, &base, &[], 1);
        let mut heads: Vec<Oid> = edits
            .iter()
            .enumerate()
            .map(|(n, edit)| commit(&git, &edited(&base, edit), &[root], 2 + n as i64))
            .collect();
        for (to, from) in meetings {
            heads[to] = merge_commits(&git, Some(heads[to]), &[heads[from]]).unwrap().target().unwrap_or(heads[to]);
        }
        // From now on each sees all others at once, and all move at the same time: the worst case.
        let mut rounds = 0;
        while heads.iter().any(|head| *head != heads[0]) {
            let next: Vec<Oid> = heads
                .iter()
                .map(|head| merge_commits(&git, Some(*head), &heads).unwrap().target().unwrap_or(*head))
                .collect();
            heads = next;
            rounds += 1;
            prop_assert!(rounds <= 2, "still merging after {} rounds", rounds);
        }
    }
}
