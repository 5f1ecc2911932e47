//! What is said in a session: who is there, whose states are wanted, what of our own has to go out.
//!
//! Decides and sends nothing itself: stanzas and the time go in, [`Act`]s come out. Level-triggered: at every
//! fresh session the other devices' states are fetched and the own one compared, so nothing depends on a push
//! having arrived. Source: this crate's README, "A session".

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;
use tokio_xmpp::Stanza;
use xmpp_parsers::iq::Iq;
use xmpp_parsers::message::Message;
use xmpp_parsers::minidom::Element;
use xmpp_parsers::presence::Presence;
use xmpp_parsers::stanza_error::StanzaError;

use super::SessionEvent;
use super::devices::Devices;
use super::friends::Friends;
use super::requests::{Purpose, Requests};
use crate::account::{BareJid, DeviceTag, FullJid};
use crate::courier::Desk;
use crate::hints::outbox::{Due, Outbox};
use crate::hints::{self, DeviceState, ReceivedState, Sealer};
use crate::ibb::streams::Streams;
use crate::socks5::Exchange;
use crate::wire::presence::Seen;
use crate::wire::pubsub::Refusal;
use crate::wire::state::State;
use crate::wire::{answer, disco, headline, presence, pubsub};

/// A node that nobody wrote to for so long belongs to a device that is gone.
const NODE_LIFE: Duration = Duration::from_secs(90 * 24 * 3600);
/// An own node this old is written again, lest another device takes us for gone.
const NODE_REFRESH: Duration = Duration::from_secs(30 * 24 * 3600);

/// Places in the line's queue that streams leave to everything else.
const RESERVED: usize = 256;

/// What has to be done.
#[derive(Debug)]
pub(crate) enum Act {
    /// Send this.
    Send(Box<Stanza>),
    /// Tell the engine.
    Tell(SessionEvent),
}

/// The time, by both clocks: one for waiting, one for what is written down.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    /// Goes on evenly.
    pub(crate) tick: Instant,
    /// Seconds since 1970.
    pub(crate) clock: u64,
}

/// Where states are published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Store {
    /// Not known yet: the account was asked.
    Unknown,
    /// In the account's event store.
    Pep,
    /// There is none: in messages to those who are online.
    Headlines,
}

/// An answer, or that none came.
enum Answer {
    Result(Option<Element>),
    Error(StanzaError),
    None,
}

/// The state of the conversation.
#[derive(Debug)]
pub(crate) struct Conversation {
    account: BareJid,
    own: DeviceTag,
    devices: Devices,
    friends: Friends,
    /// Devices of contacts that are no friends' and may become that: a server says only once that they are there.
    onlookers: BTreeMap<FullJid, DeviceTag>,
    /// Accounts that asked for our presence and may become friends'.
    asked: BTreeSet<BareJid>,
    requests: Requests,
    outbox: Outbox,
    sealer: Option<Sealer>,
    store: Store,
    /// The own node was set right in this session already.
    configured: bool,
    online: bool,
    streams: Streams,
    desk: Desk,
    socks5: Exchange,
    /// Stanzas that may still be put into the line's queue.
    room: usize,
    acts: Vec<Act>,
}

impl Conversation {
    /// A conversation that has not begun.
    pub(crate) fn new(
        account: BareJid,
        own: DeviceTag,
        reply: Duration,
        streams: Streams,
        desk: Desk,
        socks5: Exchange,
        now: Instant,
    ) -> Conversation {
        Conversation {
            account,
            own,
            devices: Devices::default(),
            friends: Friends::default(),
            onlookers: BTreeMap::new(),
            asked: BTreeSet::new(),
            requests: Requests::new(reply),
            outbox: Outbox::new(now),
            sealer: None,
            store: Store::Unknown,
            configured: false,
            online: false,
            streams,
            desk,
            socks5,
            room: usize::MAX,
            acts: Vec::new(),
        }
    }

