//! What a notice to a paired device says, and what is believed of one that came.
//!
//! It carries what changes after a pairing: the key of a folder's hints, which is renewed when somebody is removed; who
//! else has the folder; who was removed; and what the other side may do. It is the whole truth at this moment, so it can
//! be said twice, late, or only the last time.

use tributary_xmpp::account::BareJid;
use tributary_xmpp::device::PublicKeys;
use tributary_xmpp::notice::{Notice, SharedFolder};
use tributary_xmpp::pairing::{Card, Introduction, Person, Right};

use crate::state::own_device::Secrets;
use crate::state::peers::{Contact, Peer, Peers, PeersError, Removed, Share};

/// What another computer's clock may be ahead by, in seconds: what it says is of later than that is not believed, or one
/// wrong clock would have the last word for ever.
const CLOCK_SLACK: u64 = 7 * 24 * 3600;

/// A key that was told, to be kept with the secrets.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct HeardKey {
    pub(crate) ours: tributary_formats::uuid::RepoUuid,
    pub(crate) key: tributary_xmpp::hints::HintKey,
    pub(crate) renewed: u64,
}

/// What is to be said to a device.
pub(crate) fn compose(to: &Peer, peers: &Peers, secrets: &Secrets) -> Notice {
    let folder = |share: &Share| {
        let removed = peers.removed_from(&share.ours);
        let key = secrets.hint_key(&share.ours)?;
        // One that somebody knows who was removed meanwhile is about to be renewed.
        if peers.last_removal(&share.ours) > secrets.renewed(&share.ours) {
            return None;
        }
        let others = peers.in_folder(&share.ours);
        // A friend is told of our own devices: whom else we share with is not for them to know.
        let others =
            others.iter().filter(|(other, _)| other.keys != to.keys && (to.is_own() || other.is_own()));
        Some(SharedFolder {
            ours: share.ours.clone(),
            theirs: share.theirs.clone(),
            right: share.they_may,
            key: key.clone(),
            renewed: secrets.renewed(&share.ours),
            known_keys: secrets.opening(&share.ours).iter().map(|key| key.id()).collect(),
            introduced: others
                .map(|(other, theirs)| (theirs.they_may, introduction(other, theirs).sign(&secrets.keys)))
                .collect(),
            removed: removed.iter().rev().map(|removed| (removed.device, removed.at)).collect(),
        })
    };
    Notice {
        heard: to.contacts.contains(&Contact::Heard),
        connected: to.is_connected(),
        folders: to.shares.iter().filter_map(folder).collect(),
    }
}

/// Introduces a device that has a folder. It says the same each time, so that a notice changes when something did.
fn introduction(peer: &Peer, share: &Share) -> Introduction {
    Introduction {
        keys: peer.keys,
        tag: peer.tag,
        name: peer.name.clone(),
        address: peer.address.clone(),
        person: if peer.is_own() { Person::Same } else { Person::Friend },
        folder: share.ours.to_string(),
        time: peer.since,
    }
}

/// Takes in what a device said. Gives the keys that are to be kept, before what was said of others counts.
pub(crate) fn keys_in(notice: &Notice, from: &Peer, secrets: &Secrets, now: u64) -> Vec<HeardKey> {
    let heard = |said: &SharedFolder| {
        let share = meant(said, from, secrets)?;
        // Who may only read decides nothing for the others.
        let may = share.they_may == Right::Edit && said.renewed <= now.saturating_add(CLOCK_SLACK);
        may.then(|| HeardKey { ours: share.ours.clone(), key: said.key.clone(), renewed: said.renewed })
    };
    notice.folders.iter().filter_map(heard).collect()
}

/// Keeps what a device said of itself and of others.
///
/// # Errors
/// When it could not be kept. What was kept until then is true.
pub(crate) fn take_in(
    notice: &Notice,
    from: &Peer,
    peers: &Peers,
    secrets: &Secrets,
    now: u64,
) -> Result<(), PeersError> {
    if notice.heard {
        peers.met(from.id(), Contact::Confirmed)?;
    }
    for said in &notice.folders {
        let Some(share) = meant(said, from, secrets) else { continue };
        peers.has_repository(from.id(), &share.ours, &said.ours)?;
        peers.we_may(from.id(), &share.ours, said.right)?;
        for (device, at) in &said.removed {
            if *device == secrets.keys.public().id() || *at > now.saturating_add(CLOCK_SLACK) {
                continue;
            }
            peers.hear_of_removal(from, Removed { device: *device, ours: share.ours.clone(), at: *at })?;
        }
        for (right, introduction) in &said.introduced {
            let believed = believed(introduction, *right, from, share, &secrets.keys.public());
            if let Some(peer) = believed.filter(|peer| peer.since <= now.saturating_add(CLOCK_SLACK)) {
                peers.introduce(peer)?;
            }
        }
    }
    Ok(())
}

/// Which of the folders that are shared with a device it speaks of: the one with these repositories, or else the one
/// whose key it has.
fn meant<'a>(said: &SharedFolder, from: &'a Peer, secrets: &Secrets) -> Option<&'a Share> {
    let named = |share: &&Share| {
        said.theirs.as_ref() == Some(&share.ours) || share.theirs.as_ref() == Some(&said.ours)
    };
    let keyed = |share: &&Share| {
        share.theirs.is_none()
            && secrets.opening(&share.ours).iter().any(|key| said.known_keys.contains(&key.id()))
    };
    from.shares.iter().find(named).or_else(|| from.shares.iter().find(keyed))
}

/// The device that is introduced. Own devices vouch for all whom they let in, with the right that they gave; friends for
/// their own other devices, which may do what the friend may.
fn believed(signed: &[u8], right: Right, from: &Peer, share: &Share, own: &PublicKeys) -> Option<Peer> {
    let said = Introduction::verify(signed, [&from.keys]).ok()?;
    let card = Card { keys: said.keys, tag: said.tag, name: said.name, address: said.address };
    let account: BareJid = from.account.clone();
    let may_vouch = from.is_own() || card.address.to_bare() == from.address.to_bare();
    if !may_vouch || card.keys == *own || card.keys == from.keys {
        return None;
    }
    let they_may = if from.is_own() { right.and(share.they_may) } else { share.they_may };
    let share = Share { ours: share.ours.clone(), theirs: None, they_may, we_may: share.we_may };
    Some(Peer { introduced_by: Some(from.id()), ..Peer::of(&card, account, share, said.time) })
}

#[cfg(test)]
mod tests;
