//! A friend with an account of their own.

use tributary_testkit::{eventually, within};

use crate::member::{LIMIT, SHORT};
use crate::party::{BEN, Pairs, Party, Server, said};

#[test]
fn a_friend_joins_by_a_link_and_changes_go_both_ways() {
    let Some(party) = Party::new() else { return };
    by_link(&party);
}

#[test]
fn a_friend_joins_by_a_link_and_changes_go_both_ways_at_ejabberd() {
    let Some(party) = Party::at(Server::Ejabberd) else { return };
    by_link(&party);
}

fn by_link(party: &Party) {
    let (ann, ben) = (party.inviter(), party.computer("ben", BEN));
    let link = said(&ann.invites(&[]), "link");
    std::thread::scope(|scope| {
        let joining = scope.spawn(|| ben.joins(&link, &[]));
        ann.run(["accept", &ann.asked()]);
        joining.join().expect("the command does not panic").ok();
    });
    ben.awaits(&ann.files());
    for (computer, account) in [(&ann, "ben"), (&ben, "ann")] {
        computer.hears();
        let peers = computer.peers();
        assert_eq!(said(&peers[0]["peer"], "account"), party.jid(account), "both see who the other is");
        assert_eq!(peers[0]["own"], false);
    }
    for (from, to, file) in [(&ann, &ben, "from-ann.txt"), (&ben, &ann, "from-ben.txt")] {
        from.write(file, "hello");
        eventually(LIMIT, "a change arrives at the friend", || to.read(file));
    }
}

#[test]
fn without_any_git_remote_the_computers_bring_the_folder_to_each_other() {
    let Some(party) = Party::new() else { return };
    let (ann, ben) = (party.computer("ann", "ann"), party.computer("ben", BEN));
    ann.add();
    ann.store(&party.sandbox.dir("store"));
    ann.write("map.txt", "over the hills").wait();
    ben.joins(&said(&ann.invites(&["--accept"]), "link"), &[]).ok();
    ben.awaits(&ann.files());
    for (from, to, file) in [(&ann, &ben, "from-ann.txt"), (&ben, &ann, "from-ben.txt")] {
        from.write(file, "hello");
        eventually(LIMIT, "a change arrives at the friend", || to.read(file));
    }
    for computer in [&ann, &ben] {
        eventually(LIMIT, "a hint and a tunnel went between them", || {
            (computer.peers()[0]["connected"] == true).then_some(())
        });
    }
}

#[test]
fn a_friend_finds_the_computer_that_shows_a_code() {
    let Some(party) = Party::new() else { return };
    let (ann, ben) = (party.inviter(), party.computer("ben", BEN));
    let code = said(&ann.invites(&["--accept"]), "code");
    ben.joins(&code, &["--from", &party.jid("ann")]).ok();
    ben.awaits(&ann.files());
}

#[test]
fn who_may_only_read_changes_nothing() {
    let Some(party) = Party::new() else { return };
    let (ann, ben) = (party.inviter(), party.computer("ben", BEN));
    ben.joins(&said(&ann.invites(&["--accept", "--read-only"]), "link"), &[]).ok();
    ben.awaits(&ann.files());
    assert_eq!(ann.peers()[0]["folders"][0]["theyOnlyRead"], true);
    assert_eq!(ben.peers()[0]["folders"][0]["weOnlyRead"], true);
    ben.write("mine.txt", "kept here");
    ann.write("news.txt", "for all");
    eventually(LIMIT, "what is changed there arrives", || ben.read("news.txt"));
    assert!(within(SHORT, || ann.read("mine.txt")).is_none(), "what a reader writes stays with the reader");
}
