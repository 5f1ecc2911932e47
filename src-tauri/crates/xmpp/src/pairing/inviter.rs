//! The side that invites: one invitation, from the moment it is shown until somebody has joined by it.
//!
//! A code is good for one guess: whoever hails with a wrong key has spent it. A link's secret cannot be guessed, so a
//! wrong one spends nothing, or anybody could burn it; the first device that proved the right one is the only one that
//! can use it from then on, and can begin again when it was interrupted.

use std::sync::Arc;

use super::card::{Card, Role};
use super::grant::Grant;
use super::handshake::{Between, Handshake, Sealing};
use super::packet::{Refusal, Step};
use super::secret::{self, Agreement, PreShared};
use super::{Code, Link, PATIENCE, Paired, PairingError, STILL_PATIENCE, Seconds, Slot};
use crate::account::FullJid;
use crate::device::{DeviceKeys, PublicKeys};

/// First byte of what is sealed: no; yes, with a grant behind it; yes, from the joiner; and that this was heard.
pub(crate) const NO: u8 = 0;
pub(crate) const GRANT: u8 = 1;
pub(crate) const YES: u8 = 2;
pub(crate) const HEARD: u8 = 3;

/// An invitation at the device that made it.
pub struct Inviter {
    own: Arc<DeviceKeys>,
    card: Card,
    invited: Invited,
    expires: Seconds,
    state: State,
    /// The only device that can still use a link: the first that proved to know it.
    bound: Option<PublicKeys>,
    /// What a person has agreed to give it.
    granted: Option<Grant>,
}

/// What an invitation was made of.
pub(crate) enum Invited {
    Code(Code),
    Link(Link),
}

/// Where an invitation is, in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InviterStage {
    /// "I wait for somebody."
    Open,
    /// "Somebody tries."
    Greeting,
    /// "Shall this one be let in?"
    Asking,
    /// "They were let in; I wait for their yes."
    Granted,
    /// "They have joined."
    Done,
    /// "It is over."
    Over(PairingError),
}

/// What a person has to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InviterEvent {
    /// Somebody knew the secret: shall it be? To be answered by [`Invitations::decide`](super::Invitations::decide).
    Asks(Card),
    /// Both sides said yes.
    Joined(Box<Paired>),
    /// A try ended; the invitation is still good.
    Interrupted(PairingError),
    /// The invitation is over.
    Ended(PairingError),
}

enum State {
    Open,
    Agreed {
        joiner: FullJid,
        secret: PreShared,
        until: Seconds,
    },
    Shown {
        joiner: FullJid,
        handshake: Box<Handshake>,
        until: Seconds,
    },
    Asking {
        joiner: FullJid,
        card: Box<Card>,
        sealing: Box<Sealing>,
        until: Seconds,
    },
    Granted {
        joiner: FullJid,
        card: Box<Card>,
        sealing: Box<Sealing>,
        until: Seconds,
    },
    /// Its last words are kept, in case they did not arrive.
    Done {
        joiner: FullJid,
        heard: Vec<u8>,
        said: Vec<u8>,
    },
    Over(PairingError),
}

/// What came of a packet: what to answer, and what to tell.
pub(crate) type Outcome = (Step, Option<InviterEvent>);

impl Inviter {
    /// An invitation, good until `expires`.
    pub(crate) fn new(own: Arc<DeviceKeys>, card: Card, invited: Invited, expires: Seconds) -> Inviter {
        Inviter { own, card, invited, expires, state: State::Open, bound: None, granted: None }
    }

    /// Where it is.
    pub fn stage(&self) -> InviterStage {
        match &self.state {
            State::Open => InviterStage::Open,
            State::Agreed { .. } | State::Shown { .. } => InviterStage::Greeting,
            State::Asking { .. } => InviterStage::Asking,
            State::Granted { .. } => InviterStage::Granted,
            State::Done { .. } => InviterStage::Done,
            State::Over(why) => InviterStage::Over(*why),
        }
    }

    /// When it is over, if nobody comes.
    pub fn expires(&self) -> Seconds {
        self.expires
    }

    /// A packet came from a client; gives what to answer.
    pub(crate) fn take(&mut self, from: &FullJid, step: Step, now: Seconds) -> Outcome {
        let event = self.tick(now);
        if let State::Over(why) = self.state {
            return (Step::Refused(refusal(why)), event);
        }
        let (reply, told) = match step {
            Step::Knock if matches!(self.invited, Invited::Code(_)) => (Step::Here, None),
            Step::Code(theirs) => self.agree(from, &theirs, now),
            Step::Hail(message) => self.hailed(from, &message, now),
            Step::Prove(message) => self.proven(from, &message, now),
            Step::Sealed(message) => self.answered(from, &message),
            Step::Refused(Refusal::Cancelled) if self.joiner() == Some(from) => {
                (Step::Noted, self.interrupted(PairingError::Cancelled))
            }
            Step::Noted => self.still_waits(from, now),
            Step::Knock | Step::Here | Step::Card(_) | Step::Refused(_) => out_of_turn(),
        };
        (reply, told.or(event))
    }

