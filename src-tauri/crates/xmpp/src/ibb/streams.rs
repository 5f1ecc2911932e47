//! All streams of a session: stanzas and the time go in, stanzas come out. No I/O of its own.
//!
//! A stream is known by the other client and its name together, so nobody speaks for another's stream. Source:
//! XEP-0047 2.0.1.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;
use tokio_xmpp::Stanza;
use xmpp_parsers::iq::Iq;
use xmpp_parsers::stanza_error::{DefinedCondition, ErrorType, StanzaError};

use super::entry::{Entry, Phase, fault_of, refusal_of, wants_smaller};
use super::outgoing::Sent;
use super::pipe::Pipe;
use super::{Admission, Bytestream, OpenError, Opening, StreamFault, Verdict};

pub(crate) use super::entry::Limits;
use crate::account::FullJid;
use crate::wire::ibb::{self, Request};

/// The block size that we offer: larger ones are no faster, and a stanza of this is passed by every server.
const OFFERED_BLOCK: u16 = 16384;
/// Smaller ones are not worth it: the offer is halved no further.
const SMALLEST_OFFER: u16 = 4096;
/// Block sizes that are accepted from others.
const ACCEPTED_BLOCKS: std::ops::RangeInclusive<u16> = 512..=32768;
/// Streams at a time, with everybody and with one client: with what each may hold, this bounds the memory.
const MAX_STREAMS: usize = 16;
const MAX_PER_PEER: usize = 4;

/// The streams of a session.
#[derive(Debug)]
pub(crate) struct Streams {
    limits: Limits,
    admission: Admission,
    bell: Arc<Notify>,
    table: BTreeMap<Key, Entry>,
    /// Requests of ours that wait for their answer.
    waiting: HashMap<String, Waiting>,
    prefix: String,
    made: u64,
    out: Vec<Stanza>,
}

type Key = (FullJid, String);

#[derive(Debug)]
struct Waiting {
    key: Key,
    what: What,
}

#[derive(Debug, Clone, Copy)]
enum What {
    Open,
    Block(Sent),
    Close,
}

/// What came of a look at all streams.
#[derive(Debug, Default)]
pub(crate) struct Pumped {
    /// When to look again if nothing happens before.
    pub(crate) again: Option<Instant>,
    /// More would leave if there were room for it.
    pub(crate) crowded: bool,
}

impl Streams {
    /// No streams. `bell` is rung when a handle has work for the session.
    pub(crate) fn new(limits: Limits, admission: Admission, bell: Arc<Notify>) -> Streams {
        let prefix = hex::encode(rand::random::<[u8; 8]>());
        let (table, waiting) = (BTreeMap::new(), HashMap::new());
        Streams { limits, admission, bell, table, waiting, prefix, made: 0, out: Vec::new() }
    }

    /// Somebody here wants a stream.
    pub(crate) fn open(&mut self, opening: Opening, online: bool, now: Instant) {
        let Opening { peer, reply } = opening;
        let full = self.table.len() >= MAX_STREAMS || self.of(&peer) >= MAX_PER_PEER;
        if !online || full {
            // Who asked may be gone.
            let _ = reply.send(Err(if online { OpenError::Busy } else { OpenError::Offline }));
            return;
        }
        let key = (peer, format!("t{}", hex::encode(rand::random::<[u8; 8]>())));
        self.offer(key, OFFERED_BLOCK, reply, now);
    }

    /// Takes a request or an answer, if it is about a stream. Says whether it was.
    pub(crate) fn iq(&mut self, iq: &Iq, now: Instant) -> bool {
        let from = iq.from().and_then(|from| from.try_as_full().ok()).map(|from| FullJid(from.clone()));
        match iq {
            Iq::Set { id, payload, .. } => {
                let (Some(from), Some(request)) = (from, ibb::read(payload)) else { return false };
                // To a stranger nobody is here, as before there were streams.
                let known = self.admission.knows(&from) || self.of(&from) > 0;
                if known {
                    self.request(&from, id, request, now);
                }
                known
            }
            Iq::Result { id, .. } => self.answer(from.as_ref(), id, Ok(()), now),
            Iq::Error { id, error, .. } => self.answer(from.as_ref(), id, Err(error), now),
            Iq::Get { .. } => false,
        }
    }

