//! SOCKS5 bytestreams (XEP-0065): a TCP connection to another client, straight or through a proxy of the account's
//! server, which the two agree on in the session.
//!
//! ```text
//! Socks5 ── offer: where to meet ──→ exchange ═ session ═ exchange ──→ Socks5
//!    │                                                                    │
//!    └── listens, or meets at a proxy ←──────── TCP ──────────────────────┘
//! ```
//!
//! Who opens a stream and cannot be come to asks the other end to make the offer ([`Socks5::open`]). Much faster than
//! in-band streams, and not always possible. Nothing in here is secret, nor is the proxy trusted:
//! [`crate::channel`] is. Only those whom the in-band streams let in are listened to, and an offer makes us connect to
//! no more than a few places.

mod awaited;
mod exchange;
mod ladder;
mod meeting;
mod offer;
mod take;

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use xmpp_parsers::jid::Jid;
use xmpp_parsers::minidom::Element;

use crate::account::FullJid;
use crate::connect::prompt::Ends;
use crate::services::{AskError, Services};
use crate::wire::socks5::{StreamHost, Wish};

use self::awaited::Awaited;
use self::ladder::Rungs;

pub(crate) use exchange::Exchange;

/// Requests that may wait for the session, wishes of others that may wait for us, and streams nobody took yet.
const DEPTH: usize = 8;
/// Streams of others at a time, as many as there are in-band.
const MAX_TAKEN: usize = 16;
/// How long connecting to one place may take, with what is said there. A way that takes longer is no fast one.
const MEETING: Duration = Duration::from_secs(4);

/// Why there is no such stream. There may be one in-band.
#[derive(Debug, thiserror::Error)]
pub enum Socks5Error {
    /// This side is not online.
    #[error("not connected to the account's server")]
    Offline,
    /// The other client is not there, knows nothing of such streams, or reached none of the places.
    #[error("the other computer cannot be reached except through the account's server")]
    NoWay,
    /// It did not answer in time.
    #[error("the other computer did not answer")]
    Silent,
    /// A place that it had reached did not serve us.
    #[error("the place where the computers met failed")]
    Broken(#[source] io::Error),
}

/// Opens and accepts streams in a session, for as long as the session lives.
#[derive(Debug, Clone)]
pub struct Socks5 {
    services: Services,
    door: Door,
    /// Whether others are told no address of this machine.
    hidden: bool,
    /// Room for streams that others open.
    room: Arc<Semaphore>,
    /// The proxies of our server.
    proxies: Arc<tokio::sync::Mutex<Option<Found>>>,
    /// How the clients were reached.
    rungs: Rungs,
    /// The streams that others were asked to offer.
    awaited: Awaited,
}

/// What was found in a session.
#[derive(Debug)]
struct Found {
    session: FullJid,
    proxies: Vec<StreamHost>,
}

/// Where this client is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Whereabouts {
    /// The addresses of the way to the server.
    pub(crate) ends: Ends,
    /// Our address in the session.
    pub(crate) bound: Option<FullJid>,
}

/// What the session is asked to do.
#[derive(Debug)]
pub(crate) enum Ask {
    /// A request to somebody.
    Question {
        to: Jid,
        kind: Kind,
        payload: Element,
        reply: oneshot::Sender<Result<Option<Element>, AskError>>,
    },
    /// The answer to an offer; `None`: no.
    Answer { to: FullJid, id: String, payload: Option<Element> },
}

/// The kind of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Get,
    Set,
}

/// What another client asks us for, to be answered.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) from: FullJid,
    pub(crate) id: String,
    pub(crate) wish: Wish,
}

/// Where the requests of others go, if anybody takes them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Door(Arc<Mutex<Option<mpsc::Sender<Request>>>>);

/// Makes both ends: for those who open streams, and for the session.
pub(crate) fn socks5(here: watch::Receiver<Whereabouts>) -> (Socks5, mpsc::Receiver<Ask>) {
    let (asks, asked) = mpsc::channel(DEPTH);
    let (services, room) = (Services::new(asks, here), Arc::new(Semaphore::new(MAX_TAKEN)));
    let socks5 = Socks5 {
        services,
        door: Door::default(),
        hidden: false,
        room,
        proxies: Arc::default(),
        rungs: Rungs::default(),
        awaited: Awaited::default(),
    };
    (socks5, asked)
}

impl Socks5 {
    /// Takes the offers of those whom the in-band streams let in ([`crate::ibb::Bytestreams::accept`]), makes them the offers
    /// that they ask for, and gives out what comes of both. Dropping the receiver ends it; a later call replaces this one. To be called on a runtime.
    pub fn accept(&self) -> mpsc::Receiver<Socks5Stream> {
        let (inbox, received) = mpsc::channel(DEPTH);
        let (requests, requested) = mpsc::channel(DEPTH);
        self.door.set(requests);
        tokio::spawn(take::attend(self.clone(), requested, inbox));
        received
    }

    /// The same, but others are told no address of this machine: what is opened goes through proxies.
    #[must_use]
    pub fn hidden(self) -> Socks5 {
        // What is known of how to reach others holds for who may be come to.
        Socks5 { hidden: true, rungs: Rungs::default(), ..self }
    }

    pub(crate) fn door(&self) -> Door {
        self.door.clone()
    }

    /// What it asks with.
    pub(crate) fn services(&self) -> Services {
        self.services.clone()
    }
}

impl From<AskError> for Socks5Error {
    fn from(error: AskError) -> Socks5Error {
        match error {
            AskError::Offline => Socks5Error::Offline,
            AskError::Refused => Socks5Error::NoWay,
            AskError::Silent => Socks5Error::Silent,
        }
    }
}

impl Door {
    fn set(&self, requests: mpsc::Sender<Request>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(requests);
    }

    /// Hands a request over; `false` when there is no room, or nobody.
    pub(crate) fn hand_over(&self, request: Request) -> bool {
        let door = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        door.as_ref().is_some_and(|requests| requests.try_send(request).is_ok())
    }
}

/// An open stream. Dropping it closes it.
#[derive(Debug)]
pub struct Socks5Stream {
    peer: FullJid,
    name: String,
    direct: bool,
    tcp: TcpStream,
    /// Its part of the room, when somebody else opened it.
    _room: Option<OwnedSemaphorePermit>,
}

impl Socks5Stream {
    fn new(peer: FullJid, name: String, direct: bool, tcp: TcpStream) -> io::Result<Socks5Stream> {
        // Git waits for an answer to each small thing that it says.
        tcp.set_nodelay(true)?;
        Ok(Socks5Stream { peer, name, direct, tcp, _room: None })
    }

    /// The other client.
    pub fn peer(&self) -> &FullJid {
        &self.peer
    }

    /// The stream's name, chosen by the side that opened it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it goes straight from one computer to the other; else there is a proxy in between.
    pub fn is_direct(&self) -> bool {
        self.direct
    }
}

impl AsyncRead for Socks5Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_read(cx, buf)
    }
}

impl AsyncWrite for Socks5Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
