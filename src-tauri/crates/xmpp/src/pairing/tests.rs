//! Both sides joined without a network: every ending, vanishing in every state, and somebody in between.

mod endings;
mod hostile;

use std::collections::VecDeque;
use std::sync::Arc;

use proptest::prelude::*;
use tributary_formats::uuid::RepoUuid;
use zeroize::Zeroizing;

use super::*;
use crate::account::{DeviceTag, FullJid};
use crate::device::DeviceKeys;

const ALICE: &str = "alice@p.test/trib-1";
const BOB: &str = "bob@e.test/trib-2";
const MALLORY: &str = "mallory@p.test/trib-3";
const NOW: Seconds = 1_795_400_000;

fn jid(text: &str) -> FullJid {
    text.parse().unwrap()
}

fn grant() -> Grant {
    Grant {
        repository: RepoUuid::parse("11111111-a").unwrap(),
        name: "Trip".to_owned(),
        right: Right::Edit,
        hint_key: Zeroizing::new([7; 32]),
        set_up: Zeroizing::new(b"where files wait".to_vec()),
        letter: b"letter".to_vec(),
        introductions: vec![b"tablet".to_vec(), b"server".to_vec()],
    }
}

/// A device of somebody, with what it was told.
struct Device {
    keys: Arc<DeviceKeys>,
    card: Card,
}

impl Device {
    fn new(name: &str, address: &str) -> Device {
        let keys = Arc::new(DeviceKeys::generate());
        let card = Card::own(&keys, DeviceTag::random(), name, jid(address));
        Device { keys, card }
    }

    fn invitations(&self) -> Invitations {
        Invitations::new(Arc::clone(&self.keys), self.card.clone())
    }

    fn by_link(&self, link: &Link, now: Seconds) -> (Joiner, Packet) {
        Joiner::by_link(Arc::clone(&self.keys), self.card.clone(), link, now).unwrap()
    }

    fn by_code(&self, code: &Code, now: Seconds) -> (Joiner, Packet) {
        Joiner::by_code(Arc::clone(&self.keys), self.card.clone(), jid(ALICE), code.clone(), now)
    }
}

/// Both sides and what is on its way between them.
struct Table {
    invitations: Invitations,
    joiner: Joiner,
    joiner_at: FullJid,
    /// Requests of the joiner that were not delivered, and those of the inviter.
    to_inviter: VecDeque<Packet>,
    to_joiner: VecDeque<Packet>,
    asked: Vec<(Slot, InviterEvent)>,
    told: Vec<JoinerEvent>,
    carried: usize,
}

impl Table {
    fn new(invitations: Invitations, joiner_at: &str, (joiner, first): (Joiner, Packet)) -> Table {
        let (to_inviter, to_joiner) = (VecDeque::from([first]), VecDeque::new());
        let joiner_at = jid(joiner_at);
        Table {
            invitations,
            joiner,
            joiner_at,
            to_inviter,
            to_joiner,
            asked: vec![],
            told: vec![],
            carried: 0,
        }
    }

    /// Delivers one packet, which `tamper` may change or take away; `false` when nothing is on its way.
    fn carry(&mut self, now: Seconds, tamper: &mut dyn FnMut(usize, Packet) -> Option<Packet>) -> bool {
        self.carried += 1;
        if let Some(packet) = self.to_inviter.pop_front() {
            if let Some(packet) = tamper(self.carried, packet) {
                let (answer, event) = self.invitations.take(&self.joiner_at, packet, now);
                self.asked.extend(event);
                self.to_joiner.push_back(answer);
            }
            return true;
        }
        let Some(packet) = self.to_joiner.pop_front() else { return false };
        if let Some(packet) = tamper(self.carried, packet) {
            let (answer, event) = self.joiner.take(&jid(ALICE), packet, now);
            self.told.extend(event);
            // Answers to requests of the inviter go nowhere further.
            self.to_inviter
                .extend(answer.filter(|answer| !matches!(answer.step, Step::Noted | Step::Refused(_))));
        }
        true
    }

    fn run(&mut self, now: Seconds) {
        self.run_with(now, &mut |_, packet| Some(packet));
    }

    /// Carries on, with a yes from both people whenever they are asked.
    fn run_with(&mut self, now: Seconds, tamper: &mut dyn FnMut(usize, Packet) -> Option<Packet>) {
        for _ in 0..100 {
            if let Some((slot, InviterEvent::Asks(_))) = self.asked.last().cloned()
                && self.invitations.stage(slot) == Some(InviterStage::Asking)
            {
                let sent = self.invitations.decide(slot, Some(grant()), now).unwrap();
                self.to_joiner.extend(sent.map(|(to, packet)| {
                    assert_eq!(to, self.joiner_at);
                    packet
                }));
            }
            if self.joiner.stage() == JoinerStage::Offered {
                self.to_inviter.extend(self.joiner.answer(true, now).0);
            }
            if !self.carry(now, tamper) {
                return;
            }
        }
        panic!("they talk for ever");
    }

    fn inviter_joined(&self) -> Option<&Paired> {
        self.asked.iter().find_map(|(_, event)| match event {
            InviterEvent::Joined(paired) => Some(&**paired),
            _ => None,
        })
    }

    fn joiner_joined(&self) -> Option<&Paired> {
        self.told.iter().find_map(|event| match event {
            JoinerEvent::Joined(paired) => Some(&**paired),
            _ => None,
        })
    }

    /// Waits until everybody has given up who waits.
    fn wait_for_ever(&mut self) {
        let mut now = NOW;
        for _ in 0..5 {
            now += PERSON_PATIENCE + 1;
            self.asked.extend(self.invitations.tick(now));
            self.told.extend(self.joiner.tick(now));
        }
    }
}

fn by_link() -> (Device, Device, Link, Table) {
    let (alice, bob) = (Device::new("Anna's laptop", ALICE), Device::new("Ben's desktop", BOB));
    let mut invitations = alice.invitations();
    let link = invitations.make_link(NOW).unwrap();
    let link: Link = link.to_string().parse().unwrap();
    let table = Table::new(invitations, BOB, bob.by_link(&link, NOW));
    (alice, bob, link, table)
}

fn by_code() -> (Device, Device, Code, Table) {
    let (alice, bob) = (Device::new("Anna's laptop", ALICE), Device::new("Ben's desktop", BOB));
    let mut invitations = alice.invitations();
    let code = invitations.make_code(NOW).unwrap();
    let table = Table::new(invitations, BOB, bob.by_code(&code, NOW));
    (alice, bob, code, table)
}

fn wrong(code: &Code) -> Code {
    let mut other = code.clone();
    while other == *code {
        other = Code::random(code.slot());
    }
    other
}
