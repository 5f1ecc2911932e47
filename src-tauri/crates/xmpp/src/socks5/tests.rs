//! Two ends whose sessions are joined in memory; what they meet at is real.

use std::net::Ipv4Addr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;
use crate::wire::socks5 as wire;

const ALICE: &str = "alice@p.test/trib-1";
const BOB: &str = "bob@p.test/trib-2";

/// What passed between the two, in order: who asked, and for what.
type Passed = Arc<Mutex<Vec<(FullJid, Wish)>>>;

/// Alice and Bob. What Alice offers Bob comes to nothing: nobody can come to her.
fn joined() -> (Socks5, Socks5, Passed) {
    let passed = Passed::default();
    let end = |at: &str| {
        let ends = Ends { own: Some(Ipv4Addr::LOCALHOST.into()), ..Ends::default() };
        let (_, here) = watch::channel(Whereabouts { ends, bound: Some(FullJid(at.parse().unwrap())) });
        socks5(here)
    };
    let ((alice, of_alice), (bob, of_bob)) = (end(ALICE), end(BOB));
    let answers: Answers = Arc::default();
    tokio::spawn(carry(ALICE, of_alice, bob.door(), answers.clone(), passed.clone()));
    tokio::spawn(carry(BOB, of_bob, alice.door(), answers, passed.clone()));
    (alice, bob, passed)
}

type Answers = Arc<Mutex<Vec<(String, oneshot::Sender<Result<Option<Element>, AskError>>)>>>;

/// Carries what one end says to the other.
async fn carry(from: &str, mut asks: mpsc::Receiver<Ask>, door: Door, answers: Answers, passed: Passed) {
    let from = FullJid(from.parse().unwrap());
    while let Some(ask) = asks.recv().await {
        match ask {
            Ask::Question { payload, reply, .. } => {
                let Some(wish) = wire::read_wish(&payload) else {
                    // The server knows of no services.
                    let _ = reply.send(Err(AskError::Refused));
                    continue;
                };
                passed.lock().unwrap().push((from.clone(), wish.clone()));
                let reached = from.as_str() == BOB || matches!(wish, Wish::Make(_));
                let id = format!("{from:?} {}", passed.lock().unwrap().len());
                if reached && door.hand_over(Request { from: from.clone(), id: id.clone(), wish }) {
                    answers.lock().unwrap().push((id, reply));
                } else {
                    let _ = reply.send(Err(AskError::Refused));
                }
            }
            Ask::Answer { id, payload, .. } => {
                let mut answers = answers.lock().unwrap();
                let Some(at) = answers.iter().position(|(asked, _)| *asked == id) else { continue };
                let _ = answers.remove(at).1.send(payload.map(Some).ok_or(AskError::Refused));
            }
        }
    }
}

fn at(address: &str) -> FullJid {
    FullJid(address.parse().unwrap())
}

fn kinds(passed: &Passed) -> Vec<(String, &'static str)> {
    let kind = |wish: &Wish| if matches!(wish, Wish::Take(_)) { "offers" } else { "asks" };
    passed.lock().unwrap().drain(..).map(|(from, wish)| (from.as_str().to_owned(), kind(&wish))).collect()
}

#[tokio::test]
async fn who_cannot_be_come_to_has_the_other_end_make_the_offer() {
    let (alice, bob, passed) = joined();
    let (mut to_alice, mut to_bob) = (alice.accept(), bob.accept());
    let offers = |who: &str| (who.to_owned(), "offers");
    let asked = [(ALICE.to_owned(), "asks"), offers(BOB)];
    let first = [&[offers(ALICE)], &asked[..]].concat();
    // What worked is all that is tried the second time.
    for said in [&first, &asked[..]] {
        let mut near = alice.open(&at(BOB)).await.expect("she comes to him");
        let mut far = to_bob.recv().await.expect("he has it as one that she opened");
        assert_eq!((near.peer(), far.peer()), (&at(BOB), &at(ALICE)));
        assert_eq!(near.name(), far.name());
        assert!(near.is_direct() && far.is_direct());
        near.write_all(b"to bob").await.unwrap();
        far.write_all(b"to alice").await.unwrap();
        let (mut got, mut answered) = ([0; 6], [0; 8]);
        far.read_exact(&mut got).await.unwrap();
        near.read_exact(&mut answered).await.unwrap();
        assert_eq!((&got, &answered), (b"to bob", b"to alice"));
        assert_eq!(kinds(&passed), said);
    }
    // What he opens himself is something else, and no way is known from that.
    let near = bob.open(&at(ALICE)).await.expect("she comes to him");
    let far = to_alice.recv().await.expect("she has it as one that he opened");
    assert_eq!(near.name(), far.name());
    assert_eq!(kinds(&passed), [offers(BOB)]);
    assert!(to_alice.try_recv().is_err(), "what she asked for came to nobody else");
}

#[tokio::test]
async fn who_makes_no_offer_is_tried_anew_the_next_time() {
    let (alice, bob, passed) = joined();
    let _to_alice = alice.accept();
    let mut to_bob = bob.accept();
    alice.open(&at(BOB)).await.expect("she comes to him");
    to_bob.recv().await.expect("he has it");
    kinds(&passed);
    drop(to_bob);
    // The task that took her requests ends with the inbox.
    let mut tried = Vec::new();
    for _ in 0..2 {
        let fault = alice.open(&at(BOB)).await.expect_err("he takes nothing any more");
        assert!(matches!(fault, Socks5Error::NoWay), "{fault:?}");
        tried.push(kinds(&passed));
    }
    let asks = (ALICE.to_owned(), "asks");
    assert_eq!(tried, [vec![asks.clone()], vec![(ALICE.to_owned(), "offers"), asks]]);
}

#[tokio::test]
async fn who_hides_asks_nobody_for_an_offer() {
    let (alice, bob, passed) = joined();
    let (_to_alice, _to_bob) = (alice.accept(), bob.accept());
    alice.open(&at(BOB)).await.expect("she comes to him");
    kinds(&passed);
    let fault = alice.hidden().open(&at(BOB)).await.expect_err("there is no proxy");
    assert!(matches!(fault, Socks5Error::NoWay), "{fault:?}");
    assert_eq!(kinds(&passed), []);
}

#[tokio::test]
async fn an_offer_that_was_not_asked_for_is_taken_as_any_other() {
    let (alice, bob, _) = joined();
    let mut to_alice = alice.accept();
    let waits = alice.awaited.clone();
    let near = bob.open(&at(ALICE)).await.expect("she comes to him");
    assert!(waits.claim(&at(BOB), near.name()).is_none());
    assert_eq!(to_alice.recv().await.expect("it is in her inbox").name(), near.name());
}

#[tokio::test]
async fn there_is_room_for_so_many_streams_that_others_ask_for() {
    let (alice, bob, _) = joined();
    let _to_alice = alice.accept();
    let mut to_bob = bob.accept();
    let mut held = Vec::new();
    let fault = loop {
        match alice.open(&at(BOB)).await {
            Ok(near) => held.push((near, to_bob.recv().await.expect("he has it"))),
            Err(fault) => break fault,
        }
        assert!(held.len() <= MAX_TAKEN, "they are counted");
    };
    assert!(matches!(fault, Socks5Error::NoWay), "{fault:?}");
    assert_eq!(held.len(), MAX_TAKEN);
    held.pop();
    alice.open(&at(BOB)).await.expect("there is room again");
}
