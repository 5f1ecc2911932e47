//! Who is removed hears of it, and stops trying.

use tributary_testkit::eventually;

use crate::member::{LIMIT, Member};
use crate::party::{BEN, Pairs, Party, id, said};

/// A removed computer that comes again is told when it calls.
const LONG: std::time::Duration = LIMIT.saturating_mul(2);

/// Waits until a computer knows that Ann's shares the folder with it no more.
#[track_caller]
fn knows_that_it_was_removed(ben: &Member) {
    eventually(LONG, "the removed computer is told", || {
        let status = ben.node.json(["status"]);
        let told = |problem: &serde_json::Value| {
            problem["code"] == "peerLeft" && problem["sentence"].to_string().contains("does not share folder")
        };
        let none = status["peers"].as_array()?.is_empty();
        (none && status["problems"].as_array()?.iter().any(told)).then_some(())
    });
    eventually(LIMIT, "it has nowhere to go any more", || {
        let remotes = ben.node.json(["remote", "list", ben.path()]);
        remotes.as_array()?.iter().all(|remote| !said(remote, "url").starts_with("xmpp:")).then_some(())
    });
}

/// Who was removed is not kept in mind once it knows.
#[track_caller]
fn owes_nothing(ann: &Member) {
    let file = ann.node.home().join("config/peers.json");
    eventually(LIMIT, "it has been told, and that is known", || {
        let kept: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).ok()?).ok()?;
        kept["parted"].is_null().then_some(())
    });
}

#[test]
fn who_is_removed_is_told_at_once_or_when_it_comes() {
    let Some(party) = Party::new() else { return };
    let (ann, mut ben) = (party.inviter(), party.computer("ben", BEN));
    ben.joins(&said(&ann.invites(&["--accept"]), "link"), &[]).ok();
    ben.awaits(&ann.files());
    ben.hears();
    ann.run(["unpair", &id(&ben)]);
    knows_that_it_was_removed(&ben);
    owes_nothing(&ann);
    // It keeps what it has, and may be invited again.
    assert!(ben.read("map.txt").is_some());
    ben.joins(&said(&ann.invites(&["--accept"]), "link"), &[]).ok();
    ben.hears();
    let status = ben.node.json(["status"]);
    assert!(!status["problems"].to_string().contains("peerLeft"), "that is over: {status:#}");

    ben.node.stop();
    ann.run(["unpair", &id(&ben)]);
    ben.node.start_daemon();
    knows_that_it_was_removed(&ben);
    owes_nothing(&ann);
}

#[test]
fn who_gives_a_folder_up_says_so() {
    let Some(party) = Party::new() else { return };
    let (ann, ben) = (party.inviter(), party.computer("ben", BEN));
    ben.joins(&said(&ann.invites(&["--accept"]), "link"), &[]).ok();
    ben.hears();
    ben.run(["remove", ben.path()]);
    knows_that_it_was_removed(&ann);
    owes_nothing(&ben);
}
