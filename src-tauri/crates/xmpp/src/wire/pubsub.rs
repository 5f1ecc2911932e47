//! Publishing and reading states in the account's personal event store (PEP): one node per device, one item.
//!
//! `publish-options` ask for nothing but what every server can give: ejabberd refuses more than one item.
//! Source: XEP-0060 1.26, XEP-0163 1.2.2.

use xmpp_parsers::data_forms::{DataForm, DataFormType, Field};
use xmpp_parsers::iq::Iq;
use xmpp_parsers::message::Message;
use xmpp_parsers::minidom::Element;
use xmpp_parsers::ns;
use xmpp_parsers::pubsub::event::{Event, Payload as EventPayload};
use xmpp_parsers::pubsub::owner::{Owner, Payload as OwnerPayload};
use xmpp_parsers::pubsub::pubsub::{Item, Items, Publish, PublishOptions};
use xmpp_parsers::pubsub::{ItemId, NodeName, PubSub};
use xmpp_parsers::stanza_error::{DefinedCondition, StanzaError};

use super::state::{self, State};
use crate::account::{BareJid, DeviceTag};

/// The one item of a node.
const ITEM: &str = "current";

/// The form of publish-options, which xmpp-parsers does not name.
const PUBLISH_OPTIONS: &str = "http://jabber.org/protocol/pubsub#publish-options";

/// The request that publishes a state on its device's node, which it makes when missing.
pub(crate) fn publish(id: &str, state: &State) -> Iq {
    let publish = Publish {
        node: NodeName(state::node(state.device)),
        items: vec![Item::new(Some(ItemId(ITEM.to_owned())), None, Some(state.to_element()))],
    };
    let options = PublishOptions { form: Some(form(PUBLISH_OPTIONS)) };
    Iq::from_set(id, PubSub::Publish { publish, publish_options: Some(options) })
}

/// The request that sets an existing node right, after the server refused [`publish`] because of its options.
pub(crate) fn configure(id: &str, device: DeviceTag) -> Iq {
    let node = Some(NodeName(state::node(device)));
    Iq::from_set(
        id,
        Owner { payload: OwnerPayload::Configure { node, form: Some(form(ns::PUBSUB_CONFIGURE)) } },
    )
}

/// The request for the state on a device's node.
pub(crate) fn fetch(id: &str, device: DeviceTag) -> Iq {
    let mut items = Items::new(&state::node(device));
    items.max_items = Some(1);
    Iq::from_get(id, PubSub::Items(items))
}

/// The request that deletes the node of a device that is gone for good.
pub(crate) fn delete(id: &str, device: DeviceTag) -> Iq {
    let node = NodeName(state::node(device));
    Iq::from_set(id, Owner { payload: OwnerPayload::Delete { node, redirect_uri: None } })
}

/// What a refused publish calls for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The node stands with other options: configure it, then publish again.
    OtherOptions,
    /// The server has no such store for us.
    NoStore,
    /// Not now (limits, trouble): again later.
    Later,
}

/// Reads why a publish was refused.
pub(crate) fn refusal(error: &StanzaError) -> Refusal {
    match error.defined_condition {
        DefinedCondition::Conflict | DefinedCondition::NotAllowed => Refusal::OtherOptions,
        DefinedCondition::FeatureNotImplemented | DefinedCondition::ServiceUnavailable => Refusal::NoStore,
        _ if error.other.as_ref().is_some_and(|e| e.name() == "precondition-not-met") => {
            Refusal::OtherOptions
        }
        _ => Refusal::Later,
    }
}

/// The state in the answer to [`fetch`]; `None` when the node is empty or holds something else than what its
/// device may say.
pub(crate) fn fetched(answer: &Element, device: DeviceTag) -> Option<State> {
    // Child by child: ejabberd adds a page count, over which xmpp-parsers refuses the whole answer.
    let items = answer.get_child("items", ns::PUBSUB)?;
    let payload = Items::try_from(items.clone()).ok()?.items.into_iter().next_back()?.payload?;
    State::from_element(&payload).filter(|state| state.device == device)
}

/// The state in a pushed event; `None` for every other message. Only the own account's store is believed.
pub(crate) fn pushed(message: &Message, account: &BareJid) -> Option<State> {
    let from = message.from.as_ref()?;
    if *from != account.0 {
        return None;
    }
    let event = message.payloads.iter().find(|child| child.is("event", ns::PUBSUB_EVENT))?;
    let EventPayload::Items { node, published, .. } = Event::try_from(event.clone()).ok()?.payload else {
        return None;
    };
    let device = state::device_of_node(&node.0)?;
    let payload = published.into_iter().next_back()?.payload?;
    State::from_element(&payload).filter(|state| state.device == device)
}

