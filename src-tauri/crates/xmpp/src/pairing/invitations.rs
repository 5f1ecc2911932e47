//! All invitations of this device: several at once, each by itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::card::Card;
use super::grant::Grant;
use super::inviter::{Invited, Inviter, InviterEvent, InviterStage};
use super::packet::{Packet, Refusal, Step};
use super::{CLOCK_SLACK, CODE_LIFE, Code, FIRST_LINK_SLOT, LINK_LIFE, Link, PairingError, Seconds, Slot};
use crate::account::{BareJid, FullJid};
use crate::device::DeviceKeys;

/// Invitations at a time, those included that are over and still explain it to who comes late.
const MAX_OPEN: usize = 64;
/// Accounts whose wrong tries are remembered.
const MAX_PAUSED: usize = 64;
/// The first pause after a wrong secret, in seconds; it doubles each time.
const FIRST_PAUSE: Seconds = 2;
/// The longest one.
const LONGEST_PAUSE: Seconds = 600;

/// The invitations that this device made.
#[derive(Debug)]
pub struct Invitations {
    own: Arc<DeviceKeys>,
    card: Card,
    open: BTreeMap<Slot, Inviter>,
    /// Accounts that came with a wrong secret: how often, and until when they wait.
    paused: BTreeMap<BareJid, (u32, Seconds)>,
}

impl Invitations {
    /// None yet. The card is what joiners see, with the address that links name.
    pub fn new(own: Arc<DeviceKeys>, card: Card) -> Invitations {
        Invitations { own, card, open: BTreeMap::new(), paused: BTreeMap::new() }
    }

    /// Makes a code.
    ///
    /// # Errors
    /// [`PairingError::Busy`] when there are too many invitations.
    pub fn make_code(&mut self, now: Seconds) -> Result<Code, PairingError> {
        self.tick(now);
        let free = (1..FIRST_LINK_SLOT).map(Slot).find(|slot| !self.open.contains_key(slot));
        let code = Code::random(free.ok_or(PairingError::Busy)?);
        self.put(code.slot(), Invited::Code(code.clone()), now + CODE_LIFE)?;
        Ok(code)
    }

    /// Makes a link.
    ///
    /// # Errors
    /// As [`make_code`](Self::make_code).
    pub fn make_link(&mut self, now: Seconds) -> Result<Link, PairingError> {
        self.tick(now);
        let slot = std::iter::repeat_with(|| Slot(rand::random_range(FIRST_LINK_SLOT..=u32::MAX)))
            .find(|slot| !self.open.contains_key(slot))
            .expect("far fewer invitations than numbers");
        let link = Link::random(self.card.address.clone(), slot, now + LINK_LIFE);
        self.put(slot, Invited::Link(link.clone()), link.expires())?;
        Ok(link)
    }

    /// Takes up a link again that was made before the program was started: links are kept by the caller until they are
    /// used.
    ///
    /// # Errors
    /// As [`make_code`](Self::make_code), and [`PairingError::Unknown`] when it was not made by this device.
    pub fn restore(&mut self, link: Link) -> Result<(), PairingError> {
        if *link.inviter() != self.card.address {
            return Err(PairingError::Unknown);
        }
        let expires = link.expires();
        self.put(link.slot(), Invited::Link(link), expires)
    }

    /// A packet came from a client; gives the answer, and what to tell a person.
    pub fn take(
        &mut self,
        from: &FullJid,
        packet: Packet,
        now: Seconds,
    ) -> (Packet, Option<(Slot, InviterEvent)>) {
        let slot = packet.slot;
        let account = from.to_bare();
        let hails = matches!(packet.step, Step::Hail(_));
        let waits = self.paused.get(&account).is_some_and(|(_, until)| now < *until);
        let Some(inviter) = self.open.get_mut(&slot) else {
            return (Packet::refused(slot, Refusal::Unknown), None);
        };
        if hails && waits {
            return (Packet::refused(slot, Refusal::Busy), None);
        }
        let (step, event) = inviter.take(from, packet.step, now);
        if hails && step == Step::Refused(Refusal::WrongSecret) {
            self.pause(account, now);
        }
        (Packet { slot, step }, event.map(|event| (slot, event)))
    }