    /// A person decided about the one who asks: `Some` is a yes. Gives whom to send what.
    ///
    /// # Errors
    /// [`PairingError::TooLarge`] when the grant does not fit into a packet; it can be decided again.
    pub(crate) fn decide(
        &mut self,
        grant: Option<Grant>,
        now: Seconds,
    ) -> Result<Option<(FullJid, Step)>, PairingError> {
        let State::Asking { joiner, sealing, .. } = &mut self.state else { return Ok(None) };
        let joiner = joiner.clone();
        let Some(grant) = grant else {
            let sealed = sealing.seal(&[NO])?;
            self.state = State::Over(PairingError::Declined);
            return Ok(Some((joiner, Step::Sealed(sealed))));
        };
        let sealed = seal_grant(sealing, &grant)?;
        self.granted = Some(grant);
        if let State::Asking { joiner, card, sealing, .. } = std::mem::replace(&mut self.state, State::Open) {
            self.state = State::Granted { joiner, card, sealing, until: now + STILL_PATIENCE };
        }
        Ok(Some((joiner, Step::Sealed(sealed))))
    }

    /// The invitation is withdrawn. Gives whom to tell.
    pub(crate) fn cancel(&mut self) -> Option<(FullJid, Step)> {
        if matches!(self.state, State::Done { .. } | State::Over(_)) {
            return None;
        }
        let joiner = self.joiner().cloned();
        self.state = State::Over(PairingError::Cancelled);
        joiner.map(|joiner| (joiner, Step::Refused(Refusal::Cancelled)))
    }

    /// This side was away and is back: who came before it went has not been heard since.
    pub(crate) fn is_back(&mut self, now: Seconds) {
        if let State::Asking { until, .. } | State::Granted { until, .. } = &mut self.state {
            *until = now + STILL_PATIENCE;
        }
    }

    /// Time passed.
    pub(crate) fn tick(&mut self, now: Seconds) -> Option<InviterEvent> {
        match &self.state {
            State::Open if now > self.expires => {
                self.state = State::Over(PairingError::Expired);
                Some(InviterEvent::Ended(PairingError::Expired))
            }
            State::Agreed { until, .. } | State::Shown { until, .. } if now > *until => {
                self.state = State::Open;
                // Whoever it was proved nothing.
                self.tick(now).or(Some(InviterEvent::Interrupted(PairingError::Vanished)))
            }
            State::Asking { until, .. } | State::Granted { until, .. } if now > *until => {
                self.interrupted(PairingError::Vanished)
            }
            _ => None,
        }
    }

    fn agree(&mut self, from: &FullJid, theirs: &[u8], now: Seconds) -> Outcome {
        let Invited::Code(code) = &self.invited else { return out_of_turn() };
        match &self.state {
            State::Open => (),
            State::Agreed { joiner, .. } | State::Shown { joiner, .. } if joiner == from => (),
            State::Agreed { .. } | State::Shown { .. } => return (Step::Refused(Refusal::Busy), None),
            _ => return (Step::Refused(Refusal::Used), None),
        }
        let agreement = Agreement::new(code, &self.card.address, from);
        let ours = agreement.message().to_vec();
        let Ok(secret) = agreement.finish(theirs) else { return out_of_turn() };
        self.state = State::Agreed { joiner: from.clone(), secret, until: now + PATIENCE };
        (Step::Code(ours), None)
    }

    fn hailed(&mut self, from: &FullJid, message: &[u8], now: Seconds) -> Outcome {
        let secret = match (&self.invited, &self.state) {
            (Invited::Code(_), State::Agreed { joiner, secret, .. }) if joiner == from => secret.clone(),
            (Invited::Code(_), _) => return out_of_turn(),
            (Invited::Link(_), State::Agreed { joiner, .. } | State::Shown { joiner, .. })
                if joiner != from =>
            {
                return (Step::Refused(Refusal::Busy), None);
            }
            (Invited::Link(_), State::Done { .. }) => return (Step::Refused(Refusal::Used), None),
            (Invited::Link(_), State::Asking { joiner, .. } | State::Granted { joiner, .. })
                if joiner != from =>
            {
                return (Step::Refused(Refusal::Used), None);
            }
            (Invited::Link(link), _) => secret::of_link(link),
        };
        let between = Between { slot: self.slot(), inviter: &self.card.address, joiner: from };
        let mut handshake = Handshake::invite(&self.own, &secret, between);
        if handshake.read(message).is_err() {
            return self.wrong_secret();
        }
        let card = self.card.show(&self.own, Role::Inviter, &handshake);
        match handshake.write(&card) {
            Ok(message) => {
                let handshake = Box::new(handshake);
                self.state = State::Shown { joiner: from.clone(), handshake, until: now + PATIENCE };
                (Step::Card(message), None)
            }
            Err(_) => out_of_turn(),
        }
    }

    fn wrong_secret(&mut self) -> Outcome {
        let refused = Step::Refused(Refusal::WrongSecret);
        match self.invited {
            Invited::Code(_) => {
                self.state = State::Over(PairingError::WrongCode);
                (refused, Some(InviterEvent::Ended(PairingError::WrongCode)))
            }
            Invited::Link(_) => (refused, None),
        }
    }

