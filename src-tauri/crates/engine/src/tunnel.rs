//! The tunnel: git between two paired devices, through their accounts' servers and unreadable to them.
//!
//! ```text
//! git2 ─ opener ─ guest ═ secure channel ═ host ─ git upload-pack, git receive-pack
//!      (blocking)       (in-band or SOCKS5)       (a folder here)
//! ```
//!
//! As a guest: opens streams for `xmpp::ACCOUNT/REPOSITORY` URLs of this process, and of git's remote helper. As a host: lets
//! the streams of paired devices in and serves the folders that are shared with them, with the right that each has.
//! Everybody else finds nobody here. What is said: the README of tributary-xmpp, "Git in the channel".

pub(crate) mod address;
mod bridge;
pub(crate) mod by_hand;
mod carried;
mod door;
mod files;
mod guest;
mod host;
mod notice;
mod opening;
mod patience;
mod request;
mod ways;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tributary_formats::uuid::RepoUuid;
use tributary_repo::transport::{self, Asked, Service};
use tributary_xmpp::account::{DeviceTag, FullJid};
use tributary_xmpp::device::{DeviceId, DeviceKeys};
use tributary_xmpp::ibb::Bytestreams;
use tributary_xmpp::session::Timeouts;
use tributary_xmpp::socks5::Socks5;
use tributary_xmpp::upload::Uploads;

use self::address::Address;
use self::carried::Way;
use self::files::Depot;
use self::ways::Ways;
use crate::state::peers::{Peer, Peers, Share};

pub(crate) use self::door::{Door, Pushed};
pub(crate) use self::notice::{NoticeCall, NoticeError, Said};
pub(crate) use self::patience::Patience;

/// The scheme of the URLs.
pub(crate) const SCHEME: &str = "xmpp";

/// The tunnels of an engine. Clones are the same.
#[derive(Clone)]
pub(crate) struct Tunnels(Arc<Inner>);

struct Inner {
    peers: Peers,
    patience: Patience,
    folder: PathBuf,
    stop: CancellationToken,
    now: Mutex<Now>,
    presence: watch::Sender<u64>,
    /// Counts how often somebody came with whom we have parted.
    knocks: watch::Sender<u64>,
    /// Counts what was found out of fast ways.
    tried: watch::Sender<u64>,
}

/// What is so at this moment.
#[derive(Default)]
struct Now {
    line: Option<Line>,
    /// Where what is much may be left as a file, while an account is logged in.
    depot: Option<Arc<dyn Depot>>,
    /// Which paired devices are online, and how often each came.
    there: BTreeMap<DeviceTag, (FullJid, u64)>,
    came: u64,
    ways: Ways,
    /// Tunnels that live, by a number, with what each needs to go on.
    open: BTreeMap<u64, Open>,
    opened: u64,
}

/// The way to the other devices, while an account is logged in.
#[derive(Clone)]
struct Line {
    streams: Bytestreams,
    socks5: Socks5,
    keys: Arc<DeviceKeys>,
    /// Our own address, from the first session on.
    bound: Option<FullJid>,
}

/// A tunnel that lives.
struct Open {
    device: DeviceId,
    /// The repository here that it is about; none for what is about the devices themselves.
    ours: Option<RepoUuid>,
    /// What a guest does here; none for a tunnel that we opened.
    serves: Option<Service>,
    cut: CancellationToken,
}

/// Takes a tunnel off the list when it goes.
struct Listed {
    tunnels: Tunnels,
    number: u64,
    cut: CancellationToken,
}

impl Tunnels {
    /// No tunnels, for devices in this book. They end with `stop`.
    /// `folder`: where files are for a while that go to them and come from them.
    pub(crate) fn new(peers: Peers, patience: Patience, folder: PathBuf, stop: CancellationToken) -> Self {
        let (now, presence) = (Mutex::default(), watch::channel(0).0);
        let (knocks, tried) = (watch::channel(0).0, watch::channel(0).0);
        Self(Arc::new(Inner { peers, patience, folder, stop, now, presence, knocks, tried }))
    }

    /// How long streams may take for what.
    pub(crate) fn timeouts(&self) -> Timeouts {
        self.0.patience.timeouts()
    }

    /// Who is paired.
    pub(crate) fn peers(&self) -> &Peers {
        &self.0.peers
    }

    /// Opens streams for this process's fetches and pushes from now on. To be called on a runtime, which carries them.
    pub(crate) fn register(&self) {
        let (tunnels, runtime) = (self.clone(), Handle::current());
        let opener = move |url: &str, asked: &Asked| runtime.block_on(tunnels.open(url, asked.clone()));
        transport::register(SCHEME, Arc::new(opener));
    }

    /// An account is logged in: its streams, and our keys.
    pub(crate) fn log_in(
        &self,
        streams: Bytestreams,
        socks5: Socks5,
        uploads: Uploads,
        keys: Arc<DeviceKeys>,
        door: Door,
    ) {
        let policy = self.clone();
        let inbox = streams.accept(move |client| policy.lets_in(client));
        let only = self.0.patience.only;
        let socks5 = if only == Some(Way::Proxy) { socks5.hidden() } else { socks5 };
        if !matches!(only, Some(Way::InBand | Way::File)) {
            tokio::spawn(host::attend(self.clone(), socks5.accept(), door.clone()));
        }
        let depot: Arc<dyn Depot> = Arc::new(uploads);
        let line = Line { streams, socks5, keys, bound: None };
        *self.now() = Now { line: Some(line), depot: Some(depot), ..Now::default() };
        tokio::spawn(host::attend(self.clone(), inbox, door));
        self.presence_changed();
    }

