use tributary_xmpp::device::DeviceKeys;

use super::*;

fn peer(name: &str, account: &str, folder: &str) -> Peer {
    Peer {
        keys: DeviceKeys::generate().public(),
        tag: DeviceTag::random(),
        name: name.into(),
        address: format!("{name}@p.example/trib-1").parse().unwrap(),
        account: account.parse().unwrap(),
        since: 1_795_400_000,
        introduced_by: None,
        contacts: BTreeSet::new(),
        shares: vec![share(folder)],
    }
}

fn share(ours: &str) -> Share {
    Share { ours: uuid(ours), theirs: None, they_may: Right::ReadOnly, we_may: Right::Edit }
}

fn uuid(text: &str) -> RepoUuid {
    RepoUuid::parse(text).unwrap()
}

fn book(dir: &tempfile::TempDir) -> Peers {
    let peers = Peers::load(&dir.path().join("peers.json")).unwrap();
    peers.log_in(Some("anna@p.example".parse().unwrap()));
    peers
}

#[test]
fn who_was_paired_is_paired_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (anna, ben) = (peer("anna", "anna@p.example", "f"), peer("ben", "anna@p.example", "f"));
    let peers = book(&dir);
    for peer in [&anna, &ben] {
        peers.admit(peer.clone()).unwrap();
    }
    peers.met(ben.id(), Contact::Heard).unwrap();
    peers.has_repository(ben.id(), &uuid("f"), &uuid("theirs")).unwrap();
    let again = book(&dir);
    assert_eq!(again.all(), peers.all());
    assert!(again.of_tag(anna.tag).unwrap().is_own() && !again.get(ben.id()).unwrap().is_own());
    let (known, share) = again.in_folder(&uuid("f")).pop().unwrap();
    assert_eq!((known.id(), share.theirs), (ben.id(), Some(uuid("theirs"))));
    assert!(known.contacts.contains(&Contact::Heard) && !known.is_connected());
    for contact in [Contact::Confirmed, Contact::Served, Contact::Reached] {
        assert!(!again.get(ben.id()).unwrap().is_connected(), "one direction is not enough");
        again.met(ben.id(), contact).unwrap();
    }
    assert!(again.get(ben.id()).unwrap().is_connected(), "a hint and a tunnel in both directions");
    assert_eq!(again.they_may(ben.id(), &uuid("f")), Some(Right::ReadOnly));
    assert_eq!(again.they_may(ben.id(), &uuid("g")), None, "what was not given is not theirs");
}

#[test]
fn another_account_has_other_peers() {
    let dir = tempfile::tempdir().unwrap();
    let peers = book(&dir);
    let ben = peer("ben", "anna@p.example", "f");
    peers.admit(ben.clone()).unwrap();
    peers.log_in(Some("anna@work.example".parse().unwrap()));
    assert!(peers.get(ben.id()).is_none() && peers.in_folder(&uuid("f")).is_empty());
    peers.log_in(None);
    assert!(peers.all().is_empty());
    peers.log_in(Some("anna@p.example".parse().unwrap()));
    assert_eq!(peers.get(ben.id()), Some(ben), "nothing was lost meanwhile");
}

#[test]
fn a_device_that_is_paired_again_gets_what_it_had_not() {
    let dir = tempfile::tempdir().unwrap();
    let peers = book(&dir);
    let first = peer("ben", "anna@p.example", "f");
    peers.admit(first.clone()).unwrap();
    peers.met(first.id(), Contact::Served).unwrap();
    let edits = Share { they_may: Right::Edit, ..share("f") };
    let again = Peer { name: "Ben's new name".into(), shares: vec![share("g"), edits], ..first.clone() };
    peers.admit(again).unwrap();
    let known = peers.get(first.id()).unwrap();
    assert_eq!(known.name, "Ben's new name");
    assert_eq!(
        known.share(&uuid("f")).map(|share| share.they_may),
        Some(Right::Edit),
        "the newest right counts"
    );
    assert!(known.share(&uuid("g")).is_some() && known.contacts.is_empty(), "it is met again");
}

#[test]
fn a_mark_is_one_devices() {
    let dir = tempfile::tempdir().unwrap();
    let peers = book(&dir);
    let before = peer("ben", "anna@p.example", "f");
    let after = Peer { tag: before.tag, ..peer("ben", "anna@p.example", "f") };
    peers.admit(before.clone()).unwrap();
    peers.admit(after.clone()).unwrap();
    assert!(peers.get(before.id()).is_none(), "its keys were lost");
    assert_eq!(peers.of_tag(before.tag).map(|peer| peer.id()), Some(after.id()));
}

