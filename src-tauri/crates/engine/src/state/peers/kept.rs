//! The file that says who is paired: JSON, 0600, replaced as a whole.

use std::fs;
use std::io;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use tributary_formats::uuid::RepoUuid;
use tributary_xmpp::device::PublicKeys;
use tributary_xmpp::pairing::Right;

use super::{Contact, Pages, Peer, PeersError, Removed, Share};
use crate::config::write_private;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct KeptFile {
    peers: Vec<KeptPeer>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    removed: Vec<KeptRemoved>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    parted: Vec<KeptPeer>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct KeptRemoved {
    device: String,
    ours: RepoUuid,
    at: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct KeptPeer {
    /// Both public keys, base64.
    keys: String,
    tag: String,
    name: String,
    address: String,
    account: String,
    since: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    introduced_by: Option<String>,
    #[serde(default)]
    contacts: Vec<KeptContact>,
    #[serde(default)]
    shares: Vec<KeptShare>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct KeptShare {
    ours: RepoUuid,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    theirs: Option<RepoUuid>,
    they_may: KeptRight,
    we_may: KeptRight,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum KeptRight {
    Edit,
    ReadOnly,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum KeptContact {
    Heard,
    Confirmed,
    Reached,
    Served,
}

/// Reads the file; nobody is paired when there is none.
pub(super) fn read(file: &Path) -> Result<Pages, PeersError> {
    let text = match fs::read(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Pages::default()),
        Err(source) => return Err(PeersError::Read { path: file.into(), source }),
    };
    let damaged = |source| PeersError::Damaged { path: file.into(), source };
    let kept: KeptFile = serde_json::from_slice(&text).map_err(damaged)?;
    let nonsense = || damaged(serde::de::Error::custom("a computer in it makes no sense"));
    let peers = kept.peers.into_iter().map(|peer| peer.meant().ok_or_else(nonsense));
    let removed = kept.removed.into_iter().map(|removed| removed.meant().ok_or_else(nonsense));
    let parted = kept.parted.into_iter().map(|peer| peer.meant().ok_or_else(nonsense));
    Ok(Pages {
        peers: peers.collect::<Result<_, _>>()?,
        removed: removed.collect::<Result<_, _>>()?,
        parted: parted.collect::<Result<_, _>>()?,
    })
}

/// Replaces the file, durably.
pub(super) fn write(file: &Path, pages: &Pages) -> Result<(), PeersError> {
    let kept = KeptFile {
        peers: pages.peers.iter().map(KeptPeer::of).collect(),
        removed: pages.removed.iter().map(KeptRemoved::of).collect(),
        parted: pages.parted.iter().map(KeptPeer::of).collect(),
    };
    let text = serde_json::to_vec_pretty(&kept).expect("plain data always serialises");
    write_private(file, &text).map_err(|source| PeersError::Write { path: file.into(), source })
}

impl KeptRemoved {
    fn of(removed: &Removed) -> Self {
        Self { device: removed.device.to_string(), ours: removed.ours.clone(), at: removed.at }
    }

    fn meant(self) -> Option<Removed> {
        Some(Removed { device: self.device.parse().ok()?, ours: self.ours, at: self.at })
    }
}

impl KeptPeer {
    fn of(peer: &Peer) -> Self {
        let share = |share: &Share| KeptShare {
            ours: share.ours.clone(),
            theirs: share.theirs.clone(),
            they_may: share.they_may.into(),
            we_may: share.we_may.into(),
        };
        Self {
            keys: STANDARD.encode(peer.keys.to_bytes()),
            tag: peer.tag.to_string(),
            name: peer.name.clone(),
            address: peer.address.as_str().into(),
            account: peer.account.as_str().into(),
            since: peer.since,
            introduced_by: peer.introduced_by.map(|device| device.to_string()),
            contacts: peer.contacts.iter().copied().map(Into::into).collect(),
            shares: peer.shares.iter().map(share).collect(),
        }
    }

    fn meant(self) -> Option<Peer> {
        let keys: [u8; PublicKeys::LENGTH] = STANDARD.decode(self.keys).ok()?.try_into().ok()?;
        let share = |share: KeptShare| Share {
            ours: share.ours,
            theirs: share.theirs,
            they_may: share.they_may.into(),
            we_may: share.we_may.into(),
        };
        Some(Peer {
            keys: PublicKeys::from_bytes(&keys).ok()?,
            tag: self.tag.parse().ok()?,
            name: self.name,
            address: self.address.parse().ok()?,
            account: self.account.parse().ok()?,
            since: self.since,
            introduced_by: self.introduced_by.map(|device| device.parse()).transpose().ok()?,
            contacts: self.contacts.into_iter().map(Into::into).collect(),
            shares: self.shares.into_iter().map(share).collect(),
        })
    }
}

/// Both directions between what is kept and what is meant.
macro_rules! kept_as {
    ($meant:ident, $kept:ident: $($name:ident),+) => {
        impl From<$meant> for $kept {
            fn from(meant: $meant) -> Self {
                match meant { $($meant::$name => Self::$name),+ }
            }
        }
        impl From<$kept> for $meant {
            fn from(kept: $kept) -> Self {
                match kept { $($kept::$name => Self::$name),+ }
            }
        }
    };
}

kept_as!(Right, KeptRight: Edit, ReadOnly);
kept_as!(Contact, KeptContact: Heard, Confirmed, Reached, Served);
