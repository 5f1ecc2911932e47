//! Two sessions' streams joined without a server.

mod hostile;

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_xmpp::Stanza;
use xmpp_parsers::iq::Iq;
use xmpp_parsers::minidom::Element;

use super::streams::{Limits, Streams};
use super::*;

const LIMITS: Limits = Limits {
    reply: Duration::from_secs(30),
    stall: Duration::from_secs(120),
    quiet: Duration::from_secs(30),
};
const ALICE: &str = "alice@p.test/trib-1";
const BOB: &str = "bob@e.test/trib-2";
/// As much as the session's queue leaves to streams.
const ROOM: usize = 768;

fn jid(text: &str) -> FullJid {
    text.parse().unwrap()
}

/// One session's streams and the handles on them.
struct Side {
    own: FullJid,
    streams: Streams,
    handles: Bytestreams,
    openings: mpsc::Receiver<Opening>,
    bell: Arc<Notify>,
}

impl Side {
    fn new(own: &str) -> Side {
        let (handles, openings) = streams();
        let bell = Arc::new(Notify::new());
        let streams = Streams::new(LIMITS, handles.admission(), Arc::clone(&bell));
        Side { own: jid(own), streams, handles, openings, bell }
    }

    /// What this side sends now, as it arrives: with the sender on it.
    fn sends(&mut self) -> Vec<Iq> {
        while let Ok(opening) = self.openings.try_recv() {
            self.streams.open(opening, true, Instant::now());
        }
        self.streams.pump(ROOM, Instant::now());
        let from = |stanza| match stanza {
            Stanza::Iq(iq) => iq.with_from(self.own.0.clone().into()),
            other => panic!("streams send requests and answers alone: {other:?}"),
        };
        self.streams.take_out().into_iter().map(from).collect()
    }

    fn hears(&mut self, iq: &Iq) -> bool {
        self.streams.iq(iq, Instant::now())
    }

    /// A request of somebody else, as text; gives what is answered.
    fn asked(&mut self, from: &str, payload: &str) -> Option<String> {
        let xml = format!("<iq xmlns='jabber:client' type='set' id='x' from='{from}'>{payload}</iq>");
        let iq = Iq::try_from(xml.parse::<Element>().unwrap()).unwrap();
        self.hears(&iq).then(|| {
            let answers: Vec<String> =
                self.sends().into_iter().map(|iq| String::from(&Element::from(iq))).collect();
            answers.join("")
        })
    }
}

