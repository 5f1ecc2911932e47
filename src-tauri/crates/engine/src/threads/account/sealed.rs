//! What the account thread does for paired devices: seals what is published, opens what they seal, and lets others know
//! who is there.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use tributary_formats::uuid::RepoUuid;
use tributary_xmpp::account::{DeviceTag, FullJid};
use tributary_xmpp::device::DeviceKeys;
use tributary_xmpp::hints::{FolderState, News, ReceivedState, Sealer, open_sealed};
use tributary_xmpp::session::{Friends, Session};

use super::counters::Counters;
use super::{AccountThread, Online};
use crate::folder_facts::Ask;
use crate::secrets::SecretStore;
use crate::state::peers::{Contact, PeersError};

impl AccountThread {
    /// Reads this device's secrets, off the way: a keyring may take its time. What comes of it wakes the thread.
    pub(super) fn unlock(&self, keys: Arc<DeviceKeys>, store: SecretStore) {
        let device = self.device.clone();
        tokio::spawn(async move {
            if let Err(error) = device.unlock(keys, &store).await {
                tracing::warn!(%error, "the secrets of pairings could not be read");
            }
        });
    }

    /// Who is paired, or a key, changed: seals from now on with what counts now, and says so to all.
    pub(super) async fn arm(
        &self,
        online: Option<&Online>,
        counters: &mut Counters,
        states: &[(PathBuf, FolderState)],
        latest: &Latest,
    ) {
        let Some(online) = online else { return };
        self.seal(&online.session);
        for received in latest.0.values() {
            self.sealed_news(received, counters).await;
        }
        counters.next(&self.state_file);
        online.session.publish(counters.state(states));
    }

    /// Gives the session the keys of shared folders, and the devices of friends.
    pub(super) fn seal(&self, session: &Session) {
        let peers = self.peers.all();
        let friends = peers.iter().filter(|peer| !peer.is_own());
        session.set_friends(friends.map(|peer| (peer.tag, peer.address.to_bare())).collect::<Friends>());
        let Some(secrets) = self.device.now() else { return };
        let device = secrets.keys.clone();
        let shared = |ours: &RepoUuid| peers.iter().any(|peer| peer.share(ours).is_some());
        // Who was removed knows the keys until then: nothing is sealed with those until they are renewed.
        let known_outside = |ours: &RepoUuid| self.peers.last_removal(ours) > secrets.renewed(ours);
        let folders = secrets.hint_keys.iter().filter(|(ours, _)| shared(ours) && !known_outside(ours));
        let folders =
            folders.filter_map(|(ours, keys)| Some((ours.clone(), keys.first()?.clone()))).collect();
        session.seal_hints(Sealer { device, folders });
    }

    /// A device of the account, or a paired one, came or left.
    pub(super) fn seen(&self, device: DeviceTag, address: &FullJid, there: bool) {
        if !there {
            return self.lines.left(device, address);
        }
        self.lines.came(device, address.clone());
        if let Some(peer) = self.peers.of_tag(device) {
            kept(self.peers.is_at(peer.id(), address));
        }
    }

    /// Opens what a paired device says to us, and tells the folders. Gives the repositories that it speaks of, so that
    /// they need not be looked for by their marks.
    pub(super) async fn sealed_news(
        &self,
        received: &ReceivedState,
        counters: &mut Counters,
    ) -> Vec<RepoUuid> {
        let (Some(secrets), Some(peer)) = (self.device.now(), self.peers.of_tag(received.device)) else {
            return vec![];
        };
        if peer.address.to_bare() != received.from {
            return vec![];
        }
        let now = u64::try_from(crate::engine::now()).unwrap_or_default();
        let mut said = Vec::new();
        for share in &peer.shares {
            let keys = secrets.opening(&share.ours);
            // A key says which folder; what else the publisher may claim of it does not matter.
            for news in open_sealed(received, &peer.keys, keys, now) {
                said.push(news.repository.clone());
                if !counters.is_sealed_news(&news, &self.state_file) {
                    continue;
                }
                kept(self.peers.has_repository(peer.id(), &share.ours, &news.repository));
                kept(self.peers.met(peer.id(), Contact::Heard));
                self.tell_folder(&share.ours, news).await;
            }
        }
        said
    }

    async fn tell_folder(&self, ours: &RepoUuid, news: News) {
        for folder in self.folders.all() {
            let uuid = folder.desk.with(|desk| desk.repo.uuid().clone()).await;
            if uuid == *ours {
                return folder.tell(Ask::News(Arc::new(news)));
            }
        }
    }
}

/// The newest state of each device: what it says may be for somebody who is paired a moment later.
#[derive(Default)]
pub(super) struct Latest(BTreeMap<DeviceTag, ReceivedState>);

/// Most devices whose states are kept in mind. A server could make up any number.
const MOST: usize = 64;

impl Latest {
    pub(super) fn keep(&mut self, received: &ReceivedState) {
        if self.0.len() < MOST || self.0.contains_key(&received.device) {
            self.0.insert(received.device, received.clone());
        }
    }
}

/// What could not be kept is learned again at the next hint.
fn kept(outcome: Result<(), PeersError>) {
    if let Err(error) = outcome {
        tracing::warn!(%error, "what was learned of a paired computer could not be kept");
    }
}
