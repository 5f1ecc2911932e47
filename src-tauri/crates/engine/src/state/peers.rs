//! Peers: the paired devices, the folders that are shared with each, and with which right.
//!
//! One file, replaced as a whole and durable before a change counts: what is not in it was never paired. Keys in it are
//! public ones; secrets are with `secrets.rs`. A peer belongs to the account under which it was paired, and is none
//! while another account is logged in.

mod hearsay;
mod kept;
mod parted;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tributary_formats::uuid::RepoUuid;
use tributary_xmpp::account::{BareJid, DeviceTag, FullJid};
use tributary_xmpp::device::{DeviceId, PublicKeys};
use tributary_xmpp::pairing::Right;

/// A paired device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// What it is known by.
    pub keys: PublicKeys,
    /// The mark of its states.
    pub tag: DeviceTag,
    /// What its person calls it. It comes from the other side: bounded, and without what could deceive.
    pub name: String,
    /// Where it was last; its account is what a person knows.
    pub address: FullJid,
    /// The account of ours that it was paired with.
    pub account: BareJid,
    /// When it was paired, in seconds since 1970.
    pub since: u64,
    /// Who vouched for it; `None` when a person paired it here.
    pub introduced_by: Option<DeviceId>,
    /// What went between us so far.
    pub contacts: BTreeSet<Contact>,
    /// What is shared with it.
    pub shares: Vec<Share>,
}

/// A folder that is shared with a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// The repository here.
    pub ours: RepoUuid,
    /// The repository there; `None` until it has one.
    pub theirs: Option<RepoUuid>,
    /// What the peer may do with ours.
    pub they_may: Right,
    /// What we may do with theirs.
    pub we_may: Right,
}

/// What shows that the two devices reach each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Contact {
    /// A sealed hint of theirs was opened here.
    Heard,
    /// A sealed hint of ours was opened there: they said so.
    Confirmed,
    /// A tunnel that we opened was served there.
    Reached,
    /// A tunnel that they opened was served here.
    Served,
}

/// Why what changed was not kept. Then nothing changed.
#[derive(Debug, thiserror::Error)]
pub enum PeersError {
    /// The file is there and cannot be read.
    #[error("{path}, which says who is paired, cannot be read")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is there and is not what this program wrote. It is left as it is.
    #[error("{path}, which says who is paired, is damaged")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where the text stops making sense.
        source: serde_json::Error,
    },
    /// The file cannot be written.
    #[error("{path}, which says who is paired, cannot be written")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There are very many already.
    #[error("no more than {MAX_PEERS} computers can be paired")]
    TooMany,
}

/// Most devices that can be paired, introduced ones included.
pub const MAX_PEERS: usize = 256;

/// The paired devices, shared by all who ask. Clones are the same book.
#[derive(Debug, Clone)]
pub struct Peers {
    book: Arc<Mutex<Book>>,
    changed: Arc<watch::Sender<u64>>,
    file: PathBuf,
}

#[derive(Debug, Default)]
struct Book {
    account: Option<BareJid>,
    pages: Pages,
}

/// What is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Pages {
    peers: Vec<Peer>,
    /// Those who were removed, oldest first.
    removed: Vec<Removed>,
    /// Those who are paired no more and may not know it, oldest first.
    parted: Vec<Peer>,
}

/// A device that a folder was shared with, and is no more. It is remembered, so that nobody who has not heard of it
/// yet introduces it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removed {
    /// Who.
    pub device: DeviceId,
    /// The repository here.
    pub ours: RepoUuid,
    /// When, in seconds since 1970.
    pub at: u64,
}

/// Most removals that are remembered; the oldest are forgotten.
const MAX_REMOVED: usize = 512;

impl Peer {
    /// Its short name.
    #[must_use]
    pub fn id(&self) -> DeviceId {
        self.keys.id()
    }

    /// Whether it is of the person's own account; else it is a friend's.
    #[must_use]
    pub fn is_own(&self) -> bool {
        self.address.to_bare() == self.account
    }

    /// What is shared with it of this repository of ours.
    #[must_use]
    pub fn share(&self, ours: &RepoUuid) -> Option<&Share> {
        self.shares.iter().find(|share| share.ours == *ours)
    }

