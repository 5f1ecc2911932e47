use std::time::Duration;

use tokio::time::Instant;
use tokio_xmpp::Stanza;
use xmpp_parsers::iq::Iq;
use xmpp_parsers::minidom::Element;

use super::*;
use crate::pairing::{Slot, Step};

const LIMIT: Duration = Duration::from_secs(30);
const ALICE: &str = "alice@p.test/trib-1";
const BOB: &str = "bob@e.test/trib-2";

fn jid(text: &str) -> FullJid {
    text.parse().unwrap()
}

fn packet(content: &[u8]) -> Packet {
    Packet { slot: Slot(7), step: Step::Hail(content.to_vec()) }
}

/// What a desk sends, as it arrives from `own`.
fn sends(desk: &mut Desk, own: &str) -> Vec<Iq> {
    let from = |stanza| match stanza {
        Stanza::Iq(iq) => iq.with_from(jid(own).0.into()),
        other => panic!("exchanges are requests and answers: {other:?}"),
    };
    desk.take_out().into_iter().map(from).collect()
}

fn text(iq: &Iq) -> String {
    String::from(&Element::from(iq.clone()))
}

#[tokio::test]
async fn a_packet_is_answered() {
    let (alice, mut outbox) = courier();
    let (bob, _) = courier();
    let (mut alices, mut bobs) = (Desk::new(alice.listener(), LIMIT), Desk::new(bob.listener(), LIMIT));
    let mut inbox = bob.listen();
    let sending = tokio::spawn(async move { alice.send(&jid(BOB), packet(b"hail")).await });
    alices.send(outbox.recv().await.unwrap(), true, Instant::now());
    let request = sends(&mut alices, ALICE).remove(0);
    assert!(bobs.iq(&request, Instant::now()));
    let delivery = inbox.recv().await.unwrap();
    assert_eq!((&delivery.from, &delivery.packet), (&jid(ALICE), &packet(b"hail")));
    delivery.answer(packet(b"answer"));
    let reply = bobs.next_reply().await.unwrap();
    bobs.answer(reply);
    let answer = sends(&mut bobs, BOB).remove(0);
    let forged = answer.clone().with_from(jid("mallory@p.test/x").0.into());
    assert!(!alices.iq(&forged, Instant::now()), "only the one who was asked can answer");
    assert!(alices.iq(&answer, Instant::now()));
    assert_eq!(sending.await.unwrap(), Ok(packet(b"answer")));
}

#[tokio::test]
async fn nobody_is_here_unless_somebody_listens() {
    let (bob, _) = courier();
    let mut desk = Desk::new(bob.listener(), LIMIT);
    let request = |id: usize, payload: &str| {
        let xml = format!("<iq xmlns='jabber:client' type='set' id='{id}' from='{ALICE}'>{payload}</iq>");
        Iq::try_from(xml.parse::<Element>().unwrap()).unwrap()
    };
    let hail = "<pair xmlns='urn:tributary:xmpp:0' slot='7' step='hail'/>";
    assert!(!desk.iq(&request(0, hail), Instant::now()), "left to the general refusal");
    let inbox = bob.listen();
    let malformed = request(1, "<pair xmlns='urn:tributary:xmpp:0' slot='7' step='dance'/>");
    assert!(desk.iq(&malformed, Instant::now()));
    assert!(text(&sends(&mut desk, BOB)[0]).contains("bad-request"));
    for id in 0..100 {
        assert!(desk.iq(&request(id, hail), Instant::now()));
    }
    let refused = sends(&mut desk, BOB);
    assert_eq!(refused.len(), 100 - DEPTH, "who floods is refused, and what is held is bounded");
    assert!(refused.iter().all(|iq| text(iq).contains("resource-constraint")));
    assert!(desk.tick(Instant::now()).is_some());
    desk.tick(Instant::now() + LIMIT);
    assert_eq!(sends(&mut desk, BOB).len(), DEPTH, "nobody waits for ever");
    drop(inbox);
    assert!(!desk.iq(&request(200, hail), Instant::now()));
}

#[tokio::test]
async fn who_waits_is_told_the_end() {
    let (alice, mut outbox) = courier();
    let mut desk = Desk::new(alice.listener(), LIMIT);
    let send = || {
        let alice = alice.clone();
        tokio::spawn(async move { alice.send(&jid(BOB), packet(b"hail")).await })
    };
    let offline = send();
    desk.send(outbox.recv().await.unwrap(), false, Instant::now());
    assert_eq!(offline.await.unwrap(), Err(CourierError::Offline));
    let silent = send();
    desk.send(outbox.recv().await.unwrap(), true, Instant::now());
    desk.resumed(Instant::now() + LIMIT);
    desk.tick(Instant::now() + LIMIT);
    assert!(!silent.is_finished(), "an interruption is not counted");
    desk.tick(Instant::now() + LIMIT * 3);
    assert_eq!(silent.await.unwrap(), Err(CourierError::Silent));
    let lost = send();
    desk.send(outbox.recv().await.unwrap(), true, Instant::now());
    desk.session_lost();
    assert_eq!(lost.await.unwrap(), Err(CourierError::Offline));
}
