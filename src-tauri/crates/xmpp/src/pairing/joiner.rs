//! The side that joins, by a code or a link. One try: what fails is thrown away whole.
//!
//! A try with a code that was answered wrongly, or not at all after the hail, has given whoever is in between one guess,
//! so the same code is not to be tried again: see [`PairingError::may_try_again`].

use std::sync::Arc;

use super::card::{Card, Role};
use super::grant::Grant;
use super::handshake::{Between, Handshake, Sealing};
use super::inviter::{GRANT, HEARD, NO, YES};
use super::packet::{Packet, Refusal, Step};
use super::secret::{self, Agreement, PreShared};
use super::{Code, Link, PATIENCE, PERSON_PATIENCE, Paired, PairingError, Seconds, Slot};
use crate::account::FullJid;
use crate::device::DeviceKeys;

/// A try to join.
pub struct Joiner {
    own: Arc<DeviceKeys>,
    card: Card,
    inviter: FullJid,
    slot: Slot,
    state: State,
}

/// Where a try is, in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JoinerStage {
    /// "I ask."
    Greeting,
    /// "They know who I am; I wait for their yes."
    Waiting,
    /// "They offer this: do I want it?"
    Offered,
    /// "I said yes; I wait to be heard."
    Answering,
    /// "I have joined."
    Done,
    /// "It is over."
    Over(PairingError),
}

/// What a person has to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JoinerEvent {
    /// This is who invites.
    Meets(Card),
    /// This is what is offered: to be answered by [`Joiner::answer`].
    Offered(Card, Grant),
    /// Both sides said yes, and the inviter has heard it.
    Joined(Box<Paired>),
    /// The try is over.
    Ended(PairingError),
}

enum State {
    Agreeing { agreement: Box<Agreement>, until: Seconds },
    Hailing { handshake: Box<Handshake>, by_code: bool, until: Seconds },
    Waiting { card: Box<Card>, sealing: Box<Sealing>, until: Seconds },
    Offered { card: Box<Card>, sealing: Box<Sealing>, grant: Box<Grant> },
    Answering { card: Box<Card>, sealing: Box<Sealing>, grant: Box<Grant>, said: Vec<u8>, until: Seconds },
    Done,
    Over(PairingError),
}

/// What came of a packet: what to send, if anything, and what to tell.
pub type Outcome = (Option<Packet>, Option<JoinerEvent>);

impl Joiner {
    /// Begins with a code that somebody at `inviter` shows. Gives the first packet.
    pub fn by_code(
        own: Arc<DeviceKeys>,
        card: Card,
        inviter: FullJid,
        code: Code,
        now: Seconds,
    ) -> (Joiner, Packet) {
        let agreement = Box::new(Agreement::new(&code, &inviter, &card.address));
        let step = Step::Code(agreement.message().to_vec());
        let slot = code.slot();
        let state = State::Agreeing { agreement, until: now + PATIENCE };
        (Joiner { own, card, inviter, slot, state }, Packet { slot, step })
    }

    /// Begins with a link. Gives the first packet.
    ///
    /// # Errors
    /// [`PairingError::Expired`] when it is over by more than a wrong clock explains.
    pub fn by_link(
        own: Arc<DeviceKeys>,
        card: Card,
        link: &Link,
        now: Seconds,
    ) -> Result<(Joiner, Packet), PairingError> {
        if link.is_long_over(now) {
            return Err(PairingError::Expired);
        }
        let (slot, inviter) = (link.slot(), link.inviter().clone());
        let mut joiner = Joiner { own, card, inviter, slot, state: State::Over(PairingError::Untrustworthy) };
        let step = joiner.hail(&secret::of_link(link), false, now)?;
        Ok((joiner, Packet { slot, step }))
    }

    /// Where packets go, and the only place from where they are taken.
    pub fn inviter(&self) -> &FullJid {
        &self.inviter
    }

    /// Where the try is.
    pub fn stage(&self) -> JoinerStage {
        match &self.state {
            State::Agreeing { .. } | State::Hailing { .. } => JoinerStage::Greeting,
            State::Waiting { .. } => JoinerStage::Waiting,
            State::Offered { .. } => JoinerStage::Offered,
            State::Answering { .. } => JoinerStage::Answering,
            State::Done => JoinerStage::Done,
            State::Over(why) => JoinerStage::Over(*why),
        }
    }

