//! In-band bytestreams between two accounts, over connections that break and servers that die.

use std::io;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tributary_testkit::need_all;
use tributary_testkit::xmpp_servers::{Ejabberd, FaultProxy, Prosody, XmppServer};
use tributary_xmpp::account::FullJid;
use tributary_xmpp::channel::{self, Binding, Carrier, Frame, Party};
use tributary_xmpp::device::DeviceKeys;
use tributary_xmpp::ibb::{Bytestream, Bytestreams, OpenError, StreamFault};
use tributary_xmpp::session::ConnectionState;

use crate::device::{Device, PASSWORD, through, user};

const ACCOUNTS: [(&str, &str); 2] = [("alice", PASSWORD), ("bob", PASSWORD)];
/// Generous, as the machine may be busy.
const LIMIT: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn prosody() {
    if !need_all(Prosody::NEEDS) {
        return;
    }
    let mut server = Prosody::start("p.test", &ACCOUNTS);
    carry_bytes_to_those_who_let_them_in(&server).await;
    carry_a_secure_channel(&server).await;
    live_through_cuts(&server).await;
    end_with_the_other_client(&server).await;
    end_with_the_server(&mut server).await;
    assert!(!server.log().contains("nobody shall read this"), "the channel hides what is said");
}

#[tokio::test(flavor = "multi_thread")]
async fn ejabberd() {
    if !need_all(Ejabberd::NEEDS) {
        return;
    }
    let mut server = Ejabberd::start("e.test", &ACCOUNTS);
    carry_bytes_to_those_who_let_them_in(&server).await;
    carry_a_secure_channel(&server).await;
    live_through_cuts(&server).await;
    end_with_the_other_client(&server).await;
    end_with_the_server(&mut server).await;
}

/// Two clients of two accounts, each through a proxy.
struct Two {
    alice: Device,
    bob: Device,
    alice_at: FullJid,
    bob_at: FullJid,
    alices_way: FaultProxy,
    bobs_way: FaultProxy,
}

impl Two {
    async fn online(server: &dyn XmppServer) -> Two {
        let [alices_way, bobs_way] = [(); 2].map(|()| FaultProxy::start(server.starttls_port()));
        let mut alice = Device::start(through(user(server, "alice"), alices_way.port()));
        let mut bob = Device::start(through(user(server, "bob"), bobs_way.port()));
        let ((alice_at, _), (bob_at, _)) = tokio::join!(alice.online(), bob.online());
        Two { alice, bob, alice_at, bob_at, alices_way, bobs_way }
    }

    /// A stream from Alice to Bob.
    async fn joined(&self) -> (Bytestream, Bytestream) {
        let mut inbox = let_in(&self.bob.session.bytestreams(), &self.alice_at);
        let near = self.alice.session.open_bytestream(&self.bob_at).await.expect("Bob lets Alice in");
        let far = inbox.recv().await.expect("it arrives");
        assert_eq!((near.peer(), far.peer()), (&self.bob_at, &self.alice_at));
        (near, far)
    }

    /// As [`joined`](Self::joined), as soon as both sessions are there again.
    async fn joined_again(&self) -> (Bytestream, Bytestream) {
        let mut inbox = let_in(&self.bob.session.bytestreams(), &self.alice_at);
        loop {
            match self.alice.session.open_bytestream(&self.bob_at).await {
                Ok(near) => return (near, inbox.recv().await.expect("it arrives")),
                // There is no signal for a server that can route to the other client again.
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }

    async fn stop(self) {
        self.alice.session.stop().await;
        self.bob.session.stop().await;
    }
}

pub fn let_in(streams: &Bytestreams, who: &FullJid) -> tokio::sync::mpsc::Receiver<Bytestream> {
    let who = who.clone();
    streams.accept(move |peer| *peer == who)
}

/// Bytes that are the same for the same seed.
pub fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    StdRng::seed_from_u64(seed).fill(&mut bytes[..]);
    bytes
}

async fn in_time<T>(what: &str, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, work).await.unwrap_or_else(|_| panic!("waited in vain: {what}"))
}

async fn carry_bytes_to_those_who_let_them_in(server: &dyn XmppServer) {
    let two = Two::online(server).await;
    let refused = two.alice.session.open_bytestream(&two.bob_at).await;
    assert_eq!(refused.err(), Some(OpenError::NotThere), "nobody is let in before somebody says so");
    let nobody = two.bob_at.to_bare().with_resource("trib-00000000").expect("a proper resource");
    let refused = two.alice.session.open_bytestream(&nobody).await;
    assert_eq!(refused.err(), Some(OpenError::NotThere));

    let (near, far) = two.joined().await;
    let (there, back) = (noise(1, 1_000_000), noise(2, 300_000));
    let ((mut near_read, mut near_write), (mut far_read, mut far_write)) =
        (tokio::io::split(near), tokio::io::split(far));
    let (mut got, mut answered) = (vec![0; there.len()], vec![0; back.len()]);
    let work = async {
        tokio::try_join!(
            async {
                near_write.write_all(&there).await?;
                near_write.flush().await
            },
            async {
                far_write.write_all(&back).await?;
                far_write.flush().await
            },
            far_read.read_exact(&mut got),
            near_read.read_exact(&mut answered),
        )
    };
    in_time("bytes in both directions at once", work).await.expect("they pass");
    assert!(got == there && answered == back, "equal, and in their order");
    in_time("the close", near_write.shutdown()).await.expect("it is taken");
    assert_eq!(far_read.read(&mut [0]).await.expect("a clean end"), 0);
    two.stop().await;
}

