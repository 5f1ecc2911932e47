//! Batches of git objects, with git as judge.

// Clippy lets tests unwrap, but not the functions that tests are made of.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use git2::{ObjectType, Oid, Signature, Time};
use tributary_repo::object_batch::{LOOSE_LIMIT, ObjectBatch, TreeItem};
use tributary_testkit::Repo;

fn file(name: &str, oid: Oid) -> TreeItem {
    TreeItem { name: name.into(), mode: 0o100_644, oid }
}

/// A commit with `count` files of many sizes.
fn commit(batch: &mut ObjectBatch, count: usize) -> Oid {
    let mut items = Vec::new();
    for number in 0..count {
        let content: Vec<u8> = (0..number * 97).map(|at| (at * number % 256) as u8).collect();
        items.push(file(&format!("file {number}"), batch.blob(content).unwrap()));
    }
    let empty = batch.blob(Vec::new()).unwrap();
    let below = batch.tree(vec![file("x", empty)]).unwrap();
    // Git's order of these is not that of their bytes: a directory counts as if a slash followed.
    items.push(TreeItem { name: b"a".to_vec(), mode: 0o040_000, oid: below });
    items.push(file("a.b", empty));
    items.push(file("a-b", empty));
    items.push(file("a0", empty));
    let tree = batch.tree(items).unwrap();
    let who = Signature::new("Ann é", "ann@example.org", &Time::new(1_700_000_000, -150)).unwrap();
    batch.commit(tree, &[], &who, &who, b"all of them").unwrap()
}

fn packs(repo: &Repo) -> usize {
    let dir = repo.git_dir().join("objects/pack");
    fs::read_dir(dir).unwrap().filter(|entry| is_pack(&entry.as_ref().unwrap().path())).count()
}

fn is_pack(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "pack")
}

#[test]
fn few_are_loose_and_many_are_a_pack() {
    for (count, expected) in [(5, 0), (3 * LOOSE_LIMIT, 1)] {
        let repo = Repo::new();
        let git = git2::Repository::open(repo.path()).unwrap();
        let mut batch = ObjectBatch::new();
        let made = commit(&mut batch, count);
        assert!(batch.len() > count);
        assert!(git.find_commit(made).is_err(), "not there before it is written");
        batch.write_durably(&git).unwrap();
        assert!(batch.is_empty());
        assert_eq!(git.find_commit(made).unwrap().tree().unwrap().len(), count + 4, "readable at once");
        assert_eq!(packs(&repo), expected);

        repo.git(["update-ref", "refs/heads/master", &made.to_string()]).ok();
        repo.git(["fsck", "--strict", "--no-progress"]).ok();
        let written = repo.git(["log", "--format=%an <%ae> %ad %s", "--date=raw"]).ok().text();
        assert_eq!(written, "Ann é <ann@example.org> 1700000000 -0230 all of them");
        let last = format!("HEAD:file {}", count - 1);
        let size = repo.git(["cat-file", "-s", &last]).ok().text();
        assert_eq!(size, ((count - 1) * 97).to_string());
        let left = repo.git(["count-objects", "-v"]).ok().text();
        assert!(left.contains("garbage: 0"), "no temporary file stays: {left}");

        // What is there already is not written again.
        commit(&mut batch, count);
        batch.write(&git).unwrap();
        assert_eq!(packs(&repo), expected);
        assert_eq!(repo.git(["count-objects", "-v"]).ok().text(), left);
    }
}

#[test]
fn objects_are_those_of_git() {
    let repo = Repo::new().with_file("f", b"content").with_executable("sub/x", b"").commit();
    let git = git2::Repository::open(repo.path()).unwrap();
    let odb = git.odb().unwrap();
    let mut batch = ObjectBatch::new();
    odb.foreach(|oid| {
        let object = odb.read(*oid).unwrap();
        let same = batch.add(object.kind(), object.data().to_vec()).unwrap();
        assert_eq!(same, *oid);
        if object.kind() == ObjectType::Tree {
            let tree = git.find_tree(*oid).unwrap();
            let item = |entry: git2::TreeEntry<'_>| TreeItem {
                name: entry.name_bytes().to_vec(),
                mode: entry.filemode().cast_unsigned(),
                oid: entry.id(),
            };
            let mut items: Vec<TreeItem> = tree.iter().map(item).collect();
            items.reverse();
            assert_eq!(batch.tree(items).unwrap(), *oid, "whatever the order was");
        }
        true
    })
    .unwrap();
    assert_eq!(batch.len(), 5, "two blobs, two trees, a commit; each once");
}

#[test]
fn names_cannot_break_a_commit() {
    let repo = Repo::new();
    let git = git2::Repository::open(repo.path()).unwrap();
    let mut batch = ObjectBatch::new();
    let tree = batch.tree(Vec::new()).unwrap();
    let who = Signature::now("a\nparent 0", "b\nc").unwrap();
    let made = batch.commit(tree, &[], &who, &who, b"message").unwrap();
    batch.write(&git).unwrap();
    repo.git(["update-ref", "refs/heads/master", &made.to_string()]).ok();
    repo.git(["fsck", "--strict", "--no-progress"]).ok();
    assert_eq!(repo.git(["log", "--format=%an|%ae"]).ok().text(), "aparent 0|bc");
}