    /// A new session: nothing of the one before counts.
    pub(crate) fn fresh(&mut self, bound: FullJid, now: Now) {
        self.online = true;
        self.store = Store::Unknown;
        self.configured = false;
        self.streams.session_lost();
        self.desk.session_lost();
        self.socks5.session_lost();
        self.requests.clear();
        self.outbox.fresh_session();
        self.onlookers.clear();
        for (jid, device) in self.devices.all_left() {
            self.tell(SessionEvent::PeerPresence { jid, device, online: false });
        }
        self.tell(SessionEvent::FreshSession { bound });
        self.greet();
        let id = self.requests.add(Purpose::Info, now.tick);
        self.ask_account(Iq::from_get(id, disco::info_query()));
        let id = self.requests.add(Purpose::Items, now.tick);
        self.ask_account(Iq::from_get(id, disco::items_query()));
        self.fetch(self.own, now);
        self.fetch_all(now);
        self.ask_roster(now);
    }

    /// The connection is interrupted; nothing is lost so far.
    pub(crate) fn interrupted(&mut self) {
        self.online = false;
    }

    /// The interrupted session goes on.
    pub(crate) fn resumed(&mut self, now: Now) {
        self.online = true;
        self.requests.extend(now.tick);
        self.streams.resumed(now.tick);
        self.desk.resumed(now.tick);
        self.socks5.resumed(now.tick);
    }

    /// The engine has a newer state.
    pub(crate) fn publish(&mut self, state: DeviceState) {
        self.outbox.put(state);
    }

    /// Folders are shared with paired devices by these keys. Counts from the next state on.
    pub(crate) fn seal_with(&mut self, sealer: Sealer) {
        self.sealer = Some(sealer);
    }

    /// Says goodbye.
    pub(crate) fn leave(&mut self) {
        self.streams.session_lost();
        self.desk.session_lost();
        self.socks5.session_lost();
        if self.online {
            self.send_streams();
            self.send(presence::unavailable());
        }
    }

    /// Takes what has to be done, in its order.
    pub(crate) fn take_acts(&mut self) -> Vec<Act> {
        std::mem::take(&mut self.acts)
    }

    /// A stanza came.
    pub(crate) fn stanza(&mut self, stanza: Stanza, now: Now) {
        match stanza {
            Stanza::Iq(iq) => self.iq(iq, now),
            Stanza::Presence(presence) => self.presence(&presence, now),
            Stanza::Message(message) => self.message(&message, now),
        }
    }

    /// Does what is due now, and says when to come back if nothing happens before.
    pub(crate) fn tick(&mut self, now: Now) -> Option<Instant> {
        if !self.online {
            return None;
        }
        for purpose in self.requests.expired(now.tick) {
            self.answered(purpose, Answer::None, now);
        }
        let publish_at = if self.store == Store::Unknown { None } else { self.publish_due(now) };
        [publish_at, self.requests.next_expiry()].into_iter().flatten().min()
    }

    fn publish_due(&mut self, now: Now) -> Option<Instant> {
        loop {
            match self.outbox.due(now.tick) {
                Due::Nothing => return None,
                Due::At(at) => return Some(at),
                Due::Publish(state) => {
                    let state = self.on_wire(&state, now);
                    if self.store == Store::Headlines {
                        self.devices.online().for_each(|to| {
                            self.acts.push(Act::Send(Box::new(headline::message(to, &state).into())));
                        });
                        self.outbox.accepted();
                    } else {
                        let id = self.requests.add(Purpose::Publish, now.tick);
                        self.send(pubsub::publish(&id, &state));
                    }
                }
            }
        }
    }

