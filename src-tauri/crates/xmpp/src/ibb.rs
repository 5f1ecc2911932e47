//! In-band bytestreams (XEP-0047): a stream of bytes to another client through the account's session.
//!
//! ```text
//! Bytestream ─ pipe ─ streams ─ conversation ─ line
//! (a handle)  (bytes   (all of   (the session)
//!              that wait) them)
//! ```
//!
//! Every block is a request, answered when its reader has taken it, so what is under way and what is held are bounded.
//! A stream lives through an interruption that is resumed, and ends with the session otherwise. Nothing in here is
//! secret: [`crate::channel`] is.

mod bytestream;
mod entry;
mod incoming;
mod outgoing;
mod pipe;
pub(crate) mod streams;
mod window;

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{mpsc, oneshot};

use crate::account::FullJid;

pub use bytestream::Bytestream;

/// Streams that others opened and nobody took yet; more are refused.
const INBOX: usize = 8;
/// Streams that may wait to be opened.
const OPENINGS: usize = 16;

/// Why a stream ended without being closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StreamFault {
    /// The session could not be resumed: what was under way is lost. A new stream can be opened when it is online.
    #[error("the connection to the account's server was lost")]
    SessionLost,
    /// The other client left, or knows nothing of the stream any more.
    #[error("the other computer is not there any more")]
    PeerGone,
    /// A block is missing, doubled or garbled, or more came than was allowed.
    #[error("the stream was damaged on the way")]
    Damaged,
    /// The other client took nothing for a long time.
    #[error("the other computer takes nothing")]
    Stalled,
}

/// Why a stream could not be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// This side is not online: later.
    #[error("not connected to the account's server")]
    Offline,
    /// The other client is not there, or lets nobody in from here.
    #[error("the other computer is not there, or does not let this one in")]
    NotThere,
    /// It has enough to do just now: later.
    #[error("the other computer is busy")]
    Busy,
    /// It did not answer: later.
    #[error("the other computer did not answer")]
    Silent,
}

/// Opens streams in a session, for as long as the session lives.
#[derive(Debug, Clone)]
pub struct Bytestreams {
    openings: mpsc::Sender<Opening>,
    admission: Admission,
}

/// A stream that somebody wants.
#[derive(Debug)]
pub(crate) struct Opening {
    pub(crate) peer: FullJid,
    pub(crate) reply: oneshot::Sender<Result<Bytestream, OpenError>>,
}

/// Who is let in, and where to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Admission(Arc<Mutex<Option<Door>>>);

struct Door {
    policy: Box<dyn Fn(&FullJid) -> bool + Send>,
    inbox: mpsc::Sender<Bytestream>,
}

/// What becomes of a stream that another client opens.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is let in.
    LetIn,
    /// Nobody is here for it.
    Stranger,
    /// The inbox is full.
    Busy,
}

/// Makes both ends: for those who open streams, and for the session.
pub(crate) fn streams() -> (Bytestreams, mpsc::Receiver<Opening>) {
    let (openings, asked) = mpsc::channel(OPENINGS);
    (Bytestreams { openings, admission: Admission::default() }, asked)
}

impl Bytestreams {
    /// Opens a stream to a client.
    ///
    /// # Errors
    /// When there is none; all but [`OpenError::NotThere`] are worth another try soon.
    pub async fn open(&self, peer: &FullJid) -> Result<Bytestream, OpenError> {
        let (reply, opened) = oneshot::channel();
        let opening = Opening { peer: peer.clone(), reply };
        self.openings.send(opening).await.map_err(|_| OpenError::Offline)?;
        opened.await.unwrap_or(Err(OpenError::Offline))
    }

    /// Lets in the streams of those clients for whom `policy` says yes, from now on, and gives them out. All others
    /// are told that nobody is here, as they were before this was called. The policy is asked in the session's task for
    /// every such request and must not wait. Dropping the receiver closes the door; a later call replaces this one.
    pub fn accept(&self, policy: impl Fn(&FullJid) -> bool + Send + 'static) -> mpsc::Receiver<Bytestream> {
        let (inbox, received) = mpsc::channel(INBOX);
        self.admission.set(Door { policy: Box::new(policy), inbox });
        received
    }

    pub(crate) fn admission(&self) -> Admission {
        self.admission.clone()
    }
}

impl Admission {
    fn set(&self, door: Door) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(door);
    }

    /// Whether this client may open streams.
    pub(crate) fn knows(&self, peer: &FullJid) -> bool {
        let door = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        door.as_ref().is_some_and(|door| !door.inbox.is_closed() && (door.policy)(peer))
    }

    /// Lets a stream in, if there is room.
    pub(crate) fn admit(&self, peer: &FullJid, stream: impl FnOnce() -> Bytestream) -> Verdict {
        if !self.knows(peer) {
            return Verdict::Stranger;
        }
        let door = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match door.as_ref().map(|door| door.inbox.try_reserve()) {
            Some(Ok(place)) => {
                place.send(stream());
                Verdict::LetIn
            }
            Some(Err(mpsc::error::TrySendError::Full(()))) => Verdict::Busy,
            Some(Err(mpsc::error::TrySendError::Closed(()))) | None => Verdict::Stranger,
        }
    }
}

impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Door({} free)", self.inbox.capacity())
    }
}

impl From<StreamFault> for io::Error {
    fn from(fault: StreamFault) -> io::Error {
        let kind = match fault {
            StreamFault::SessionLost | StreamFault::PeerGone => io::ErrorKind::ConnectionReset,
            StreamFault::Damaged => io::ErrorKind::InvalidData,
            StreamFault::Stalled => io::ErrorKind::TimedOut,
        };
        io::Error::new(kind, fault)
    }
}

#[cfg(test)]
mod tests;
