//! The grant: what is handed to somebody who was let in, and what each side keeps of it.

use std::collections::BTreeSet;

use tributary_formats::logs::uuid_log::UuidLog;
use tributary_formats::uuid::RepoUuid;
use tributary_xmpp::account::BareJid;
use tributary_xmpp::device::DeviceKeys;
use tributary_xmpp::hints::HintKey;
use tributary_xmpp::pairing::{Card, Grant, Introduction, Person, Right};
use zeroize::Zeroizing;

use super::set_up::SetUp;
use crate::folder::Folder;
use crate::state::line::Line;
use crate::state::peers::{Peer, Share};
use crate::state::places::Places;

/// What is said about a folder to the one who was let in.
pub(crate) struct Granting<'a> {
    pub(crate) folder: &'a Folder,
    pub(crate) ours: RepoUuid,
    pub(crate) name: String,
    pub(crate) right: Right,
    pub(crate) hint_key: HintKey,
    pub(crate) line: &'a Line,
    pub(crate) own: &'a DeviceKeys,
    /// The paired devices that have the folder too.
    pub(crate) others: Vec<(Peer, Share)>,
    pub(crate) now: u64,
}

impl Granting<'_> {
    /// Makes the grant for the device of this card.
    pub(crate) async fn to(self, card: &Card) -> Grant {
        let repositories = self.folder.repositories.clone();
        let read = tokio::task::spawn_blocking(move || {
            repositories.with(|repo| {
                let log = repo.annex_branch().read(b"uuid.log").unwrap_or_default();
                let known: Vec<RepoUuid> =
                    UuidLog::parse(&log).iter().map(|(uuid, _)| uuid.clone()).collect();
                Places::default().read(repo).map(|(_, rows)| {
                    let branch = repo.branch().unwrap_or_else(|_| "master".into());
                    (rows, known, branch)
                })
            })
        });
        let (rows, known, branch) = match read.await.expect("reading places does not panic") {
            Ok(Ok(read)) => read,
            // Without places the folder can still be joined where the other side knows one.
            Ok(Err(_)) | Err(_) => (Default::default(), vec![], "master".to_owned()),
        };
        let whose = |address: &tributary_xmpp::account::FullJid| {
            if address.to_bare() == self.line.account { Person::Same } else { Person::Friend }
        };
        let introduce = |card: &Card| {
            let introduction = Introduction {
                keys: card.keys,
                tag: card.tag,
                name: card.name.clone(),
                address: card.address.clone(),
                person: whose(&card.address),
                folder: self.ours.to_string(),
                time: self.now,
            };
            introduction.sign(self.own)
        };
        // A friend gets to know our own devices alone: whom a friend of ours shares with is not for us to tell. An own
        // one meets those who may do all that it may; with the others, what they may is told by a notice.
        let joins_us = whose(&card.address) == Person::Same;
        let met = |(peer, share): &&(Peer, Share)| {
            let known = peer.is_own() || (joins_us && share.they_may == Right::Edit);
            known && peer.keys != card.keys
        };
        let introductions = self.others.iter().filter(met).map(|(peer, _)| introduce(&peer.card())).collect();
        Grant {
            repository: self.ours.clone(),
            name: self.name.clone(),
            right: self.right,
            hint_key: Zeroizing::new(*self.hint_key.expose()),
            set_up: Zeroizing::new(SetUp::of(&rows, known, &branch).encode()),
            letter: introduce(card),
            introductions,
        }
    }
}

impl Peer {
    /// Its card, as it was when it was seen last.
    fn card(&self) -> Card {
        Card { keys: self.keys, tag: self.tag, name: self.name.clone(), address: self.address.clone() }
    }

    /// A device that showed this card.
    pub(crate) fn of(card: &Card, account: BareJid, share: Share, since: u64) -> Self {
        Self {
            keys: card.keys,
            tag: card.tag,
            name: card.name.clone(),
            address: card.address.clone(),
            account,
            since,
            introduced_by: None,
            contacts: BTreeSet::new(),
            shares: vec![share],
        }
    }
}

/// The devices that an inviter vouches for with its grant: its person's own ones; and if it is of our own account, others
/// too.
pub(crate) fn introduced(
    grant: &Grant,
    inviter: &Card,
    own: &DeviceKeys,
    ours: &RepoUuid,
    account: &BareJid,
    since: u64,
) -> Vec<Peer> {
    let vouched = |bytes: &Vec<u8>| {
        let said = Introduction::verify(bytes, [&inviter.keys]).ok()?;
        let card = Card { keys: said.keys, tag: said.tag, name: said.name, address: said.address };
        let same = said.person == Person::Same && card.address.to_bare() == inviter.address.to_bare();
        let vouches = same || inviter.address.to_bare() == *account;
        if !vouches || card.keys == own.public() || card.keys == inviter.keys {
            return None;
        }
        // What it may do is not said; its introducer's notice says less where it is less.
        let share = Share { ours: ours.clone(), theirs: None, they_may: Right::Edit, we_may: grant.right };
        let introduced_by = Some(inviter.keys.id());
        Some(Peer { introduced_by, ..Peer::of(&card, account.clone(), share, since) })
    };
    grant.introductions.iter().filter_map(vouched).collect()
}

#[cfg(test)]
mod tests {
    use tributary_xmpp::account::DeviceTag;

    use super::*;

    fn card(keys: &DeviceKeys, address: &str) -> Card {
        Card::own(keys, DeviceTag::random(), "a computer", address.parse().unwrap())
    }

    #[test]
    fn only_the_inviters_own_devices_are_believed() {
        let [inviter, tablet, friend, own] = [(); 4].map(|()| DeviceKeys::generate());
        let inviters = card(&inviter, "anna@p.example/trib-1");
        let say = |by: &DeviceKeys, of: &DeviceKeys, address: &str, person| {
            let card = card(of, address);
            Introduction {
                keys: card.keys,
                tag: card.tag,
                name: card.name,
                address: card.address,
                person,
                folder: "theirs".into(),
                time: 0,
            }
            .sign(by)
        };
        let introductions = vec![
            say(&inviter, &tablet, "anna@p.example/trib-2", Person::Same),
            say(&inviter, &friend, "cleo@p.example/trib-3", Person::Friend),
            say(&inviter, &friend, "cleo@p.example/trib-3", Person::Same),
            say(&friend, &friend, "anna@p.example/trib-4", Person::Same),
            say(&inviter, &own, "anna@p.example/trib-5", Person::Same),
            say(&inviter, &inviter, "anna@p.example/trib-1", Person::Same),
            b"garbage".to_vec(),
        ];
        let uuid = |text| RepoUuid::parse(text).unwrap();
        let grant = Grant {
            repository: uuid("theirs"),
            name: "Trip".into(),
            right: Right::ReadOnly,
            hint_key: Zeroizing::new([7; 32]),
            set_up: Zeroizing::default(),
            letter: vec![],
            introductions,
        };
        let account: BareJid = "ben@p.example".parse().unwrap();
        let peers = introduced(&grant, &inviters, &own, &uuid("ours"), &account, 5);
        let [peer] = peers.as_slice() else { panic!("{peers:?}") };
        assert_eq!((peer.keys, peer.introduced_by), (tablet.public(), Some(inviter.public().id())));
        assert_eq!(peer.shares[0].we_may, Right::ReadOnly, "no more than from the inviter");
    }
}
