//! States in messages, for accounts without a personal event store: to the full addresses of the own devices
//! that are online, never to the account, where the person's chat program would get them.
//!
//! Source: RFC 6121 section 5.2.2 (`headline` is not stored offline), XEP-0334 0.3.0 (`no-store`).

use xmpp_parsers::message::{Message, MessageType};
use xmpp_parsers::minidom::Element;

use super::state::State;
use crate::account::{BareJid, FullJid};

/// Message processing hints, which xmpp-parsers does not have.
const HINTS: &str = "urn:xmpp:hints";

/// The message that brings a state to a client.
pub(crate) fn message(to: &FullJid, state: &State) -> Message {
    let mut message = Message::new_with_type(MessageType::Headline, Some(to.0.clone().into()));
    message.payloads = vec![state.to_element().into(), Element::bare("no-store", HINTS)];
    message
}

/// The state in a message from another client of the own account; `None` for every other message.
pub(crate) fn read(message: &Message, account: &BareJid) -> Option<State> {
    let from = message.from.as_ref()?.try_as_full().ok()?;
    if message.type_ != MessageType::Headline || from.to_bare() != account.0 {
        return None;
    }
    message.payloads.iter().find_map(State::from_element)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hints::Counter;

    fn state() -> State {
        let device = "9f2c41d07a5be380".parse().unwrap();
        State {
            device,
            counter: Counter { epoch: 3, seq: 7 },
            time: 11,
            marks: Vec::new(),
            sealed: Vec::new(),
        }
    }

    #[test]
    fn state_travels_without_a_store() {
        let account: BareJid = "alice@p.test".parse().unwrap();
        let mut sent = message(&"alice@p.test/trib-2".parse().unwrap(), &state());
        insta::assert_snapshot!(super::super::text(sent.clone()), @"<message xmlns='jabber:client' to='alice@p.test/trib-2' type='headline'><state xmlns='urn:tributary:xmpp:0' epoch='3' seq='7' tag='9f2c41d07a5be380' time='11'/><no-store xmlns='urn:xmpp:hints'/></message>");
        sent.from = Some("alice@p.test/trib-1".parse().unwrap());
        assert_eq!(read(&sent, &account), Some(state()));
        sent.from = Some("mallory@p.test/trib-1".parse().unwrap());
        assert_eq!(read(&sent, &account), None, "only the own account speaks for its devices");
        sent.from = Some("alice@p.test/trib-1".parse().unwrap());
        sent.type_ = MessageType::Chat;
        assert_eq!(read(&sent, &account), None, "what looks like chat is the person's, not ours");
    }
}