    /// A client left: so have its streams.
    pub(crate) fn peer_gone(&mut self, peer: &FullJid) {
        for key in self.keys_of(peer) {
            self.lose(&key, StreamFault::PeerGone);
        }
    }

    /// The session is gone, with all that was under way.
    pub(crate) fn session_lost(&mut self) {
        self.waiting.clear();
        self.out.clear();
        for (key, entry) in std::mem::take(&mut self.table) {
            entry.finish(Err(StreamFault::SessionLost));
            // The other side may wait for something that will never come. It hears it over the next session.
            self.abort(&key);
        }
    }

    /// An interruption that lost nothing is over: it does not count as silence.
    pub(crate) fn resumed(&mut self, now: Instant) {
        for waiting in self.waiting.values_mut() {
            if let What::Block(sent) = &mut waiting.what {
                sent.left_again(now);
            }
        }
        let until = now + self.limits.reply;
        for entry in self.table.values_mut() {
            entry.outgoing.resumed(now);
            entry.heard = now;
            match &mut entry.phase {
                Phase::Opening { until: at, .. } | Phase::Closing { until: at } => *at = until,
                Phase::Open => (),
            }
        }
    }

    /// Sends what can be sent, at most `room` stanzas, each stream in its turn, and gives up what took too long.
    pub(crate) fn pump(&mut self, room: usize, now: Instant) -> Pumped {
        let overdue = self.table.iter().filter(|(_, entry)| entry.due(self.limits) <= now);
        let overdue: Vec<Key> = overdue.map(|(key, _)| key.clone()).collect();
        for key in overdue {
            self.overdue(&key, now);
        }
        let keys: Vec<Key> = self.table.keys().cloned().collect();
        let mut active = true;
        while active {
            active = false;
            for key in &keys {
                if self.out.len() >= room {
                    return Pumped { again: self.next_due(), crowded: true };
                }
                active |= self.step(key, now);
            }
        }
        Pumped { again: self.next_due(), crowded: false }
    }

    /// Takes the stanzas that have to be sent, in their order.
    pub(crate) fn take_out(&mut self) -> Vec<Stanza> {
        std::mem::take(&mut self.out)
    }

    /// One stanza of a stream, if there is one to send.
    fn step(&mut self, key: &Key, now: Instant) -> bool {
        let Some(entry) = self.table.get_mut(key) else { return false };
        let look = entry.pipe.look();
        entry.incoming.read(look.consumed);
        if let Some(id) = entry.incoming.next_read() {
            self.out.push(ibb::done(&id, &key.0).into());
            return true;
        }
        if !matches!(entry.phase, Phase::Open) {
            return false;
        }
        let hurry = look.flushing || look.ending;
        if let Some(length) = entry.outgoing.may_send(look.waiting, hurry) {
            let (seq, sent) = entry.outgoing.send(length, now);
            let data = entry.pipe.take(length);
            let id = self.ask(key, What::Block(sent));
            self.out.push(ibb::data(&id, &key.0, &key.1, seq, data).into());
            return true;
        }
        if look.ending && look.waiting == 0 && entry.outgoing.all_taken() {
            entry.phase = Phase::Closing { until: now + self.limits.reply };
            let id = self.ask(key, What::Close);
            self.out.push(ibb::close(&id, &key.0, &key.1).into());
            return true;
        }
        false
    }

