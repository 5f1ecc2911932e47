//! More than two: who was there before and who comes meet, and who is removed is removed everywhere.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::Stdio;

use serde_json::Value;
use tributary_testkit::eventually;

use crate::member::{LIMIT, Member, trib};
use crate::party::{ANN, BEN, Pairs, Party, id, said, secrets};

/// Exchanges through the server with several computers at once, on a machine that has other things to do.
const LONG: std::time::Duration = LIMIT.saturating_mul(2);

/// Waits until a computer is connected with these, and with no others.
#[track_caller]
fn is_connected_with(computer: &Member, others: &[&Member]) {
    let ids: Vec<String> = others.iter().map(|other| id(other)).collect();
    let what = format!("{} is connected with {} others", computer.name(), others.len());
    eventually(LONG, &what, || {
        let peers = computer.peers();
        let all =
            ids.iter().all(|id| peers.iter().any(|peer| peer["id"] == **id && peer["connected"] == true));
        (all && peers.len() == ids.len()).then_some(())
    });
}

/// The keys of the folder's hints, the one that seals first.
fn hint_keys(computer: &Member) -> Vec<String> {
    let kept: Value = serde_json::from_str(&said(&secrets(computer), "pairing")).expect("it is JSON");
    let keys = kept["hintKeys"][computer.git(&["config", "annex.uuid"]).trim()].as_array().cloned();
    keys.unwrap_or_default().iter().filter_map(|key| key.as_str().map(Into::into)).collect()
}

/// The number of the last sealed hint that a computer took of another.
fn last_hint(of: &Member, at: &Member) -> Option<u64> {
    let text = std::fs::read(at.node.home().join("state/hints.json")).ok()?;
    let kept: Value = serde_json::from_slice(&text).ok()?;
    let (id, taken) = (id(of), kept["sealed"].as_array()?.clone());
    taken.iter().find(|taken| taken[0] == *id)?[3].as_u64()
}

/// A change of one arrives at the other.
#[track_caller]
fn arrives(from: &Member, to: &Member, file: &str) {
    from.write(file, from.name());
    eventually(LONG, &format!("{file} arrives at {}", to.name()), || to.read(file));
}

#[test]
fn who_was_there_before_meets_who_comes_until_it_is_removed() {
    let Some(party) = Party::new() else { return };
    let (ann, second) = (party.inviter(), party.computer("second", ANN));
    second.joins(&said(&ann.invites(&["--accept"]), "link"), &[]).ok();
    let ben = party.computer("ben", BEN);
    ben.joins(&said(&ann.invites(&["--accept"]), "link"), &[]).ok();
    for (computer, others) in [(&ann, [&second, &ben]), (&second, [&ann, &ben]), (&ben, [&ann, &second])] {
        is_connected_with(computer, &others);
    }
    let introduced = second.peers().into_iter().find(|peer| peer["id"] == id(&ben)).expect("it is there");
    assert!(introduced["introducedBy"].is_string() && introduced["own"] == false, "{introduced:#}");
    arrives(&second, &ben, "from-second.txt");
    arrives(&ben, &second, "from-ben.txt");

    // Ben's git is in the middle of something with the second computer.
    let uuid = second.git(&["config", "annex.uuid"]);
    let mut helper = ben.node.machine().command(trib().with_file_name("git-remote-xmpp"));
    let url = format!("xmpp::{}/{}", party.jid(ANN), uuid.trim());
    helper.args(["origin", &url]).env("TRIBUTARY_HOME", ben.node.home());
    let mut helper = helper.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
    let (mut to, mut from) = (helper.stdin.take().unwrap(), BufReader::new(helper.stdout.take().unwrap()));
    to.write_all(b"connect git-upload-pack\n").unwrap();
    let mut line = String::new();
    from.read_line(&mut line).unwrap();
    assert_eq!(line, "\n", "it is connected");
    assert!(!from.fill_buf().unwrap().is_empty(), "the second computer's git speaks");

    let (key, heard) = (hint_keys(&ann).remove(0), last_hint(&ann, &second));
    assert_eq!(hint_keys(&ben).first(), Some(&key), "until now all have the same key");
    ann.run(["unpair", &id(&ben)]);
    // A stream that is open ends: here by what the second computer was told.
    from.read_to_end(&mut Vec::new()).expect("what was said is read to its end");
    drop(to);
    assert!(helper.wait().is_ok());
    for (computer, other) in [(&ann, &second), (&second, &ann)] {
        is_connected_with(computer, &[other]);
    }
    eventually(LONG, "both seal with the new key", || {
        let keys = hint_keys(&ann);
        (keys[0] != key && hint_keys(&second).first() == keys.first()).then_some(())
    });
    let before = last_hint(&ann, &ben);
    arrives(&ann, &second, "not-for-ben.txt");
    arrives(&second, &ann, "nor-this.txt");
    eventually(LONG, "hints go on between those who stay", || {
        (last_hint(&ann, &second) > heard).then_some(())
    });
    assert!(!hint_keys(&ben).contains(&hint_keys(&ann)[0]), "who was removed does not get the key");
    assert_eq!(last_hint(&ann, &ben), before, "nor reads a hint");
}

#[test]
fn who_was_off_hears_of_a_removal_when_it_comes() {
    let Some(party) = Party::new() else { return };
    let (mut ann, mut second) = (party.inviter(), party.computer("second", ANN));
    second.joins(&said(&ann.invites(&["--accept"]), "link"), &[]).ok();
    let ben = party.computer("ben", BEN);
    ben.joins(&said(&ann.invites(&["--accept"]), "link"), &[]).ok();
    is_connected_with(&second, &[&ann, &ben]);
    second.node.stop();
    ann.run(["unpair", &id(&ben)]);
    // Nor does it matter that the one who says so was away in between.
    ann.node.restart();
    second.node.start_daemon();
    is_connected_with(&second, &[&ann]);
    is_connected_with(&ann, &[&second]);
    eventually(LONG, "it has the new key", || {
        (hint_keys(&second).first() == hint_keys(&ann).first()).then_some(())
    });
    assert!(!hint_keys(&ben).contains(&hint_keys(&ann)[0]));
}

#[test]
fn a_friends_second_computer_needs_the_friends_word_alone() {
    let Some(party) = Party::new() else { return };
    let (ann, ben) = (party.inviter(), party.computer("ben", BEN));
    ben.joins(&said(&ann.invites(&["--accept", "--read-only"]), "link"), &[]).ok();
    let tablet = party.computer("tablet", BEN);
    tablet.joins(&said(&ben.invites(&["--accept"]), "code"), &[]).ok();
    tablet.awaits(&ann.files());
    for (computer, others) in [(&ann, [&ben, &tablet]), (&ben, [&ann, &tablet]), (&tablet, [&ann, &ben])] {
        is_connected_with(computer, &others);
    }
    let peers = ann.peers();
    let known = peers.iter().find(|peer| peer["id"] == id(&tablet)).expect("it is there");
    assert_eq!(known["folders"][0]["theyOnlyRead"], true, "it may do what Ben may: {known:#}");
    arrives(&ann, &tablet, "news.txt");
}
