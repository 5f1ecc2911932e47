//! What we answer when asked: discovery and ping for the own account and its server, `service-unavailable`
//! for everything and everybody else. Nothing stays unanswered, or the asker waits.
//!
//! Source: RFC 6120 section 8.2.3, XEP-0199 2.0.1.

use std::collections::BTreeSet;

use xmpp_parsers::disco::DiscoInfoQuery;
use xmpp_parsers::iq::{Iq, IqHeader, IqPayload};
use xmpp_parsers::jid::Jid;
use xmpp_parsers::minidom::Element;
use xmpp_parsers::ping::Ping;
use xmpp_parsers::stanza_error::{DefinedCondition, ErrorType, StanzaError};

use super::disco;
use crate::account::{BareJid, DeviceTag};

/// The answer to a request; `None` when `iq` is itself an answer.
/// `friend`: it comes from the account of a paired device or its server, which has to know what we can before it pushes
/// states to us.
pub(crate) fn to(iq: &Iq, account: &BareJid, friend: bool, devices: &BTreeSet<DeviceTag>) -> Option<Iq> {
    let payload = match iq {
        Iq::Get { payload, .. } if friend || is_own(iq.from(), account) => get(payload, devices),
        Iq::Get { .. } | Iq::Set { .. } => None,
        Iq::Result { .. } | Iq::Error { .. } => return None,
    };
    let header = IqHeader { from: None, to: iq.from().cloned(), id: iq.id().to_owned() };
    Some(header.assemble(payload.unwrap_or_else(|| IqPayload::Error(unavailable()))))
}

/// The node that a question for features names.
pub(crate) fn asked_node(iq: &Iq) -> Option<String> {
    let Iq::Get { payload, .. } = iq else { return None };
    DiscoInfoQuery::try_from(payload.clone()).ok()?.node
}

/// Whether an answer comes from where our requests go: servers leave `from` out, or put the account or
/// themselves there.
pub(crate) fn is_own(from: Option<&Jid>, account: &BareJid) -> bool {
    from.is_none_or(|from| from.to_bare() == account.0 || from.as_str() == account.domain())
}

fn get(payload: &Element, devices: &BTreeSet<DeviceTag>) -> Option<IqPayload> {
    if let Ok(query) = DiscoInfoQuery::try_from(payload.clone()) {
        // The server asks with the node of the capabilities' hash, and wants it back.
        let info = xmpp_parsers::disco::DiscoInfoResult { node: query.node, ..disco::own_info(devices) };
        return Some(IqPayload::Result(Some(info.into())));
    }
    Ping::try_from(payload.clone()).is_ok().then_some(IqPayload::Result(None))
}

fn unavailable() -> StanzaError {
    StanzaError::new(ErrorType::Cancel, DefinedCondition::ServiceUnavailable, "en", "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(xml: &str) -> Option<String> {
        let element: Element = xml.replace("<iq", "<iq xmlns='jabber:client'").parse().unwrap();
        let iq = Iq::try_from(element).unwrap();
        to(&iq, &"alice@p.test".parse().unwrap(), false, &BTreeSet::new()).map(super::super::text)
    }

    #[test]
    fn server_learns_what_we_can() {
        let asked = "<iq type='get' id='1' from='p.test'>\
            <query xmlns='http://jabber.org/protocol/disco#info' node='x#y'/></iq>";
        insta::assert_snapshot!(answer(asked).unwrap(), @"<iq xmlns='jabber:client' id='1' to='p.test' type='result'><query xmlns='http://jabber.org/protocol/disco#info' node='x#y'><identity category='automation' name='Tributary' type='pc' xml:lang='en'/><feature var='http://jabber.org/protocol/bytestreams'/><feature var='http://jabber.org/protocol/caps'/><feature var='http://jabber.org/protocol/disco#info'/><feature var='http://jabber.org/protocol/ibb'/><feature var='urn:tributary:xmpp:0'/><feature var='urn:xmpp:ping'/></query></iq>");
    }

    #[test]
    fn ping_is_answered() {
        insta::assert_snapshot!(answer("<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>").unwrap(), @"<iq xmlns='jabber:client' id='1' type='result'/>");
    }

    #[test]
    fn the_rest_is_unavailable() {
        for asked in [
            "<iq type='get' id='1' from='p.test'><query xmlns='jabber:iq:version'/></iq>",
            "<iq type='set' id='1' from='alice@p.test/x'><open xmlns='http://jabber.org/protocol/ibb'/></iq>",
            "<iq type='get' id='1' from='mallory@p.test/x'><ping xmlns='urn:xmpp:ping'/></iq>",
        ] {
            let answer = answer(asked).unwrap();
            assert!(answer.contains("service-unavailable") && answer.contains("type='error'"), "{answer}");
        }
    }

    #[test]
    fn answers_are_not_answered() {
        assert_eq!(answer("<iq type='result' id='1'/>"), None, "or two programs answer each other for ever");
    }

    #[test]
    fn both_servers_answers_count_as_own() {
        let account: BareJid = "alice@p.test".parse().unwrap();
        let own = |from: &str| is_own(Some(&from.parse().unwrap()), &account);
        assert!(is_own(None, &account) && own("alice@p.test") && own("p.test") && own("alice@p.test/trib-1"));
        assert!(!own("mallory@p.test/x") && !own("q.test"), "anybody may send us an iq with a guessed id");
    }
}
