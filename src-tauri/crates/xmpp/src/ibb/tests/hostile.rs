//! Strangers, and those who were let in and break the rules.

use super::*;

fn open(name: &str, block_size: u32) -> String {
    format!("<open xmlns='http://jabber.org/protocol/ibb' sid='{name}' block-size='{block_size}'/>")
}

fn data(name: &str, seq: u32, base64: &str) -> String {
    format!("<data xmlns='http://jabber.org/protocol/ibb' sid='{name}' seq='{seq}'>{base64}</data>")
}

const CLOSE: &str = "<close xmlns='http://jabber.org/protocol/ibb' sid='t1'/>";

#[tokio::test]
async fn strangers_find_nobody() {
    let mut bob = Side::new(BOB);
    assert_eq!(bob.asked(ALICE, &open("t1", 4096)), None, "before anybody accepts streams");
    let inbox = bob.handles.accept(|peer| *peer == jid(ALICE));
    for payload in [
        open("t1", 4096),
        data("t1", 0, "YWJj"),
        CLOSE.to_owned(),
        "<x xmlns='http://jabber.org/protocol/ibb'/>".to_owned(),
    ] {
        assert_eq!(bob.asked("mallory@p.test/x", &payload), None, "{payload}");
    }
    assert!(bob.asked(ALICE, &open("t1", 4096)).unwrap().contains("type='result'"));
    assert_eq!(bob.asked("mallory@p.test/x", &data("t1", 0, "YWJj")), None, "another's stream is not his");
    drop(inbox);
    assert_eq!(bob.asked("alice@p.test/other", &open("t2", 4096)), None, "the door is closed");
}

#[tokio::test]
async fn what_breaks_the_rules_ends_the_stream() {
    let cases: [(&str, Vec<String>); 6] = [
        ("a gap", vec![data("t1", 1, "YWJj")]),
        ("a doubled block", vec![data("t1", 0, "YWJj"), data("t1", 0, "YWJj")]),
        ("garbage", vec![data("t1", 0, "YW?Jj")]),
        ("a number that is none", vec![data("t1", 70_000, "YWJj")]),
        ("too large a block", vec![data("t1", 0, &"AAAA".repeat(2000))]),
        ("an endless stream", (0..20_000).map(|seq| data("t1", seq, &"AAAA".repeat(170))).collect()),
    ];
    for (why, blocks) in cases {
        let mut bob = Side::new(BOB);
        let mut inbox = bob.handles.accept(|_| true);
        assert!(bob.asked(ALICE, &open("t1", 4096)).unwrap().contains("result"));
        let mut stream = inbox.recv().await.unwrap();
        let mut last = String::new();
        for block in &blocks {
            last = bob.asked(ALICE, block).unwrap();
            if !last.is_empty() {
                break;
            }
        }
        assert!(last.contains("type='error'") && last.contains("<close"), "{why}: {last}");
        let after = bob.asked(ALICE, &data("t1", 0, "YWJj"));
        assert!(after.unwrap().contains("item-not-found"), "{why}: it is over");
        let mut got = Vec::new();
        let error = stream.read_to_end(&mut got).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{why}");
        assert!(got.len() < 1_400_000, "{why}: what is held is bounded");
    }
}

#[tokio::test]
async fn streams_are_counted() {
    let mut bob = Side::new(BOB);
    let mut inbox = bob.handles.accept(|_| true);
    let mut taken = Vec::new();
    let mut refused = 0;
    for client in 0..20 {
        for stream in 0..6 {
            let answer =
                bob.asked(&format!("p@p.test/{client}"), &open(&format!("t{stream}"), 4096)).unwrap();
            if answer.contains("result") {
                taken.push(inbox.recv().await.unwrap());
            } else {
                assert!(answer.contains("not-acceptable") && answer.contains("type='wait'"), "{answer}");
                refused += 1;
            }
        }
    }
    assert_eq!((taken.len(), refused), (16, 104), "at most four with each, sixteen in all");
    for size in [0, 100, 65_535] {
        assert!(bob.asked(ALICE, &open("t9", size)).unwrap().contains("resource-constraint"), "{size}");
    }
}

#[tokio::test]
async fn forged_answers_count_nothing() {
    let mut alice = Side::new(ALICE);
    let opener = alice.handles.clone();
    let opening = tokio::spawn(async move { opener.open(&jid(BOB)).await });
    tokio::task::yield_now().await;
    let id = alice.sends()[0].id().to_owned();
    let answer = |from: &str| {
        let xml = format!("<iq xmlns='jabber:client' type='result' id='{id}' from='{from}'/>");
        Iq::try_from(xml.parse::<Element>().unwrap()).unwrap()
    };
    assert!(!alice.hears(&answer("mallory@p.test/x")), "only the one who was asked can answer");
    assert!(alice.hears(&answer(BOB)));
    assert!(!alice.hears(&answer(BOB)), "and only once");
    assert!(opening.await.unwrap().is_ok());
}