async fn carry_a_secure_channel(server: &dyn XmppServer) {
    let two = Two::online(server).await;
    let (near, far) = two.joined().await;
    let [alice, bob, mallory] = [(); 3].map(|()| DeviceKeys::generate());
    let party = |keys: &DeviceKeys, at: &FullJid| Party { device: keys.public().id(), address: at.clone() };
    let binding = Binding {
        carrier: Carrier::InBand,
        stream: near.name().to_owned(),
        initiator: party(&alice, &two.alice_at),
        responder: party(&bob, &two.bob_at),
    };
    let (a, b) = (alice.public(), bob.public());
    let (near, far) = in_time("the handshake", async {
        tokio::try_join!(
            channel::initiate(near, &alice, &b, &binding, LIMIT),
            channel::accept(far, &bob, &a, &binding, LIMIT),
        )
    })
    .await
    .expect("both are who they say");
    let ((mut sender, _), (_, mut receiver)) = (near, far);
    let secret = Frame::Data(b"nobody shall read this".to_vec());
    sender.send(secret.clone()).await.expect("it is taken");
    sender.end().await.expect("it is taken");
    assert_eq!(in_time("the frame", receiver.next()).await.expect("it is true"), Some(secret));
    assert_eq!(in_time("the end", receiver.next()).await.expect("it is true"), Some(Frame::End));
    drop((sender, receiver));

    let (near, far) = two.joined().await;
    let binding = Binding { stream: near.name().to_owned(), ..binding };
    let (forged, _) = tokio::join!(
        channel::accept(far, &bob, &a, &binding, LIMIT),
        channel::initiate(near, &mallory, &b, &binding, Duration::from_secs(2)),
    );
    assert!(matches!(forged, Err(channel::ChannelError::Forged)), "who has not the key gets no channel");
    two.stop().await;
}

/// Every byte once, in order, over a connection that is cut again and again; where the server cannot resume a session,
/// both ends are told.
async fn live_through_cuts(server: &dyn XmppServer) {
    const LENGTH: usize = 600_000;
    let two = Two::online(server).await;
    let mut whole = 0;
    // prosody 0.12 resumes every cut receiver, but some senders only in appearance.
    for (round, way) in [&two.bobs_way, &two.bobs_way, &two.alices_way].into_iter().enumerate() {
        let (mut near, mut far) = in_time("both are online", two.joined_again()).await;
        let (sent, mut got) = (noise(round as u64, LENGTH), Vec::new());
        let sending = async {
            near.write_all(&sent).await?;
            near.shutdown().await
        };
        let receiving = async {
            let mut buffer = vec![0; 32 * 1024];
            let mut cuts = vec![400_000, 100_000];
            loop {
                let length = far.read(&mut buffer).await?;
                if length == 0 {
                    return Ok::<_, io::Error>(());
                }
                got.extend_from_slice(&buffer[..length]);
                if cuts.last().is_some_and(|at| got.len() > *at) {
                    cuts.pop();
                    way.cut();
                }
            }
        };
        let (sent_all, got_all) =
            in_time("all bytes, or an end", async { tokio::join!(sending, receiving) }).await;
        assert!(sent.starts_with(&got), "nothing is doubled, lost or in a wrong place");
        match (sent_all, got_all) {
            (Ok(()), Ok(())) => {
                whole += 1;
                assert_eq!(got.len(), LENGTH, "what was taken has arrived");
            }
            (Ok(()), Err(error)) => panic!("taken, but it did not arrive: {error}"),
            (Err(error), end) => {
                let lost = [Some(StreamFault::SessionLost), Some(StreamFault::PeerGone)];
                assert!(lost.contains(&fault(error)), "a lost session has its name");
                assert!(end.is_err(), "and the other side does not take it for the end");
            }
        }
    }
    assert!(whole > 0, "a stream lives through an interruption that is resumed");
    two.stop().await;
}

fn fault(error: io::Error) -> Option<StreamFault> {
    error.into_inner()?.downcast::<StreamFault>().ok().map(|fault| *fault)
}

/// A client that leaves takes its streams with it, and says so: accounts that do not see each other's presence would
/// else wait for the first block that nobody takes.
async fn end_with_the_other_client(server: &dyn XmppServer) {
    let two = Two::online(server).await;
    let (mut near, mut far) = two.joined().await;
    two.bob.session.stop().await;
    let end = far.read(&mut [0]).await.expect_err("its session is over");
    assert_eq!(fault(end), Some(StreamFault::SessionLost));
    let end = in_time("the end of the stream", near.read(&mut [0])).await.expect_err("nobody closed it");
    assert_eq!(fault(end), Some(StreamFault::PeerGone));
    two.alice.session.stop().await;
}

async fn end_with_the_server(server: &mut dyn XmppServer) {
    let mut two = Two::online(server).await;
    let (mut near, mut far) = two.joined().await;
    near.write_all(&noise(7, 100_000)).await.expect("there is room");
    server.kill();
    two.alice.state("it notices", |state| matches!(state, ConnectionState::Retrying { .. })).await;
    server.restart();
    let (ends, came) = in_time("the new session", async {
        tokio::join!(near.shutdown(), async {
            let mut all = Vec::new();
            far.read_to_end(&mut all).await
        })
    })
    .await;
    assert_eq!(fault(ends.expect_err("not all was taken")), Some(StreamFault::SessionLost));
    assert_eq!(fault(came.expect_err("not all came")), Some(StreamFault::SessionLost));
    two.alice.online().await;
    two.bob.online().await;
    let (mut near, mut far) = two.joined().await;
    near.write_all(b"again").await.expect("there is room");
    near.flush().await.expect("it leaves");
    let mut again = [0; 5];
    in_time("a new stream", far.read_exact(&mut again)).await.expect("it comes");
    two.stop().await;
}
