//! Folders that must not be written to are left alone, and said why.

use std::fs;

use tributary_testkit::{Annex, Sandbox, newest_annex, snapshot};

use crate::member::{Member, bare, text};

/// `trib add` of this folder must fail, say these words, and leave the folder as it is.
#[track_caller]
fn refused(member: &Member, words: &str) {
    let before = snapshot(&member.dir);
    let config = fs::read(member.dir.join(".git/config")).ok();
    let said = member.node.trib(["add", member.path()]);
    assert_eq!(said.code(), Some(1), "{said}");
    assert!(said.stderr().contains(words), "it says why: {said}");
    assert!(said.stderr().lines().count() >= 2, "it says what to do: {said}");
    assert_eq!(snapshot(&member.dir), before, "nothing in it was touched");
    assert_eq!(fs::read(member.dir.join(".git/config")).ok(), config, "its configuration was not touched");
}

#[test]
fn a_folder_that_is_watched_already_is_no_second_one() {
    let sandbox = Sandbox::new();
    let member = Member::start(&sandbox, "a");
    member.add();
    refused(&member, "already");
    let inside = member.dir.join("inside");
    fs::create_dir(&inside).expect("mkdir");
    let said = member.node.trib(["add", text(&inside)]);
    assert_eq!(said.code(), Some(1), "{said}");
    assert!(said.stderr().contains("lie in one another"), "{said}");
    let status = member.node.json(["status"]);
    assert_eq!(status["folders"].as_array().map(Vec::len), Some(1), "there is one folder: {status:#}");
}

#[test]
fn a_repository_of_another_version_or_on_an_adjusted_branch_is_left_as_it_is() {
    let Some(version) = newest_annex() else { return };
    let annex = Annex::new(&version);
    let sandbox = Sandbox::new();
    for (given, words) in [("11", "newer"), ("7", "git annex upgrade")] {
        let member = Member::start(&sandbox, given);
        annex.init(&member.dir, given);
        annex.git(&member.dir, ["config", "annex.version", given]);
        refused(&member, words);
    }
    let member = Member::start(&sandbox, "adjusted");
    annex.init(&member.dir, "adjusted");
    member.write("file", "content");
    annex.annex(&member.dir, ["add", "."]);
    annex.git(&member.dir, ["commit", "-q", "-m", "a file"]);
    annex.annex(&member.dir, ["adjust", "--unlock"]);
    refused(&member, "adjusted");
    // With the way out that it names, it is a folder like others.
    annex.git(&member.dir, ["checkout", "-q", "master"]);
    member.add().wait();
    // One that changes to such a branch later stops, and goes on when it is back.
    member.run(["remove", member.path()]);
}

#[test]
fn a_forgotten_history_is_not_merged_and_said() {
    let Some(version) = newest_annex() else { return };
    let annex = Annex::new(&version);
    let sandbox = Sandbox::new();
    let hub = bare(&sandbox, "hub.git");
    let a = Member::start(&sandbox, "a");
    a.add().remote("hub", &[text(&hub)]).write("file", "content").wait();
    let clone = sandbox.join("clone");
    annex.clone(&hub, &clone, "the one who forgets");
    annex.annex(&clone, ["forget", "--force"]);
    annex.git(&clone, ["push", "-q", "--force", "origin", "git-annex"]);
    let before = a.git(&["rev-parse", "git-annex"]);
    a.sync();
    let problem = a.one_problem("forgottenHistory");
    assert_eq!(problem["needsYou"], true, "{problem:#}");
    assert!(problem["hint"].as_str().is_some_and(|hint| hint.contains("git annex sync")), "{problem:#}");
    assert_eq!(a.git(&["rev-parse", "git-annex"]), before, "it was not merged");
    // The rest goes on.
    a.write("later", "committed all the same");
    tributary_testkit::eventually(crate::member::LIMIT, "changes are committed", || {
        a.git(&["ls-files"]).contains("later").then_some(())
    });
}

#[test]
fn a_place_with_a_forgotten_history_is_refused_in_the_same_words_when_it_is_added() {
    let Some(version) = newest_annex() else { return };
    let annex = Annex::new(&version);
    let sandbox = Sandbox::new();
    let (hub, clone) = (bare(&sandbox, "hub.git"), sandbox.join("clone"));
    let (a, b) = (Member::start(&sandbox, "a"), Member::start(&sandbox, "b"));
    a.add().remote("hub", &[text(&hub)]).write("file", "content").wait();
    annex.clone(&hub, &clone, "the one who forgets");
    annex.annex(&clone, ["forget", "--force"]);
    // As `git annex sync` does it.
    annex.git(&clone, ["push", "-q", "--force", "origin", "git-annex", "git-annex:synced/git-annex"]);
    a.run(["remote", "remove", a.path(), "hub"]);
    let said = a.node.trib(["remote", "add", a.path(), "hub", text(&hub), "--json"]);
    assert_eq!(said.code(), Some(1), "{said}");
    let said: serde_json::Value = serde_json::from_slice(said.stdout_bytes()).expect("one JSON value");
    assert_eq!(said["code"], "forgottenHistory", "{said:#}");
    assert!(said["hint"].as_str().is_some_and(|hint| hint.contains("git annex sync")), "{said:#}");

    // Whoever knew nothing of the old history takes the new one as it is.
    b.clone_from(&hub);
    assert!(b.git(&["ls-files"]).contains("file"), "the names are here");
}