#[test]
fn removed_is_removed_at_once_and_for_good() {
    let dir = tempfile::tempdir().unwrap();
    let peers = book(&dir);
    let (ben, cleo) = (peer("ben", "anna@p.example", "f"), peer("cleo", "anna@p.example", "f"));
    for peer in [&ben, &cleo] {
        peers.admit(peer.clone()).unwrap();
    }
    let mut changes = peers.changes();
    changes.mark_unchanged();
    assert_eq!(peers.remove(ben.id()).unwrap().map(|peer| peer.id()), Some(ben.id()));
    assert!(changes.has_changed().unwrap(), "whoever serves it has to hear");
    assert_eq!(peers.they_may(ben.id(), &uuid("f")), None);
    peers.forget_folder(&uuid("f")).unwrap();
    assert!(book(&dir).all().is_empty(), "nothing is left to share with Cleo");
}

#[test]
fn what_cannot_be_kept_did_not_happen() {
    let dir = tempfile::tempdir().unwrap();
    let peers = Peers::load(&dir.path().join("gone/peers.json")).unwrap();
    peers.log_in(Some("anna@p.example".parse().unwrap()));
    let ben = peer("ben", "anna@p.example", "f");
    assert!(matches!(peers.admit(ben.clone()), Err(PeersError::Write { .. })));
    assert!(peers.get(ben.id()).is_none(), "after a restart it would be a stranger");
}

#[test]
fn a_damaged_file_pairs_nobody_and_stays() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("peers.json");
    for text in ["{", r#"{"peers":[{"keys":"","tag":"","name":"","address":"","account":"","since":0}]}"#] {
        std::fs::write(&file, text).unwrap();
        assert!(matches!(Peers::load(&file), Err(PeersError::Damaged { .. })), "{text}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
    }
}

#[test]
fn there_is_an_end_to_how_many() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("peers.json");
    let peers: Vec<_> = (0..MAX_PEERS).map(|n| peer(&format!("p{n}"), "anna@p.example", "f")).collect();
    kept::write(&file, &Pages { peers: peers.clone(), ..Pages::default() }).unwrap();
    let book = book(&dir);
    assert!(matches!(book.admit(peer("one", "anna@p.example", "f")), Err(PeersError::TooMany)));
    book.admit(peers[0].clone()).expect("one that is paired already needs no more room");
}

/// Somebody whom another introduced.
fn introduced(by: &Peer, since: u64) -> Peer {
    Peer { introduced_by: Some(by.id()), since, ..peer("cleo", "anna@p.example", "f") }
}

fn removal(of: &Peer, at: u64) -> Removed {
    Removed { device: of.id(), ours: uuid("f"), at }
}

#[test]
fn who_was_removed_comes_back_by_a_person_alone() {
    let dir = tempfile::tempdir().unwrap();
    let peers = book(&dir);
    let desktop = peer("anna", "anna@p.example", "f");
    let cleo = introduced(&desktop, 100);
    peers.admit(desktop).unwrap();
    peers.introduce(cleo.clone()).unwrap();
    assert!(peers.get(cleo.id()).is_some());
    peers.revoke(cleo.id(), 90).unwrap().unwrap();
    peers.introduce(cleo.clone()).unwrap();
    let again = book(&dir);
    assert!(again.get(cleo.id()).is_none(), "who introduces it has not heard yet");
    assert_eq!(again.last_removal(&uuid("f")), 100, "a clock that is behind removes it all the same");
    again.introduce(Peer { since: 101, ..cleo.clone() }).unwrap();
    assert!(again.get(cleo.id()).is_some(), "it was paired anew, elsewhere");
    again.revoke(cleo.id(), 200).unwrap();
    again.admit(Peer { since: 150, introduced_by: None, ..cleo.clone() }).unwrap();
    assert!(again.get(cleo.id()).is_some() && again.removed_from(&uuid("f")).is_empty());
}