    /// Whether it may be called connected: a hint and a tunnel went in both directions. Before, it is provisional.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        let needed = [Contact::Heard, Contact::Confirmed, Contact::Reached, Contact::Served];
        needed.iter().all(|contact| self.contacts.contains(contact))
    }
}

impl Peers {
    /// Reads who is paired; nobody, when there is no file.
    ///
    /// # Errors
    /// When there is one that cannot be read or makes no sense.
    pub fn load(file: &Path) -> Result<Self, PeersError> {
        let book = Book { account: None, pages: kept::read(file)? };
        Ok(Self {
            book: Arc::new(Mutex::new(book)),
            changed: Arc::new(watch::channel(0).0),
            file: file.into(),
        })
    }

    /// Who is paired with this account from now on; with nobody, when there is none.
    pub fn log_in(&self, account: Option<BareJid>) {
        self.lock().account = account;
        self.changed.send_modify(|number| *number += 1);
    }

    /// Whose peers these are now; nobody's, while no account is logged in.
    #[must_use]
    pub fn account(&self) -> Option<BareJid> {
        self.lock().account.clone()
    }

    /// Counts the changes.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// All paired devices.
    #[must_use]
    pub fn all(&self) -> Vec<Peer> {
        self.lock().present().cloned().collect()
    }

    /// The paired device with these keys.
    #[must_use]
    pub fn get(&self, device: DeviceId) -> Option<Peer> {
        self.lock().present().find(|peer| peer.id() == device).cloned()
    }

    /// The paired device with this mark on its states.
    #[must_use]
    pub fn of_tag(&self, tag: DeviceTag) -> Option<Peer> {
        self.lock().present().find(|peer| peer.tag == tag).cloned()
    }

    /// The paired devices with which this repository of ours is shared.
    #[must_use]
    pub fn in_folder(&self, ours: &RepoUuid) -> Vec<(Peer, Share)> {
        let with = |peer: &Peer| Some((peer.clone(), peer.share(ours)?.clone()));
        self.lock().present().filter_map(with).collect()
    }

    /// What a device may do with this repository of ours; `None` when it is not shared with it.
    #[must_use]
    pub fn they_may(&self, device: DeviceId, ours: &RepoUuid) -> Option<Right> {
        Some(self.get(device)?.share(ours)?.they_may)
    }

    /// A device is paired, or one that was paired before gets another folder. What it was known by before counts no
    /// more: it may have a new name and be at a new address, and has to be met again.
    ///
    /// # Errors
    /// When it could not be kept; then it is not paired.
    pub fn admit(&self, peer: Peer) -> Result<(), PeersError> {
        self.change(|pages| pages.admit(peer))
    }

    /// Something went between us and a device.
    ///
    /// # Errors
    /// When it could not be kept.
    pub fn met(&self, device: DeviceId, contact: Contact) -> Result<(), PeersError> {
        if self.get(device).is_none_or(|peer| peer.contacts.contains(&contact)) {
            return Ok(());
        }
        self.change_one(device, |peer| {
            peer.contacts.insert(contact);
        })
    }

    /// A device is at this address now.
    ///
    /// # Errors
    /// When it could not be kept.
    pub fn is_at(&self, device: DeviceId, address: &FullJid) -> Result<(), PeersError> {
        let known = self.get(device);
        let moved =
            known.is_some_and(|peer| peer.address != *address && peer.address.to_bare() == address.to_bare());
        if moved { self.change_one(device, |peer| peer.address = address.clone()) } else { Ok(()) }
    }

    /// Learns which repository a device has of a folder.
    ///
    /// # Errors
    /// When it could not be kept.
    pub fn has_repository(
        &self,
        device: DeviceId,
        ours: &RepoUuid,
        theirs: &RepoUuid,
    ) -> Result<(), PeersError> {
        let known = self.get(device).and_then(|peer| peer.share(ours).cloned());
        if known.is_none_or(|share| share.theirs.as_ref() == Some(theirs)) {
            return Ok(());
        }
        self.change_one(device, |peer| {
            for share in peer.shares.iter_mut().filter(|share| share.ours == *ours) {
                share.theirs = Some(theirs.clone());
            }
        })
    }

