//! `<device tag='…'/>`: the mark in a presence that says which device is behind it.
//!
//! Source: this crate's README, "Presence".

use xmpp_parsers::minidom::Element;
use xmpp_parsers::presence::PresencePayload;
use xso::{AsXml, FromXml};

use super::NS;
use crate::account::DeviceTag;

/// The element; `tag` as it came, 16 lower-case hex digits when it is well formed.
#[derive(Debug, FromXml, AsXml)]
#[xml(namespace = NS, name = "device", on_unknown_attribute = Discard, on_unknown_child = Discard)]
pub(crate) struct Device {
    #[xml(attribute)]
    tag: String,
}

impl PresencePayload for Device {}

impl Device {
    /// Makes the element for our own presence.
    pub(crate) fn new(tag: DeviceTag) -> Device {
        Device { tag: tag.to_string() }
    }
}

/// Finds the tag among a presence's payloads; `None` when there is none or it is malformed.
pub(crate) fn find(payloads: &[Element]) -> Option<DeviceTag> {
    let element = payloads.iter().find(|child| child.is("device", NS))?;
    Device::try_from(element.clone()).ok()?.tag.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tag_comes_back() {
        let tag: DeviceTag = "9f2c41d07a5be380".parse().unwrap();
        let element = Element::from(Device::new(tag));
        insta::assert_snapshot!(super::super::text(element.clone()), @"<device xmlns='urn:tributary:xmpp:0' tag='9f2c41d07a5be380'/>");
        assert_eq!(find(&[element]), Some(tag));
    }

    #[test]
    fn malformed_tag_is_no_tag() {
        for text in ["", "9F2C41D07A5BE380", "9f2c", "9f2c41d07a5be38g", "9f2c41d07a5be38000"] {
            let element: Element = format!("<device xmlns='{NS}' tag='{text}'/>").parse().unwrap();
            assert_eq!(find(&[element]), None, "{text:?} must not pass for a tag: it becomes a node name");
        }
        let foreign: Element = "<device xmlns='urn:other' tag='9f2c41d07a5be380'/>".parse().unwrap();
        assert_eq!(find(&[foreign]), None, "another program's element says nothing about our devices");
    }
}
