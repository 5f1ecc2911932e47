//! The conversation without a server: what is said after which stanza.

use super::*;
use crate::hints::Counter;

const OWN: &str = "9f2c41d07a5be380";
const OTHER: &str = "00000000000000aa";
const REPLY: Duration = Duration::from_secs(30);
/// Seconds since 1970 in these tests.
const CLOCK: u64 = 1_795_400_000;

struct Talk {
    it: Conversation,
    now: Now,
}

impl Talk {
    /// A session that has begun, its greetings taken.
    fn begun() -> Talk {
        let tick = Instant::now();
        let account = "alice@p.test".parse().unwrap();
        let limits = crate::ibb::streams::Limits { reply: REPLY, stall: REPLY, quiet: REPLY };
        let streams = Streams::new(limits, Default::default(), Default::default());
        let desk = Desk::new(Default::default(), REPLY);
        let socks5 = Exchange::new(Default::default(), Default::default(), REPLY);
        let it = Conversation::new(account, OWN.parse().unwrap(), REPLY, streams, desk, socks5, tick);
        let mut talk = Talk { it, now: Now { tick, clock: CLOCK } };
        talk.it.fresh("alice@p.test/trib-1".parse().unwrap(), talk.now);
        talk
    }

    fn hears(&mut self, xml: &str) {
        let open = xml.find([' ', '>']).unwrap();
        let element: Element =
            format!("{} xmlns='jabber:client'{}", &xml[..open], &xml[open..]).parse().unwrap();
        let stanza = match element.name() {
            "iq" => Iq::try_from(element).unwrap().into(),
            "presence" => Presence::try_from(element).unwrap().into(),
            _ => Message::try_from(element).unwrap().into(),
        };
        self.it.stanza(stanza, self.now);
    }

    /// What is sent and told, as text.
    fn acts(&mut self) -> Vec<String> {
        self.it.tick(self.now);
        let text = |act| match act {
            Act::Send(stanza) => String::from(&match *stanza {
                Stanza::Iq(iq) => Element::from(iq),
                Stanza::Presence(presence) => presence.into(),
                Stanza::Message(message) => message.into(),
            }),
            Act::Tell(event) => format!("{event:?}"),
        };
        self.it.take_acts().into_iter().map(text).collect()
    }

    /// The id of the one request among `acts` that has this in it.
    fn id(acts: &[String], part: &str) -> String {
        let found: Vec<&String> =
            acts.iter().filter(|act| act.contains(part) && act.contains(" id='")).collect();
        assert_eq!(found.len(), 1, "one request with {part} in {acts:#?}");
        let from = found[0].find(" id='").unwrap() + 5;
        found[0][from..].split('\'').next().unwrap().to_owned()
    }

    /// Answers the questions of the beginning: there is a store, and nothing in it.
    fn with_store(&mut self) {
        let acts = self.acts();
        let info = "<query xmlns='http://jabber.org/protocol/disco#info'><identity category='pubsub' type='pep'/></query>";
        self.hears(&format!("<iq type='result' id='{}'>{info}</iq>", Self::id(&acts, "disco#info")));
        self.hears(&not_found(&Self::id(&acts, "<items")));
    }
}

fn not_found(id: &str) -> String {
    refused(id, "item-not-found")
}

fn refused(id: &str, condition: &str) -> String {
    let stanzas = xmpp_parsers::ns::XMPP_STANZAS;
    format!("<iq type='error' id='{id}'><error type='cancel'><{condition} xmlns='{stanzas}'/></error></iq>")
}

fn state(seq: u64) -> DeviceState {
    DeviceState { counter: Counter { epoch: 1, seq }, folders: Vec::new() }
}

fn answer(id: &str, device: &str, seq: u64, time: u64) -> String {
    let tag = device.parse().unwrap();
    let state = State {
        device: tag,
        counter: Counter { epoch: 1, seq },
        time,
        marks: Vec::new(),
        sealed: Vec::new(),
    };
    let state = crate::wire::text(state.to_element());
    let node = crate::wire::state::node(tag);
    format!(
        "<iq type='result' id='{id}'><pubsub xmlns='http://jabber.org/protocol/pubsub'>\
         <items node='{node}'><item id='current'>{state}</item></items></pubsub></iq>"
    )
}