    /// No account is logged in any more.
    pub(crate) fn log_out(&self) {
        let open = std::mem::take(&mut *self.now()).open;
        open.values().for_each(|open| open.cut.cancel());
        self.presence_changed();
    }

    /// A new session, with this address: nobody is known to be there until its presence comes.
    pub(crate) fn fresh_session(&self, bound: FullJid) {
        let mut now = self.now();
        now.there.clear();
        now.ways = Ways::default();
        if let Some(line) = &mut now.line {
            line.bound = Some(bound);
        }
        drop(now);
        self.presence_changed();
    }

    /// A device came, or left.
    pub(crate) fn presence(&self, device: DeviceTag, client: &FullJid, online: bool) {
        let mut now = self.now();
        if online {
            now.came += 1;
            let came = now.came;
            now.there.insert(device, (client.clone(), came));
        } else if now.there.get(&device).is_some_and(|(known, _)| known == client) {
            now.there.remove(&device);
            now.ways.left(client);
        }
        drop(now);
        self.presence_changed();
    }

    /// Counts what changed of who is there, and how they are reached.
    pub(crate) fn presence_changes(&self) -> watch::Receiver<u64> {
        self.0.presence.subscribe()
    }

    /// The device that has the repository at this URL is online: a number that differs each time it came.
    pub(crate) fn is_there(&self, url: &str) -> Option<u64> {
        let (peer, _) = self.find(&Address::parse(url)?)?;
        self.client_of(&peer).map(|(_, came)| came)
    }

    /// Ends the tunnels of devices that are paired no more, or may no longer do what they do.
    pub(crate) fn review(&self) {
        let now = self.now();
        for open in now.open.values() {
            let permitted = match &open.ours {
                Some(ours) => self
                    .0
                    .peers
                    .they_may(open.device, ours)
                    .is_some_and(|right| open.serves.is_none_or(|service| host::permits(right, service))),
                None => self.0.peers.get(open.device).is_some(),
            };
            if !permitted {
                open.cut.cancel();
            }
        }
    }

    /// The device and the share that an address means.
    fn find(&self, address: &Address) -> Option<(Peer, Share)> {
        let of_account = |peer: &Peer| peer.address.to_bare() == address.account;
        self.0.peers.all().into_iter().filter(of_account).find_map(|peer| {
            let has = |share: &&Share| share.theirs.as_ref() == Some(&address.repository);
            let share = peer.shares.iter().find(has)?.clone();
            Some((peer, share))
        })
    }

    /// Where a device is online now. Its presence counts only from the account that it was paired with.
    fn client_of(&self, peer: &Peer) -> Option<(FullJid, u64)> {
        let now = self.now();
        let (client, came) = now.there.get(&peer.tag)?;
        (client.to_bare() == peer.address.to_bare()).then(|| (client.clone(), *came))
    }

    /// The paired device that is online as this client. One whose presence was not seen counts where it was when it was
    /// paired: who thinks better of it at once never shows its presence, and has to be able to say so.
    fn behind(&self, client: &FullJid) -> Option<Peer> {
        let now = self.now();
        let tag = now.there.iter().find_map(|(tag, (at, _))| (at == client).then_some(*tag));
        drop(now);
        match tag {
            Some(tag) => self.0.peers.of_tag(tag).filter(|peer| peer.address.to_bare() == client.to_bare()),
            None => self.0.peers.all().into_iter().find(|peer| peer.address == *client),
        }
    }

    fn lets_in(&self, client: &FullJid) -> bool {
        let known = self.behind(client).is_some();
        if !known && self.0.peers.has_parted_with(client) {
            self.0.knocks.send_modify(|number| *number += 1);
        }
        known
    }

    fn list(&self, device: DeviceId, ours: Option<RepoUuid>, serves: Option<Service>) -> Listed {
        let cut = self.0.stop.child_token();
        let mut now = self.now();
        now.opened += 1;
        let number = now.opened;
        now.open.insert(number, Open { device, ours, serves, cut: cut.clone() });
        drop(now);
        Listed { tunnels: self.clone(), number, cut }
    }

    fn presence_changed(&self) {
        self.0.presence.send_modify(|number| *number += 1);
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        // Every change of it is whole, so a panic elsewhere does not spoil it.
        self.0.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.tunnels.now().open.remove(&self.number);
    }
}

/// Ends tunnels whose right is gone, as the book of peers changes. Ends when told to stop.
pub(crate) async fn keep_to_the_book(tunnels: Tunnels) {
    let mut changes = tunnels.0.peers.changes();
    while let Some(Ok(())) = tunnels.0.stop.run_until_cancelled(changes.changed()).await {
        tunnels.review();
        // Somebody who was let in by now may be there already.
        tunnels.presence_changed();
    }
}

#[cfg(test)]
mod tests;
