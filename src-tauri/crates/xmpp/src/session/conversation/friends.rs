//! What is said to and heard from the accounts of paired devices.
//!
//! A friend's account speaks for the devices that were paired with it and for no others. Presence is asked for and given
//! when there is a paired device, and never taken away again: the person's chat may live on it. Source: RFC 6121 section
//! 3, and this crate's README, "Friends".

use std::collections::{BTreeMap, BTreeSet};

use xmpp_parsers::iq::Iq;
use xmpp_parsers::jid::Jid;
use xmpp_parsers::presence::Presence;

use super::{Answer, Conversation, Now, SessionEvent};
use crate::account::{BareJid, DeviceTag};
use crate::session::friends::Friends;
use crate::session::requests::Purpose;
use crate::wire::presence::{self, Seen};
use crate::wire::roster::{self, Said};

/// Accounts that asked for our presence and are no friends' yet.
const MAX_ASKED: usize = 64;
/// Devices of contacts that are no friends'.
const MAX_ONLOOKERS: usize = 128;

impl Conversation {
    /// These are the paired devices of other accounts from now on.
    pub(crate) fn set_friends(&mut self, friends: Friends, now: Now) {
        let former = std::mem::replace(&mut self.friends, friends);
        let gone: Vec<DeviceTag> =
            former.devices().filter(|device| self.friends.account(*device).is_none()).collect();
        for device in &gone {
            self.devices.forget(*device);
        }
        for (jid, device) in self.devices.left_with(&gone) {
            // It is there all the same, and may become a friend's again.
            self.onlookers.insert(jid.clone(), device);
            self.tell(SessionEvent::PeerPresence { jid, device, online: false });
        }
        let new: Vec<DeviceTag> =
            self.friends.devices().filter(|device| self.devices.learn(*device)).collect();
        if !self.online || (new.is_empty() && gone.is_empty()) {
            return;
        }
        let (come, others): (BTreeMap<_, _>, _) = std::mem::take(&mut self.onlookers)
            .into_iter()
            .partition(|(jid, device)| self.friends.are(&jid.to_bare(), *device));
        self.onlookers = others;
        for (jid, device) in come {
            self.here(jid, device, now);
        }
        let (friends, strangers): (BTreeSet<_>, _) =
            std::mem::take(&mut self.asked).into_iter().partition(|account| self.friends.has(account));
        self.asked = strangers;
        for account in friends {
            self.send(roster::approve(&account));
        }
        self.greet();
        for device in new {
            self.fetch(device, now);
        }
        self.ask_roster(now);
    }

    /// Asks whose presence we get, when there is anybody whose we want.
    pub(super) fn ask_roster(&mut self, now: Now) {
        if !self.friends.accounts().is_empty() {
            let id = self.requests.add(Purpose::Roster, now.tick);
            self.send(Iq::from_get(id, roster::query()));
        }
    }

    /// The roster: those whose presence we do not get yet are asked.
    pub(super) fn roster(&mut self, answer: &Answer) {
        let Answer::Result(Some(answer)) = answer else { return };
        let wanted = self.friends.accounts();
        let subscribed = roster::subscribed(answer, &wanted);
        for account in wanted.difference(&subscribed) {
            self.send(roster::subscribe(account));
        }
    }

    /// A friend asks for our presence, or gives us its own. Everybody else is the person's chat program's.
    pub(super) fn subscription(&mut self, presence: &Presence, now: Now) {
        match roster::said(presence) {
            Some(Said::Asks(account)) if self.friends.has(&account) => {
                self.send(roster::approve(&account));
                self.ask_roster(now);
                // ejabberd pushes nothing to a new contact before a presence comes after the consent.
                self.greet();
            }
            // Two who pair do not become friends at the same moment, and a server asks only once.
            Some(Said::Asks(account)) if self.asked.len() < MAX_ASKED => {
                self.asked.insert(account);
            }
            Some(Said::Gives(account)) if self.friends.has(&account) => {
                self.greet();
                for device in self.friends.of(&account) {
                    self.fetch(device, now);
                }
            }
            _ => (),
        }
    }

    /// A presence of nobody whom we know: a device of a contact may become a friend's later.
    pub(super) fn look_on(&mut self, presence: &Presence) {
        let Some(account) = presence.from.as_ref().map(|from| BareJid(from.to_bare())) else { return };
        if let Some(Seen::Here(jid, device)) = presence::read(presence, &account, self.own)
            && (self.onlookers.len() < MAX_ONLOOKERS || self.onlookers.contains_key(&jid))
        {
            self.onlookers.insert(jid, device);
        }
    }

    /// What a presence says about a device that is ours or a friend's.
    pub(super) fn seen(&self, presence: &Presence) -> Option<Seen> {
        let account = self.speaker(presence.from.as_ref())?;
        presence::read(presence, &account, self.own).filter(|seen| match seen {
            Seen::Here(_, device) => self.account_of(*device) == account,
            Seen::Gone(_) => true,
        })
    }

    /// The account that speaks, if it is ours or a friend's.
    pub(super) fn speaker(&self, from: Option<&Jid>) -> Option<BareJid> {
        let account = BareJid(from?.to_bare());
        (account == self.account || self.friends.has(&account)).then_some(account)
    }

    /// The account that speaks for a device.
    pub(super) fn account_of(&self, device: DeviceTag) -> BareJid {
        self.friends.account(device).unwrap_or(&self.account).clone()
    }

    /// Whether a question comes from a friend's account or its server.
    pub(super) fn is_friends(&self, from: Option<&Jid>) -> bool {
        from.is_some_and(|from| {
            let account = BareJid(from.to_bare());
            self.friends.has(&account)
                || self.friends.accounts().iter().any(|friend| from.as_str() == friend.domain())
        })
    }

    /// Whether an answer comes from the friend's account that was asked.
    pub(super) fn is_friends_answer(&self, iq: &Iq) -> bool {
        let Some(Purpose::Fetch(device)) = self.requests.purpose(iq.id()) else { return false };
        iq.from().is_some_and(|from| self.friends.are(&BareJid(from.to_bare()), device))
    }
}