/// Carries everything between two sides until `work` is done.
async fn joined<T>(alice: &mut Side, bob: &mut Side, work: impl Future<Output = T>) -> T {
    let (ring_a, ring_b) = (Arc::clone(&alice.bell), Arc::clone(&bob.bell));
    let carry = async {
        loop {
            let (there, back) = (alice.sends(), bob.sends());
            if there.is_empty() && back.is_empty() {
                tokio::select! {
                    () = ring_a.notified() => (),
                    () = ring_b.notified() => (),
                    opening = alice.openings.recv() => {
                        alice.streams.open(opening.unwrap(), true, Instant::now());
                    }
                }
            }
            there.iter().for_each(|iq| assert!(bob.hears(iq), "{iq:?}"));
            back.iter().for_each(|iq| _ = alice.hears(iq));
        }
    };
    tokio::select! {
        never = carry => never,
        done = work => done,
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn bytes_arrive_in_both_directions_at_once(
        there in proptest::collection::vec(any::<u8>(), 0..300_000),
        back in proptest::collection::vec(any::<u8>(), 0..300_000),
        chunk in 1_usize..70_000,
    ) {
        runtime().block_on(async {
            let (mut alice, mut bob) = (Side::new(ALICE), Side::new(BOB));
            let mut inbox = bob.handles.accept(|peer| *peer == jid(ALICE));
            let opener = alice.handles.clone();
            let work = async {
                let near = opener.open(&jid(BOB)).await.unwrap();
                let far = inbox.recv().await.unwrap();
                assert_eq!((near.block_size(), near.name()), (far.block_size(), far.name()));
                let (mut near_read, mut near_write) = tokio::io::split(near);
                let (mut far_read, mut far_write) = tokio::io::split(far);
                let (mut got, mut answered) = (vec![0; there.len()], vec![0; back.len()]);
                tokio::try_join!(
                    async {
                        for part in there.chunks(chunk) {
                            near_write.write_all(part).await?;
                        }
                        near_write.flush().await
                    },
                    async {
                        far_write.write_all(&back).await?;
                        far_write.flush().await
                    },
                    async { far_read.read_exact(&mut got).await.map(drop) },
                    async { near_read.read_exact(&mut answered).await.map(drop) },
                )
                .unwrap();
                assert_eq!(got, there);
                assert_eq!(answered, back);
                near_write.shutdown().await.unwrap();
                assert_eq!(far_read.read(&mut [0]).await.unwrap(), 0, "the end is seen");
            };
            joined(&mut alice, &mut bob, work).await;
        });
    }
}

#[tokio::test(start_paused = true)]
async fn a_dropped_handle_still_delivers() {
    let (mut alice, mut bob) = (Side::new(ALICE), Side::new(BOB));
    let mut inbox = bob.handles.accept(|_| true);
    let opener = alice.handles.clone();
    let got = joined(&mut alice, &mut bob, async {
        let mut near = opener.open(&jid(BOB)).await.unwrap();
        near.write_all(&[7; 100_000]).await.unwrap();
        drop(near);
        let mut got = Vec::new();
        inbox.recv().await.unwrap().read_to_end(&mut got).await.unwrap();
        got
    });
    assert_eq!(got.await, vec![7; 100_000]);
}

#[tokio::test(start_paused = true)]
async fn who_does_not_read_holds_up_the_sender() {
    let (mut alice, mut bob) = (Side::new(ALICE), Side::new(BOB));
    let mut inbox = bob.handles.accept(|_| true);
    let opener = alice.handles.clone();
    let work = async {
        let mut near = opener.open(&jid(BOB)).await.unwrap();
        let mut far = inbox.recv().await.unwrap();
        let mut written = 0;
        // Nothing is answered, so the window stays at its start.
        while let Ok(more) = tokio::time::timeout(Duration::from_secs(1), near.write(&[7; 4096])).await {
            written += more.unwrap();
        }
        assert!(written <= 8192 + 128 * 1024, "{written} bytes are on their way to nobody");
        let reading = async {
            let mut rest = vec![0; written];
            far.read_exact(&mut rest).await.map(drop)
        };
        tokio::try_join!(reading, near.flush()).unwrap();
    };
    joined(&mut alice, &mut bob, work).await;
}

#[tokio::test(start_paused = true)]
async fn ends_are_told_apart() {
    let (mut alice, mut bob) = (Side::new(ALICE), Side::new(BOB));
    let mut inbox = bob.handles.accept(|_| true);
    let opener = alice.handles.clone();
    let (mut near, far) = joined(&mut alice, &mut bob, async {
        let near = opener.open(&jid(BOB)).await.unwrap();
        (near, inbox.recv().await.unwrap())
    })
    .await;
    let fault = |error: io::Error| {
        error.into_inner().and_then(|inner| inner.downcast::<StreamFault>().ok()).map(|fault| *fault)
    };
    alice.streams.session_lost();
    let error = near.read(&mut [0]).await.unwrap_err();
    assert_eq!(fault(error), Some(StreamFault::SessionLost));
    assert!(near.write(&[0]).await.is_err());
    bob.streams.peer_gone(&jid(ALICE));
    let mut far = far;
    let error = far.read(&mut [0]).await.unwrap_err();
    assert_eq!(fault(error), Some(StreamFault::PeerGone));
}

#[tokio::test(start_paused = true)]
async fn silence_ends_a_stream_but_not_an_interruption() {
    let (mut alice, mut bob) = (Side::new(ALICE), Side::new(BOB));
    let mut inbox = bob.handles.accept(|_| true);
    let opener = alice.handles.clone();
    let (mut near, _far) = joined(&mut alice, &mut bob, async {
        let near = opener.open(&jid(BOB)).await.unwrap();
        (near, inbox.recv().await.unwrap())
    })
    .await;
    near.write_all(b"hello").await.unwrap();
    assert_eq!(alice.sends().len(), 1);
    tokio::time::advance(LIMITS.stall * 2).await;
    alice.streams.resumed(Instant::now());
    assert_eq!(alice.sends(), [], "while it was interrupted nobody could answer");
    tokio::time::advance(LIMITS.stall).await;
    let last = alice.sends();
    assert_eq!(last.len(), 1, "the other side is told, in case it can hear: {last:?}");
    let error = near.read(&mut [0]).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
}

/// The other side's session was replaced by one with the same address, and nobody said so.
#[tokio::test(start_paused = true)]
async fn a_quiet_stream_that_the_other_side_forgot_ends() {
    let (mut alice, mut bob) = (Side::new(ALICE), Side::new(BOB));
    let mut inbox = bob.handles.accept(|_| true);
    let opener = alice.handles.clone();
    let (mut near, mut far) = joined(&mut alice, &mut bob, async {
        let near = opener.open(&jid(BOB)).await.unwrap();
        (near, inbox.recv().await.unwrap())
    })
    .await;
    // A question that is answered leaves it as it was.
    tokio::time::advance(LIMITS.quiet).await;
    joined(&mut alice, &mut bob, async {
        near.write_all(b"still here").await.unwrap();
        near.flush().await.unwrap();
        let mut got = [0; 10];
        far.read_exact(&mut got).await.unwrap();
        assert_eq!(&got, b"still here");
    })
    .await;
    bob.sends().iter().for_each(|answer| assert!(alice.hears(answer)));
    alice.streams.session_lost();
    alice.sends();
    tokio::time::advance(LIMITS.quiet).await;
    let asks = bob.sends();
    assert_eq!(asks.len(), 1, "{asks:?}");
    let mut again = Side::new(ALICE);
    let _inbox = again.handles.accept(|_| true);
    assert!(again.hears(&asks[0]));
    again.sends().iter().for_each(|answer| assert!(bob.hears(answer)));
    let error = far.read(&mut [0]).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
}

/// A session that is lost says so in the next one.
#[tokio::test(start_paused = true)]
async fn a_lost_stream_does_not_look_like_one_that_was_closed() {
    let (mut alice, mut bob) = (Side::new(ALICE), Side::new(BOB));
    let mut inbox = bob.handles.accept(|_| true);
    let opener = alice.handles.clone();
    let (_near, mut far) = joined(&mut alice, &mut bob, async {
        let near = opener.open(&jid(BOB)).await.unwrap();
        (near, inbox.recv().await.unwrap())
    })
    .await;
    alice.streams.session_lost();
    alice.sends().iter().for_each(|iq| assert!(bob.hears(iq)));
    let error = far.read(&mut [0]).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "an end that nobody wished is an error");
}

