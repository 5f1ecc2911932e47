//! Service discovery and entity capabilities: what we say we can, and what we ask of the account.
//!
//! The capabilities list the nodes whose changes the server shall push (`NODE+notify`); it asks for the list
//! behind the hash and must get the same one. Source: XEP-0030 2.5rc3, XEP-0115 1.6.0, XEP-0163 1.2.2.

use std::collections::BTreeSet;

use sha1::{Digest, Sha1};
use xmpp_parsers::caps::{Caps, query_caps};
use xmpp_parsers::disco::{DiscoInfoQuery, DiscoInfoResult, DiscoItemsQuery, DiscoItemsResult, Identity};
use xmpp_parsers::hashes::{Algo, Hash};
use xmpp_parsers::jid::Jid;
use xmpp_parsers::minidom::Element;
use xmpp_parsers::ns;

use super::socks5::BYTESTREAMS;
use super::{NS, state};
use crate::account::DeviceTag;

/// The program behind the capabilities, as XEP-0115 wants it named.
const CAPS_NODE: &str = "https://github.com/tributary-sync/tributary";

/// The most devices of an account that are known at a time: bounds the list that goes to the server and what
/// an account with forged nodes can make us hold.
pub(crate) const MAX_DEVICES: usize = 64;

/// Services of a server that are asked what they are.
const MAX_SERVICES: usize = 16;

/// What we answer to `disco#info`: identity, features, and the states that shall be pushed.
pub(crate) fn own_info(devices: &BTreeSet<DeviceTag>) -> DiscoInfoResult {
    let notify = devices.iter().map(|device| format!("{}+notify", state::node(*device)));
    let fixed = [ns::DISCO_INFO, ns::CAPS, ns::IBB, ns::PING, BYTESTREAMS, NS].map(str::to_owned);
    DiscoInfoResult {
        node: None,
        identities: vec![Identity::new("automation", "pc", "en", "Tributary")],
        features: fixed.into_iter().chain(notify).collect(),
        extensions: Vec::new(),
    }
}

/// The hash of [`own_info`], as it stands in the presence.
pub(crate) fn own_caps(devices: &BTreeSet<DeviceTag>) -> Caps {
    let hash = Sha1::digest(verification_string(&own_info(devices))).to_vec();
    Caps::new(CAPS_NODE, Hash { algo: Algo::Sha_1, hash })
}

/// Whether a question for our features is the server's, who saw the hash in our presence.
pub(crate) fn asks_for_caps(node: &str, devices: &BTreeSet<DeviceTag>) -> bool {
    query_caps(own_caps(devices)).node.as_deref() == Some(node)
}

/// What is hashed: identities, then features, each followed by `<`. The features are sorted as they are;
/// xmpp-parsers 0.23 sorts them with their `<`, which puts one that is the beginning of another in the wrong place,
/// and ejabberd then believes none of them. Forms, which we have not, would follow.
fn verification_string(info: &DiscoInfoResult) -> String {
    let identities = info.identities.iter().map(|identity| {
        let [lang, name] = [&identity.lang, &identity.name].map(|text| text.as_deref().unwrap_or_default());
        format!("{}/{}/{lang}/{name}<", identity.category, identity.type_)
    });
    identities.chain(info.features.iter().map(|feature| format!("{feature}<"))).collect()
}

/// The question what the own account can.
pub(crate) fn info_query() -> DiscoInfoQuery {
    DiscoInfoQuery { node: None }
}

/// Whether an account's `disco#info` says that it has a personal event store (PEP).
pub(crate) fn has_pep(answer: &Element) -> bool {
    let pep = |identity: &Identity| identity.category == "pubsub" && identity.type_ == "pep";
    DiscoInfoResult::try_from(answer.clone()).is_ok_and(|info| info.identities.iter().any(pep))
}

/// The question which nodes the own account has.
pub(crate) fn items_query() -> DiscoItemsQuery {
    DiscoItemsQuery { node: None, rsm: None }
}

/// The services that a server lists.
pub(crate) fn services(items: &Element) -> Vec<Jid> {
    let Ok(items) = DiscoItemsResult::try_from(items.clone()) else { return Vec::new() };
    let whole = items.items.into_iter().filter(|item| item.node.is_none());
    whole.map(|item| item.jid).take(MAX_SERVICES).collect()
}

