//! All exchanges of a session: stanzas and the time go in, stanzas come out. No I/O of its own.

use std::collections::HashMap;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_xmpp::Stanza;
use xmpp_parsers::iq::{Iq, IqHeader, IqPayload};
use xmpp_parsers::presence::Presence;
use xmpp_parsers::stanza_error::{DefinedCondition, ErrorType, StanzaError};

use super::{CourierError, Delivery, Dispatch, Listener, Reply};
use crate::account::FullJid;
use crate::pairing::{Packet, Step};
use crate::wire::pair;

/// Packets of others that were not answered yet, with everybody together.
const MAX_PENDING: usize = 32;
/// Longest id of a request that is taken: it is held until the answer.
const MAX_ID: usize = 256;

/// A request of ours.
#[derive(Debug)]
struct Waiting {
    to: FullJid,
    reply: oneshot::Sender<Result<Packet, CourierError>>,
    until: Instant,
}

/// The exchanges of a session.
#[derive(Debug)]
pub(crate) struct Desk {
    listener: Listener,
    limit: Duration,
    /// Requests of ours.
    waiting: HashMap<String, Waiting>,
    /// Requests of others.
    pending: HashMap<(FullJid, String), Instant>,
    replies: mpsc::Sender<Reply>,
    answered: mpsc::Receiver<Reply>,
    prefix: String,
    made: u64,
    out: Vec<Stanza>,
}

impl Desk {
    /// No exchanges; each waits for `limit`.
    pub(crate) fn new(listener: Listener, limit: Duration) -> Desk {
        let (replies, answered) = mpsc::channel(MAX_PENDING);
        let prefix = hex::encode(rand::random::<[u8; 8]>());
        let (waiting, pending) = (HashMap::new(), HashMap::new());
        Desk { listener, limit, waiting, pending, replies, answered, prefix, made: 0, out: Vec::new() }
    }

    /// Waits for an answer of somebody here; the next look sends it.
    pub(crate) async fn next_reply(&mut self) -> Option<Reply> {
        self.answered.recv().await
    }

    /// Somebody here sends a packet.
    pub(crate) fn send(&mut self, dispatch: Dispatch, online: bool, now: Instant) {
        let (to, packet, reply) = match dispatch {
            Dispatch::Packet { to, packet, reply } => (to, packet, reply),
            Dispatch::Knock { to, slot } if online => {
                return self.out.extend([pair::knock(&to, slot).into(), pair::left(&to).into()]);
            }
            Dispatch::Knock { .. } => return,
        };
        if !online {
            // Who asked may be gone.
            let _ = reply.send(Err(CourierError::Offline));
            return;
        }
        let id = self.request_to(&to, &packet);
        self.waiting.insert(id, Waiting { to, reply, until: now + self.limit });
    }

    /// Somebody here answered a packet, if the one who sent it still waits.
    pub(crate) fn answer(&mut self, reply: Reply) {
        let Reply { to, id, packet } = reply;
        let Some(id) = id else {
            // Who knocks at a wrong door hears nothing.
            if packet.step == Step::Here {
                self.request_to(&to, &packet);
            }
            return;
        };
        if self.pending.remove(&(to.clone(), id.clone())).is_some() {
            let header = IqHeader { from: None, to: Some(to.0.into()), id };
            self.out.push(header.assemble(IqPayload::Result(Some(pair::element(&packet)))).into());
        }
    }

    /// Takes a request or an answer, if it is about a pairing. Says whether it was.
    pub(crate) fn iq(&mut self, iq: &Iq, now: Instant) -> bool {
        let Some(from) = iq.from().and_then(|from| from.try_as_full().ok()).map(|from| FullJid(from.clone()))
        else {
            return false;
        };
        match iq {
            // When nobody listens nobody is here, as before there were pairings.
            Iq::Set { id, payload, .. } if pair::is_pair(payload) && self.listener.is_there() => {
                if let Err((kind, condition)) = self.request(&from, id, pair::read(payload), now) {
                    self.refuse(&from, id, kind, condition);
                }
                true
            }
            Iq::Result { id, payload, .. } => {
                let packet = payload.as_ref().and_then(pair::read);
                self.answered(&from, id, packet.ok_or(CourierError::NotThere))
            }
            Iq::Error { id, .. } => self.answered(&from, id, Err(CourierError::NotThere)),
            Iq::Get { .. } | Iq::Set { .. } => false,
        }
    }