#[tokio::test(start_paused = true)]
async fn an_opening_that_nobody_answers_ends() {
    let mut alice = Side::new(ALICE);
    let opener = alice.handles.clone();
    let opening = tokio::spawn(async move { opener.open(&jid(BOB)).await.map(drop) });
    tokio::task::yield_now().await;
    assert_eq!(alice.sends().len(), 1);
    tokio::time::advance(LIMITS.reply).await;
    alice.sends();
    assert_eq!(opening.await.unwrap(), Err(OpenError::Silent));
}

#[tokio::test(start_paused = true)]
async fn smaller_blocks_are_offered_until_they_are_too_small() {
    let mut alice = Side::new(ALICE);
    let opener = alice.handles.clone();
    let opening = tokio::spawn(async move { opener.open(&jid(BOB)).await.map(drop) });
    tokio::task::yield_now().await;
    let mut offers = Vec::new();
    loop {
        let Some(offer) = alice.sends().pop() else { break };
        let Iq::Set { id, payload, .. } = offer else { panic!("an offer") };
        offers.push(payload.attr("block-size").unwrap().to_owned());
        let answer = format!(
            "<iq xmlns='jabber:client' type='error' id='{id}' from='{BOB}'><error type='modify'>\
             <resource-constraint xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
        );
        assert!(alice.hears(&Iq::try_from(answer.parse::<Element>().unwrap()).unwrap()));
    }
    assert_eq!(offers, ["16384", "8192", "4096"]);
    assert_eq!(opening.await.unwrap(), Err(OpenError::Busy));
}

#[tokio::test(start_paused = true)]
async fn streams_take_turns_in_little_room() {
    let (mut alice, mut bob) = (Side::new(ALICE), Side::new(BOB));
    let mut inbox = bob.handles.accept(|_| true);
    let opener = alice.handles.clone();
    let mut near = joined(&mut alice, &mut bob, async {
        let near = (opener.open(&jid(BOB)).await.unwrap(), opener.open(&jid(BOB)).await.unwrap());
        inbox.recv().await.unwrap();
        near
    })
    .await;
    near.0.write_all(&[0; 8192]).await.unwrap();
    near.1.write_all(&[1; 8192]).await.unwrap();
    let pumped = alice.streams.pump(2, Instant::now());
    assert!(pumped.crowded, "it comes again as soon as there is room");
    let names: Vec<String> = alice
        .streams
        .take_out()
        .into_iter()
        .map(|stanza| match stanza {
            Stanza::Iq(Iq::Set { payload, .. }) => payload.attr("sid").unwrap().to_owned(),
            other => panic!("a block: {other:?}"),
        })
        .collect();
    assert_eq!(names.len(), 2);
    assert_ne!(names[0], names[1], "one that has much to say does not silence the other");
    assert!(!alice.streams.pump(ROOM, Instant::now()).crowded);
}