fn form(form_type: &str) -> DataForm {
    let fields = vec![
        Field::text_single("pubsub#access_model", "presence"),
        Field::text_single("pubsub#persist_items", "true"),
    ];
    DataForm::new(DataFormType::Submit, form_type, fields)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hints::Counter;

    fn tag() -> DeviceTag {
        "9f2c41d07a5be380".parse().unwrap()
    }

    fn state(device: DeviceTag) -> State {
        State {
            device,
            counter: Counter { epoch: 3, seq: 7 },
            time: 11,
            marks: Vec::new(),
            sealed: Vec::new(),
        }
    }

    #[test]
    fn requests() {
        insta::assert_snapshot!(super::super::text(publish("p1", &state(tag()))), @"<iq xmlns='jabber:client' id='p1' type='set'><pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='urn:tributary:xmpp:0/state#9f2c41d07a5be380'><item id='current'><state xmlns='urn:tributary:xmpp:0' epoch='3' seq='7' tag='9f2c41d07a5be380' time='11'/></item></publish><publish-options><x xmlns='jabber:x:data' type='submit'><field type='hidden' var='FORM_TYPE'><value>http://jabber.org/protocol/pubsub#publish-options</value></field><field var='pubsub#access_model'><value>presence</value></field><field var='pubsub#persist_items'><value>true</value></field></x></publish-options></pubsub></iq>");
        insta::assert_snapshot!(super::super::text(configure("c1", tag())), @"<iq xmlns='jabber:client' id='c1' type='set'><pubsub xmlns='http://jabber.org/protocol/pubsub#owner'><configure node='urn:tributary:xmpp:0/state#9f2c41d07a5be380'><x xmlns='jabber:x:data' type='submit'><field type='hidden' var='FORM_TYPE'><value>http://jabber.org/protocol/pubsub#node_config</value></field><field var='pubsub#access_model'><value>presence</value></field><field var='pubsub#persist_items'><value>true</value></field></x></configure></pubsub></iq>");
        insta::assert_snapshot!(super::super::text(fetch("f1", tag())), @"<iq xmlns='jabber:client' id='f1' type='get'><pubsub xmlns='http://jabber.org/protocol/pubsub'><items max_items='1' node='urn:tributary:xmpp:0/state#9f2c41d07a5be380'/></pubsub></iq>");
        insta::assert_snapshot!(super::super::text(delete("d1", tag())), @"<iq xmlns='jabber:client' id='d1' type='set'><pubsub xmlns='http://jabber.org/protocol/pubsub#owner'><delete node='urn:tributary:xmpp:0/state#9f2c41d07a5be380'/></pubsub></iq>");
    }

    fn event(from: &str, node: DeviceTag, state: &State) -> Message {
        let payload = super::super::text(state.to_element());
        let xml = format!(
            "<message xmlns='jabber:client' from='{from}'><event xmlns='{}'><items node='{}'>\
             <item id='current'>{payload}</item></items></event></message>",
            ns::PUBSUB_EVENT,
            state::node(node),
        );
        Message::try_from(xml.parse::<Element>().unwrap()).unwrap()
    }

    #[test]
    fn events_are_read_from_the_own_account_only() {
        let account: BareJid = "alice@p.test".parse().unwrap();
        let other: DeviceTag = "00000000000000aa".parse().unwrap();
        let good = event("alice@p.test", tag(), &state(tag()));
        assert_eq!(pushed(&good, &account), Some(state(tag())));
        let stranger = event("mallory@p.test", tag(), &state(tag()));
        assert_eq!(pushed(&stranger, &account), None, "a stranger's store must not speak for our devices");
        let client = event("alice@p.test/x", tag(), &state(tag()));
        assert_eq!(pushed(&client, &account), None, "the store speaks as the account, a client does not");
        let swapped = event("alice@p.test", other, &state(tag()));
        assert_eq!(pushed(&swapped, &account), None, "a device speaks on its own node only");
    }

    #[test]
    fn other_messages_are_passed_over() {
        let account: BareJid = "alice@p.test".parse().unwrap();
        for inner in [
            "<body>hello</body>".to_owned(),
            format!("<event xmlns='{}'><purge node='x'/></event>", ns::PUBSUB_EVENT),
            format!("<event xmlns='{}'><items node='x'/></event>", ns::PUBSUB_EVENT),
            format!("<event xmlns='{}'/>", ns::PUBSUB_EVENT),
        ] {
            let xml = format!("<message xmlns='jabber:client' from='alice@p.test'>{inner}</message>");
            let message = Message::try_from(xml.parse::<Element>().unwrap()).unwrap();
            assert_eq!(pushed(&message, &account), None, "{inner}");
        }
    }

    #[test]
    fn answers_are_read() {
        let payload = super::super::text(state(tag()).to_element());
        let answer = |items: &str| -> Element {
            format!(
                "<pubsub xmlns='{}'><items node='{}'>{items}</items></pubsub>",
                ns::PUBSUB,
                state::node(tag())
            )
            .parse()
            .unwrap()
        };
        let one = answer(&format!("<item id='current'>{payload}</item>"));
        assert_eq!(fetched(&one, tag()), Some(state(tag())));
        let counted = super::super::text(one.clone())
            .replace("<items", "<set xmlns='http://jabber.org/protocol/rsm'><count>1</count></set><items");
        assert_eq!(
            fetched(&counted.parse().unwrap(), tag()),
            Some(state(tag())),
            "as ejabberd 23.01 answers"
        );
        assert_eq!(fetched(&answer(""), tag()), None);
        assert_eq!(fetched(&one, "00000000000000aa".parse().unwrap()), None, "asked for another device");
    }

    #[test]
    fn refusals_are_told_apart() {
        let error = |inner: &str| -> StanzaError {
            let xml = format!("<error xmlns='jabber:client' type='cancel'>{inner}</error>");
            StanzaError::try_from(xml.parse::<Element>().unwrap()).unwrap()
        };
        let stanzas = ns::XMPP_STANZAS;
        assert_eq!(refusal(&error(&format!("<conflict xmlns='{stanzas}'/>"))), Refusal::OtherOptions);
        let precondition = format!(
            "<not-acceptable xmlns='{stanzas}'/><precondition-not-met xmlns='{}'/>",
            "http://jabber.org/protocol/pubsub#errors"
        );
        assert_eq!(refusal(&error(&precondition)), Refusal::OtherOptions);
        assert_eq!(refusal(&error(&format!("<service-unavailable xmlns='{stanzas}'/>"))), Refusal::NoStore);
        assert_eq!(refusal(&error(&format!("<resource-constraint xmlns='{stanzas}'/>"))), Refusal::Later);
    }
}
