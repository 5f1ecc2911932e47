//! Our merges against those of real git-annex, on the same histories: the trees must be the same.

// Clippy lets tests unwrap, but not the functions that tests are made of.
#![allow(clippy::unwrap_used)]

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
    /// In a repository of its own, since git-annex mixes up the paths of such conflicts with others, and git looks for
    /// renames everywhere. The other cases share a merge, each in a directory of its own.
    alone: bool,
    base: &'static [Edit],
    ours: &'static [Edit],
    theirs: &'static [Edit],
}

const CASES: &[Case] = &[
    Case {
        name: "both changed a file",
        alone: false,
        base: &[Unlocked("f.txt", "base\n"), Unlocked("other", "x")],
        ours: &[Unlocked("f.txt", "one\n")],
        theirs: &[Unlocked("f.txt", "two\n")],
    },
    Case {
        name: "both added a locked file",
        alone: false,
        base: &[Locked("other", "x")],
        ours: &[Locked("sub/deep.tar.gz", "one\n")],
        theirs: &[Locked("sub/deep.tar.gz", "two\n")],
    },
    Case {
        name: "one locked, one unlocked, other contents",
        alone: false,
        base: &[Locked("other", "x")],
        ours: &[Locked("noext", "one\n")],
        theirs: &[Unlocked("noext", "two\n")],
    },
    Case {
        name: "one locked, one unlocked, one content",
        alone: false,
        base: &[Locked("other", "x")],
        ours: &[Locked("f.txt", "one\n")],
        theirs: &[Unlocked("f.txt", "one\n")],
    },
    Case {
        name: "unlocked here and changed there",
        alone: false,
        base: &[Locked("f.txt", "base\n")],
        ours: &[Unlock("f.txt")],
        theirs: &[Locked("f.txt", "two\n")],
    },
    Case {
        name: "changed here and deleted there",
        alone: true,
        base: &[Unlocked("f.txt", "base\n"), Unlocked("other", "x")],
        ours: &[Unlocked("f.txt", "two\n")],
        theirs: &[Delete("f.txt")],
    },
    Case {
        name: "deleted here and changed there, locked",
        alone: true,
        base: &[Locked("d/f.txt", "base\n"), Unlocked("other", "x")],
        ours: &[Delete("d/f.txt")],
        theirs: &[Locked("d/f.txt", "two\n")],
    },
    Case {
        name: "annexed here and in git there",
        alone: false,
        base: &[Unlocked("other", "x")],
        ours: &[Unlocked("f.txt", "one\n")],
        theirs: &[InGit("f.txt", "text\n")],
    },
    Case {
        name: "a variant in conflict again",
        alone: false,
        base: &[Unlocked("other", "x")],
        ours: &[Unlocked("f.variant-abcd.txt", "one\n")],
        theirs: &[Unlocked("f.variant-abcd.txt", "two\n")],
    },
    Case {
        name: "renamed here and changed there",
        alone: true,
        base: &[Unlocked("f.txt", "base\n"), Unlocked("other", "x")],
        ours: &[Rename("f.txt", "d/g.txt")],
        theirs: &[Unlocked("f.txt", "two\n")],
    },
    Case {
        name: "texts in git that fit together",
        alone: false,
        base: &[InGit("t", "a\nb\nc\nd\ne\n")],
        ours: &[InGit("t", "A\nb\nc\nd\ne\n")],
        theirs: &[InGit("t", "a\nb\nc\nd\nE\n")],
    },
    Case {
        name: "nothing in common",
        alone: false,
        base: &[Unlocked("other", "x")],
        ours: &[Unlocked("a", "one\n"), Delete("other")],
        theirs: &[Locked("b/c", "two\n")],
    },
];

fn apply(annex: &Annex, dir: &Path, edits: &[(String, Edit)]) {
    for (prefix, edit) in edits {
        let at = |path: &str| format!("{prefix}{path}");
        match *edit {
            Unlocked(path, content) => add(annex, dir, &at(path), content, &["-c", "annex.addunlocked=true"]),
            Locked(path, content) => add(annex, dir, &at(path), content, &["-c", "annex.addunlocked=false"]),
            InGit(path, content) => add(annex, dir, &at(path), content, &["--force-small"]),
            Delete(path) => drop(annex.git(dir, ["rm", "-q", &at(path)])),
            Rename(from, to) => {
                fs::create_dir_all(dir.join(at(to)).parent().unwrap()).unwrap();
                annex.git(dir, ["mv", &at(from), &at(to)]);
            }
            Unlock(path) => drop(annex.annex(dir, ["unlock", "-q", &at(path)])),
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

/// Edits of several cases, each with the directory of its case.
fn edits(cases: &[(String, &Case)], of: fn(&Case) -> &'static [Edit]) -> Vec<(String, Edit)> {
    let prefixed = |(prefix, case): &(String, &Case)| {
        of(case).iter().map(|edit| (prefix.clone(), *edit)).collect::<Vec<_>>()
    };
    cases.iter().flat_map(prefixed).collect()
}

#[test]
fn conflicts_are_resolved_as_git_annex_resolves_them() {
    for version in annex_versions() {
        let annex = Annex::new(&version);
        let together = CASES.iter().enumerate().filter(|(_, case)| !case.alone);
        compare(&annex, "all", &together.map(|(n, case)| (format!("case{n}/"), case)).collect::<Vec<_>>());
        for case in CASES.iter().filter(|case| case.alone) {
            compare(&annex, case.name, &[(String::new(), case)]);
        }
    }
}

fn compare(annex: &Annex, name: &str, cases: &[(String, &Case)]) {
    let (here, there) =
        (annex.sandbox().join(format!("{name}, here")), annex.sandbox().join(format!("{name}, there")));
    annex.init(&here, "here");
    apply(annex, &here, &edits(cases, |case| case.base));
    annex.clone(&here, &there, "there");
    // `git annex unlock` needs the content.
    annex.annex(&there, ["get", "-q", "."]);
    apply(annex, &here, &edits(cases, |case| case.ours));
    apply(annex, &there, &edits(cases, |case| case.theirs));
    annex.git(&here, ["remote", "add", "there", there.to_str().unwrap()]);
    annex.git(&here, ["fetch", "-q", "there"]);

    let git = git2::Repository::open(&here).unwrap();
    let oid = |rev: &str| Oid::from_str(&annex.git(&here, ["rev-parse", rev])).unwrap();
    let (ours, theirs) = (oid("master"), oid("there/master"));
    let Merged::Merge { commit, tree, .. } = merge_commits(&git, Some(ours), &[theirs]).unwrap() else {
        panic!("{name}: both sides changed something");
    };
    assert_eq!(tree_of(&git, commit).unwrap(), tree);

    annex.annex(&here, ["sync", "-q", "--no-content", "--no-push", "there"]);
    assert_eq!(annex.git(&here, ["status", "--porcelain"]), "", "{name}: git-annex resolved it all");
    let listed = |tree: &str| annex.git(&here, ["ls-tree", "-r", tree]);
    assert_eq!(listed(&tree.to_string()), listed("master"), "{name} ({:?})", annex.version());
}
