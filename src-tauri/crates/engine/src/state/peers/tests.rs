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
    again.met(ben.id(), Contact::Served).unwrap();
    assert!(again.get(ben.id()).unwrap().is_connected(), "a hint and a tunnel");
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
    assert!(known.share(&uuid("g")).is_some() && known.contacts.contains(&Contact::Served));
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
    kept::write(&file, &peers).unwrap();
    let book = book(&dir);
    assert!(matches!(book.admit(peer("one", "anna@p.example", "f")), Err(PeersError::TooMany)));
    book.admit(peers[0].clone()).expect("one that is paired already needs no more room");
}
