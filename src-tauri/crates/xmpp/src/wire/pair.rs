//! `<pair>`: a packet of a pairing, as the request or the answer of an exchange.
//!
//! Source: this crate's README, "Pairing".

use xmpp_parsers::iq::{IqResultPayload, IqSetPayload};
use xmpp_parsers::minidom::Element;
use xmpp_parsers::presence::{Presence, PresencePayload, Type};
use xso::text::Base64;
use xso::{AsXml, FromXml};

use super::NS;
use crate::account::{BareJid, FullJid};
use crate::pairing::{Packet, Refusal, Slot, Step};

/// Longest content that is read: one Noise message.
const MAX_CONTENT: usize = 65_535;

#[derive(Debug, FromXml, AsXml)]
#[xml(namespace = NS, name = "pair", on_unknown_attribute = Discard, on_unknown_child = Discard)]
struct Pair {
    #[xml(attribute)]
    slot: u32,
    #[xml(attribute)]
    step: String,
    #[xml(attribute(default))]
    reason: Option<String>,
    #[xml(text(codec = Base64))]
    content: Vec<u8>,
}

/// In a presence to an account: who of it shows this number?
#[derive(Debug, FromXml, AsXml)]
#[xml(namespace = NS, name = "knock", on_unknown_attribute = Discard, on_unknown_child = Discard)]
struct Knock {
    #[xml(attribute)]
    slot: u32,
}

impl PresencePayload for Knock {}
impl IqSetPayload for Pair {}
impl IqResultPayload for Pair {}

const REASONS: [(&str, Refusal); 7] = [
    ("unknown", Refusal::Unknown),
    ("expired", Refusal::Expired),
    ("used", Refusal::Used),
    ("wrong-secret", Refusal::WrongSecret),
    ("busy", Refusal::Busy),
    ("out-of-turn", Refusal::OutOfTurn),
    ("cancelled", Refusal::Cancelled),
];

/// The packet as an element.
pub(crate) fn element(packet: &Packet) -> Element {
    let (step, reason, content): (_, _, &[u8]) = match &packet.step {
        Step::Knock => ("knock", None, &[]),
        Step::Here => ("here", None, &[]),
        Step::Code(bytes) => ("code", None, bytes),
        Step::Hail(bytes) => ("hail", None, bytes),
        Step::Card(bytes) => ("card", None, bytes),
        Step::Prove(bytes) => ("prove", None, bytes),
        Step::Sealed(bytes) => ("sealed", None, bytes),
        Step::Noted => ("noted", None, &[]),
        Step::Refused(why) => {
            let reason = REASONS.iter().find(|(_, refusal)| refusal == why).map(|(name, _)| *name);
            ("refused", reason, &[])
        }
    };
    let reason = reason.map(str::to_owned);
    Pair { slot: packet.slot.0, step: step.to_owned(), reason, content: content.to_vec() }.into()
}

/// Whether an element is meant to be a packet.
pub(crate) fn is_pair(element: &Element) -> bool {
    element.is("pair", NS)
}

/// Reads a packet; `None` when it is none, or one that only a newer version knows.
pub(crate) fn read(element: &Element) -> Option<Packet> {
    let Pair { slot, step, reason, content } = Pair::try_from(element.clone()).ok()?;
    if content.len() > MAX_CONTENT {
        return None;
    }
    let step = match step.as_str() {
        // A knock is a presence: nobody has to be asked where he is who was asked already.
        "here" => Step::Here,
        "code" => Step::Code(content),
        "hail" => Step::Hail(content),
        "card" => Step::Card(content),
        "prove" => Step::Prove(content),
        "sealed" => Step::Sealed(content),
        "noted" => Step::Noted,
        "refused" => Step::Refused(
            REASONS.iter().find(|(name, _)| Some(*name) == reason.as_deref()).map(|(_, why)| *why)?,
        ),
        _ => return None,
    };
    Some(Packet { slot: Slot(slot), step })
}

/// The presence that knocks at all clients of an account. It is taken back at once by [`left`]: an address is all that
/// it should leave.
pub(crate) fn knock(to: &BareJid, slot: Slot) -> Presence {
    Presence::available().with_to(to.0.clone()).with_priority(-1).with_payload(Knock { slot: slot.0 })
}

/// The presence that follows a knock.
pub(crate) fn left(to: &BareJid) -> Presence {
    Presence::unavailable().with_to(to.0.clone())
}

/// Who knocks, and with which number; `None` for every other presence.
pub(crate) fn knocks(presence: &Presence) -> Option<(FullJid, Slot)> {
    let from = FullJid(presence.from.clone()?.try_into_full().ok()?);
    let knock = presence.payloads.iter().find(|payload| payload.is("knock", NS))?;
    let Knock { slot } = Knock::try_from(knock.clone()).ok()?;
    (presence.type_ == Type::None).then_some((from, Slot(slot)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_come_back() {
        let refusals = REASONS.map(|(_, why)| Step::Refused(why));
        let bytes = || b"abc".to_vec();
        let others = [
            Step::Code(bytes()),
            Step::Hail(bytes()),
            Step::Card(bytes()),
            Step::Prove(bytes()),
            Step::Sealed(Vec::new()),
            Step::Here,
            Step::Noted,
        ];
        for step in refusals.into_iter().chain(others) {
            let packet = Packet { slot: Slot(7), step };
            assert_eq!(read(&element(&packet)), Some(packet));
        }
        insta::assert_snapshot!(super::super::text(element(&Packet { slot: Slot(7), step: Step::Hail(bytes()) })), @"<pair xmlns='urn:tributary:xmpp:0' slot='7' step='hail'>YWJj</pair>");
        insta::assert_snapshot!(super::super::text(element(&Packet::refused(Slot(7), Refusal::WrongSecret))), @"<pair xmlns='urn:tributary:xmpp:0' reason='wrong-secret' slot='7' step='refused'></pair>");
    }

    #[test]
    fn a_knock_is_heard_from_a_client() {
        let alice: BareJid = "alice@p.test".parse().unwrap();
        let mut presence = knock(&alice, Slot(7));
        insta::assert_snapshot!(super::super::text(presence.clone()), @"<presence xmlns='jabber:client' to='alice@p.test'><priority>-1</priority><knock xmlns='urn:tributary:xmpp:0' slot='7'/></presence>");
        assert_eq!(knocks(&presence), None, "nobody knocks");
        presence.from = Some("bob@e.test/trib-2".parse().unwrap());
        assert_eq!(knocks(&presence), Some(("bob@e.test/trib-2".parse().unwrap(), Slot(7))));
        presence.type_ = Type::Unavailable;
        assert_eq!(knocks(&presence), None);
    }

    #[test]
    fn what_is_no_packet_is_none() {
        for text in [
            "<pair xmlns='urn:tributary:xmpp:0' slot='7' step='dance'/>".to_owned(),
            "<pair xmlns='urn:tributary:xmpp:0' slot='x' step='noted'/>".to_owned(),
            "<pair xmlns='urn:tributary:xmpp:0' slot='7' step='refused'/>".to_owned(),
            "<pair xmlns='urn:tributary:xmpp:0' slot='7' step='hail'>!!</pair>".to_owned(),
            "<pair xmlns='urn:other' slot='7' step='noted'/>".to_owned(),
            format!("<pair xmlns='{NS}' slot='7' step='hail'>{}</pair>", "AAAA".repeat(30_000)),
        ] {
            assert_eq!(read(&text.parse().unwrap()), None);
        }
    }
}
