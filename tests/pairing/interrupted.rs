//! Pairings that end in the middle, because a program is killed or a person gives up: they go on, or nothing is left of them,
//! on both sides.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tributary_testkit::{Sandbox, Sshd, eventually, need_all, run_within};

use crate::member::{LIMIT, Member, bare};
use crate::party::{ANN, BEN, Pairs, Party, is_absent, said};

/// A try whose inviter is gone is given up once it is clear that nobody answers.
const LONG: Duration = LIMIT.saturating_mul(3);

#[test]
fn an_inviter_that_is_killed_while_it_asks_is_noticed() {
    let Some(party) = Party::new() else { return };
    // What is not answered for this long is lost.
    let impatient = |machine: &mut Sandbox| {
        machine.set("TRIBUTARY_STREAM_PATIENCE", "10");
    };
    let (mut ann, ben) = (party.inviter(), party.computer_with("ben", BEN, impatient));
    let link = said(&ann.invites(&[]), "link");
    std::thread::scope(|scope| {
        // A server keeps the place of a client that was killed for a while: it takes some questions that nobody answers.
        let join = ben.node.command(["join", &link, ben.path(), "--yes"]);
        let joining = scope.spawn(|| run_within(join, LONG));
        ann.asked();
        ann.node.kill();
        let finished = joining.join().expect("the command does not panic");
        assert!(!finished.success() && finished.stderr().contains("does not answer"), "{finished}");
    });
    ben.is_clean();
    assert!(is_absent(&ben.dir), "nothing was made");
    // The link is good as long as nobody has joined by it.
    ann.node.start_daemon();
    ann.comes_online();
    std::thread::scope(|scope| {
        let joining = scope.spawn(|| ben.joins(&link, &[]));
        ann.run(["accept", &ann.asked()]);
        joining.join().expect("the command does not panic").ok();
    });
    ben.awaits(&ann.files());
}

#[test]
fn a_join_that_is_given_up_after_the_fetch_leaves_nothing() {
    let Some(party) = Party::new() else { return };
    let (mut ann, ben) = (party.inviter(), party.computer("ben", BEN));
    let pairing = is_offered(&ben, &said(&ann.invites(&["--accept"]), "link"));
    // From here on the inviter is silent: the yes goes out, and nothing says whether it was heard.
    ann.node.freeze();
    std::thread::scope(|scope| {
        let answering = scope.spawn(|| ben.node.ask(&yes(&pairing)));
        eventually(LIMIT, "the yes goes out", || {
            let kept = std::fs::read(ben.node.home().join("config/joining.json")).ok()?;
            let kept: Value = serde_json::from_slice(&kept).ok()?;
            (!kept[0]["agreed"]["yes"].is_null()).then_some(())
        });
        assert!(ben.dir.join(".git").is_dir(), "the folder was fetched");
        ben.run(["decline", &pairing]);
        let reply = answering.join().expect("the command does not panic");
        assert_eq!(reply["type"], "failed", "{reply:#}");
    });
    assert!(is_absent(&ben.dir), "what was fetched is gone again");
    ben.is_clean();
    // What was on its way arrives now: the yes, and that it was taken back.
    ann.node.thaw();
    eventually(LONG, "the inviter has heard of both", || ann.peers().is_empty().then_some(()));
    // There is nothing in the way of another try.
    ben.joins(&said(&ann.invites(&["--accept"]), "link"), &[]).ok();
    ben.awaits(&ann.files());
}

#[test]
fn a_join_that_is_given_up_while_the_folder_is_fetched_ends_at_once() {
    let Some(party) = Party::new() else { return };
    if !need_all(Sshd::NEEDS) {
        return;
    }
    let sshd = Sshd::start(&party.sandbox.join("sshd"));
    let reaches = |machine: &mut Sandbox| sshd.configure(machine);
    let ann = party.computer_with("ann", ANN, reaches);
    let ben = party.computer_with("ben", BEN, reaches);
    ann.add().remote("names", &[&sshd.url(&bare(&party.sandbox, "names.git"))]);
    ann.write("map.txt", "over the hills");
    ann.wait();
    let pairing = is_offered(&ben, &said(&ann.invites(&["--accept"]), "link"));
    std::thread::scope(|scope| {
        let answering = scope.spawn(|| ben.node.ask(&yes(&pairing)));
        eventually(LIMIT, "the fetch is stuck", || (sshd.freeze_sessions() > 0).then_some(()));
        let given_up = Instant::now();
        ben.run(["decline", &pairing]);
        let reply = answering.join().expect("the command does not panic");
        assert_eq!(reply["type"], "failed", "{reply:#}");
        assert!(given_up.elapsed() < LIMIT / 2, "nobody waits for a server that is silent");
    });
    assert!(is_absent(&ben.dir), "nothing was made");
    for computer in [&ben, &ann] {
        computer.is_clean();
    }
}

/// Asks about an invitation and gives the number of the pairing, which waits for a person here.
#[track_caller]
fn is_offered(joiner: &Member, link: &str) -> String {
    let join =
        json!({ "type": "join", "invitation": link, "folder": joiner.path(), "from": null, "yes": false });
    let reply = joiner.node.ask(&join);
    assert_eq!(reply["type"], "offered", "{reply:#}");
    said(&reply["offer"], "id")
}

/// The person's yes to an offer, with its places on this machine.
fn yes(pairing: &str) -> Value {
    json!({ "type": "answerPairing", "pairing": pairing, "yes": true, "folder": null, "localPlaces": true })
}
