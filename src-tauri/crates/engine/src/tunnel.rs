//! The tunnel: git between two paired devices, through their accounts' servers and unreadable to them.
//!
//! ```text
//! git2 ─ opener ─ guest ═ secure channel ═ host ─ git upload-pack, git receive-pack
//!      (blocking)       (in-band bytestream)     (a folder here)
//! ```
//!
//! As a guest: opens streams for `xmpp::ACCOUNT/REPOSITORY` URLs of this process, and of git's remote helper. As a host: lets the streams of paired
//! devices in and serves the folders that are shared with them, with the right that each has. Everybody else finds
//! nobody here. What is said: the README of tributary-xmpp, "Git in the channel".

pub(crate) mod address;
mod bridge;
pub(crate) mod by_hand;
mod door;
mod guest;
mod host;
mod notice;
mod request;

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tributary_formats::uuid::RepoUuid;
use tributary_repo::serve;
use tributary_repo::transport::{self, Service, Stream};
use tributary_xmpp::account::{DeviceTag, FullJid};
use tributary_xmpp::device::{DeviceId, DeviceKeys};
use tributary_xmpp::ibb::{Bytestream, Bytestreams, OpenError};

use self::address::Address;
use self::guest::Guest;
use crate::state::peers::{Contact, Peer, Peers, Share};

pub(crate) use self::door::{Door, Pushed};
pub(crate) use self::notice::{NoticeCall, NoticeError};

/// The scheme of the URLs.
pub(crate) const SCHEME: &str = "xmpp";

/// How often, and how many times, a computer that is busy is asked again: a small push takes less.
const BUSY_PAUSE: Duration = Duration::from_millis(250);
const BUSY_TRIES: u32 = 60;

/// How long what may take; tests shorten them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// Until the other side has proved who it is, and until it was asked for something.
    pub(crate) handshake: Duration,
    /// While nothing goes in either direction. Git says something every few seconds when it is at work.
    pub(crate) silence: Duration,
    /// What a push may cost.
    pub(crate) limits: serve::Limits,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(30),
            silence: Duration::from_secs(120),
            limits: serve::Limits::default(),
        }
    }
}

/// The tunnels of an engine. Clones are the same.
#[derive(Clone)]
pub(crate) struct Tunnels(Arc<Inner>);

struct Inner {
    peers: Peers,
    patience: Patience,
    stop: CancellationToken,
    now: Mutex<Now>,
    presence: watch::Sender<u64>,
}

/// What is so at this moment.
#[derive(Default)]
struct Now {
    line: Option<Line>,
    /// Which paired devices are online, and how often each came.
    there: BTreeMap<DeviceTag, (FullJid, u64)>,
    came: u64,
    /// Tunnels that live, by a number, with what each needs to go on.
    open: BTreeMap<u64, Open>,
    opened: u64,
}

/// The way to the other devices, while an account is logged in.
#[derive(Clone)]
struct Line {
    streams: Bytestreams,
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
    pub(crate) fn new(peers: Peers, patience: Patience, stop: CancellationToken) -> Self {
        let (now, presence) = (Mutex::default(), watch::channel(0).0);
        Self(Arc::new(Inner { peers, patience, stop, now, presence }))
    }

    /// Who is paired.
    pub(crate) fn peers(&self) -> &Peers {
        &self.0.peers
    }

    /// Opens streams for this process's fetches and pushes from now on. To be called on a runtime, which carries them.
    pub(crate) fn register(&self) {
        let (tunnels, runtime) = (self.clone(), Handle::current());
        let opener = move |url: &str, service| runtime.block_on(tunnels.open(url, service));
        transport::register(SCHEME, Arc::new(opener));
    }

    /// An account is logged in: its streams, and our keys.
    pub(crate) fn log_in(&self, streams: Bytestreams, keys: Arc<DeviceKeys>, door: Door) {
        let policy = self.clone();
        let inbox = streams.accept(move |client| policy.lets_in(client));
        *self.now() = Now { line: Some(Line { streams, keys, bound: None }), ..Now::default() };
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
        }
        drop(now);
        self.presence_changed();
    }

    /// Counts what changed of who is there.
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

    /// Opens a stream to the repository that a URL names. The other side has agreed when this returns.
    ///
    /// # Errors
    /// `PermissionDenied` with the sentence of whoever refused; other kinds when it may work later.
    pub(crate) async fn open(&self, url: &str, service: Service) -> io::Result<Stream> {
        let denied = |why: &str| io::Error::new(io::ErrorKind::PermissionDenied, why);
        let away = |why: String| io::Error::new(io::ErrorKind::NotConnected, why);
        let address = Address::parse(url)
            .ok_or_else(|| denied("an address of a paired computer is xmpp::ACCOUNT/REPOSITORY"))?;
        let line = self.now().line.clone();
        let line = line.ok_or_else(|| away("no account is logged in".into()))?;
        let (peer, share) = self
            .find(&address)
            .ok_or_else(|| denied("no paired computer of that account has that repository"))?;
        let bound = line.bound.ok_or_else(|| away("the account is not connected yet".into()))?;
        let (client, _) =
            self.client_of(&peer).ok_or_else(|| away(format!("{} is not online", peer.name)))?;
        let opened = self.0.stop.run_until_cancelled(open_stream(&line.streams, &client)).await;
        let stream = opened.unwrap_or(Err(OpenError::Offline)).map_err(|cause| away(cause.to_string()))?;
        let listed = self.list(peer.id(), Some(share.ours.clone()), None);
        let guest =
            Guest { own: &line.keys, bound, peer: &peer, ours: share.ours, patience: self.0.patience };
        let (stream, carried) =
            guest.ask(stream, client, service, address.repository, listed.cut.clone()).await?;
        if let Err(error) = self.0.peers.met(peer.id(), Contact::Reached) {
            tracing::warn!(%error, "that a computer was reached is not kept");
        }
        tokio::spawn(async move {
            carried.await;
            drop(listed);
        });
        Ok(stream)
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

    /// The paired device that is online as this client.
    fn behind(&self, client: &FullJid) -> Option<Peer> {
        let now = self.now();
        let tag = now.there.iter().find_map(|(tag, (at, _))| (at == client).then_some(*tag))?;
        drop(now);
        self.0.peers.of_tag(tag).filter(|peer| peer.address.to_bare() == client.to_bare())
    }

    fn lets_in(&self, client: &FullJid) -> bool {
        self.behind(client).is_some()
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

/// Opens a stream; waits for a while when the other side has its hands full, as when several folders sync at once. It
/// gives no sign when it has room again, so it is asked now and then.
async fn open_stream(streams: &Bytestreams, client: &FullJid) -> Result<Bytestream, OpenError> {
    for _ in 0..BUSY_TRIES {
        match streams.open(client).await {
            Err(OpenError::Busy) => tokio::time::sleep(BUSY_PAUSE).await,
            opened => return opened,
        }
    }
    streams.open(client).await
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
