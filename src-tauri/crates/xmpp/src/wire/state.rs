//! `<state>`: all that a device says about its folders, and the name of the node it is published on.
//!
//! Source: this crate's README, "The state of a device".

use xmpp_parsers::message::MessagePayload;
use xmpp_parsers::minidom::Element;
use xmpp_parsers::pubsub::PubSubPayload;
use xso::text::Base64;
use xso::{AsXml, FromXml};

use super::NS;
use crate::account::DeviceTag;
use crate::hints::sealed::MAX_SEALED;
use crate::hints::{Counter, FolderMarks, HintKeyId, SealedHint};

/// The most folders that a state speaks of: with their marks they take less than 8 KiB, which every server
/// passes and which keeps a burst of states within the strictest shipped rate limit.
pub(crate) const MAX_FOLDERS: usize = 64;

/// The most bytes of a state, as text.
const MAX_BYTES: usize = 8192;
/// What a state takes without its folders, one sealed hint besides its content, and one pair of marks.
const FRAME_BYTES: usize = 192;
const SEALED_BYTES: usize = 64;
const MARKS_BYTES: usize = 124;

/// A device's state on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct State {
    /// The publisher.
    pub(crate) device: DeviceTag,
    /// Its counter.
    pub(crate) counter: Counter,
    /// When it was published, in seconds since 1970: tells when a node was left behind.
    pub(crate) time: u64,
    /// At most [`MAX_FOLDERS`].
    pub(crate) marks: Vec<FolderMarks>,
    /// As many as fit.
    pub(crate) sealed: Vec<SealedHint>,
}

#[derive(FromXml, AsXml)]
#[xml(namespace = NS, name = "state", on_unknown_attribute = Discard, on_unknown_child = Discard)]
struct StateXml {
    #[xml(attribute)]
    tag: String,
    #[xml(attribute)]
    epoch: u64,
    #[xml(attribute)]
    seq: u64,
    #[xml(attribute(default))]
    time: u64,
    #[xml(child(n = ..))]
    folders: Vec<FolderXml>,
    #[xml(child(n = ..))]
    sealed: Vec<SealedXml>,
}

#[derive(FromXml, AsXml)]
#[xml(namespace = NS, name = "folder", on_unknown_attribute = Discard, on_unknown_child = Discard)]
struct FolderXml {
    #[xml(attribute(codec = Base64))]
    mark: Vec<u8>,
    #[xml(attribute(codec = Base64))]
    heads: Vec<u8>,
}

#[derive(FromXml, AsXml)]
#[xml(namespace = NS, name = "sealed", on_unknown_attribute = Discard, on_unknown_child = Discard)]
struct SealedXml {
    #[xml(attribute)]
    k: String,
    #[xml(text(codec = Base64))]
    sealed: Vec<u8>,
}

impl PubSubPayload for StateElement {}
impl MessagePayload for StateElement {}

/// A [`State`] as an element, to be put into a PEP item or a message.
pub(crate) struct StateElement(Element);

impl TryFrom<Element> for StateElement {
    type Error = xso::error::FromElementError;

    fn try_from(element: Element) -> Result<StateElement, Self::Error> {
        Ok(StateElement(element))
    }
}

impl From<StateElement> for Element {
    fn from(state: StateElement) -> Element {
        state.0
    }
}

impl State {
    /// The state as an element, of at most [`MAX_BYTES`]: what does not fit falls off the end. Marks are for devices that
    /// never paired, so where there are both, those that are sealed come first.
    pub(crate) fn to_element(&self) -> StateElement {
        let mut room = MAX_BYTES - FRAME_BYTES;
        let mut fits = |bytes: usize| {
            let left = room.checked_sub(bytes);
            room = left.unwrap_or(0);
            left.is_some()
        };
        let sealed: Vec<SealedXml> = self
            .sealed
            .iter()
            .take_while(|hint| fits(SEALED_BYTES + hint.sealed.len().div_ceil(3) * 4))
            .map(|hint| SealedXml { k: hex::encode(hint.key.0), sealed: hint.sealed.clone() })
            .collect();
        let folders = self.marks.iter().take(MAX_FOLDERS).take_while(|_| fits(MARKS_BYTES));
        StateElement(Element::from(StateXml {
            tag: self.device.to_string(),
            epoch: self.counter.epoch,
            seq: self.counter.seq,
            time: self.time,
            folders: folders
                .map(|m| FolderXml { mark: m.folder.to_vec(), heads: m.heads.to_vec() })
                .collect(),
            sealed,
        }))
    }

    /// Reads a state. Folders that are malformed, or made by a newer version, are skipped; `None` when it is
    /// no state at all.
    pub(crate) fn from_element(element: &Element) -> Option<State> {
        if !element.is("state", NS) {
            return None;
        }
        let xml = StateXml::try_from(element.clone()).ok()?;
        let marks = xml.folders.into_iter().take(MAX_FOLDERS).filter_map(|folder| {
            Some(FolderMarks { folder: folder.mark.try_into().ok()?, heads: folder.heads.try_into().ok()? })
        });
        let sealed = xml.sealed.into_iter().take(MAX_FOLDERS).filter_map(|hint| {
            let mut key = [0; 8];
            hex::decode_to_slice(&hint.k, &mut key).ok()?;
            (hint.sealed.len() <= MAX_SEALED)
                .then_some(SealedHint { key: HintKeyId(key), sealed: hint.sealed })
        });
        Some(State {
            sealed: sealed.collect(),
            device: xml.tag.parse().ok()?,
            counter: Counter { epoch: xml.epoch, seq: xml.seq },
            time: xml.time,
            marks: marks.collect(),
        })
    }
}