fn presence(device: &str) -> String {
    format!(
        "<presence from='alice@p.test/trib-2'><device xmlns='urn:tributary:xmpp:0' tag='{device}'/></presence>"
    )
}

#[test]
fn a_session_begins_with_presence_and_questions() {
    let acts = Talk::begun().acts();
    let kinds = ["FreshSession", "<presence", "disco#info'/>", "disco#items'/>", "<items max_items='1'"];
    assert_eq!(acts.len(), kinds.len(), "{acts:#?}");
    for (act, kind) in acts.iter().zip(kinds) {
        assert!(act.contains(kind), "{kind} in {act}");
    }
}

#[test]
fn nothing_is_published_before_the_store_was_read() {
    let mut talk = Talk::begun();
    talk.it.publish(state(3));
    talk.it.fresh("alice@p.test/trib-1".parse().unwrap(), talk.now);
    talk.it.take_acts();
    assert!(!talk.acts().iter().any(|act| act.contains("<publish")));
    let mut talk = Talk::begun();
    talk.with_store();
    talk.it.publish(state(3));
    let publish = Talk::id(&talk.acts(), "<publish ");
    talk.hears(&format!("<iq type='result' id='{publish}'/>"));
    assert!(talk.acts().is_empty(), "it is there: silence");
}

#[test]
fn a_new_device_is_looked_at_once() {
    let mut talk = Talk::begun();
    talk.with_store();
    talk.acts();
    talk.hears(&presence(OTHER));
    let acts = talk.acts();
    assert!(acts[0].starts_with("<presence"), "the server learns whose states to push: {acts:#?}");
    let fetch = Talk::id(&acts, &format!("state#{OTHER}'/>"));
    assert!(acts.iter().any(|act| act.starts_with("PeerPresence") && act.contains("online: true")));
    talk.hears(&presence(OTHER));
    assert!(talk.acts().is_empty(), "a presence said twice is no news");
    talk.hears(&answer(&fetch, OTHER, 7, CLOCK));
    assert!(talk.acts().iter().any(|act| act.starts_with("Hint") && act.contains("seq: 7")));
    talk.hears("<presence from='alice@p.test/trib-2' type='unavailable'/>");
    assert!(talk.acts()[0].contains("online: false"));
}

#[test]
fn answers_of_strangers_do_not_count() {
    let mut talk = Talk::begun();
    talk.with_store();
    talk.hears(&presence(OTHER));
    let fetch = Talk::id(&talk.acts(), &format!("state#{OTHER}'/>"));
    let forged = answer(&fetch, OTHER, 9, CLOCK).replace("<iq ", "<iq from='mallory@q.test/x' ");
    talk.hears(&forged);
    assert!(talk.acts().is_empty());
    talk.hears(&answer(&fetch, OTHER, 7, CLOCK));
    assert_eq!(talk.acts().len(), 1, "the true answer still counts");
}

#[test]
fn a_node_left_behind_is_deleted() {
    let mut talk = Talk::begun();
    talk.with_store();
    talk.hears(&presence(OTHER));
    let fetch = Talk::id(&talk.acts(), &format!("state#{OTHER}'/>"));
    talk.hears(&answer(&fetch, OTHER, 7, CLOCK - 91 * 24 * 3600));
    let acts = talk.acts();
    assert!(acts.len() == 1 && acts[0].contains("<delete"), "{acts:#?}");
}

#[test]
fn an_own_node_that_grows_old_is_written_again() {
    let mut talk = Talk::begun();
    let acts = talk.acts();
    talk.it.store = Store::Pep;
    talk.it.outbox.put(state(3));
    talk.it.outbox.fresh_session();
    talk.hears(&answer(&Talk::id(&acts, "<items"), OWN, 3, CLOCK - 31 * 24 * 3600));
    Talk::id(&talk.acts(), "<publish ");
}

