//! Opening tunnels: by which way, and what was learnt of it.

use std::io;
use std::time::Duration;

use tokio::time::Instant;
use tributary_repo::transport::{Asked, Stream};
use tributary_xmpp::account::FullJid;
use tributary_xmpp::ibb::{Bytestream, Bytestreams, OpenError};

use super::address::Address;
use super::carried::{Carried, Way};
use super::guest::Guest;
use super::request::Request;
use super::ways::{Next, Tried};
use super::{Line, Tunnels};
use crate::state::peers::{Contact, Peer};

/// How often, and how many times, a computer that is busy is asked again: a small push takes less.
const BUSY_PAUSE: Duration = Duration::from_millis(250);
const BUSY_TRIES: u32 = 60;

impl Tunnels {
    /// Opens a stream to the repository that a URL names. The other side has agreed when this returns.
    ///
    /// # Errors
    /// `PermissionDenied` with the sentence of whoever refused; other kinds when it may work later.
    pub(crate) async fn open(&self, url: &str, asked: impl Into<Asked>) -> io::Result<Stream> {
        let denied = |why: &str| io::Error::new(io::ErrorKind::PermissionDenied, why);
        let away = |why: String| io::Error::new(io::ErrorKind::NotConnected, why);
        let address = Address::parse(url)
            .ok_or_else(|| denied("an address of a paired computer is xmpp::ACCOUNT/REPOSITORY"))?;
        let line = self.now().line.clone();
        let line = line.ok_or_else(|| away("no account is logged in".into()))?;
        let (peer, share) = self
            .find(&address)
            .ok_or_else(|| denied("no paired computer of that account has that repository"))?;
        let bound = line.bound.clone().ok_or_else(|| away("the account is not connected yet".into()))?;
        let (client, _) =
            self.client_of(&peer).ok_or_else(|| away(format!("{} is not online", peer.name)))?;
        let files = self.files_with(&client);
        let guest = Guest { own: &line.keys, bound, peer: &peer, patience: self.0.patience, files };
        let request =
            Request { asked: asked.into(), repository: address.repository, own: share.ours.clone() };
        let (stream, carried, listed) = loop {
            let opened = self.0.stop.run_until_cancelled(self.carry(&line, &client)).await;
            let stream =
                opened.unwrap_or(Err(OpenError::Offline)).map_err(|cause| away(cause.to_string()))?;
            let (way, listed) = (stream.way, self.list(peer.id(), Some(share.ours.clone()), None));
            match guest.ask(stream, request.clone(), listed.cut.clone()).await {
                Ok((stream, carried)) => {
                    self.went(&client, way);
                    break (stream, carried, listed);
                }
                // A fast way on which nothing comes is none; the other one may be fine.
                Err(cause) if way != Way::InBand && cause.kind() == io::ErrorKind::ConnectionAborted => {
                    self.fast_way_tried(&client, Tried::Fails);
                }
                Err(cause) => return Err(cause),
            }
        };
        if let Err(error) = self.0.peers.met(peer.id(), Contact::Reached) {
            tracing::warn!(%error, "that a computer was reached is not kept");
        }
        tokio::spawn(async move {
            carried.await;
            drop(listed);
        });
        Ok(stream)
    }

    /// Opens a stream to a client, by the best way that is known.
    async fn carry(&self, line: &Line, client: &FullJid) -> Result<Carried, OpenError> {
        let next = match self.0.patience.only {
            Some(Way::InBand | Way::File) => Next::InBand,
            _ => self.now().ways.next(client, Instant::now()),
        };
        match next {
            Next::Fast => match line.socks5.open(client).await {
                Ok(stream) => return Ok(stream.into()),
                Err(fault) => {
                    tracing::info!(%fault, "a fast way to a paired computer did not open");
                    self.fast_way_tried(client, fault.into());
                }
            },
            Next::InBandAndTry => {
                let (tunnels, socks5, client) = (self.clone(), line.socks5.clone(), client.clone());
                tokio::spawn(async move {
                    // What it opens is dropped at once: the other side sees somebody who changed his mind.
                    let tried = tunnels.0.stop.run_until_cancelled(socks5.open(&client)).await;
                    let Some(tried) = tried else { return };
                    tracing::debug!(tried = ?tried.as_ref().map(drop), "a fast way to a paired computer was tried");
                    tunnels.fast_way_tried(&client, tried.map_or_else(Tried::from, |_| Tried::Works));
                });
            }
            Next::InBand => {}
        }
        open_in_band(&line.streams, client).await.map(Carried::from)
    }

    /// A fast way to a client was tried.
    fn fast_way_tried(&self, client: &FullJid, came_of_it: Tried) {
        self.now().ways.tried(client, came_of_it, Instant::now());
        self.0.tried.send_modify(|number| *number += 1);
    }

    /// A stream to or from a client went this way.
    pub(super) fn went(&self, client: &FullJid, way: Way) {
        if self.now().ways.went(client, way) {
            self.presence_changed();
        }
    }

    /// The way of the last stream with a device, while it is online.
    pub(crate) fn way_to(&self, peer: &Peer) -> Option<Way> {
        let (client, _) = self.client_of(peer)?;
        self.now().ways.last(&client)
    }
}

/// Opens a stream; waits for a while when the other side has its hands full, as when several folders sync at once. It
/// gives no sign when it has room again, so it is asked now and then.
pub(super) async fn open_in_band(streams: &Bytestreams, client: &FullJid) -> Result<Bytestream, OpenError> {
    for _ in 0..BUSY_TRIES {
        match streams.open(client).await {
            Err(OpenError::Busy) => tokio::time::sleep(BUSY_PAUSE).await,
            opened => return opened,
        }
    }
    streams.open(client).await
}