    /// Takes a presence, if it is a knock and somebody listens.
    pub(crate) fn presence(&mut self, presence: &Presence) {
        let Some((from, slot)) = pair::knocks(presence) else { return };
        let packet = Packet { slot, step: Step::Knock };
        // Where there is no room it is not heard: who knocks will knock again.
        self.listener.hand_over(Delivery { from, packet, id: None, replies: self.replies.clone() });
    }

    /// The session is gone, with all that waits.
    pub(crate) fn session_lost(&mut self) {
        for (_, Waiting { reply, .. }) in self.waiting.drain() {
            // Who asked may be gone.
            let _ = reply.send(Err(CourierError::Offline));
        }
        self.pending.clear();
        self.out.clear();
    }

    /// An interruption that lost nothing is over: everybody has the full time again.
    pub(crate) fn resumed(&mut self, now: Instant) {
        let until = now + self.limit;
        self.waiting.values_mut().for_each(|waiting| waiting.until = until);
        self.pending.values_mut().for_each(|at| *at = until);
    }

    /// Gives up what waited too long; says when to come again.
    pub(crate) fn tick(&mut self, now: Instant) -> Option<Instant> {
        for (_, Waiting { reply, .. }) in self.waiting.extract_if(|_, waiting| waiting.until <= now) {
            let _ = reply.send(Err(CourierError::Silent));
        }
        let late: Vec<_> = self.pending.extract_if(|_, until| *until <= now).map(|(key, _)| key).collect();
        for (from, id) in late {
            self.refuse(&from, &id, ErrorType::Cancel, DefinedCondition::ServiceUnavailable);
        }
        let waiting = self.waiting.values().map(|waiting| waiting.until);
        waiting.chain(self.pending.values().copied()).min()
    }

    /// Takes the stanzas that have to be sent.
    pub(crate) fn take_out(&mut self) -> Vec<Stanza> {
        std::mem::take(&mut self.out)
    }

    fn request(
        &mut self,
        from: &FullJid,
        id: &str,
        packet: Option<Packet>,
        now: Instant,
    ) -> Result<(), (ErrorType, DefinedCondition)> {
        let packet = packet.filter(|_| id.len() <= MAX_ID);
        let packet = packet.ok_or((ErrorType::Modify, DefinedCondition::BadRequest))?;
        let busy = (ErrorType::Wait, DefinedCondition::ResourceConstraint);
        let key = (from.clone(), id.to_owned());
        if self.pending.len() >= MAX_PENDING || self.pending.contains_key(&key) {
            return Err(busy);
        }
        let replies = self.replies.clone();
        let delivery = Delivery { from: from.clone(), packet, id: Some(id.to_owned()), replies };
        if !self.listener.hand_over(delivery) {
            return Err(busy);
        }
        self.pending.insert(key, now + self.limit);
        Ok(())
    }

    fn answered(&mut self, from: &FullJid, id: &str, answer: Result<Packet, CourierError>) -> bool {
        // Anybody can send an answer; it counts when it comes from where the request went.
        if self.waiting.get(id).is_none_or(|waiting| waiting.to != *from) {
            return false;
        }
        if let Some(Waiting { reply, .. }) = self.waiting.remove(id) {
            let _ = reply.send(answer);
        }
        true
    }

    fn request_to(&mut self, to: &FullJid, packet: &Packet) -> String {
        self.made += 1;
        let id = format!("{}-p{}", self.prefix, self.made);
        let header = IqHeader { from: None, to: Some(to.0.clone().into()), id: id.clone() };
        self.out.push(header.assemble(IqPayload::Set(pair::element(packet))).into());
        id
    }

    fn refuse(&mut self, to: &FullJid, id: &str, kind: ErrorType, condition: DefinedCondition) {
        let error = StanzaError { type_: kind, ..StanzaError::new(ErrorType::Cancel, condition, "en", "") };
        let header = IqHeader { from: None, to: Some(to.0.clone().into()), id: id.to_owned() };
        self.out.push(header.assemble(IqPayload::Error(error)).into());
    }
}
