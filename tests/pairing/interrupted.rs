//! Programs that are killed in the middle of a pairing: it goes on, or nothing is left of it, on both sides.

use std::time::Duration;

use tributary_testkit::run_within;

use crate::member::LIMIT;
use crate::party::{BEN, Pairs, Party, is_absent, said};

/// A try whose inviter is gone is given up once it is clear that nobody answers.
const LONG: Duration = LIMIT.saturating_mul(3);

#[test]
fn an_inviter_that_is_killed_while_it_asks_is_noticed() {
    let Some(party) = Party::new() else { return };
    // What is not answered for this long is lost.
    let impatient = |machine: &mut tributary_testkit::Sandbox| {
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
