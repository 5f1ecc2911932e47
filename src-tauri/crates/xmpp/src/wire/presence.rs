//! Our presence, which leaves the person's chat untouched, and what others' presences say.
//!
//! Priority -1 keeps the server from giving us messages that are meant for people; `xa` shows contacts that
//! nobody sits there. Source: RFC 6121 section 4.7.2.3, XEP-0115, this crate's README.

use std::collections::BTreeSet;

use xmpp_parsers::presence::{Presence, Show, Type};

use super::device::{self, Device};
use super::disco;
use crate::account::{BareJid, DeviceTag, FullJid};

/// Says that we are here, as this device, able to take the states of `devices`.
pub(crate) fn available(own: DeviceTag, devices: &BTreeSet<DeviceTag>) -> Presence {
    Presence::available()
        .with_show(Show::Xa)
        .with_priority(-1)
        .with_payload(disco::own_caps(devices))
        .with_payload(Device::new(own))
}

/// Says goodbye.
pub(crate) fn unavailable() -> Presence {
    Presence::unavailable()
}

/// What a presence says about a device of the own account.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// A client of ours is there.
    Here(FullJid, DeviceTag),
    /// A client left; whether it was a device of ours is known from before.
    Gone(FullJid),
}

/// The client that a presence says goodbye for, whosever it is.
pub(crate) fn left(presence: &Presence) -> Option<FullJid> {
    let from = presence.from.clone().filter(|_| presence.type_ == Type::Unavailable);
    from?.try_into_full().ok().map(FullJid)
}

/// Reads a presence. `None` for everything that is no device of `account`: people's chat programs, contacts,
/// subscriptions (which are approved for nobody before there is pairing), our own echo.
pub(crate) fn read(presence: &Presence, account: &BareJid, own: DeviceTag) -> Option<Seen> {
    let from = presence.from.clone()?.try_into_full().ok()?;
    if from.to_bare() != account.0 {
        return None;
    }
    match presence.type_ {
        Type::None => {
            let tag = device::find(&presence.payloads).filter(|tag| *tag != own)?;
            Some(Seen::Here(FullJid(from), tag))
        }
        Type::Unavailable => Some(Seen::Gone(FullJid(from))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use xmpp_parsers::minidom::Element;

    const OWN: &str = "9f2c41d07a5be380";
    const OTHER: &str = "00000000000000aa";

    fn seen(xml: &str) -> Option<Seen> {
        let element: Element = xml.replace("<presence", "<presence xmlns='jabber:client'").parse().unwrap();
        let presence = Presence::try_from(element).unwrap();
        read(&presence, &"alice@p.test".parse().unwrap(), OWN.parse().unwrap())
    }

    #[test]
    fn ours_stays_out_of_the_chat() {
        let presence = available(OWN.parse().unwrap(), &BTreeSet::new());
        insta::assert_snapshot!(super::super::text(presence), @"<presence xmlns='jabber:client'><show>xa</show><priority>-1</priority><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='https://github.com/tributary-sync/tributary' ver='8OIhsYFKGchK4SsWR1elxfNGv0M='/><device xmlns='urn:tributary:xmpp:0' tag='9f2c41d07a5be380'/></presence>");
    }

    #[test]
    fn own_devices_are_seen() {
        let device = |tag: &str| format!("<device xmlns='urn:tributary:xmpp:0' tag='{tag}'/>");
        let here = format!("<presence from='alice@p.test/trib-1'>{}</presence>", device(OTHER));
        let jid: FullJid = "alice@p.test/trib-1".parse().unwrap();
        assert_eq!(seen(&here), Some(Seen::Here(jid.clone(), OTHER.parse().unwrap())));
        assert_eq!(seen("<presence from='alice@p.test/trib-1' type='unavailable'/>"), Some(Seen::Gone(jid)));
    }

    #[test]
    fn everything_else_is_passed_over() {
        let device = |tag: &str| format!("<device xmlns='urn:tributary:xmpp:0' tag='{tag}'/>");
        for (xml, why) in [
            (format!("<presence from='alice@p.test/x'>{}</presence>", device(OWN)), "our own echo"),
            ("<presence from='alice@p.test/phone'/>".to_owned(), "the person's chat program"),
            (format!("<presence from='bob@p.test/x'>{}</presence>", device(OTHER)), "no pairing, no device"),
            (
                format!("<presence from='alice@p.test'>{}</presence>", device(OTHER)),
                "an account is no client",
            ),
            (format!("<presence>{}</presence>", device(OTHER)), "nobody said so"),
            (
                "<presence from='bob@p.test' type='subscribe'/>".to_owned(),
                "nobody is approved before pairing",
            ),
        ] {
            assert_eq!(seen(&xml), None, "{why}");
        }
    }
}
