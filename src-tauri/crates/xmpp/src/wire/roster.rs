//! The roster, and subscriptions to presence: asked for and given only to accounts that a device is paired with.
//!
//! Source: RFC 6121 sections 2 and 3.

use std::collections::BTreeSet;

use xmpp_parsers::minidom::Element;
use xmpp_parsers::presence::{Presence, Type};
use xmpp_parsers::roster::{Ask, Roster, Subscription};

use crate::account::BareJid;

/// The question for the roster.
pub(crate) fn query() -> Roster {
    Roster { ver: None, items: Vec::new() }
}

/// The accounts whose presence we get already, or have asked for, among `wanted`.
pub(crate) fn subscribed(answer: &Element, wanted: &BTreeSet<BareJid>) -> BTreeSet<BareJid> {
    let Ok(roster) = Roster::try_from(answer.clone()) else { return BTreeSet::new() };
    let ours = roster.items.into_iter().filter(|item| {
        matches!(item.subscription, Subscription::To | Subscription::Both) || item.ask == Ask::Subscribe
    });
    ours.map(|item| BareJid(item.jid)).filter(|account| wanted.contains(account)).collect()
}

/// Asks for an account's presence.
pub(crate) fn subscribe(to: &BareJid) -> Presence {
    Presence::new(Type::Subscribe).with_to(to.0.clone())
}

/// Gives an account our presence.
pub(crate) fn approve(to: &BareJid) -> Presence {
    Presence::new(Type::Subscribed).with_to(to.0.clone())
}

/// What an account says about subscriptions.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// It asks for our presence.
    Asks(BareJid),
    /// It gives us its own.
    Gives(BareJid),
}

/// Reads a presence about subscriptions; `None` for every other one.
pub(crate) fn said(presence: &Presence) -> Option<Said> {
    let from = BareJid(presence.from.as_ref()?.to_bare());
    match presence.type_ {
        Type::Subscribe => Some(Said::Asks(from)),
        Type::Subscribed => Some(Said::Gives(from)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_who_were_not_asked_yet_are_found() {
        let answer = "<query xmlns='jabber:iq:roster'>\
            <item jid='both@p.test' subscription='both'/><item jid='to@p.test' subscription='to'/>\
            <item jid='asked@p.test' subscription='none' ask='subscribe'/>\
            <item jid='from@p.test' subscription='from'/><item jid='stranger@p.test' subscription='both'/></query>";
        let wanted =
            ["both", "to", "asked", "from", "new"].map(|user| format!("{user}@p.test").parse().unwrap());
        let found = subscribed(&answer.parse().unwrap(), &BTreeSet::from(wanted));
        let found: Vec<&str> = found.iter().map(BareJid::as_str).collect();
        assert_eq!(found, ["asked@p.test", "both@p.test", "to@p.test"]);
        assert!(subscribed(&"<query xmlns='urn:other'/>".parse().unwrap(), &BTreeSet::new()).is_empty());
    }

    #[test]
    fn subscriptions() {
        let bob: BareJid = "bob@e.test".parse().unwrap();
        insta::assert_snapshot!(super::super::text(subscribe(&bob)), @"<presence xmlns='jabber:client' to='bob@e.test' type='subscribe'><priority>0</priority></presence>");
        insta::assert_snapshot!(super::super::text(approve(&bob)), @"<presence xmlns='jabber:client' to='bob@e.test' type='subscribed'><priority>0</priority></presence>");
        let asks = Presence::new(Type::Subscribe)
            .with_from("bob@e.test/phone".parse::<xmpp_parsers::jid::Jid>().unwrap());
        assert_eq!(said(&asks), Some(Said::Asks(bob)));
        assert_eq!(said(&Presence::available()), None);
    }
}