    /// Learns what we may do with what a device has of a folder.
    ///
    /// # Errors
    /// When it could not be kept.
    pub fn we_may(&self, device: DeviceId, ours: &RepoUuid, right: Right) -> Result<(), PeersError> {
        let known = self.get(device).and_then(|peer| peer.share(ours).cloned());
        if known.is_none_or(|share| share.we_may == right) {
            return Ok(());
        }
        self.change_one(device, |peer| {
            for share in peer.shares.iter_mut().filter(|share| share.ours == *ours) {
                share.we_may = right;
            }
        })
    }

    /// A device is paired no more, as if it had never been: it does not count us as paired either.
    ///
    /// # Errors
    /// When that could not be kept; then it still is.
    pub fn remove(&self, device: DeviceId) -> Result<Option<Peer>, PeersError> {
        let account = self.lock().account.clone();
        self.change(|pages| Ok(pages.take_out(device, account.as_ref())))
    }

    /// A repository of ours is shared with nobody any more. Devices with which nothing else is shared go with it.
    ///
    /// # Errors
    /// When that could not be kept; then it still is.
    pub fn forget_folder(&self, ours: &RepoUuid) -> Result<(), PeersError> {
        if self.in_folder(ours).is_empty() {
            return Ok(());
        }
        self.change(|pages| {
            for peer in &mut pages.peers {
                peer.shares.retain(|share| share.ours != *ours);
            }
            pages.part_with_who_shares_nothing();
            Ok(())
        })
    }

    fn change_one(&self, device: DeviceId, change: impl FnOnce(&mut Peer)) -> Result<(), PeersError> {
        let account = self.lock().account.clone();
        self.change(|pages| {
            let of_now = |peer: &&mut Peer| peer.id() == device && Some(&peer.account) == account.as_ref();
            pages.peers.iter_mut().find(of_now).map(change);
            Ok(())
        })
    }

    /// Changes the book on disk, then here.
    fn change<T>(&self, change: impl FnOnce(&mut Pages) -> Result<T, PeersError>) -> Result<T, PeersError> {
        let mut book = self.lock();
        let mut pages = book.pages.clone();
        let value = change(&mut pages)?;
        if pages != book.pages {
            kept::write(&self.file, &pages)?;
            book.pages = pages;
            drop(book);
            self.changed.send_modify(|number| *number += 1);
        }
        Ok(value)
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        // A book is replaced as a whole, so whoever panicked left a whole one.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    /// The peers of the account that is logged in.
    fn present(&self) -> impl Iterator<Item = &Peer> {
        self.pages.peers.iter().filter(|peer| Some(&peer.account) == self.account.as_ref())
    }
}

impl Pages {
    fn admit(&mut self, peer: Peer) -> Result<(), PeersError> {
        self.removed.retain(|removed| removed.device != peer.id() || peer.share(&removed.ours).is_none());
        self.parted.retain(|parted| parted.keys != peer.keys || parted.account != peer.account);
        let known =
            self.peers.iter_mut().find(|known| known.keys == peer.keys && known.account == peer.account);
        let Some(known) = known else {
            // A mark is one device's: who comes with that of another, which has new keys now, takes its place.
            self.peers.retain(|known| known.tag != peer.tag || known.account != peer.account);
            if self.peers.len() >= MAX_PEERS {
                return Err(PeersError::TooMany);
            }
            self.peers.push(peer);
            return Ok(());
        };
        known.shares.retain(|share| peer.shares.iter().all(|new| new.ours != share.ours));
        known.shares.extend(peer.shares);
        // It may be another program there by now, so the trial begins again.
        known.contacts = peer.contacts;
        (known.tag, known.name, known.address) = (peer.tag, peer.name, peer.address);
        known.introduced_by = known.introduced_by.and(peer.introduced_by);
        Ok(())
    }

    fn take_out(&mut self, device: DeviceId, account: Option<&BareJid>) -> Option<Peer> {
        let is_it = |peer: &Peer| peer.id() == device && Some(&peer.account) == account;
        let at = self.peers.iter().position(is_it)?;
        Some(self.peers.remove(at))
    }
}

#[cfg(test)]
mod tests;