    fn proven(&mut self, from: &FullJid, message: &[u8], now: Seconds) -> Outcome {
        if !matches!(&self.state, State::Shown { joiner, .. } if joiner == from) {
            return out_of_turn();
        }
        let State::Shown { mut handshake, .. } = std::mem::replace(&mut self.state, State::Open) else {
            return out_of_turn();
        };
        let transcript = handshake.transcript();
        let card = handshake
            .read(message)
            .and_then(|card| Card::read(&card, Role::Joiner, &transcript, &handshake, from.clone()));
        let (card, mut sealing) = match card.and_then(|card| Ok((card, handshake.finish()?))) {
            Ok(proven) => proven,
            Err(why) => return (Step::Refused(Refusal::OutOfTurn), self.interrupted(why)),
        };
        if self.bound.is_some_and(|bound| bound != card.keys) {
            return (Step::Refused(Refusal::Used), None);
        }
        self.bound = Some(card.keys);
        let (joiner, until) = (from.clone(), now + STILL_PATIENCE);
        let granted = self.granted.as_ref().map(|grant| seal_grant(&mut sealing, grant));
        let (card, sealing) = (Box::new(card), Box::new(sealing));
        // Who was let in before it was interrupted is not asked about again.
        if let Some(Ok(sealed)) = granted {
            self.state = State::Granted { joiner, card, sealing, until };
            return (Step::Sealed(sealed), None);
        }
        let asks = InviterEvent::Asks((*card).clone());
        self.state = State::Asking { joiner, card, sealing, until };
        (Step::Noted, Some(asks))
    }

    fn answered(&mut self, from: &FullJid, message: &[u8]) -> Outcome {
        match &mut self.state {
            State::Done { joiner, heard, said } if joiner == from && heard == message => {
                return (Step::Sealed(said.clone()), None);
            }
            State::Granted { joiner, sealing, card, .. } if joiner == from => {
                // What cannot be opened is not from the joiner, and changes nothing.
                let Ok(plain) = sealing.open(message) else { return out_of_turn() };
                let Some(grant) = self.granted.clone() else { return out_of_turn() };
                if plain == [YES]
                    && let Ok(said) = sealing.seal(&[HEARD])
                {
                    let paired = Paired { card: (**card).clone(), grant };
                    let joined = InviterEvent::Joined(Box::new(paired));
                    self.state =
                        State::Done { joiner: from.clone(), heard: message.to_vec(), said: said.clone() };
                    return (Step::Sealed(said), Some(joined));
                }
                self.state = State::Over(PairingError::Declined);
                return (Step::Noted, Some(InviterEvent::Ended(PairingError::Declined)));
            }
            _ => (),
        }
        out_of_turn()
    }

    /// The joiner says that it still waits. Who is not waited for hears that: this program may have been started anew.
    fn still_waits(&mut self, from: &FullJid, now: Seconds) -> Outcome {
        match &mut self.state {
            State::Asking { joiner, until, .. } | State::Granted { joiner, until, .. } if joiner == from => {
                *until = now + STILL_PATIENCE;
                (Step::Noted, None)
            }
            _ => out_of_turn(),
        }
    }

    /// A try ended. A code that was hailed for is spent; a link waits for its device to try again.
    fn interrupted(&mut self, why: PairingError) -> Option<InviterEvent> {
        let spent = matches!(self.invited, Invited::Code(_)) && !matches!(self.state, State::Agreed { .. });
        if spent {
            self.state = State::Over(why);
            return Some(InviterEvent::Ended(why));
        }
        self.state = State::Open;
        Some(InviterEvent::Interrupted(why))
    }

    fn slot(&self) -> Slot {
        match &self.invited {
            Invited::Code(code) => code.slot(),
            Invited::Link(link) => link.slot(),
        }
    }

    fn joiner(&self) -> Option<&FullJid> {
        match &self.state {
            State::Agreed { joiner, .. }
            | State::Shown { joiner, .. }
            | State::Asking { joiner, .. }
            | State::Granted { joiner, .. } => Some(joiner),
            State::Open | State::Done { .. } | State::Over(_) => None,
        }
    }
}

fn out_of_turn() -> Outcome {
    (Step::Refused(Refusal::OutOfTurn), None)
}

fn seal_grant(sealing: &mut Sealing, grant: &Grant) -> Result<Vec<u8>, PairingError> {
    let encoded = grant.encode();
    // What the other side would not read is not sent.
    Grant::decode(&encoded).map_err(|_| PairingError::TooLarge)?;
    sealing.seal(&zeroize::Zeroizing::new([&[GRANT], encoded.as_slice()].concat()))
}

/// What those hear who come when it is over.
fn refusal(why: PairingError) -> Refusal {
    match why {
        PairingError::Expired => Refusal::Expired,
        PairingError::WrongCode => Refusal::WrongSecret,
        PairingError::Cancelled => Refusal::Unknown,
        _ => Refusal::Used,
    }
}

impl std::fmt::Debug for Inviter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Inviter({}, {:?})", self.slot(), self.stage())
    }
}