    fn iq(&mut self, iq: Iq, now: Now) {
        if self.streams.iq(&iq, now.tick) || self.desk.iq(&iq, now.tick) || self.socks5.iq(&iq) {
            return;
        }
        if self.room < RESERVED && !answer::is_own(iq.from(), &self.account) {
            // Somebody asks faster than the server takes our answers: who floods is not answered.
            return;
        }
        let friend = self.is_friends(iq.from());
        if let Some(reply) = answer::to(&iq, &self.account, friend, self.devices.known()) {
            self.send(reply);
            return self.caps_told(&iq, now);
        }
        // Anybody can send an answer; ours come from the own account or its server, and from a friend's account what it
        // was asked for.
        if !answer::is_own(iq.from(), &self.account) && !self.is_friends_answer(&iq) {
            return;
        }
        let Some(purpose) = self.requests.take(iq.id()) else { return };
        match iq {
            Iq::Result { payload, .. } => self.answered(purpose, Answer::Result(payload), now),
            Iq::Error { error, .. } => self.answered(purpose, Answer::Error(error), now),
            Iq::Get { .. } | Iq::Set { .. } => (),
        }
    }

    /// Until the server had this answer it pushed nothing to us: what came in between is fetched.
    fn caps_told(&mut self, request: &Iq, now: Now) {
        if answer::asked_node(request).is_some_and(|node| disco::asks_for_caps(&node, self.devices.known())) {
            self.fetch_all(now);
        }
    }

    fn answered(&mut self, purpose: Purpose, answer: Answer, now: Now) {
        match purpose {
            Purpose::Info => self.store_is(&answer),
            Purpose::Items => {
                if let Answer::Result(Some(answer)) = answer {
                    self.learn(disco::devices(&answer), now);
                }
            }
            Purpose::Fetch(device) => self.fetched(device, &answer, now),
            Purpose::Roster => self.roster(&answer),
            Purpose::Publish => self.published(&answer, now),
            Purpose::Configure => self.outbox.refused(now.tick, matches!(answer, Answer::Result(_))),
            Purpose::Delete => (),
        }
    }

    fn store_is(&mut self, answer: &Answer) {
        self.store = match answer {
            Answer::Result(Some(info)) if !disco::has_pep(info) => Store::Headlines,
            // A server that does not say is tried: it refuses the publish if it cannot.
            _ => Store::Pep,
        };
        if self.store == Store::Headlines {
            tracing::info!("the account keeps no states: devices that are off learn at their next sync");
        }
    }

    fn fetched(&mut self, device: DeviceTag, answer: &Answer, now: Now) {
        let state = match answer {
            Answer::Result(Some(answer)) => pubsub::fetched(answer, device),
            Answer::Result(None) | Answer::Error(_) | Answer::None => None,
        };
        let age = |state: &State| Duration::from_secs(now.clock.saturating_sub(state.time));
        if device == self.own {
            let fresh = state.as_ref().filter(|state| age(state) < NODE_REFRESH);
            self.outbox.seen_in_store(fresh.map(|state| state.counter));
            if let Some(held) = state.and_then(|state| self.outbox.is_behind(state.counter)) {
                self.tell(SessionEvent::CounterBehind { held });
            }
        } else if let Some(state) = state {
            // A friend's node is not ours to clean up.
            if age(&state) > NODE_LIFE && self.friends.account(device).is_none() {
                self.devices.forget(device);
                let id = self.requests.add(Purpose::Delete, now.tick);
                self.send(pubsub::delete(&id, device));
            } else {
                self.hint(state);
            }
        }
    }

    fn published(&mut self, answer: &Answer, now: Now) {
        let refusal = match answer {
            Answer::Result(_) => return self.outbox.accepted(),
            Answer::Error(error) => pubsub::refusal(error),
            Answer::None => Refusal::Later,
        };
        match refusal {
            Refusal::OtherOptions if !self.configured => {
                self.configured = true;
                let id = self.requests.add(Purpose::Configure, now.tick);
                self.send(pubsub::configure(&id, self.own));
            }
            Refusal::NoStore => {
                self.store = Store::Headlines;
                self.outbox.refused(now.tick, true);
            }
            Refusal::OtherOptions | Refusal::Later => self.outbox.refused(now.tick, false),
        }
    }