#[test]
fn other_options_are_set_right_once() {
    let mut talk = Talk::begun();
    talk.with_store();
    talk.it.publish(state(1));
    let publish = Talk::id(&talk.acts(), "<publish ");
    talk.hears(&refused(&publish, "conflict"));
    let configure = Talk::id(&talk.acts(), "<configure ");
    talk.hears(&format!("<iq type='result' id='{configure}'/>"));
    let publish = Talk::id(&talk.acts(), "<publish ");
    talk.hears(&refused(&publish, "conflict"));
    assert!(talk.acts().is_empty(), "a server that refuses on is left alone for a while");
}

#[test]
fn without_a_store_the_devices_are_told() {
    let mut talk = Talk::begun();
    talk.with_store();
    talk.it.publish(state(1));
    let publish = Talk::id(&talk.acts(), "<publish ");
    talk.hears(&refused(&publish, "service-unavailable"));
    talk.acts();
    talk.hears(&presence(OTHER));
    let acts = talk.acts();
    let headline = acts.iter().find(|act| act.starts_with("<message")).expect("who comes is told");
    assert!(headline.contains("to='alice@p.test/trib-2'") && headline.contains("type='headline'"));
    talk.it.publish(state(2));
    assert!(talk.acts().iter().any(|act| act.starts_with("<message") && act.contains("seq='2'")));
}

#[test]
fn a_silent_server_is_asked_again() {
    let mut talk = Talk::begun();
    talk.with_store();
    talk.it.publish(state(1));
    Talk::id(&talk.acts(), "<publish ");
    talk.now.tick += REPLY;
    talk.acts();
    talk.now.tick += Duration::from_secs(10);
    Talk::id(&talk.acts(), "<publish ");
}

#[test]
fn an_interruption_costs_no_request_its_time() {
    let mut talk = Talk::begun();
    talk.with_store();
    talk.it.publish(state(1));
    let publish = Talk::id(&talk.acts(), "<publish ");
    talk.it.interrupted();
    talk.now.tick += REPLY * 10;
    assert!(talk.acts().is_empty());
    talk.it.resumed(talk.now);
    assert!(talk.acts().is_empty(), "the answer may be on its way");
    talk.hears(&format!("<iq type='result' id='{publish}'/>"));
    assert!(talk.acts().is_empty());
}

#[test]
fn chat_is_not_ours() {
    let mut talk = Talk::begun();
    talk.with_store();
    talk.acts();
    talk.hears("<message from='bob@p.test/phone' type='chat' id='1'><body>hello</body></message>");
    talk.hears("<presence from='bob@p.test' type='subscribe'/>");
    assert!(talk.acts().is_empty(), "neither shown nor answered");
}

#[test]
fn what_came_before_the_server_knew_our_wishes_is_fetched() {
    let mut talk = Talk::begun();
    talk.with_store();
    talk.hears(&presence(OTHER));
    talk.acts();
    let node = xmpp_parsers::caps::query_caps(disco::own_caps(talk.it.devices.known())).node.unwrap();
    let query = format!("<query xmlns='http://jabber.org/protocol/disco#info' node='{node}'/>");
    talk.hears(&format!("<iq type='get' id='x' from='p.test'>{query}</iq>"));
    let acts = talk.acts();
    assert!(acts[0].contains("+notify") && acts[1].contains(&format!("state#{OTHER}'/>")), "{acts:#?}");
}

fn friends(tag: &str) -> crate::session::Friends {
    [(tag.parse().unwrap(), "bob@e.test".parse().unwrap())].into_iter().collect()
}

#[test]
fn friends_are_asked_for_their_states_and_their_presence() {
    let mut talk = Talk::begun();
    talk.with_store();
    talk.acts();
    talk.it.set_friends(friends(OTHER), talk.now);
    let acts = talk.acts();
    assert!(acts[0].starts_with("<presence"), "the server learns whose states we want: {acts:#?}");
    let fetch = Talk::id(&acts, "<items");
    assert!(acts.iter().any(|act| act.contains("<items") && act.contains("to='bob@e.test'")), "{acts:#?}");
    let roster = Talk::id(&acts, "jabber:iq:roster");
    talk.hears(&format!("<iq type='result' id='{roster}'><query xmlns='jabber:iq:roster'/></iq>"));
    let acts = talk.acts();
    assert_eq!(
        acts,
        [
            "<presence xmlns='jabber:client' to='bob@e.test' type='subscribe'><priority>0</priority></presence>"
        ]
    );
    let answer = answer(&fetch, OTHER, 7, CLOCK);
    talk.hears(&answer.replacen("<iq ", "<iq from='mallory@e.test' ", 1));
    assert_eq!(talk.acts(), [""; 0], "only the friend's account answers for the friend");
    talk.hears(&answer.replacen("<iq ", "<iq from='bob@e.test' ", 1));
    let acts = talk.acts();
    assert!(acts.len() == 1 && acts[0].starts_with("Hint(") && acts[0].contains("seq: 7"), "{acts:#?}");
}

