//! One of the two computers runs git-annex and nothing of ours: `git annex sync --content` again and again, as its
//! owner's timer starts it.

use std::fs;
use std::path::Path;

use tributary_testkit::{AnnexVersion, Entry, Snapshot, newest_annex, older_annex, snapshot, within};

use crate::changes::{change, mark};
use crate::company::{Company, write};
use crate::scene::LIMIT;

/// Files that each side adds. git-annex takes its time for each.
const FILES: usize = 30;

#[test]
fn the_newest_release_syncing_in_a_loop() {
    if let Some(version) = newest_annex() {
        syncing_in_a_loop(&version);
    }
}

#[test]
fn an_older_release_syncing_in_a_loop() {
    if let Some(version) = older_annex() {
        syncing_in_a_loop(&version);
    }
}

fn syncing_in_a_loop(version: &AnnexVersion) {
    let Some(mut company) = Company::set(version) else { return };
    let Company { a, b, .. } = &company;

    let of_a = prefixed("of A", company.files(31, FILES).write(&a.folder.join("of A")));
    a.wait();
    assert!(company.turn(), "nobody is in B's way");
    assert_holds(b, &of_a, "what A wrote is in B after one turn");
    let of_b = prefixed("of B", company.files(32, FILES).write(&b.join("of B")));
    assert!(company.turn(), "nobody is in B's way");
    let both: Snapshot = of_a.into_iter().chain(of_b).collect();
    // Nobody tells A, and nobody asks it to look.
    let came = within(LIMIT, || (snapshot(&a.folder) == both).then_some(()));
    assert!(came.is_some(), "what B wrote comes to A by itself: {:#}", a.node.folder(&a.folder));

    change(&a.folder, "A");
    mark(&a.folder);
    a.wait();
    let changed = snapshot(&a.folder);
    assert!(company.turn(), "nobody is in B's way");
    assert_holds(b, &changed, "what A changed is in B after one turn");
    change(b, "B");
    mark(b);
    let changed = snapshot(b);
    assert!(company.turn(), "nobody is in B's way");
    a.wait();
    assert_holds(&a.folder, &changed, "what B changed is in A");

    conflicts(&mut company);
    let all = company.converge("both have everything");
    company.judge(all.len());
}

/// The folders in which A resolves the conflicts, when it goes on after a rest and when it starts after it was off, and the
/// one in which git-annex does.
const RESOLVED_BY: [&str; 3] =
    ["resolved by A, which rested", "resolved by A, which was off", "resolved by B"];

/// Files that both sides change in ways that cannot both stand: names, and whether A and B edit (or add) it, or delete it.
const CONFLICTS: [(&str, [Option<&str>; 2]); 8] = [
    ("both.txt", [Some("by A"), Some("by B")]),
    ("deep/er/archive.tar.gz", [Some("by A, deep"), Some("by B, deep")]),
    ("no extension", [Some("by A, no extension"), Some("by B, no extension")]),
    (".hidden", [Some("by A, hidden"), Some("by B, hidden")]),
    ("again.variant-abcd.txt", [Some("by A, again"), Some("by B, again")]),
    ("deleted by A.txt", [None, Some("by B, who kept it")]),
    ("deleted by B.txt", [Some("by A, who kept it"), None]),
    ("é -- dashes.ñ", [Some("by A, not ASCII"), Some("by B, not ASCII")]),
];
/// What both add with different contents, and with the same: the second is no conflict.
const ADDED_BY_BOTH: [(&str, [&str; 2]); 2] =
    [("added by both.txt", ["added by A", "added by B"]), ("same in both.txt", ["same", "same"])];

/// Lets both sides change the same files before either hears of the other, twice with A resolving it and once with
/// git-annex: the outcome is the same, name by name, and every version is kept.
fn conflicts(company: &mut Company) {
    let [rested, was_off, by_annex] = RESOLVED_BY;
    let both_sides = |company: &Company, top| {
        change_one_side(&company.a.folder, top, 0);
        change_one_side(&company.b, top, 1);
    };
    for top in RESOLVED_BY {
        for (file, _) in CONFLICTS {
            write(&company.a.folder, format!("{top}/{file}"), "before");
        }
    }
    company.converge("both have what they are going to change");

    // B pushes first, so A finds the conflict when it goes on: with what it did not commit yet.
    company.a.tell("pause");
    both_sides(company, rested);
    assert!(company.turn(), "nobody is in B's way");
    company.a.tell("resume");
    company.a.wait();
    company.converge("both have what A resolved when it went on");

    company.a.node.stop();
    both_sides(company, was_off);
    assert!(company.turn(), "nobody is in B's way");
    company.a.node.start_daemon();
    company.a.wait();
    company.converge("both have what A resolved when it was started");

    // A pushes first, so git-annex finds the conflict in its turn.
    both_sides(company, by_annex);
    company.a.wait();
    let all = company.converge("both have what git-annex resolved");

    let [ours, later, theirs] = RESOLVED_BY.map(|top| below(&all, top));
    assert_eq!(ours, theirs, "we and git-annex resolve conflicts in the same way");
    assert_eq!(later, theirs, "so do we after having been off");
    for (name, versions) in CONFLICTS {
        assert!(!ours.contains_key(name.as_bytes()), "{name} is in conflict, so it has its name no more");
        for version in versions.into_iter().flatten() {
            assert_kept(&ours, name, version);
        }
    }
    let [(added, versions), (same, [content, _])] = ADDED_BY_BOTH;
    for version in versions {
        assert_kept(&ours, added, version);
    }
    assert_eq!(ours.get(same.as_bytes()), Some(&Entry::file(content.as_bytes(), false)), "no conflict");
}

fn change_one_side(folder: &Path, top: &str, side: usize) {
    for (file, versions) in CONFLICTS {
        match versions[side] {
            Some(content) => write(folder, format!("{top}/{file}"), content),
            None => fs::remove_file(folder.join(top).join(file)).expect("delete"),
        }
    }
    for (file, versions) in ADDED_BY_BOTH {
        write(folder, format!("{top}/{file}"), versions[side]);
    }
}

/// The version is there once, under a name that says that it is one of several.
#[track_caller]
fn assert_kept(files: &Snapshot, name: &str, version: &str) {
    // For git-annex, the whole of a name like `.hidden` is its extension.
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let variant = format!("{stem}.variant-");
    let entry = Entry::file(version.as_bytes(), false);
    let kept: Vec<_> = files.iter().filter(|(_, there)| **there == entry).map(|(path, _)| path).collect();
    let [path] = kept[..] else { panic!("{version:?} of {name} is there {} times: {files:#?}", kept.len()) };
    assert!(path.starts_with(variant.as_bytes()), "{} is a variant of {name}", path.escape_ascii());
}

/// What is below a folder, by the paths in there.
fn below(all: &Snapshot, top: &str) -> Snapshot {
    let top = format!("{top}/");
    all.iter()
        .filter_map(|(path, entry)| Some((path.strip_prefix(top.as_bytes())?.to_owned(), entry.clone())))
        .collect()
}

fn prefixed(top: &str, files: Snapshot) -> Snapshot {
    files.into_iter().map(|(path, entry)| ([top.as_bytes(), b"/", &path].concat(), entry)).collect()
}

#[track_caller]
fn assert_holds(folder: &Path, expected: &Snapshot, what: &str) {
    let found = snapshot(folder);
    assert!(
        found == *expected,
        "{what}; expected left, found right:\n{}",
        tributary_testkit::differences(expected, &found)
    );
}