    fn request(&mut self, from: &FullJid, id: &str, request: Request, now: Instant) {
        let refuse = |kind, condition| ibb::refused(id, from, kind, condition).into();
        let cancel = |condition| refuse(ErrorType::Cancel, condition);
        let (stream, answer): (_, Option<Stanza>) = match request {
            Request::Malformed => {
                return self.out.push(refuse(ErrorType::Modify, DefinedCondition::BadRequest));
            }
            Request::Open { stream, block_size } => {
                let verdict = self.let_in((from.clone(), stream), block_size, now);
                let answer = match verdict {
                    Ok(()) => ibb::done(id, from).into(),
                    Err((kind, condition)) => refuse(kind, condition),
                };
                return self.out.push(answer);
            }
            Request::Close { stream, lost } => {
                let key = (from.clone(), stream);
                let found = self.end(&key, if lost { Err(StreamFault::PeerGone) } else { Ok(()) });
                let answer =
                    if found { ibb::done(id, from).into() } else { cancel(DefinedCondition::ItemNotFound) };
                return self.out.push(answer);
            }
            Request::Garbled { stream } => (stream, Some(cancel(DefinedCondition::BadRequest))),
            Request::Data { stream, seq, data } => {
                let key = (from.clone(), stream);
                let Some(entry) = self.table.get_mut(&key) else {
                    return self.out.push(cancel(DefinedCondition::ItemNotFound));
                };
                let taken = !matches!(entry.phase, Phase::Opening { .. })
                    && entry.incoming.take(id, seq, data.len()).is_ok();
                if taken {
                    entry.heard = now;
                    entry.pipe.put(data);
                    return;
                }
                (key.1, Some(cancel(DefinedCondition::UnexpectedRequest)))
            }
        };
        self.out.extend(answer);
        self.lose(&(from.clone(), stream), StreamFault::Damaged);
    }

    fn let_in(
        &mut self,
        key: Key,
        block_size: u16,
        now: Instant,
    ) -> Result<(), (ErrorType, DefinedCondition)> {
        if !ACCEPTED_BLOCKS.contains(&block_size) {
            return Err((ErrorType::Modify, DefinedCondition::ResourceConstraint));
        }
        let busy = (ErrorType::Wait, DefinedCondition::NotAcceptable);
        if self.table.len() >= MAX_STREAMS || self.of(&key.0) >= MAX_PER_PEER || self.table.contains_key(&key)
        {
            return Err(busy);
        }
        let pipe = Arc::new(Pipe::new(Arc::clone(&self.bell)));
        let handle = || Bytestream::new(key.0.clone(), key.1.clone(), block_size, Arc::clone(&pipe));
        match self.admission.admit(&key.0, handle) {
            Verdict::LetIn => {
                self.table.insert(key, Entry::new(pipe, Phase::Open, block_size, now));
                Ok(())
            }
            Verdict::Busy => Err(busy),
            Verdict::Stranger => Err((ErrorType::Cancel, DefinedCondition::ServiceUnavailable)),
        }
    }

    fn answer(
        &mut self,
        from: Option<&FullJid>,
        id: &str,
        answer: Result<(), &StanzaError>,
        now: Instant,
    ) -> bool {
        // Anybody can send an answer; it counts when it comes from where the request went.
        if self.waiting.get(id).is_none_or(|waiting| Some(&waiting.key.0) != from) {
            return false;
        }
        let Some(Waiting { key, what }) = self.waiting.remove(id) else { return false };
        match (what, answer) {
            (What::Open, answer) => self.opened(key, answer, now),
            (What::Block(sent), Ok(())) => {
                if let Some(entry) = self.table.get_mut(&key) {
                    entry.outgoing.answered(sent, now);
                    entry.heard = now;
                }
            }
            (What::Block(_), Err(error)) => self.lose_quietly(&key, fault_of(error)),
            (What::Close, _) => _ = self.end(&key, Ok(())),
        }
        true
    }