#[test]
fn a_removal_is_believed_of_those_who_may_say_so() {
    let dir = tempfile::tempdir().unwrap();
    let peers = book(&dir);
    let (desktop, ben) = (peer("anna", "anna@p.example", "f"), peer("ben", "anna@p.example", "f"));
    let dora = peer("dora", "anna@p.example", "f");
    let mut tablet = peer("ben", "anna@p.example", "f");
    (tablet.introduced_by, tablet.since) = (Some(dora.id()), 100);
    let all = [&desktop, &ben, &dora, &tablet];
    let afresh = || all.iter().for_each(|peer| peers.admit((*peer).clone()).unwrap());
    let there = |peer: &Peer| peers.get(peer.id()).is_some();
    afresh();
    let late = u64::MAX / 2;
    peers.hear_of_removal(&ben, removal(&desktop, late)).unwrap();
    peers.hear_of_removal(&ben, removal(&dora, late)).unwrap();
    assert!(all.iter().all(|peer| there(peer)), "a friend does not overrule the person here");
    assert!(peers.removed_from(&uuid("f")).is_empty(), "nor makes the folder's key look old");
    peers.hear_of_removal(&tablet, removal(&tablet, late)).unwrap();
    assert!(there(&tablet), "nobody says so of itself");
    for (by, removed) in [(&ben, &tablet), (&dora, &tablet), (&desktop, &tablet), (&desktop, &dora)] {
        afresh();
        peers.hear_of_removal(by, removal(removed, 99)).unwrap();
        assert!(there(removed), "it was paired after that");
        peers.hear_of_removal(by, removal(removed, late)).unwrap();
        assert!(!there(removed), "its introducer, its own person, or our own device said so");
    }
    // Of somebody who was never heard of it is remembered, so that nobody introduces it.
    let never = introduced(&desktop, 5);
    peers.hear_of_removal(&desktop, removal(&never, 6)).unwrap();
    peers.introduce(never.clone()).unwrap();
    assert!(!there(&never));
}

#[test]
fn introductions_change_nothing_that_a_person_decided() {
    let dir = tempfile::tempdir().unwrap();
    let peers = book(&dir);
    let (desktop, ben) = (peer("anna", "anna@p.example", "f"), peer("ben", "anna@p.example", "f"));
    peers.admit(ben.clone()).unwrap();
    let more = Share { they_may: Right::Edit, ..share("f") };
    let said = Peer { introduced_by: Some(desktop.id()), shares: vec![more], ..ben.clone() };
    peers.introduce(said.clone()).unwrap();
    assert_eq!(peers.get(ben.id()), Some(ben.clone()), "the right that a person gave stays");
    let other = Peer { shares: vec![share("g")], ..said };
    peers.introduce(other).unwrap();
    assert!(peers.get(ben.id()).unwrap().share(&uuid("g")).is_some(), "another folder is another matter");
    let impostor = Peer { tag: ben.tag, ..introduced(&desktop, 5) };
    peers.introduce(impostor.clone()).unwrap();
    assert!(
        peers.get(impostor.id()).is_none() && peers.get(ben.id()).is_some(),
        "a mark is not taken by hearsay"
    );
}

#[test]
fn removals_do_not_pile_up() {
    let mut pages = Pages::default();
    for at in 0..2 * MAX_REMOVED as u64 {
        pages.remember(removal(&peer("x", "anna@p.example", "f"), at));
    }
    assert_eq!(pages.removed.len(), MAX_REMOVED);
    assert_eq!(pages.removed.last().map(|removed| removed.at), Some(2 * MAX_REMOVED as u64 - 1));
}

#[test]
fn who_was_removed_is_told_until_it_knows_or_is_paired_again() {
    let dir = tempfile::tempdir().unwrap();
    let (ben, cleo) = (peer("ben", "anna@p.example", "f"), peer("cleo", "anna@p.example", "g"));
    let told = |book: &Peers| book.parted().iter().map(|peer| peer.name.clone()).collect::<Vec<_>>();
    let first = book(&dir);
    for peer in [&ben, &cleo] {
        first.admit(peer.clone()).unwrap();
    }
    first.revoke(ben.id(), 10).unwrap();
    first.forget_folder(&uuid("g")).unwrap();
    let again = book(&dir);
    assert_eq!(told(&again), ["ben", "cleo"], "after a restart, too");
    assert!(again.all().is_empty() && again.has_parted_with(&ben.address));
    again.knows_of_parting(ben.id()).unwrap();
    again.admit(cleo.clone()).unwrap();
    assert!(told(&again).is_empty());
    again.remove(cleo.id()).unwrap();
    assert!(told(&again).is_empty(), "nobody there counts us as paired");
    for n in 0..66 {
        let one = peer(&format!("p{n}"), "anna@p.example", "f");
        again.admit(one.clone()).unwrap();
        again.part_with(one.id()).unwrap();
    }
    assert_eq!(again.parted().len(), 64, "they do not pile up");
    again.log_in(Some("else@p.example".parse().unwrap()));
    assert!(again.parted().is_empty(), "another account has parted with nobody");
}
