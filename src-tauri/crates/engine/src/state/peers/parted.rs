//! Devices that are paired no more and may not know it: they are told once, when they can be reached.
//!
//! They are let in nowhere; what is kept of them is what it takes to tell them so, and nobody else.

use tributary_xmpp::account::FullJid;
use tributary_xmpp::device::DeviceId;

use super::{Pages, Peer, Peers, PeersError};

/// Most devices that are still to be told; the oldest are forgotten.
const MAX_PARTED: usize = 64;

impl Peers {
    /// Those who are still to be told that they are paired no more.
    #[must_use]
    pub fn parted(&self) -> Vec<Peer> {
        let book = self.lock();
        let of_now = |peer: &&Peer| Some(&peer.account) == book.account.as_ref();
        book.pages.parted.iter().filter(of_now).cloned().collect()
    }

    /// Whether one of them is at this address.
    #[must_use]
    pub fn has_parted_with(&self, client: &FullJid) -> bool {
        self.parted().iter().any(|peer| peer.address == *client)
    }

    /// A device is paired no more, and is to be told so: it may count us as paired.
    ///
    /// # Errors
    /// When that could not be kept; then it still is paired.
    pub fn part_with(&self, device: DeviceId) -> Result<(), PeersError> {
        let account = self.account();
        self.change(|pages| {
            if let Some(peer) = pages.take_out(device, account.as_ref()) {
                pages.tell_later(peer);
            }
            Ok(())
        })
    }

    /// One of them knows it now.
    ///
    /// # Errors
    /// When that could not be kept; then it is told once more.
    pub fn knows_of_parting(&self, device: DeviceId) -> Result<(), PeersError> {
        self.change(|pages| {
            pages.parted.retain(|peer| peer.id() != device);
            Ok(())
        })
    }
}

impl Pages {
    pub(super) fn tell_later(&mut self, peer: Peer) {
        self.parted.retain(|known| known.keys != peer.keys || known.account != peer.account);
        self.parted.push(peer);
        let over = self.parted.len().saturating_sub(MAX_PARTED);
        self.parted.drain(..over);
    }

    pub(super) fn part_with_who_shares_nothing(&mut self) {
        for peer in self.peers.extract_if(.., |peer| peer.shares.is_empty()).collect::<Vec<_>>() {
            self.tell_later(peer);
        }
    }
}
