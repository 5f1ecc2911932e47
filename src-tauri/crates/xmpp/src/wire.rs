//! Stanzas: values to elements and back, a file per extension. No I/O and no clock, so every rule about
//! what a server may send us is a plain test.

pub(crate) mod answer;
pub(crate) mod device;
pub(crate) mod disco;
pub(crate) mod headline;
pub(crate) mod ibb;
pub(crate) mod pair;
pub(crate) mod presence;
pub(crate) mod pubsub;
pub(crate) mod roster;
pub(crate) mod socks5;
pub(crate) mod state;
pub(crate) mod upload;

/// The namespace of this protocol. The number grows with an incompatible change; what an older version does
/// not know inside it is skipped.
pub(crate) const NS: &str = "urn:tributary:xmpp:0";

/// Element as text, as it is on the wire.
#[cfg(test)]
pub(crate) fn text(element: impl Into<xmpp_parsers::minidom::Element>) -> String {
    String::from(&element.into())
}
