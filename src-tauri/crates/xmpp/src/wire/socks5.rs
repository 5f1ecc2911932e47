//! SOCKS5 bytestreams: their requests to values and back.
//!
//! Source: XEP-0065 1.8.2, sections 3 to 6.

use xmpp_parsers::disco::DiscoInfoResult;
use xmpp_parsers::minidom::Element;
use xmpp_parsers::minidom::rxml::{Namespace, NcName};

use super::NS;

/// The namespace.
pub(crate) const BYTESTREAMS: &str = "http://jabber.org/protocol/bytestreams";
/// Longest name of a stream, and of a host, that is taken from others.
const MAX_NAME: usize = 255;
/// Most places that are looked at in one offer.
pub(crate) const MAX_HOSTS: usize = 8;

/// A place where the two ends can meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StreamHost {
    /// Whose it is: that of the one who offers, or a proxy's.
    pub(crate) jid: String,
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// What another client offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(crate) stream: String,
    pub(crate) hosts: Vec<StreamHost>,
}

/// What another client wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wish {
    /// That we come to it.
    Take(Offer),
    /// That we offer it the stream of this name, since it cannot be come to.
    Make(String),
}

/// Whether a request is about such streams.
pub(crate) fn is_about(payload: &Element) -> bool {
    payload.is("query", BYTESTREAMS) || payload.is("meet", NS)
}

/// Reads what is wanted; `None` when it makes no sense.
pub(crate) fn read_wish(payload: &Element) -> Option<Wish> {
    match payload.is("meet", NS) {
        true => name(payload).map(Wish::Make),
        false => read_offer(payload).map(Wish::Take),
    }
}

/// Asks for an offer of the stream of this name, and answers that it was made and taken. Source: this crate's README,
/// "SOCKS5 bytestreams".
pub(crate) fn meet(stream: &str) -> Element {
    element(NS, "meet", &[("sid", stream)])
}

/// The stream's name in a request.
fn name(payload: &Element) -> Option<String> {
    payload.attr("sid").filter(|name| !name.is_empty() && name.len() <= MAX_NAME).map(str::to_owned)
}

/// Reads an offer; `None` when it makes no sense. Places that make none are passed over, and so are too many.
fn read_offer(payload: &Element) -> Option<Offer> {
    let stream = name(payload)?;
    let udp = payload.attr("mode").is_some_and(|mode| mode != "tcp");
    let hosts = hosts(payload);
    (payload.is("query", BYTESTREAMS) && !udp && !hosts.is_empty()).then_some(Offer { stream, hosts })
}

/// The places in a query.
pub(crate) fn hosts(payload: &Element) -> Vec<StreamHost> {
    let text = |element: &Element, name: &str| {
        element.attr(name).filter(|text| !text.is_empty() && text.len() <= MAX_NAME).map(str::to_owned)
    };
    let read = |element: &Element| {
        let port = element.attr("port")?.parse().ok().filter(|port| *port != 0)?;
        // A whole address may be longer than a name.
        let jid = element.attr("jid").filter(|jid| jid.len() <= 3071)?.to_owned();
        Some(StreamHost { jid, host: text(element, "host")?, port })
    };
    let found = payload.children().filter(|child| child.is("streamhost", BYTESTREAMS));
    found.filter_map(read).take(MAX_HOSTS).collect()
}

/// An offer.
pub(crate) fn offer(offer: &Offer) -> Element {
    let place = |host: &StreamHost| {
        let port = host.port.to_string();
        element(BYTESTREAMS, "streamhost", &[("jid", &host.jid), ("host", &host.host), ("port", &port)])
    };
    let mut query = element(BYTESTREAMS, "query", &[("sid", &offer.stream), ("mode", "tcp")]);
    offer.hosts.iter().for_each(|host| _ = query.append_child(place(host)));
    query
}

/// The answer: we are at this place.
pub(crate) fn used(stream: &str, jid: &str) -> Element {
    let mut query = element(BYTESTREAMS, "query", &[("sid", stream)]);
    query.append_child(element(BYTESTREAMS, "streamhost-used", &[("jid", jid)]));
    query
}

