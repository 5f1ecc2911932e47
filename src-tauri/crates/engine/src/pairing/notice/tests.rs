use std::collections::BTreeMap;
use std::sync::Arc;

use tributary_formats::uuid::RepoUuid;
use tributary_xmpp::account::DeviceTag;
use tributary_xmpp::device::DeviceKeys;
use tributary_xmpp::hints::HintKey;

use super::*;

/// A computer with a copy of the one folder.
struct Computer {
    card: Card,
    ours: RepoUuid,
    peers: Peers,
    secrets: Secrets,
    _dir: tempfile::TempDir,
}

const NOW: u64 = 1_795_400_000;

impl Computer {
    fn new(name: &str, account: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let keys = Arc::new(DeviceKeys::generate());
        let peers = Peers::load(&dir.path().join("peers.json")).unwrap();
        peers.log_in(Some(account.parse().unwrap()));
        let card =
            Card::own(&keys, DeviceTag::random(), name, format!("{account}/trib-{name}").parse().unwrap());
        let secrets =
            Secrets { keys, hint_keys: BTreeMap::new(), renewed: BTreeMap::new(), links: Vec::new() };
        Self { card, ours: RepoUuid::parse(name).unwrap(), peers, secrets, _dir: dir }
    }

    /// As after an invitation: the guest knows the host's repository, and not the other way round.
    fn invites(&mut self, guest: &mut Computer, right: Right, now: u64) {
        let key = self.secrets.hint_key_or_new(&self.ours, now);
        guest.secrets.seal_with(&guest.ours, key);
        let share = |ours: &RepoUuid, theirs, they_may, we_may| Share {
            ours: ours.clone(),
            theirs,
            they_may,
            we_may,
        };
        let account = |computer: &Computer| computer.card.address.to_bare();
        let of_guest = Peer::of(&guest.card, account(self), share(&self.ours, None, right, Right::Edit), now);
        let of_host = share(&guest.ours, Some(self.ours.clone()), Right::Edit, right);
        self.peers.admit(of_guest).unwrap();
        guest.peers.admit(Peer::of(&self.card, account(guest), of_host, now)).unwrap();
    }

    fn knows(&self, other: &Computer) -> Option<Peer> {
        self.peers.get(other.card.keys.id())
    }

    /// Says all that there is to say, if the other one knows us.
    fn tells(&self, other: &mut Computer, now: u64) {
        let (Some(to), Some(from)) = (self.knows(other), other.knows(self)) else { return };
        let said = compose(&to, &self.peers, &self.secrets).encode();
        let said = Notice::decode(&said).unwrap();
        for heard in keys_in(&said, &from, &other.secrets, now) {
            other.secrets.hear(&heard.ours, &heard.key, heard.renewed);
        }
        take_in(&said, &from, &other.peers, &other.secrets, now).unwrap();
    }

    fn key(&self) -> &HintKey {
        self.secrets.hint_key(&self.ours).unwrap()
    }
}

/// Everybody tells everybody, until nothing is new any more.
fn settle(computers: &mut [&mut Computer]) {
    for _ in 0..3 {
        for from in 0..computers.len() {
            for to in 0..computers.len() {
                if let Ok([from, to]) = computers.get_disjoint_mut([from, to]) {
                    from.tells(to, NOW);
                }
            }
        }
    }
}

const ANNA: &str = "anna@p.example";

#[test]
fn who_was_there_before_and_who_comes_meet() {
    let [mut laptop, mut desktop] = ["laptop", "desktop"].map(|name| Computer::new(name, ANNA));
    let (mut ben, mut tablet) =
        (Computer::new("ben", "ben@p.example"), Computer::new("tablet", "ben@p.example"));
    laptop.invites(&mut desktop, Right::Edit, NOW);
    laptop.invites(&mut ben, Right::ReadOnly, NOW);
    settle(&mut [&mut laptop, &mut desktop, &mut ben]);
    let known = desktop.knows(&ben).expect("the laptop introduces Ben to the desktop");
    assert_eq!(known.shares[0].they_may, Right::ReadOnly, "with the right that was given");
    assert_eq!(known.introduced_by, Some(laptop.card.keys.id()));
    let known = ben.knows(&desktop).expect("and the desktop to Ben");
    assert_eq!((known.shares[0].they_may, known.shares[0].we_may), (Right::Edit, Right::ReadOnly));
    assert_eq!(
        known.shares[0].theirs.as_ref(),
        Some(&desktop.ours),
        "told by itself, found by the key of the folder"
    );

    // Ben's second computer joins by Ben's first: nobody else is asked.
    ben.invites(&mut tablet, Right::Edit, NOW);
    settle(&mut [&mut laptop, &mut desktop, &mut ben, &mut tablet]);
    for computer in [&laptop, &desktop] {
        let known = computer.knows(&tablet).expect("Ben's word counts for Ben's own");
        assert_eq!(known.shares[0].they_may, Right::ReadOnly, "and gives no more than Ben has");
        let known = tablet.knows(computer).expect("the other way round too");
        assert_eq!(known.shares[0].we_may, Right::ReadOnly);
    }
}