    /// A packet came: the answer to the last one, or what the inviter sends when its person has decided.
    pub fn take(&mut self, from: &FullJid, packet: Packet, now: Seconds) -> Outcome {
        if *from != self.inviter || packet.slot != self.slot {
            return (Some(Packet::refused(packet.slot, Refusal::Unknown)), None);
        }
        if matches!(self.state, State::Done | State::Over(_)) {
            // What is over stays as it ended.
            return (None, None);
        }
        match packet.step {
            Step::Code(theirs) => self.agreed(&theirs, now),
            Step::Card(message) => self.met(&message, now),
            Step::Sealed(message) => self.opened(&message),
            Step::Refused(refusal) => self.refused(refusal),
            Step::Noted => (None, None),
            Step::Knock | Step::Here | Step::Hail(_) | Step::Prove(_) => {
                (Some(Packet::refused(self.slot, Refusal::OutOfTurn)), None)
            }
        }
    }

    /// A person decided about what is offered. Gives what to send.
    pub fn answer(&mut self, yes: bool, now: Seconds) -> Outcome {
        let State::Offered { card, mut sealing, grant } =
            std::mem::replace(&mut self.state, State::Over(PairingError::Declined))
        else {
            return (None, None);
        };
        let Ok(said) = sealing.seal(&[if yes { YES } else { NO }]) else {
            return self.over(PairingError::Untrustworthy);
        };
        if yes {
            let until = now + PATIENCE;
            self.state = State::Answering { card, sealing, grant, said: said.clone(), until };
        }
        (Some(self.packet(Step::Sealed(said))), None)
    }

    /// What to send once more when nobody has answered it: the yes, which is heard once however often it is said.
    pub fn again(&self) -> Option<Packet> {
        match &self.state {
            State::Answering { said, .. } => Some(self.packet(Step::Sealed(said.clone()))),
            _ => None,
        }
    }

    /// What to send every [`STILL_EVERY`](super::STILL_EVERY) seconds while a person decides, here or there: that this
    /// side still waits. The answer goes to [`still_awaited`](Self::still_awaited).
    pub fn still_waits(&self) -> Option<Packet> {
        match &self.state {
            State::Waiting { .. } | State::Offered { .. } => Some(self.packet(Step::Noted)),
            _ => None,
        }
    }

    /// What the inviter says to that; `None` when it is not there at all. Who does not know of it any more has been
    /// started anew, or gave up.
    pub fn still_awaited(&mut self, answer: Option<Packet>) -> Option<JoinerEvent> {
        if !matches!(self.state, State::Waiting { .. } | State::Offered { .. }) {
            return None;
        }
        match answer.map(|packet| packet.step) {
            Some(Step::Noted) => None,
            Some(Step::Refused(refusal @ (Refusal::Expired | Refusal::Cancelled))) => self.refused(refusal).1,
            _ => self.over(PairingError::Vanished).1,
        }
    }

    /// The person stops. Gives what to send.
    pub fn cancel(&mut self) -> Option<Packet> {
        if matches!(self.state, State::Done | State::Over(_)) {
            return None;
        }
        self.state = State::Over(PairingError::Cancelled);
        Some(Packet::refused(self.slot, Refusal::Cancelled))
    }

    /// Time passed.
    pub fn tick(&mut self, now: Seconds) -> Option<JoinerEvent> {
        let why = match &self.state {
            // Who swallowed the hail may be guessing with it.
            State::Hailing { until, by_code: true, .. } if now > *until => PairingError::Unanswered,
            State::Agreeing { until, .. }
            | State::Hailing { until, .. }
            | State::Waiting { until, .. }
            | State::Answering { until, .. }
                if now > *until =>
            {
                PairingError::Vanished
            }
            _ => return None,
        };
        self.over(why).1
    }

    fn agreed(&mut self, theirs: &[u8], now: Seconds) -> Outcome {
        if !matches!(self.state, State::Agreeing { .. }) {
            return (None, None);
        }
        let State::Agreeing { agreement, .. } =
            std::mem::replace(&mut self.state, State::Over(PairingError::Untrustworthy))
        else {
            return (None, None);
        };
        let hailed = agreement.finish(theirs).and_then(|secret| self.hail(&secret, true, now));
        match hailed {
            Ok(step) => (Some(self.packet(step)), None),
            Err(why) => self.over(why),
        }
    }

