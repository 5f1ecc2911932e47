//! What a try keeps of who invites, and puts back when nothing comes of it.

use tributary_status::Failure;
use tributary_xmpp::device::DeviceId;
use tributary_xmpp::hints::HintKey;
use tributary_xmpp::pairing::{Card, Grant, Right};

use super::folder::{Fetched, Usable};
use super::journal::{Agreed, Entry};
use super::{Joining, now};
use crate::commands::fault;
use crate::pairing::grant::introduced;
use crate::pairing::message;
use crate::state::peers::{Peer, Share};
use crate::threads::committer::chain;

/// What a try that fails puts back.
#[derive(Default)]
pub(super) struct Before {
    peers: Vec<(DeviceId, Option<Peer>)>,
    keys: Vec<HintKey>,
}

impl Joining {
    pub(super) fn write_down(&self, entry: &Entry) -> Result<(), Failure> {
        self.engine.joins.put(entry).map_err(|error| {
            let sentence = format!("What is set up cannot be written down: {error}.");
            fault(None, sentence, "Make room on the disk and try again. Nothing was set up, here or there.")
        })
    }

    /// Keeps the inviter, and those for whom it vouches, with the folder's key.
    pub(super) async fn keep(
        &mut self,
        card: &Card,
        grant: &Grant,
        fetched: &Fetched,
        places: &Usable,
        entry: &mut Entry,
    ) -> Result<(), Failure> {
        let share = Share {
            ours: fetched.ours.clone(),
            theirs: Some(grant.repository.clone()),
            they_may: Right::Edit,
            we_may: grant.right,
        };
        let account = self.line.account.clone();
        let mut peers = vec![Peer::of(card, account.clone(), share, now())];
        let vouched = introduced(grant, card, &self.own, &fetched.ours, &account, now());
        // Whom a person paired here is known better than by hearsay.
        peers.extend(vouched.into_iter().filter(|peer| self.engine.peers.get(peer.id()).is_none()));
        let is_new = |peer: &&Peer| self.engine.peers.get(peer.id()).is_none();
        let known_keys = self.engine.device.now().map_or(0, |secrets| secrets.opening(&fetched.ours).len());
        entry.agreed = Some(Agreed {
            ours: fetched.ours.clone(),
            theirs: grant.repository.clone(),
            name: grant.name.clone(),
            inviter_name: card.name.clone(),
            inviter: card.keys.id().to_string(),
            read_only: grant.right == Right::ReadOnly,
            new_peers: peers.iter().filter(is_new).map(|peer| peer.id().to_string()).collect(),
            new_key: known_keys == 0,
            from: fetched.from.clone(),
            set_up: places.to_keep(),
            yes: None,
            heard: false,
        });
        self.write_down(entry)?;
        let key = HintKey::from_bytes(*grant.hint_key);
        let sealed = self.engine.device.change(|secrets| {
            let before = secrets.opening(&fetched.ours).to_vec();
            secrets.seal_with(&fetched.ours, key);
            before
        });
        self.before.keys = sealed.await.map_err(|error| message::no_secrets(&error))?;
        for peer in peers {
            self.before.peers.push((peer.id(), self.engine.peers.get(peer.id())));
            self.engine.peers.admit(peer).map_err(|error| {
                fault(None, format!("{}.", chain(&error)), "Nothing was set up, here or there.")
            })?;
        }
        Ok(())
    }

    /// Takes back what [`keep`](Self::keep) kept. `said`: our yes went out, and may have been heard.
    pub(super) async fn forget(&mut self, fetched: &Fetched, said: bool) {
        for (device, before) in self.before.peers.drain(..) {
            let peers = &self.engine.peers;
            let restored = match before {
                // What it does not know it learns when it comes.
                None if said => peers.part_with(device),
                None => peers.remove(device).map(drop),
                Some(before) => peers.remove(device).and_then(|_| peers.admit(before)),
            };
            if let Err(error) = restored {
                tracing::warn!(%error, "a pairing that failed could not be forgotten");
            }
        }
        let keys = std::mem::take(&mut self.before.keys);
        let restored = self.engine.device.change(|secrets| match keys.is_empty() {
            true => drop(secrets.hint_keys.remove(&fetched.ours)),
            false => drop(secrets.hint_keys.insert(fetched.ours.clone(), keys)),
        });
        if let Err(error) = restored.await {
            tracing::warn!(%error, "the key of a folder that was not joined could not be forgotten");
        }
    }
}