#[test]
fn friends_are_not_told_of_other_friends() {
    let mut anna = Computer::new("anna", ANNA);
    let (mut ben, mut cleo) =
        (Computer::new("ben", "ben@p.example"), Computer::new("cleo", "cleo@p.example"));
    anna.invites(&mut ben, Right::Edit, NOW);
    anna.invites(&mut cleo, Right::Edit, NOW);
    settle(&mut [&mut anna, &mut ben, &mut cleo]);
    assert!(ben.knows(&cleo).is_none() && cleo.knows(&ben).is_none());
    // Nor does a friend bring others in.
    let mut dora = Computer::new("dora", "dora@p.example");
    ben.invites(&mut dora, Right::Edit, NOW);
    let said = SharedFolder {
        ours: ben.ours.clone(),
        theirs: Some(anna.ours.clone()),
        right: Right::Edit,
        key: ben.key().clone(),
        renewed: 0,
        known_keys: vec![],
        introduced: vec![(
            Right::Edit,
            introduction(&ben.knows(&dora).unwrap(), &ben.knows(&dora).unwrap().shares[0])
                .sign(&ben.secrets.keys),
        )],
        removed: vec![],
    };
    let notice = Notice { heard: true, connected: true, folders: vec![said] };
    take_in(&notice, &anna.knows(&ben).unwrap(), &anna.peers, &anna.secrets, NOW).unwrap();
    assert!(anna.knows(&dora).is_none());
}

#[test]
fn who_was_removed_reads_nothing_that_comes_after() {
    let [mut laptop, mut desktop] = ["laptop", "desktop"].map(|name| Computer::new(name, ANNA));
    let mut ben = Computer::new("ben", "ben@p.example");
    laptop.invites(&mut desktop, Right::Edit, NOW);
    laptop.invites(&mut ben, Right::Edit, NOW);
    settle(&mut [&mut laptop, &mut desktop, &mut ben]);
    let before = ben.key().clone();
    assert!(laptop.key() == &before && desktop.key() == &before);
    laptop.peers.revoke(ben.card.keys.id(), NOW + 1).unwrap();
    let of_desktop = laptop.knows(&desktop).unwrap();
    assert!(
        compose(&of_desktop, &laptop.peers, &laptop.secrets).folders.is_empty(),
        "the old key is told to nobody"
    );
    laptop.secrets.renew(&laptop.ours, NOW + 1);
    // The desktop was off, and had not heard: its word brings nobody back.
    desktop.tells(&mut laptop, NOW + 1);
    assert!(laptop.knows(&ben).is_none());
    settle(&mut [&mut laptop, &mut desktop, &mut ben]);
    assert!(desktop.knows(&ben).is_none(), "it heard");
    assert!(laptop.key() == desktop.key() && laptop.key() != &before);
    assert!(ben.secrets.opening(&ben.ours).iter().all(|key| key != laptop.key()));
    assert!(
        desktop.peers.last_removal(&desktop.ours) <= desktop.secrets.renewed(&desktop.ours),
        "it seals again"
    );

    // By a person he comes back, everywhere.
    laptop.invites(&mut ben, Right::Edit, NOW + 2);
    settle(&mut [&mut laptop, &mut desktop, &mut ben]);
    assert!(desktop.knows(&ben).is_some() && ben.key() == desktop.key());
}

#[test]
fn who_may_only_read_decides_nothing_for_others() {
    let mut anna = Computer::new("anna", ANNA);
    let mut ben = Computer::new("ben", "ben@p.example");
    anna.invites(&mut ben, Right::ReadOnly, NOW);
    settle(&mut [&mut anna, &mut ben]);
    let before = anna.key().clone();
    ben.secrets.renew(&ben.ours, NOW + 5);
    ben.tells(&mut anna, NOW + 5);
    assert!(anna.key() == &before);
    anna.peers.we_may(ben.card.keys.id(), &anna.ours, Right::Edit).unwrap();
    // A clock that is far ahead does not have the last word either.
    let mut cleo = Computer::new("cleo", ANNA);
    anna.invites(&mut cleo, Right::Edit, NOW);
    cleo.secrets.renew(&cleo.ours, NOW + CLOCK_SLACK + 100);
    cleo.tells(&mut anna, NOW);
    assert!(anna.key() == &before);
}

#[test]
fn it_is_said_once_more_only_when_something_changed() {
    let [mut laptop, mut desktop] = ["laptop", "desktop"].map(|name| Computer::new(name, ANNA));
    let mut third = Computer::new("third", ANNA);
    laptop.invites(&mut desktop, Right::Edit, NOW);
    laptop.invites(&mut third, Right::Edit, NOW);
    settle(&mut [&mut laptop, &mut desktop, &mut third]);
    let say = |computer: &Computer, to: &Computer| {
        compose(&computer.knows(to).unwrap(), &computer.peers, &computer.secrets).encode()
    };
    let before = say(&laptop, &desktop);
    settle(&mut [&mut laptop, &mut desktop, &mut third]);
    assert!(say(&laptop, &desktop) == before, "it stays the same");
    laptop.peers.met(desktop.card.keys.id(), Contact::Heard).unwrap();
    assert!(say(&laptop, &desktop) != before, "that a hint was opened is news");
    laptop.tells(&mut desktop, NOW);
    assert!(desktop.knows(&laptop).unwrap().contacts.contains(&Contact::Confirmed));
}