/// The node that a device publishes on: `NS/state#TAG`.
pub(crate) fn node(device: DeviceTag) -> String {
    format!("{NS}/state#{device}")
}

/// The device that publishes on a node; `None` when the node is not one of ours.
pub(crate) fn device_of_node(node: &str) -> Option<DeviceTag> {
    node.strip_prefix(NS)?.strip_prefix("/state#")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(folders: usize) -> State {
        let mark = |at: usize| FolderMarks { folder: [at as u8; 32], heads: [0xff; 32] };
        State {
            device: "9f2c41d07a5be380".parse().unwrap(),
            counter: Counter { epoch: 1_795_000_000, seq: 7 },
            time: 1_795_400_000,
            marks: (0..folders).map(mark).collect(),
            sealed: Vec::new(),
        }
    }

    #[test]
    fn state_comes_back() {
        let element = Element::from(state(1).to_element());
        insta::assert_snapshot!(super::super::text(element.clone()), @"<state xmlns='urn:tributary:xmpp:0' epoch='1795000000' seq='7' tag='9f2c41d07a5be380' time='1795400000'><folder heads='//////////////////////////////////////////8=' mark='AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA='/></state>");
        assert_eq!(State::from_element(&element), Some(state(1)));
    }

    #[test]
    fn largest_state_fits_in_eight_kib() {
        let text = super::super::text(state(MAX_FOLDERS + 10).to_element());
        assert!(text.len() <= 8192, "{} bytes would break the limit that the README promises", text.len());
        let read = State::from_element(&text.parse().unwrap()).unwrap();
        assert_eq!(read.marks, state(MAX_FOLDERS).marks, "what does not fit falls off the end");
    }

    #[test]
    fn sealed_hints_come_back_as_far_as_they_fit() {
        let hint = |at: usize| SealedHint { key: HintKeyId([at as u8; 8]), sealed: vec![at as u8; 260] };
        let both =
            |sealed: usize, folders| State { sealed: (0..sealed).map(hint).collect(), ..state(folders) };
        let read = |state: &State| {
            let text = super::super::text(state.to_element());
            assert!(text.len() <= 8192, "{} bytes", text.len());
            State::from_element(&text.parse().unwrap()).unwrap()
        };
        assert_eq!(read(&both(3, 2)), both(3, 2));
        let full = read(&both(100, 100));
        assert!(full.sealed.len() >= 18, "{}", full.sealed.len());
        assert_eq!(full.sealed, both(full.sealed.len(), 0).sealed, "those changed last stay");
        let bad = format!(
            "<state xmlns='{NS}' tag='9f2c41d07a5be380' epoch='1' seq='2'><sealed k='xyz'>AAAA</sealed>\
             <sealed k='0000000000000000'>{}</sealed></state>",
            "AAAA".repeat(2000)
        );
        assert_eq!(State::from_element(&bad.parse().unwrap()).unwrap().sealed, []);
    }

    #[test]
    fn what_a_newer_version_adds_is_skipped() {
        let text = format!(
            "<state xmlns='{NS}' tag='9f2c41d07a5be380' epoch='1' seq='2' colour='red'>\
             <sealed k='0011'>AAAA</sealed><folder mark='AAAA' heads='AAAA'/></state>"
        );
        let read = State::from_element(&text.parse().unwrap()).unwrap();
        assert_eq!(read.counter, Counter { epoch: 1, seq: 2 });
        assert!(read.marks.is_empty(), "a mark that has not 32 bytes is none");
    }

    #[test]
    fn garbage_is_no_state() {
        for text in [
            format!("<state xmlns='{NS}'/>"),
            format!("<state xmlns='{NS}' tag='x' epoch='1' seq='2'/>"),
            format!("<state xmlns='{NS}' tag='9f2c41d07a5be380' epoch='-1' seq='2'/>"),
            format!("<state xmlns='{NS}' tag='9f2c41d07a5be380' epoch='1' seq='18446744073709551616'/>"),
            "<state xmlns='urn:other' tag='9f2c41d07a5be380' epoch='1' seq='2'/>".to_owned(),
        ] {
            assert_eq!(State::from_element(&text.parse().unwrap()), None, "{text}");
        }
    }

    #[test]
    fn nodes_name_devices() {
        let tag: DeviceTag = "9f2c41d07a5be380".parse().unwrap();
        assert_eq!(node(tag), "urn:tributary:xmpp:0/state#9f2c41d07a5be380");
        assert_eq!(device_of_node(&node(tag)), Some(tag));
        for other in
            ["", "urn:tributary:xmpp:0/state#", "urn:xmpp:avatar:data", "urn:tributary:xmpp:0/state#../x"]
        {
            assert_eq!(device_of_node(other), None, "{other:?}");
        }
    }
}
