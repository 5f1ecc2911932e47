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

#[test]
fn a_folder_whose_branch_is_changed_while_it_is_synced_is_not_written_to() {
    let Some(version) = newest_annex() else { return };
    let annex = Annex::new(&version);
    let sandbox = Sandbox::new();
    let hub = bare(&sandbox, "hub.git");
    let member = Member::start(&sandbox, "a");
    member.add().remote("hub", &[text(&hub)]).write("file", "content").wait();
    let refs = || crate::member::git(&sandbox, &hub, &["for-each-ref", "--format=%(refname)"]);
    let (heads, branches) = (member.git(&["rev-parse", "master"]), refs());

    annex.annex(&member.dir, ["adjust", "--unlock"]);
    let adjusted = member.git(&["rev-parse", "HEAD"]);
    let problem = member.one_problem("adjustedBranch");
    assert_eq!(problem["needsYou"], true, "{problem:#}");
    assert!(problem["hint"].as_str().is_some_and(|hint| hint.contains("git checkout")), "{problem:#}");
    member.write("edited meanwhile", "1");
    let waited = member.node.try_wait(&member.dir, crate::member::SHORT);
    assert_eq!(waited.code(), Some(1), "{waited}");
    assert_eq!(member.git(&["rev-parse", "HEAD"]), adjusted, "nothing is committed there");
    assert_eq!(member.git(&["rev-parse", "master"]), heads, "nor behind the person's back");

    annex.git(&member.dir, ["checkout", "-q", "master"]);
    starts_by_itself(&member);
    // Between the commit of what was edited and git's index, git takes that for a file that it does not know.
    member.wait();
    annex.git(&member.dir, ["checkout", "-q", "--detach", "master"]);
    member.one_problem("unsupportedRepository");
    annex.git(&member.dir, ["checkout", "-q", "master"]);
    starts_by_itself(&member);
    member.wait();
    assert!(member.git(&["ls-files"]).contains("edited meanwhile"), "what was edited meanwhile is taken in");
    assert_eq!(refs(), branches, "no other branch was pushed");
    assert_eq!(member.git(&["status", "--short"]), "");
}

/// Waits until a folder that was stopped runs again.
#[track_caller]
fn starts_by_itself(member: &Member) {
    tributary_testkit::eventually(crate::member::LIMIT, "it starts by itself", || {
        member.status()["problems"].as_array().is_some_and(Vec::is_empty).then_some(())
    });
}

#[test]
fn a_folder_in_which_the_git_annex_assistant_is_started_is_left_to_it() {
    let Some(version) = newest_annex() else { return };
    let annex = Annex::new(&version);
    let sandbox = Sandbox::new();
    let member = Member::start(&sandbox, "a");
    member.add().write("file", "content").wait();
    annex.annex(&member.dir, ["assistant"]);
    let problem = member.one_problem("otherAssistant");
    assert!(problem["hint"].as_str().is_some_and(|hint| hint.contains("--stop")), "{problem:#}");
    annex.annex(&member.dir, ["assistant", "--stop"]);
    starts_by_itself(&member);
    member.write("later", "1").wait();
}
