//! Our merges against those of real git-annex, on the same histories: the trees must be the same.

use std::fs;
use std::path::Path;

use git2::Oid;
use tributary_repo::merge::{Merged, merge_commits};
use tributary_repo::tree::tree_of;
use tributary_testkit::{Annex, annex_versions};

/// An edit that one side makes.
#[derive(Clone, Copy)]
enum Edit {
    Unlocked(&'static str, &'static str),
    Locked(&'static str, &'static str),
    InGit(&'static str, &'static str),
    Delete(&'static str),
    Rename(&'static str, &'static str),
    /// `git annex unlock`: the same content in another form.
    Unlock(&'static str),
}

use Edit::{Delete, InGit, Locked, Rename, Unlock, Unlocked};

struct Case {
    name: &'static str,
    base: &'static [Edit],
    ours: &'static [Edit],
    theirs: &'static [Edit],
}

const CASES: &[Case] = &[
    Case {
        name: "both changed a file",
        base: &[Unlocked("f.txt", "base\n"), Unlocked("other", "x")],
        ours: &[Unlocked("f.txt", "one\n")],
        theirs: &[Unlocked("f.txt", "two\n")],
    },
    Case {
        name: "both added a locked file",
        base: &[Locked("other", "x")],
        ours: &[Locked("sub/deep.tar.gz", "one\n")],
        theirs: &[Locked("sub/deep.tar.gz", "two\n")],
    },
    Case {
        name: "one locked, one unlocked, other contents",
        base: &[Locked("other", "x")],
        ours: &[Locked("noext", "one\n")],
        theirs: &[Unlocked("noext", "two\n")],
    },
    Case {
        name: "one locked, one unlocked, one content",
        base: &[Locked("other", "x")],
        ours: &[Locked("f.txt", "one\n")],
        theirs: &[Unlocked("f.txt", "one\n")],
    },
    Case {
        name: "unlocked here and changed there",
        base: &[Locked("f.txt", "base\n")],
        ours: &[Unlock("f.txt")],
        theirs: &[Locked("f.txt", "two\n")],
    },
    Case {
        name: "changed here and deleted there",
        base: &[Unlocked("f.txt", "base\n"), Unlocked("other", "x")],
        ours: &[Unlocked("f.txt", "two\n")],
        theirs: &[Delete("f.txt")],
    },
    Case {
        name: "deleted here and changed there, locked",
        base: &[Locked("d/f.txt", "base\n"), Unlocked("other", "x")],
        ours: &[Delete("d/f.txt")],
        theirs: &[Locked("d/f.txt", "two\n")],
    },
    Case {
        name: "annexed here and in git there",
        base: &[Unlocked("other", "x")],
        ours: &[Unlocked("f.txt", "one\n")],
        theirs: &[InGit("f.txt", "text\n")],
    },
    Case {
        name: "a variant in conflict again",
        base: &[Unlocked("other", "x")],
        ours: &[Unlocked("f.variant-abcd.txt", "one\n")],
        theirs: &[Unlocked("f.variant-abcd.txt", "two\n")],
    },
    Case {
        name: "renamed here and changed there",
        base: &[Unlocked("f.txt", "base\n"), Unlocked("other", "x")],
        ours: &[Rename("f.txt", "d/g.txt")],
        theirs: &[Unlocked("f.txt", "two\n")],
    },
    Case {
        name: "texts in git that fit together",
        base: &[InGit("t", "a\nb\nc\nd\ne\n")],
        ours: &[InGit("t", "A\nb\nc\nd\ne\n")],
        theirs: &[InGit("t", "a\nb\nc\nd\nE\n")],
    },
    Case {
        name: "nothing in common",
        base: &[Unlocked("other", "x")],
        ours: &[Unlocked("a", "one\n"), Delete("other")],
        theirs: &[Locked("b/c", "two\n")],
    },
];

fn apply(annex: &Annex, dir: &Path, edits: &[Edit]) {
    for edit in edits {
        match *edit {
            Unlocked(path, content) => add(annex, dir, path, content, &["-c", "annex.addunlocked=true"]),
            Locked(path, content) => add(annex, dir, path, content, &["-c", "annex.addunlocked=false"]),
            InGit(path, content) => add(annex, dir, path, content, &["--force-small"]),
            Delete(path) => drop(annex.git(dir, ["rm", "-q", path])),
            Rename(from, to) => {
                fs::create_dir_all(dir.join(to).parent().unwrap()).unwrap();
                annex.git(dir, ["mv", from, to]);
            }
            Unlock(path) => drop(annex.annex(dir, ["unlock", "-q", path])),
        }
    }
    annex.git(dir, ["commit", "-q", "-m", "edits"]);
}

fn add(annex: &Annex, dir: &Path, path: &str, content: &str, options: &[&str]) {
    let file = dir.join(path);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    // A locked file is a link into the object store: it is replaced, never written through.
    let _ = fs::remove_file(&file);
    fs::write(&file, content).unwrap();
    annex.annex(dir, [&["add", "-q"], options, &[path]].concat());
}

#[test]
fn conflicts_are_resolved_as_git_annex_resolves_them() {
    for version in annex_versions() {
        let annex = Annex::new(&version);
        for (number, case) in CASES.iter().enumerate() {
            let here = annex.sandbox().join(format!("{number}-here"));
            let there = annex.sandbox().join(format!("{number}-there"));
            annex.init(&here, "here");
            apply(&annex, &here, case.base);
            annex.clone(&here, &there, "there");
            // `git annex unlock` needs the content.
            annex.annex(&there, ["get", "-q", "."]);
            apply(&annex, &here, case.ours);
            apply(&annex, &there, case.theirs);
            annex.git(&here, ["remote", "add", "there", there.to_str().unwrap()]);
            annex.git(&here, ["fetch", "-q", "there"]);

            let git = git2::Repository::open(&here).unwrap();
            let oid = |rev: &str| Oid::from_str(&annex.git(&here, ["rev-parse", rev])).unwrap();
            let (ours, theirs) = (oid("master"), oid("there/master"));
            let Merged::Merge { commit, tree, .. } = merge_commits(&git, Some(ours), &[theirs]).unwrap()
            else {
                panic!("{}: both sides changed something", case.name);
            };
            assert_eq!(tree_of(&git, commit).unwrap(), tree);

            annex.annex(&here, ["sync", "-q", "--no-content", "--no-push", "there"]);
            assert_eq!(
                annex.git(&here, ["status", "--porcelain"]),
                "",
                "{}: git-annex resolved it all",
                case.name
            );
            let listed = |tree: &str| annex.git(&here, ["ls-tree", "-r", tree]);
            assert_eq!(listed(&tree.to_string()), listed("master"), "{} ({version:?})", case.name);
        }
    }
}