    fn opened(&mut self, key: Key, answer: Result<(), &StanzaError>, now: Instant) {
        let Some(mut entry) = self.table.remove(&key) else { return };
        let Phase::Opening { block_size, reply, .. } = std::mem::replace(&mut entry.phase, Phase::Open)
        else {
            return;
        };
        match answer {
            Ok(()) => {
                let handle =
                    Bytestream::new(key.0.clone(), key.1.clone(), block_size, Arc::clone(&entry.pipe));
                self.table.insert(key, entry);
                // A handle that nobody waits for any more is dropped, which closes the stream.
                let _ = reply.send(Ok(handle));
            }
            Err(error) if wants_smaller(error) && block_size / 2 >= SMALLEST_OFFER => {
                self.offer(key, block_size / 2, reply, now);
            }
            Err(error) => _ = reply.send(Err(refusal_of(error))),
        }
    }

    fn offer(
        &mut self,
        key: Key,
        block_size: u16,
        reply: oneshot::Sender<Result<Bytestream, OpenError>>,
        now: Instant,
    ) {
        let id = self.ask(&key, What::Open);
        self.out.push(ibb::open(&id, &key.0, &key.1, block_size).into());
        let pipe = Arc::new(Pipe::new(Arc::clone(&self.bell)));
        let phase = Phase::Opening { block_size, reply, until: now + self.limits.reply };
        self.table.insert(key, Entry::new(pipe, phase, block_size, now));
    }

    fn ask(&mut self, key: &Key, what: What) -> String {
        self.made += 1;
        let id = format!("{}-b{}", self.prefix, self.made);
        self.waiting.insert(id.clone(), Waiting { key: key.clone(), what });
        id
    }

    /// A stream took too long, or was silent for long.
    fn overdue(&mut self, key: &Key, now: Instant) {
        let Some(entry) = self.table.get_mut(key) else { return };
        match entry.phase {
            Phase::Closing { .. } => _ = self.end(key, Ok(())),
            Phase::Open if entry.outgoing.all_taken() => {
                // A block with nothing in it: who does not have the stream any more says so, even when its new session
                // has the old address.
                let (seq, sent) = entry.outgoing.send(0, now);
                let id = self.ask(key, What::Block(sent));
                self.out.push(ibb::data(&id, &key.0, &key.1, seq, Vec::new()).into());
            }
            Phase::Open | Phase::Opening { .. } => self.lose(key, StreamFault::Stalled),
        }
    }

    /// Ends a stream with a fault, and tells the other side, as far as it can be told.
    fn lose(&mut self, key: &Key, fault: StreamFault) {
        if self.end(key, Err(fault)) {
            self.abort(key);
        }
    }

    /// Tells the other side that a stream is lost. Nobody waits for the answer.
    fn abort(&mut self, key: &Key) {
        self.made += 1;
        let id = format!("{}-b{}", self.prefix, self.made);
        self.out.push(ibb::abort(&id, &key.0, &key.1).into());
    }

    /// Ends a stream of which the other side knows already that it is over.
    fn lose_quietly(&mut self, key: &Key, fault: StreamFault) {
        self.end(key, Err(fault));
    }

    fn end(&mut self, key: &Key, end: Result<(), StreamFault>) -> bool {
        let Some(mut entry) = self.table.remove(key) else { return false };
        self.waiting.retain(|_, waiting| waiting.key != *key);
        // What was read is answered, the rest never will be.
        entry.incoming.read(entry.pipe.look().consumed);
        while let Some(id) = entry.incoming.next_read() {
            self.out.push(ibb::done(&id, &key.0).into());
        }
        while let Some(id) = entry.incoming.answer() {
            let gone = DefinedCondition::ItemNotFound;
            self.out.push(ibb::refused(&id, &key.0, ErrorType::Cancel, gone).into());
        }
        entry.finish(end);
        true
    }

    fn next_due(&self) -> Option<Instant> {
        self.table.values().map(|entry| entry.due(self.limits)).min()
    }

    fn keys_of(&self, peer: &FullJid) -> Vec<Key> {
        self.table.keys().filter(|(of, _)| of == peer).cloned().collect()
    }

    fn of(&self, peer: &FullJid) -> usize {
        self.table.keys().filter(|(of, _)| of == peer).count()
    }
}
