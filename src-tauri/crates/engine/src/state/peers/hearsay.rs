//! What paired devices say of others: whom they introduce, and who was removed.
//!
//! Who is introduced is believed as far as its introducer is; a removal is believed of one's own devices, of whoever
//! introduced the device, and of its own person. What a person decided here by itself is never overruled by a friend.

use tributary_formats::uuid::RepoUuid;
use tributary_xmpp::device::DeviceId;

use super::{MAX_REMOVED, Pages, Peer, Peers, PeersError, Removed};

impl Peers {
    /// Who was removed from this repository of ours.
    #[must_use]
    pub fn removed_from(&self, ours: &RepoUuid) -> Vec<Removed> {
        self.lock().pages.removed.iter().filter(|removed| removed.ours == *ours).cloned().collect()
    }

    /// When somebody was removed from this repository of ours for the last time; 0 when nobody was. Keys that are older
    /// are known to them.
    #[must_use]
    pub fn last_removal(&self, ours: &RepoUuid) -> u64 {
        self.removed_from(ours).iter().map(|removed| removed.at).max().unwrap_or_default()
    }

    /// A person removes a device: it is paired no more, and nobody's word brings it back.
    ///
    /// # Errors
    /// When that could not be kept; then it still is paired.
    pub fn revoke(&self, device: DeviceId, now: u64) -> Result<Option<Peer>, PeersError> {
        let account = self.lock().account.clone();
        self.change(|pages| {
            let Some(peer) = pages.take_out(device, account.as_ref()) else { return Ok(None) };
            for share in &peer.shares {
                // Whoever introduced it may have a clock that is ahead.
                pages.remember(Removed { device, ours: share.ours.clone(), at: now.max(peer.since) });
            }
            pages.tell_later(peer.clone());
            Ok(Some(peer))
        })
    }

    /// A paired device introduces another one, which has one folder. Who was removed after it was paired, or whom a
    /// person paired here, stays as it is. Gives whether something changed.
    ///
    /// # Errors
    /// When it could not be kept; then it is not paired.
    pub fn introduce(&self, peer: Peer) -> Result<(), PeersError> {
        self.change(|pages| {
            let outlived = |removed: &Removed| {
                removed.device == peer.id() && peer.share(&removed.ours).is_some() && removed.at >= peer.since
            };
            if pages.removed.iter().any(outlived) {
                return Ok(());
            }
            let known =
                pages.peers.iter_mut().find(|known| known.keys == peer.keys && known.account == peer.account);
            let Some(known) = known else {
                // Its mark may not be that of another: by hearsay nobody takes somebody's place.
                let taken = |known: &Peer| known.tag == peer.tag && known.account == peer.account;
                return if pages.peers.iter().any(taken) { Ok(()) } else { pages.admit(peer) };
            };
            for share in peer.shares {
                match known.shares.iter_mut().find(|had| had.ours == share.ours) {
                    None => known.shares.push(share),
                    Some(had) if known.introduced_by == peer.introduced_by => had.they_may = share.they_may,
                    Some(_) => {}
                }
            }
            Ok(())
        })
    }

    /// A paired device says that another was removed from a folder.
    ///
    /// # Errors
    /// When it could not be kept; then nothing changed.
    pub fn hear_of_removal(&self, by: &Peer, removed: Removed) -> Result<(), PeersError> {
        let Some(account) = self.account() else { return Ok(()) };
        self.change(|pages| {
            let is_it = |known: &&mut Peer| known.id() == removed.device && known.account == account;
            let known = pages.peers.iter_mut().find(is_it);
            if known.is_none() && !by.is_own() {
                // Friends could make up any number.
                return Ok(());
            }
            if let Some(known) = known {
                let believed = by.is_own()
                    || known.introduced_by == Some(by.id())
                    || known.address.to_bare() == by.address.to_bare();
                // It may have been paired again since.
                let paired_after =
                    known.since > removed.at || (known.since == removed.at && known.introduced_by.is_none());
                if !believed || paired_after || known.id() == by.id() {
                    return Ok(());
                }
                known.shares.retain(|share| share.ours != removed.ours);
                pages.part_with_who_shares_nothing();
            }
            pages.remember(removed);
            Ok(())
        })
    }
}

impl Pages {
    pub(super) fn remember(&mut self, removed: Removed) {
        let is_it = |known: &&mut Removed| known.device == removed.device && known.ours == removed.ours;
        if let Some(known) = self.removed.iter_mut().find(is_it) {
            known.at = known.at.max(removed.at);
            return;
        }
        self.removed.push(removed);
        let over = self.removed.len().saturating_sub(MAX_REMOVED);
        self.removed.drain(..over);
    }
}
