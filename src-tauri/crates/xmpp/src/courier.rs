//! The courier: carries the packets of pairings to other clients and back, as requests and their answers.
//!
//! Before two devices are paired this is all that they say to each other. It is taken from anybody while somebody here
//! listens, so it is bounded: in size, in number, in time. Source: this crate's README, "Pairing".

mod desk;

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{mpsc, oneshot};

use crate::account::{BareJid, FullJid};
use crate::pairing::{Packet, Slot};

pub(crate) use desk::Desk;

/// Packets that wait for the one who listens, and those that may wait to be sent.
const DEPTH: usize = 16;

/// Why a packet has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CourierError {
    /// This side is not online, or went offline while it waited.
    #[error("not connected to the account's server")]
    Offline,
    /// The other client is not there, or pairs with nobody just now.
    #[error("the other computer is not there, or expects nobody")]
    NotThere,
    /// It did not answer.
    #[error("the other computer did not answer")]
    Silent,
}

/// Sends and receives packets in a session, for as long as the session lives.
#[derive(Debug, Clone)]
pub struct Courier {
    outbox: mpsc::Sender<Dispatch>,
    listener: Listener,
}

/// A packet that came, to be answered with [`Delivery::answer`]. Dropped, it is refused.
#[derive(Debug)]
pub struct Delivery {
    /// Who sent it: the server vouches for this address, the pairing does not rely on it.
    pub from: FullJid,
    /// What it says.
    pub packet: Packet,
    /// `None`: it was a knock, to which the answer is a packet of its own.
    pub(crate) id: Option<String>,
    pub(crate) replies: mpsc::Sender<Reply>,
}

/// What is on its way out.
#[derive(Debug)]
pub(crate) enum Dispatch {
    /// A packet that is answered.
    Packet { to: FullJid, packet: Packet, reply: oneshot::Sender<Result<Packet, CourierError>> },
    /// A knock, which is answered by a packet that comes or by nothing.
    Knock { to: BareJid, slot: Slot },
}

/// The answer to a packet that came.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) to: FullJid,
    pub(crate) id: Option<String>,
    pub(crate) packet: Packet,
}

/// Who listens, if anybody.
#[derive(Debug, Clone, Default)]
pub(crate) struct Listener(Arc<Mutex<Option<mpsc::Sender<Delivery>>>>);

/// Makes both ends: for those who send, and for the session.
pub(crate) fn courier() -> (Courier, mpsc::Receiver<Dispatch>) {
    let (outbox, sent) = mpsc::channel(DEPTH);
    (Courier { outbox, listener: Listener::default() }, sent)
}

impl Courier {
    /// Sends a packet and waits for the answer.
    ///
    /// # Errors
    /// When there is none; whether the packet arrived is then not known.
    pub async fn send(&self, to: &FullJid, packet: Packet) -> Result<Packet, CourierError> {
        self.dispatch(to, packet).await?.await.unwrap_or(Err(CourierError::Offline))
    }

    /// Sends a packet whose answer changes nothing. What is sent later comes later.
    ///
    /// # Errors
    /// [`CourierError::Offline`] when the session is over.
    pub async fn tell(&self, to: &FullJid, packet: Packet) -> Result<(), CourierError> {
        self.dispatch(to, packet).await.map(drop)
    }

    async fn dispatch(
        &self,
        to: &FullJid,
        packet: Packet,
    ) -> Result<oneshot::Receiver<Result<Packet, CourierError>>, CourierError> {
        let (reply, answer) = oneshot::channel();
        let dispatch = Dispatch::Packet { to: to.clone(), packet, reply };
        self.outbox.send(dispatch).await.map_err(|_| CourierError::Offline)?;
        Ok(answer)
    }

    /// Asks all clients of an account which of them shows the code with this number, for who knows no full address. Who
    /// does sends a packet that says [`Step::Here`](crate::pairing::Step::Here), which comes to the one who
    /// [`listen`](Self::listen)s; its sender is the inviter to join. Nobody answers when there is none, or it is off.
    ///
    /// # Errors
    /// [`CourierError::Offline`] when the session is over. A knock that is made while offline is lost.
    pub async fn knock(&self, account: &BareJid, slot: Slot) -> Result<(), CourierError> {
        let knock = Dispatch::Knock { to: account.clone(), slot };
        self.outbox.send(knock).await.map_err(|_| CourierError::Offline)
    }

    /// Listens for packets from now on; a later call replaces this one. Dropping the receiver ends it: then nobody is
    /// here for those who ask.
    pub fn listen(&self) -> mpsc::Receiver<Delivery> {
        let (inbox, received) = mpsc::channel(DEPTH);
        *self.listener.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(inbox);
        received
    }

    pub(crate) fn listener(&self) -> Listener {
        self.listener.clone()
    }
}

impl Delivery {
    /// Answers.
    pub fn answer(self, packet: Packet) {
        // The session's room for answers is as large as the number of packets it lets in.
        let _ = self.replies.try_send(Reply { to: self.from, id: self.id, packet });
    }
}

impl Listener {
    /// Whether anybody listens.
    pub(crate) fn is_there(&self) -> bool {
        let inbox = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inbox.as_ref().is_some_and(|inbox| !inbox.is_closed())
    }

    /// Hands a packet over; `false` when there is no room.
    pub(crate) fn hand_over(&self, delivery: Delivery) -> bool {
        let inbox = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inbox.as_ref().is_some_and(|inbox| inbox.try_send(delivery).is_ok())
    }
}

#[cfg(test)]
mod tests;