    fn hail(&mut self, secret: &PreShared, by_code: bool, now: Seconds) -> Result<Step, PairingError> {
        let between = Between { slot: self.slot, inviter: &self.inviter, joiner: &self.card.address };
        let mut handshake = Box::new(Handshake::join(&self.own, secret, between));
        let message = handshake.write(&[])?;
        self.state = State::Hailing { handshake, by_code, until: now + PATIENCE };
        Ok(Step::Hail(message))
    }

    fn met(&mut self, message: &[u8], now: Seconds) -> Outcome {
        if !matches!(self.state, State::Hailing { .. }) {
            return (None, None);
        }
        let State::Hailing { mut handshake, .. } =
            std::mem::replace(&mut self.state, State::Over(PairingError::Untrustworthy))
        else {
            return (None, None);
        };
        let transcript = handshake.transcript();
        let proven = handshake.read(message).and_then(|card| {
            let card = Card::read(&card, Role::Inviter, &transcript, &handshake, self.inviter.clone())?;
            let own = self.card.show(&self.own, Role::Joiner, &handshake);
            let message = handshake.write(&own)?;
            Ok((card, message, handshake.finish()?))
        });
        match proven {
            Ok((card, message, sealing)) => {
                let (meets, until) = (JoinerEvent::Meets(card.clone()), now + PERSON_PATIENCE);
                self.state = State::Waiting { card: Box::new(card), sealing: Box::new(sealing), until };
                (Some(self.packet(Step::Prove(message))), Some(meets))
            }
            Err(why) => {
                let (_, ended) = self.over(why);
                (Some(Packet::refused(self.slot, Refusal::Cancelled)), ended)
            }
        }
    }

    fn opened(&mut self, message: &[u8]) -> Outcome {
        let (State::Waiting { sealing, .. } | State::Answering { sealing, .. }) = &mut self.state else {
            return (Some(Packet::refused(self.slot, Refusal::OutOfTurn)), None);
        };
        // What cannot be opened is not from the inviter, and changes nothing.
        let Ok(plain) = sealing.open(message).map(zeroize::Zeroizing::new) else {
            return (Some(Packet::refused(self.slot, Refusal::OutOfTurn)), None);
        };
        let noted = Some(self.packet(Step::Noted));
        match (plain.split_first(), std::mem::replace(&mut self.state, State::Done)) {
            (Some((&GRANT, grant)), State::Waiting { card, sealing, .. }) => match Grant::decode(grant) {
                Ok(grant) => {
                    let offered = JoinerEvent::Offered((*card).clone(), grant.clone());
                    self.state = State::Offered { card, sealing, grant: Box::new(grant) };
                    (noted, Some(offered))
                }
                Err(why) => self.over(why),
            },
            (Some((&NO, _)), State::Waiting { .. }) => (noted, self.over(PairingError::Declined).1),
            (Some((&HEARD, _)), State::Answering { card, grant, .. }) => {
                let paired = Paired { card: *card, grant: *grant };
                (None, Some(JoinerEvent::Joined(Box::new(paired))))
            }
            _ => self.over(PairingError::Untrustworthy),
        }
    }

    fn refused(&mut self, refusal: Refusal) -> Outcome {
        let by_code = self.slot.is_code();
        self.over(match refusal {
            Refusal::Unknown => PairingError::Unknown,
            Refusal::Expired => PairingError::Expired,
            Refusal::Used => PairingError::Used,
            Refusal::WrongSecret if by_code => PairingError::WrongCode,
            // The sum of the link is right, so it is whole: it was never that inviter's.
            Refusal::WrongSecret => PairingError::Unknown,
            Refusal::Busy => PairingError::Busy,
            Refusal::OutOfTurn => PairingError::Untrustworthy,
            Refusal::Cancelled => PairingError::Cancelled,
        })
    }

    fn over(&mut self, why: PairingError) -> Outcome {
        self.state = State::Over(why);
        (None, Some(JoinerEvent::Ended(why)))
    }

    fn packet(&self, step: Step) -> Packet {
        Packet { slot: self.slot, step }
    }
}

impl std::fmt::Debug for Joiner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Joiner({} at {}, {:?})", self.slot, self.inviter, self.stage())
    }
}