/// Whose place an answer names.
pub(crate) fn read_used(payload: &Element) -> Option<&str> {
    payload.get_child("streamhost-used", BYTESTREAMS)?.attr("jid")
}

/// The question to a proxy where it is.
pub(crate) fn where_are_you() -> Element {
    Element::bare("query", BYTESTREAMS)
}

/// Tells a proxy that both ends are there.
pub(crate) fn activate(stream: &str, target: &str) -> Element {
    let mut query = element(BYTESTREAMS, "query", &[("sid", stream)]);
    let mut activate = element(BYTESTREAMS, "activate", &[]);
    activate.append_text_node(target);
    query.append_child(activate);
    query
}

fn element(namespace: &str, name: &str, attributes: &[(&str, &str)]) -> Element {
    let mut element = Element::bare(name, namespace);
    for (name, value) in attributes {
        let name = NcName::try_from(*name).expect("our own names are proper ones");
        element.set_attr(Namespace::NONE, name, *value);
    }
    element
}

/// Whether a service says that it is such a proxy.
pub(crate) fn is_proxy(info: &DiscoInfoResult) -> bool {
    info.identities.iter().any(|identity| identity.category == "proxy" && identity.type_ == "bytestreams")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(jid: &str, host: &str, port: u16) -> StreamHost {
        StreamHost { jid: jid.to_owned(), host: host.to_owned(), port }
    }

    fn reads(xml: &str) -> Option<Offer> {
        read_offer(&xml.replacen(" ", " xmlns='http://jabber.org/protocol/bytestreams' ", 1).parse().unwrap())
    }

    #[test]
    fn offers_come_back() {
        let made = Offer {
            stream: "t1".to_owned(),
            hosts: vec![host("a@p.test/x", "192.0.2.1", 4000), host("proxy.p.test", "proxy.p.test", 7777)],
        };
        insta::assert_snapshot!(super::super::text(offer(&made)), @"<query xmlns='http://jabber.org/protocol/bytestreams' mode='tcp' sid='t1'><streamhost host='192.0.2.1' jid='a@p.test/x' port='4000'/><streamhost host='proxy.p.test' jid='proxy.p.test' port='7777'/></query>");
        assert_eq!(read_offer(&offer(&made)), Some(made));
        assert_eq!(read_used(&used("t1", "proxy.p.test")), Some("proxy.p.test"));
        insta::assert_snapshot!(super::super::text(activate("t1", "b@p.test/y")), @"<query xmlns='http://jabber.org/protocol/bytestreams' sid='t1'><activate>b@p.test/y</activate></query>");
    }

    #[test]
    fn an_offer_may_be_asked_for() {
        insta::assert_snapshot!(super::super::text(meet("t1")), @"<meet xmlns='urn:tributary:xmpp:0' sid='t1'/>");
        assert!(is_about(&meet("t1")));
        assert_eq!(read_wish(&meet("t1")), Some(Wish::Make("t1".to_owned())));
        for wrong in ["".to_owned(), "x".repeat(300)] {
            assert_eq!(read_wish(&meet(&wrong)), None, "{wrong}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_passed_over() {
        let place = "<streamhost jid='a@p.test/x' host='h' port='1'/>";
        assert!(reads(&format!("<query sid='t1'>{place}</query>")).is_some());
        let many = reads(&format!("<query sid='t1'>{}</query>", place.repeat(100))).unwrap();
        assert_eq!(many.hosts.len(), MAX_HOSTS);
        for wrong in [
            format!("<query sid=''>{place}</query>"),
            format!("<query sid='{}'>{place}</query>", "x".repeat(300)),
            format!("<query sid='t1' mode='udp'>{place}</query>"),
            "<query sid='t1'/>".to_owned(),
            "<query sid='t1'><streamhost jid='a' host='h' port='0'/></query>".to_owned(),
            "<query sid='t1'><streamhost jid='a' host='h' port='65536'/></query>".to_owned(),
            "<query sid='t1'><streamhost jid='a' host='' port='1'/></query>".to_owned(),
            "<query sid='t1'><streamhost host='h' port='1'/></query>".to_owned(),
        ] {
            assert_eq!(reads(&wrong), None, "{wrong}");
        }
    }
}
