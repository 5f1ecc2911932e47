//! Who and what is paired no more: a computer that a person removes, a folder that is none any more.

use tributary_formats::uuid::RepoUuid;
use tributary_status::{Failure, Reply};
use tributary_xmpp::device::DeviceId;

use super::PairingThread;
use super::invitations::{Invited, now};
use crate::commands::fault;
use crate::state::peers::PeersError;
use crate::threads::committer::chain;

impl PairingThread {
    /// Takes back everything that was given to a device.
    pub(super) async fn unpair(&self, device: DeviceId) -> Result<Reply, Failure> {
        let not_kept = |error: PeersError| {
            fault(
                None,
                format!("{}.", chain(&error)),
                "It is still paired. Make room on the disk and try again.",
            )
        };
        let removed = self.peers.revoke(device, now()).map_err(not_kept)?;
        let Some(peer) = removed else {
            return Err(fault(None, "This computer is not paired.", "`trib peers` lists those that are."));
        };
        // It knows the keys of the folders that it had: those who stay get new ones.
        let shares = peer.shares.clone();
        let renewed = self.device.change(|secrets| {
            for share in &shares {
                if self.peers.in_folder(&share.ours).is_empty() {
                    secrets.forget(&share.ours);
                } else {
                    secrets.renew(&share.ours, now().max(self.peers.last_removal(&share.ours)));
                }
            }
        });
        if let Err(error) = renewed.await {
            // The notices thread tries again; until then nothing is sealed with them.
            tracing::warn!(%error, "the keys of the folders' hints could not be renewed");
        }
        let name = &peer.name;
        let sentence = format!(
            "{name} is not paired any more. It keeps what it has; places that both of you use have to be closed there."
        );
        Ok(Reply::Done { sentence })
    }

    /// A folder is none any more.
    pub(super) async fn folder_gone(&self, ours: &RepoUuid, invited: &mut Invited) {
        let open: Vec<_> = invited.offers.iter().filter(|offer| offer.ours == *ours).collect();
        let slots: Vec<_> = open.iter().filter_map(|offer| offer.slots.first().copied()).collect();
        for slot in slots {
            self.end(slot, invited).await;
        }
        if let Err(error) = self.peers.forget_folder(ours) {
            tracing::warn!(%error, "that a folder is shared no more could not be kept");
        }
        let known = self.device.now().is_some_and(|secrets| secrets.hint_keys.contains_key(ours));
        if known && let Err(error) = self.device.change(|secrets| secrets.forget(ours)).await {
            tracing::warn!(%error, "the key of a folder that is gone could not be forgotten");
        }
    }
}
