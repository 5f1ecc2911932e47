//! What people see of pairings and of paired computers.

use tributary_status::{PairingStage, PairingStatus, PeerStatus, Person, SharedFolder};
use tributary_xmpp::pairing::{Card, InviterStage, Right};

use super::PairingThread;
use super::invitations::{Invite, Invited};
use super::joins::Joins;
use super::presence::Presence;
use crate::state::peers::{Peer, Share};
use crate::state::problems::moment;

impl PairingThread {
    /// Puts it all up.
    pub(super) fn show(&self, invited: &Invited, joins: &Joins, presence: &Presence) {
        // Peers first: whoever sees that a pairing is over sees who came of it.
        let peers = self.peers.all();
        self.board.set_peers(peers.iter().map(|peer| self.peer(peer, &peers, presence)).collect());
        let inviting = invited.offers.iter().map(|offer| self.inviting(offer, invited.stage_of(offer)));
        self.board.set_pairings(inviting.chain(joins.shown()).collect());
    }

    fn inviting(&self, offer: &Invite, stage: InviterStage) -> PairingStatus {
        let folder = self.path_of(&offer.ours);
        let name = folder.as_deref().and_then(std::path::Path::file_name).unwrap_or_default();
        let name = name.to_string_lossy().into_owned();
        let peer = offer.asks.as_ref().map(|(_, card)| person(card));
        let (stage, sentence) = match (stage, &peer) {
            (InviterStage::Asking, Some(peer)) => {
                (PairingStage::AsksYou, format!("{} ({}) asks to join {name}.", peer.name, peer.account))
            }
            (InviterStage::Granted | InviterStage::Asking, _) => {
                (PairingStage::AsksThem, "They were let in; their yes is waited for.".into())
            }
            (InviterStage::Greeting, _) => (PairingStage::Greeting, "Somebody has come.".into()),
            _ => (PairingStage::Waiting, format!("Waiting for somebody to join {name}.")),
        };
        PairingStatus {
            id: offer.id.clone(),
            inviting: true,
            stage,
            sentence,
            since: offer.since.clone(),
            folder: folder.map(|folder| folder.display().to_string()),
            name,
            peer,
            read_only: offer.right == Right::ReadOnly,
        }
    }

    fn peer(&self, peer: &Peer, all: &[Peer], presence: &Presence) -> PeerStatus {
        let shared = |share: &Share| {
            Some(SharedFolder {
                folder: self.path_of(&share.ours)?.display().to_string(),
                repository: share.theirs.as_ref().map(ToString::to_string),
                they_only_read: share.they_may == Right::ReadOnly,
                we_only_read: share.we_may == Right::ReadOnly,
            })
        };
        let introducer = peer.introduced_by.map(|by| {
            let known = all.iter().find(|peer| peer.id() == by);
            known.map_or_else(|| by.to_string(), |peer| peer.name.clone())
        });
        PeerStatus {
            id: peer.id().to_string(),
            words: peer.id().in_words(),
            peer: Person { name: peer.name.clone(), account: peer.address.to_bare().as_str().into() },
            own: peer.is_own(),
            online: self.lines.present().borrow().contains_key(&peer.tag),
            way: self.tunnels.way_to(peer).map(|way| way.words().to_owned()),
            presence_since: presence.since(peer.tag),
            connected: peer.is_connected(),
            since: moment(i64::try_from(peer.since).unwrap_or(i64::MAX)),
            introduced_by: introducer,
            folders: peer.shares.iter().filter_map(shared).collect(),
        }
    }
}

/// Who showed a card.
pub(crate) fn person(card: &Card) -> Person {
    Person { name: card.name.clone(), account: card.address.to_bare().as_str().into() }
}
