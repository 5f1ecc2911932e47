//! A person's own second computer.

use tributary_testkit::eventually;

use crate::member::{LIMIT, Member};
use crate::party::{ANN, BEN, Pairs, Party, Server, said};

#[test]
fn a_code_brings_the_folder_to_a_second_computer() {
    let Some(party) = Party::new() else { return };
    by_code(&party);
}

#[test]
fn a_code_brings_the_folder_to_a_second_computer_at_ejabberd() {
    let Some(party) = Party::at(Server::Ejabberd) else { return };
    by_code(&party);
}

fn by_code(party: &Party) {
    let (ann, mut second) = (party.inviter(), party.computer("second", ANN));
    let invitation = ann.invites(&["--accept"]);
    // As right after a login, the account is not online yet: that is waited for.
    second.node.restart();
    let joined = second.joins(&said(&invitation, "code"), &[]).ok();
    assert!(joined.stdout().contains("folder of "), "it says what is where: {joined}");
    second.awaits(&ann.files());
    second.wait();
    both_ways(&ann, &second);
    for (one, other) in [(&ann, &second), (&second, &ann)] {
        one.hears();
        let peers = one.peers();
        assert_eq!(peers.len(), 1, "each knows the other: {peers:#?}");
        assert_eq!((&peers[0]["own"], &peers[0]["online"]), (&true.into(), &true.into()), "{peers:#?}");
        assert_eq!(
            said(&peers[0]["folders"][0], "folder"),
            one.path(),
            "and what is shared with {}",
            other.name()
        );
    }
    let remotes = second.node.json(["remote", "list", second.path()]);
    let names: Vec<_> =
        remotes.as_array().expect("remotes are listed").iter().map(|remote| said(remote, "name")).collect();
    for place in ["names", "store"] {
        assert!(names.iter().any(|name| name == place), "the storage set-up came with it: {names:?}");
    }
}

/// A change of each arrives at the other, because it is told.
fn both_ways(one: &Member, other: &Member) {
    for (from, to, file) in [(one, other, "here.txt"), (other, one, "there.txt")] {
        from.write(file, from.name());
        let arrived = || (to.read(file)? == from.name()).then_some(());
        eventually(LIMIT, &format!("{file} arrives at {}", to.name()), arrived);
    }
}

#[test]
fn who_was_not_let_in_beforehand_is_asked_about_and_a_link_outlives_the_program() {
    let Some(party) = Party::new() else { return };
    let mut ann = party.inviter();
    let link = said(&ann.invites(&[]), "link");
    ann.node.restart();
    ann.comes_online();
    let second = party.computer("second", ANN);
    std::thread::scope(|scope| {
        let joining = scope.spawn(|| second.joins(&link, &[]));
        let id = ann.asked();
        assert!(second.peers().is_empty() && ann.peers().is_empty(), "nobody is paired before the yes");
        let problems = ann.node.json(["status"])["problems"].clone();
        assert_eq!(problems[0]["code"], "peerAsks", "a person has to see it: {problems:#}");
        ann.run(["accept", &id]);
        joining.join().unwrap().ok();
    });
    second.awaits(&ann.files());
    let used = second.node.trib(["join", &link, "--yes"]);
    assert!(!used.success() && used.stderr().contains("invitation"), "a link is good once: {used}");
    assert_eq!((ann.peers().len(), second.peers().len()), (1, 1));
    // What is paired is paired after a restart of both.
    let mut second = second;
    for computer in [&mut ann, &mut second] {
        computer.node.restart();
        computer.comes_online();
    }
    assert_eq!((ann.peers().len(), second.peers().len()), (1, 1));
    both_ways(&ann, &second);
}

#[test]
fn three_computers_meet_by_introduction() {
    let Some(party) = Party::new() else { return };
    let (ann, second) = (party.inviter(), party.computer("second", ANN));
    second.joins(&said(&ann.invites(&["--accept"]), "link"), &[]).ok();
    let third = party.computer("third", ANN);
    third.joins(&said(&ann.invites(&["--accept"]), "link"), &[]).ok();
    let peers = third.peers();
    assert_eq!(peers.len(), 2, "the third knows the second at once: {peers:#?}");
    assert!(peers.iter().any(|peer| peer["introducedBy"].is_string()), "{peers:#?}");
    third.hears();
    third.awaits(&ann.files());
    both_ways(&second, &third);
}

#[test]
fn unpaired_is_unpaired_at_once() {
    let Some(party) = Party::new() else { return };
    let (ann, ben) = (party.inviter(), party.computer("ben", BEN));
    ben.joins(&said(&ann.invites(&["--accept"]), "link"), &[]).ok();
    let peers = ann.peers();
    ann.run(["unpair", &said(&peers[0], "id")]);
    assert!(ann.peers().is_empty());
    let again = ann.node.trib(["unpair", &said(&peers[0], "id")]);
    assert!(!again.success(), "there is nothing left to take back: {again}");
    let kept = std::fs::read_to_string(ann.node.home().join("config/secrets.json")).unwrap();
    assert!(!kept.contains(&said_uuid(&ann)), "the key that the other side knows is in no use any more");
    eventually(LIMIT, "the other computer is no place any more", || {
        let remotes = ann.node.json(["remote", "list", ann.path()]);
        remotes.as_array()?.iter().all(|remote| !said(remote, "url").starts_with("xmpp:")).then_some(())
    });
}

fn said_uuid(computer: &Member) -> String {
    computer.git(&["config", "annex.uuid"]).trim().to_owned()
}