/// The devices that published on this account; other programs' nodes are passed over.
pub(crate) fn devices(answer: &Element) -> BTreeSet<DeviceTag> {
    let Ok(answer) = DiscoItemsResult::try_from(answer.clone()) else { return BTreeSet::new() };
    let nodes = answer.items.iter().filter_map(|item| item.node.as_deref());
    nodes.filter_map(state::device_of_node).take(MAX_DEVICES).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn devices_of(tags: &[&str]) -> BTreeSet<DeviceTag> {
        tags.iter().map(|tag| tag.parse().unwrap()).collect()
    }

    #[test]
    fn capabilities_name_the_states_to_push() {
        let info = own_info(&devices_of(&["9f2c41d07a5be380"]));
        insta::assert_snapshot!(super::super::text(info), @"<query xmlns='http://jabber.org/protocol/disco#info'><identity category='automation' name='Tributary' type='pc' xml:lang='en'/><feature var='http://jabber.org/protocol/bytestreams'/><feature var='http://jabber.org/protocol/caps'/><feature var='http://jabber.org/protocol/disco#info'/><feature var='http://jabber.org/protocol/ibb'/><feature var='urn:tributary:xmpp:0'/><feature var='urn:tributary:xmpp:0/state#9f2c41d07a5be380+notify'/><feature var='urn:xmpp:ping'/></query>");
    }

    /// The simple generation example of XEP-0115, section 5.2.
    #[test]
    fn hash_is_the_standards() {
        let info = "<query xmlns='http://jabber.org/protocol/disco#info'>\
            <identity category='client' name='Exodus 0.9.1' type='pc'/>\
            <feature var='http://jabber.org/protocol/caps'/><feature var='http://jabber.org/protocol/disco#info'/>\
            <feature var='http://jabber.org/protocol/disco#items'/><feature var='http://jabber.org/protocol/muc'/>\
            </query>";
        let info = DiscoInfoResult::try_from(info.parse::<Element>().unwrap()).unwrap();
        let hash = Sha1::digest(verification_string(&info));
        assert_eq!(hex::encode(hash), hex::encode(base64("QgayPKawpkPSDYmwT/WM94uAlu0=")));
    }

    fn base64(text: &str) -> Vec<u8> {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.decode(text).unwrap()
    }

    #[test]
    fn a_feature_stands_before_those_that_it_begins() {
        let string = verification_string(&own_info(&devices_of(&["9f2c41d07a5be380"])));
        let at = |part: &str| string.find(part).unwrap();
        assert!(at("urn:tributary:xmpp:0<") < at("urn:tributary:xmpp:0/state#"), "{string}");
    }

    #[test]
    fn hash_follows_the_devices() {
        let none = own_caps(&BTreeSet::new());
        let one = own_caps(&devices_of(&["9f2c41d07a5be380"]));
        assert_ne!(none.ver, one.ver, "the server would go on with the old list and push nothing");
        assert_eq!(one.ver, own_caps(&devices_of(&["9f2c41d07a5be380"])).ver);
    }

    #[test]
    fn pep_is_seen() {
        let with = "<query xmlns='http://jabber.org/protocol/disco#info'>\
            <identity category='account' type='registered'/><identity category='pubsub' type='pep'/></query>";
        let without = "<query xmlns='http://jabber.org/protocol/disco#info'>\
            <identity category='account' type='registered'/><feature var='http://jabber.org/protocol/pubsub'/></query>";
        assert!(has_pep(&with.parse().unwrap()));
        assert!(!has_pep(&without.parse().unwrap()), "a pubsub feature alone is no personal event store");
        assert!(!has_pep(&"<query xmlns='urn:other'/>".parse().unwrap()));
    }

    #[test]
    fn devices_are_found_among_other_nodes() {
        let answer = "<query xmlns='http://jabber.org/protocol/disco#items'>\
            <item jid='alice@p.test' node='urn:xmpp:avatar:metadata'/><item jid='alice@p.test'/>\
            <item jid='alice@p.test' node='urn:tributary:xmpp:0/state#9f2c41d07a5be380'/></query>";
        assert_eq!(devices(&answer.parse().unwrap()), devices_of(&["9f2c41d07a5be380"]));
    }

    #[test]
    fn endless_nodes_are_cut() {
        let items: String = (0..1000)
            .map(|at| format!("<item jid='a@p.test' node='urn:tributary:xmpp:0/state#{at:016x}'/>"))
            .collect();
        let answer = format!("<query xmlns='http://jabber.org/protocol/disco#items'>{items}</query>");
        assert_eq!(devices(&answer.parse().unwrap()).len(), MAX_DEVICES);
    }
}