#[test]
fn a_friend_speaks_for_the_paired_devices_alone() {
    let mut talk = Talk::begun();
    talk.with_store();
    talk.it.set_friends(friends(OTHER), talk.now);
    talk.acts();
    let here = |account: &str, tag: &str| {
        format!(
            "<presence from='{account}/trib-9'><device xmlns='urn:tributary:xmpp:0' tag='{tag}'/></presence>"
        )
    };
    talk.hears(&here("bob@e.test", "00000000000000bb"));
    talk.hears(&here("alice@p.test", OTHER));
    talk.hears(&here("mallory@e.test", OTHER));
    assert_eq!(talk.acts(), [""; 0], "another device of his, his device elsewhere, a stranger");
    talk.hears(&here("bob@e.test", OTHER));
    let acts = talk.acts();
    assert!(acts.len() == 1 && acts[0].contains("online: true"), "{acts:#?}");
    talk.hears("<presence from='bob@e.test' type='subscribe'/>");
    let acts = talk.acts();
    assert!(
        acts[0].contains("type='subscribed'") && acts.iter().any(|act| act.contains("<show>xa")),
        "{acts:#?}"
    );
    talk.hears("<presence from='mallory@e.test' type='subscribe'/>");
    assert_eq!(talk.acts(), [""; 0], "left to the person's chat program");
    talk.it.set_friends(crate::session::Friends::default(), talk.now);
    let acts = talk.acts();
    assert!(acts[0].contains("online: false"), "who was removed is gone at once: {acts:#?}");
}

#[test]
fn who_was_there_before_it_became_a_friend_is_there() {
    let mut talk = Talk::begun();
    talk.with_store();
    talk.acts();
    let here = |account: &str| {
        format!(
            "<presence from='{account}/trib-9'><device xmlns='urn:tributary:xmpp:0' tag='{OTHER}'/></presence>"
        )
    };
    let comes = |talk: &mut Talk| {
        talk.it.set_friends(friends(OTHER), talk.now);
        talk.acts().iter().filter(|act| act.contains("online: true")).count()
    };
    talk.hears(&here("mallory@e.test"));
    talk.hears(&here("bob@e.test"));
    assert_eq!(comes(&mut talk), 1, "a server does not say it again");
    talk.it.set_friends(crate::session::Friends::default(), talk.now);
    assert_eq!(comes(&mut talk), 1, "nor after it was removed for a while");
    talk.it.set_friends(crate::session::Friends::default(), talk.now);
    talk.hears("<presence from='bob@e.test/trib-9' type='unavailable'/>");
    talk.acts();
    assert_eq!(comes(&mut talk), 0, "it left meanwhile");
    for n in 0..1000 {
        talk.hears(&here(&format!("m{n}@e.test")));
    }
    assert_eq!(talk.acts(), [""; 0], "any number costs bounded room");
}

#[test]
fn who_floods_is_not_answered_and_the_server_is() {
    let mut talk = Talk::begun();
    talk.with_store();
    talk.acts();
    let ping = |from: &str| format!("<iq type='get' id='1' from='{from}'><ping xmlns='urn:xmpp:ping'/></iq>");
    talk.it.pump(RESERVED, talk.now);
    talk.hears(&ping("mallory@p.test/x"));
    assert_eq!(talk.acts().len(), 1, "refused, while there is room");
    talk.it.pump(RESERVED - 1, talk.now);
    talk.hears(&ping("mallory@p.test/x"));
    assert_eq!(talk.acts(), [""; 0], "a full queue would cost the session");
    talk.hears(&ping("p.test"));
    assert_eq!(talk.acts().len(), 1, "or it would take us for dead");
}
