//! All requests of a session about SOCKS5 streams: stanzas and the time go in, stanzas come out. No I/O of its own.

use std::collections::HashMap;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_xmpp::Stanza;
use xmpp_parsers::iq::{Iq, IqHeader, IqPayload};
use xmpp_parsers::jid::Jid;
use xmpp_parsers::minidom::Element;
use xmpp_parsers::stanza_error::{DefinedCondition, ErrorType, StanzaError};

use super::{Ask, Door, Kind, Request};
use crate::account::FullJid;
use crate::ibb::Admission;
use crate::services::AskError;
use crate::wire::socks5;

/// Longest id of a request that is taken: it is held until the answer.
const MAX_ID: usize = 256;

/// A request of ours.
#[derive(Debug)]
struct Waiting {
    to: Jid,
    reply: oneshot::Sender<Result<Option<Element>, AskError>>,
    until: Instant,
}

/// The requests of a session.
#[derive(Debug)]
pub(crate) struct Exchange {
    admission: Admission,
    door: Door,
    limit: Duration,
    waiting: HashMap<String, Waiting>,
    prefix: String,
    made: u64,
    out: Vec<Stanza>,
}

impl Exchange {
    /// No requests; each waits for `limit`. Whom `admission` lets in may make offers, and ask for them.
    pub(crate) fn new(admission: Admission, door: Door, limit: Duration) -> Exchange {
        let prefix = hex::encode(rand::random::<[u8; 8]>());
        Exchange { admission, door, limit, waiting: HashMap::new(), prefix, made: 0, out: Vec::new() }
    }

    /// Somebody here asks for something, or answers.
    pub(crate) fn ask(&mut self, ask: Ask, online: bool, now: Instant) {
        match ask {
            Ask::Question { reply, .. } if !online => {
                // Who asked may be gone.
                let _ = reply.send(Err(AskError::Offline));
            }
            Ask::Question { to, kind, payload, reply } => {
                self.made += 1;
                let id = format!("{}-s{}", self.prefix, self.made);
                let payload = match kind {
                    Kind::Get => IqPayload::Get(payload),
                    Kind::Set => IqPayload::Set(payload),
                };
                let header = IqHeader { from: None, to: Some(to.clone()), id: id.clone() };
                self.out.push(header.assemble(payload).into());
                self.waiting.insert(id, Waiting { to, reply, until: now + self.limit });
            }
            // In another session nobody waits for it.
            Ask::Answer { .. } if !online => {}
            Ask::Answer { to, id, payload: Some(payload) } => {
                self.answer(&to, id, IqPayload::Result(Some(payload)));
            }
            Ask::Answer { to, id, payload: None } => self.refuse(&to, id, DefinedCondition::ItemNotFound),
        }
    }

    /// Takes a request or an answer, if it is about such streams. Says whether it was.
    pub(crate) fn iq(&mut self, iq: &Iq) -> bool {
        match iq {
            Iq::Set { id, payload, .. } if socks5::is_about(payload) => {
                let from = iq.from().and_then(|from| from.try_as_full().ok());
                let from = from.map(|from| FullJid(from.clone()));
                // To a stranger nobody is here, as before there were such streams.
                let Some(from) = from.filter(|from| self.admission.knows(from)) else { return false };
                let id = id.clone();
                let wish = socks5::read_wish(payload).filter(|_| id.len() <= MAX_ID);
                let request = wish.map(|wish| Request { from: from.clone(), id: id.clone(), wish });
                match request.map(|request| self.door.hand_over(request)) {
                    Some(true) => {}
                    Some(false) => self.refuse(&from, id, DefinedCondition::NotAcceptable),
                    None => self.refuse(&from, id, DefinedCondition::BadRequest),
                }
                true
            }
            Iq::Result { id, payload, .. } => self.answered(iq.from(), id, Ok(payload.clone())),
            Iq::Error { id, .. } => self.answered(iq.from(), id, Err(AskError::Refused)),
            Iq::Get { .. } | Iq::Set { .. } => false,
        }
    }

    /// The session is gone, with all that waits.
    pub(crate) fn session_lost(&mut self) {
        for (_, Waiting { reply, .. }) in self.waiting.drain() {
            let _ = reply.send(Err(AskError::Offline));
        }
        self.out.clear();
    }

    /// An interruption that lost nothing is over: everybody has the full time again.
    pub(crate) fn resumed(&mut self, now: Instant) {
        self.waiting.values_mut().for_each(|waiting| waiting.until = now + self.limit);
    }

    /// Gives up what waited too long; says when to come again.
    pub(crate) fn tick(&mut self, now: Instant) -> Option<Instant> {
        for (_, Waiting { reply, .. }) in self.waiting.extract_if(|_, waiting| waiting.until <= now) {
            let _ = reply.send(Err(AskError::Silent));
        }
        self.waiting.values().map(|waiting| waiting.until).min()
    }

    /// Takes the stanzas that have to be sent.
    pub(crate) fn take_out(&mut self) -> Vec<Stanza> {
        std::mem::take(&mut self.out)
    }

    fn answered(&mut self, from: Option<&Jid>, id: &str, answer: Result<Option<Element>, AskError>) -> bool {
        // Anybody can send an answer; it counts when it comes from where the request went.
        if self.waiting.get(id).is_none_or(|waiting| Some(&waiting.to) != from) {
            return false;
        }
        if let Some(Waiting { reply, .. }) = self.waiting.remove(id) {
            let _ = reply.send(answer);
        }
        true
    }

    fn refuse(&mut self, to: &FullJid, id: String, condition: DefinedCondition) {
        let error = StanzaError::new(ErrorType::Cancel, condition, "en", "");
        self.answer(to, id, IqPayload::Error(error));
    }

    fn answer(&mut self, to: &FullJid, id: String, payload: IqPayload) {
        let header = IqHeader { from: None, to: Some(to.0.clone().into()), id };
        self.out.push(header.assemble(payload).into());
    }
}