    /// A person decided about who asks: `Some` is a yes. Gives whom to send what; `None` when nobody asks any more.
    ///
    /// # Errors
    /// [`PairingError::TooLarge`] when the grant does not fit; it can be decided again.
    pub fn decide(
        &mut self,
        slot: Slot,
        grant: Option<Grant>,
        now: Seconds,
    ) -> Result<Option<(FullJid, Packet)>, PairingError> {
        let Some(inviter) = self.open.get_mut(&slot) else { return Ok(None) };
        let sent = inviter.decide(grant, now)?;
        Ok(sent.map(|(to, step)| (to, Packet { slot, step })))
    }

    /// Withdraws an invitation. Gives whom to tell.
    pub fn withdraw(&mut self, slot: Slot) -> Option<(FullJid, Packet)> {
        let (to, step) = self.open.get_mut(&slot)?.cancel()?;
        Some((to, Packet { slot, step }))
    }

    /// Where an invitation is; `None` when there is none.
    pub fn stage(&self, slot: Slot) -> Option<InviterStage> {
        self.open.get(&slot).map(Inviter::stage)
    }

    /// This device is online again: joiners could not be heard meanwhile, and have their time anew.
    pub fn is_back(&mut self, now: Seconds) {
        self.open.values_mut().for_each(|inviter| inviter.is_back(now));
    }

    /// Time passed: to be called at least every few seconds while somebody looks, and every hour otherwise; not while this
    /// device is offline.
    pub fn tick(&mut self, now: Seconds) -> Vec<(Slot, InviterEvent)> {
        let tick = |(slot, inviter): (&Slot, &mut Inviter)| Some((*slot, inviter.tick(now)?));
        let events = self.open.iter_mut().filter_map(tick).collect();
        self.open.retain(|slot, inviter| {
            let explains = if slot.is_code() { CODE_LIFE } else { CLOCK_SLACK };
            !is_over(inviter) || now <= inviter.expires() + explains
        });
        self.paused.retain(|_, (_, until)| now < *until + LONGEST_PAUSE);
        events
    }

    fn put(&mut self, slot: Slot, invited: Invited, expires: Seconds) -> Result<(), PairingError> {
        if self.open.len() >= MAX_OPEN {
            // Those that are over only explain it to who comes late: they make room for one that is wanted.
            let over = self.open.iter().find(|(_, inviter)| is_over(inviter)).map(|(slot, _)| *slot);
            self.open.remove(&over.ok_or(PairingError::Busy)?);
        }
        let inviter = Inviter::new(Arc::clone(&self.own), self.card.clone(), invited, expires);
        self.open.insert(slot, inviter);
        Ok(())
    }

    /// An invitation by a code that somebody else made up.
    #[cfg(test)]
    pub(crate) fn put_code(&mut self, code: Code, now: Seconds) {
        self.put(code.slot(), Invited::Code(code), now + CODE_LIFE).expect("there is room");
    }

    fn pause(&mut self, account: BareJid, now: Seconds) {
        if self.paused.len() >= MAX_PAUSED && !self.paused.contains_key(&account) {
            // The one that waits shortest makes room.
            let first = self.paused.iter().min_by_key(|(_, (_, until))| *until).map(|(of, _)| of.clone());
            first.map(|first| self.paused.remove(&first));
        }
        let (times, until) = self.paused.entry(account).or_default();
        *until = now + (FIRST_PAUSE << (*times).min(16)).min(LONGEST_PAUSE);
        *times = times.saturating_add(1);
    }
}

fn is_over(inviter: &Inviter) -> bool {
    matches!(inviter.stage(), InviterStage::Over(_) | InviterStage::Done)
}
