//! Counters of hints that were lost, or set back by an older copy of the state: hints are heard again at once, and what was
//! taken once is not taken again.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use tributary_testkit::eventually;

use crate::member::{LIMIT, Member};
use crate::party::{BEN, Pairs, Party, id, said};

fn counters(of: &Member) -> PathBuf {
    of.node.home().join("state/hints.json")
}

/// The counter of the last sealed hint that a computer took of another: epoch and number.
fn last_taken(of: &Member, at: &Member) -> Option<(u64, u64)> {
    let kept: Value = serde_json::from_slice(&fs::read(counters(at)).ok()?).ok()?;
    let id = id(of);
    let taken = kept["sealed"].as_array()?.iter().find(|taken| taken[0] == *id)?.clone();
    Some((taken[2].as_u64()?, taken[3].as_u64()?))
}

/// A change of one is heard of and arrives at the other.
#[track_caller]
fn is_heard(from: &Member, to: &Member, file: &str) {
    let before = last_taken(from, to);
    from.write(file, file);
    eventually(LIMIT, &format!("{file} arrives"), || to.read(file));
    eventually(LIMIT, &format!("a hint of {} is taken", from.name()), || {
        (last_taken(from, to) > before).then_some(())
    });
}

#[test]
fn hints_are_heard_after_a_counter_was_lost_or_set_back() {
    let Some(party) = Party::new() else { return };
    let (mut ann, mut ben) = (party.inviter(), party.computer("ben", BEN));
    ben.joins(&said(&ann.invites(&["--accept"]), "link"), &[]).ok();
    ben.awaits(&ann.files());
    for computer in [&ann, &ben] {
        computer.hears();
    }
    let older = [&ann, &ben].map(|computer| fs::read(counters(computer)).expect("counters are kept"));
    for n in 0..3 {
        is_heard(&ann, &ben, &format!("ann-{n}.txt"));
        is_heard(&ben, &ann, &format!("ben-{n}.txt"));
    }
    // As from an older backup, and as if it had never been; of whoever says something, and of whoever hears it.
    for (round, lost) in [false, true].into_iter().enumerate() {
        for (computer, older) in [&mut ann, &mut ben].into_iter().zip(&older) {
            computer.node.stop();
            match lost {
                false => fs::write(counters(computer), older).expect("our own state can be written"),
                true => fs::remove_file(counters(computer)).expect("it is there"),
            }
            computer.node.start_daemon();
            computer.comes_online();
        }
        is_heard(&ann, &ben, &format!("ann-again-{round}.txt"));
        is_heard(&ben, &ann, &format!("ben-again-{round}.txt"));
    }
}
