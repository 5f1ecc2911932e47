//! What goes wrong with invitations: one clear sentence each, and nothing left on either side.

use tributary_testkit::{Finished, run_within};

use crate::member::Member;
use crate::party::{ANN, BEN, Pairs, Party, is_absent, said};

/// The command failed with one sentence that says this, and a hint.
#[track_caller]
fn refused(finished: &Finished, why: &str) {
    assert!(!finished.success(), "it must not work: {finished}");
    let said = finished.stderr();
    let mut lines = said.lines();
    assert!(lines.next().is_some_and(|line| line.contains(why)), "{why:?} is what has to be said: {said}");
    assert!(lines.next().is_some_and(|hint| !hint.is_empty()), "and what to do: {said}");
}

/// Nothing came of it: nobody is paired, and no folder was made.
#[track_caller]
fn nothing_came_of_it(joiner: &Member) {
    joiner.is_clean();
    assert!(is_absent(&joiner.dir), "what was made for it is gone: {}", joiner.path());
}

#[test]
fn links_that_are_not_whole_and_codes_that_are_none_are_refused_at_once() {
    let Some(party) = Party::new() else { return };
    let (ann, ben) = (party.inviter(), party.computer("ben", BEN));
    let link = said(&ann.invites(&["--accept"]), "link");
    refused(&ben.joins(&link[..link.len() - 3], &[]), "not complete");
    let altered = link.replacen("ann", "amy", 1);
    refused(&ben.joins(&altered, &[]), "not complete");
    refused(&ben.joins(&link.replacen("join/1", "join/9", 1), &[]), "newer version");
    for none in ["7-guitar", "guitar-tonic", "hello", "tributary:"] {
        let finished = ben.joins(none, &[]);
        assert!(!finished.success(), "{none}: {finished}");
    }
    refused(&ben.joins("7-guitar-tonic", &["--from", "nobody"]), "no account address");
    nothing_came_of_it(&ben);
    ben.joins(&link, &[]).ok();
    assert_eq!(ann.peers().len(), 1, "none of that had spent the invitation");
}

#[test]
fn a_wrong_code_is_spent_and_a_new_one_works() {
    let Some(party) = Party::new() else { return };
    let (ann, second) = (party.inviter(), party.computer("second", ANN));
    let code = said(&ann.invites(&["--accept"]), "code");
    let number = code.split('-').next().unwrap();
    let wrong = if code.ends_with("acid-acid") { "actor-acid" } else { "acid-acid" };
    refused(&second.joins(&format!("{number}-{wrong}"), &[]), "wrong");
    nothing_came_of_it(&second);
    let tried = second.joins(&code, &[]);
    assert!(!tried.success(), "one guess is all there is: {tried}");
    let problems = ann.node.json(["status"])["problems"].clone();
    assert_eq!(problems[0]["code"], "pairingFailed", "the inviting side is told: {problems:#}");
    let again = said(&ann.invites(&["--accept"]), "code");
    second.joins(&again, &[]).ok();
    second.awaits(&ann.files());
}

#[test]
fn a_no_is_a_no_on_both_sides() {
    let Some(party) = Party::new() else { return };
    let (ann, ben) = (party.inviter(), party.computer("ben", BEN));
    let link = said(&ann.invites(&[]), "link");
    std::thread::scope(|scope| {
        let joining = scope.spawn(|| ben.joins(&link, &[]));
        ann.run(["decline", &ann.asked()]);
        refused(&joining.join().unwrap(), "declined");
    });
    ann.is_clean();
    nothing_came_of_it(&ben);
}

#[test]
fn an_inviter_that_is_off_is_not_there() {
    let Some(party) = Party::new() else { return };
    let (mut ann, ben) = (party.inviter(), party.computer("ben", BEN));
    let invitation = ann.invites(&["--accept"]);
    ann.node.stop();
    refused(&ben.joins(&said(&invitation, "link"), &[]), "not there");
    nothing_came_of_it(&ben);
}