    fn presence(&mut self, presence: &Presence, now: Now) {
        if let Some(gone) = presence::left(presence) {
            self.streams.peer_gone(&gone);
            self.onlookers.remove(&gone);
        }
        self.desk.presence(presence);
        self.subscription(presence, now);
        match self.seen(presence) {
            Some(Seen::Here(jid, device)) => self.here(jid, device, now),
            Some(Seen::Gone(jid)) => {
                if let Some(device) = self.devices.left(&jid) {
                    self.tell(SessionEvent::PeerPresence { jid, device, online: false });
                }
            }
            None => self.look_on(presence),
        }
    }

    /// A device of ours or a friend's is there.
    fn here(&mut self, jid: FullJid, device: DeviceTag, now: Now) {
        if device != self.own
            && self.devices.learn_present(device, |known| self.friends.account(known).is_some())
        {
            self.greet();
            self.fetch(device, now);
        }
        if self.devices.came(jid.clone(), device) {
            self.bring(&jid, now);
            self.tell(SessionEvent::PeerPresence { jid, device, online: true });
        }
    }

    /// Without a store, who comes learns the state from us.
    fn bring(&mut self, to: &FullJid, now: Now) {
        if self.store == Store::Headlines
            && let Some(state) = self.outbox.newest()
        {
            let message = headline::message(to, &self.on_wire(state, now));
            self.send(message);
        }
    }

    fn message(&mut self, message: &Message, now: Now) {
        let Some(account) = self.speaker(message.from.as_ref()) else { return };
        let state = pubsub::pushed(message, &account).or_else(|| headline::read(message, &account));
        // Everything else, chat above all, is not ours: it is neither shown nor answered.
        let Some(state) = state.filter(|state| state.device != self.own) else { return };
        if self.account_of(state.device) != account {
            return;
        }
        self.learn([state.device], now);
        self.hint(state);
    }

    /// Learns of devices: the server is told to push the states of new ones, and the present state is fetched.
    fn learn(&mut self, devices: impl IntoIterator<Item = DeviceTag>, now: Now) {
        let own = self.own;
        let new: Vec<_> = devices.into_iter().filter(|tag| *tag != own && self.devices.learn(*tag)).collect();
        if new.is_empty() {
            return;
        }
        self.greet();
        for device in new {
            self.fetch(device, now);
        }
    }

    fn greet(&mut self) {
        self.send(presence::available(self.own, self.devices.known()));
    }

    fn fetch_all(&mut self, now: Now) {
        for device in self.devices.known().clone() {
            self.fetch(device, now);
        }
    }

    fn fetch(&mut self, device: DeviceTag, now: Now) {
        let id = self.requests.add(Purpose::Fetch(device), now.tick);
        let question = pubsub::fetch(&id, device);
        match self.friends.account(device) {
            Some(account) => self.send(question.with_to(account.0.clone().into())),
            None => self.send(question),
        }
    }

    fn hint(&mut self, state: State) {
        let State { device, counter, marks, sealed, .. } = state;
        let from = self.account_of(device);
        self.tell(SessionEvent::Hint(ReceivedState { from, device, counter, marks, sealed }));
    }

    fn on_wire(&self, state: &DeviceState, now: Now) -> State {
        let marks = hints::marks(self.own, state);
        let seal = |folder| self.sealer.as_ref()?.seal(self.own, folder, state.counter, now.clock);
        let sealed = state.folders.iter().filter_map(seal).collect();
        State { device: self.own, counter: state.counter, time: now.clock, marks, sealed }
    }

    fn ask_account(&mut self, iq: Iq) {
        self.send(iq.with_to(self.account.0.clone().into()));
    }

    fn send(&mut self, stanza: impl Into<Stanza>) {
        self.acts.push(Act::Send(Box::new(stanza.into())));
    }

    fn tell(&mut self, event: SessionEvent) {
        self.acts.push(Act::Tell(event));
    }
}

mod carried;
mod friends;

#[cfg(test)]
mod tests;