#[test]
fn a_joiner_that_vanishes_leaves_nothing_and_can_come_again() {
    let Some(party) = Party::new() else { return };
    let (ann, mut ben) = (party.inviter(), party.computer("ben", BEN));
    let link = said(&ann.invites(&[]), "link");
    let join = ben.node.command(["join", &link, ben.path(), "--yes"]);
    std::thread::scope(|scope| {
        let joining = scope.spawn(|| run_within(join, crate::member::LIMIT));
        ann.asked();
        ben.node.kill();
        assert!(!joining.join().unwrap().success());
    });
    ben.node.start_daemon();
    ben.comes_online();
    nothing_came_of_it(&ben);
    assert!(ann.peers().is_empty());
    std::thread::scope(|scope| {
        let joining = scope.spawn(|| ben.joins(&link, &[]));
        // It may be let in for its first try, which is gone, or for this one: once is enough.
        tributary_testkit::eventually(crate::member::LIMIT, "it is let in", || {
            let pairings = ann.node.json(["peers"])["pairings"].clone();
            let asks = |pairing: &&serde_json::Value| pairing["stage"] == "asksYou";
            if let Some(pairing) = pairings.as_array()?.iter().find(asks) {
                ann.node.trib(["accept", &said(pairing, "id")]);
            }
            joining.is_finished().then_some(())
        });
        joining.join().unwrap().ok();
    });
    ben.awaits(&ann.files());
}

#[test]
fn two_invitations_at_once_do_not_meet() {
    let Some(party) = Party::new() else { return };
    let (ann, ben, second) = (party.inviter(), party.computer("ben", BEN), party.computer("second", ANN));
    let (reads, edits) = (ann.invites(&["--accept", "--read-only"]), ann.invites(&["--accept"]));
    std::thread::scope(|scope| {
        let one = scope.spawn(|| ben.joins(&said(&reads, "link"), &[]).ok());
        let other = scope.spawn(|| second.joins(&said(&edits, "code"), &[]).ok());
        one.join().unwrap();
        other.join().unwrap();
    });
    let rights = |own: bool| {
        let peers = ann.peers();
        let peer = peers.iter().find(|peer| peer["own"] == own).cloned().unwrap_or_default();
        peer["folders"][0]["theyOnlyRead"].clone()
    };
    assert_eq!(
        (rights(false), rights(true)),
        (true.into(), false.into()),
        "each has what it was invited for"
    );
}

#[test]
fn a_folder_of_another_history_is_left_alone() {
    let Some(party) = Party::new() else { return };
    let (ann, ben) = (party.inviter(), party.computer("ben", BEN));
    ben.add();
    ben.write("own.txt", "mine").wait();
    let link = said(&ann.invites(&["--accept"]), "link");
    refused(&ben.joins(&link, &[]), "another folder");
    ben.is_clean();
    assert_eq!(ben.read("own.txt").as_deref(), Some("mine"));
    assert!(ben.read("map.txt").is_none(), "nothing was mixed in");
    let full = party.sandbox.dir("full");
    std::fs::write(full.join("x"), "x").unwrap();
    let link = said(&ann.invites(&["--accept"]), "link");
    let finished = ben.node.trib(["join", &link, full.to_str().unwrap(), "--yes"]);
    refused(&finished, "not empty");
    assert_eq!(std::fs::read_dir(&full).unwrap().count(), 1, "what is there stays as it is");
}

#[test]
fn without_an_account_or_a_yes_nothing_begins() {
    let Some(party) = Party::new() else { return };
    let lonely = Member::start(&party.sandbox, "lonely");
    lonely.add();
    refused(&lonely.node.trib(["invite", lonely.path()]), "needs an account");
    refused(&lonely.joins("7-guitar-tonic", &[]), "needs an account");
    let asked = lonely.node.trib(["join", "7-guitar-tonic"]);
    assert_eq!(asked.code(), Some(2), "nobody is there to be asked: {asked}");
}
