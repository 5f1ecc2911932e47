//! SOCKS5 bytestreams between two accounts: straight, through the server's proxy, and not at all.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tributary_testkit::xmpp_servers::{Ejabberd, Prosody, ProsodyOptions, XmppServer};
use tributary_testkit::{free_port, need_all};
use tributary_xmpp::account::FullJid;
use tributary_xmpp::socks5::{Socks5, Socks5Error};

use crate::device::{Device, PASSWORD, user};
use crate::streams::{let_in, noise};

const ACCOUNTS: [(&str, &str); 2] = [("alice", PASSWORD), ("bob", PASSWORD)];
/// Generous, as the machine may be busy.
const LIMIT: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn prosody() {
    if !need_all(Prosody::NEEDS) {
        return;
    }
    let options = ProsodyOptions { proxy_at: Some(free_port()), ..ProsodyOptions::default() };
    carries(&Prosody::start_with("p.test", &ACCOUNTS, options), true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ejabberd_that_has_no_proxy() {
    if !need_all(Ejabberd::NEEDS) {
        return;
    }
    carries(&Ejabberd::start("e.test", &ACCOUNTS), false).await;
}

async fn in_time<T>(what: &str, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, work).await.unwrap_or_else(|_| panic!("waited in vain: {what}"))
}

async fn carries(server: &dyn XmppServer, has_proxy: bool) {
    let (mut alice, mut bob) = (Device::start(user(server, "alice")), Device::start(user(server, "bob")));
    let ((alice_at, _), (bob_at, _)) = tokio::join!(alice.online(), bob.online());
    let refused = in_time("a no", alice.session.socks5().open(&bob_at)).await;
    assert!(
        matches!(refused, Err(Socks5Error::NoWay)),
        "nobody is let in before somebody says so: {refused:?}"
    );

    let _in_band = let_in(&bob.session.bytestreams(), &alice_at);
    let mut inbox = bob.session.socks5().accept();
    let straight = alice.session.socks5();
    both_ways(&straight, &alice_at, &bob_at, &mut inbox, true).await;
    // As many as there may be at a time, and one when there is room again.
    let mut held = Vec::new();
    let refused = loop {
        match in_time("an answer", straight.open(&bob_at)).await {
            Ok(near) => held.push((near, in_time("its other end", inbox.recv()).await)),
            Err(refused) => break refused,
        }
        assert!(held.len() < 100, "they are counted");
    };
    assert!(matches!(refused, Socks5Error::NoWay) && held.len() >= 8, "{refused:?} after {}", held.len());
    held.truncate(4);
    both_ways(&straight, &alice_at, &bob_at, &mut inbox, true).await;
    drop(held);
    let relayed = alice.session.socks5().hidden();
    if has_proxy {
        both_ways(&relayed, &alice_at, &bob_at, &mut inbox, false).await;
    } else {
        let none = in_time("a no", relayed.open(&bob_at)).await;
        assert!(matches!(none, Err(Socks5Error::NoWay)), "{none:?}");
    }
    let _nobody_any_more = let_in(&bob.session.bytestreams(), &bob_at);
    let refused = in_time("a no", straight.open(&bob_at)).await;
    assert!(matches!(refused, Err(Socks5Error::NoWay)), "{refused:?}");
    alice.session.stop().await;
    bob.session.stop().await;
}

/// A stream that is written to from both ends.
async fn both_ways(
    socks5: &Socks5,
    near_at: &FullJid,
    far_at: &FullJid,
    inbox: &mut tokio::sync::mpsc::Receiver<tributary_xmpp::socks5::Socks5Stream>,
    direct: bool,
) {
    let near = in_time("a stream", socks5.open(far_at)).await.expect("there is a way");
    // One that came to nothing at the near end may have arrived all the same.
    let far = loop {
        let far = in_time("the other end of it", inbox.recv()).await.expect("it arrives");
        if far.name() == near.name() {
            break far;
        }
    };
    assert_eq!((near.peer(), far.peer()), (far_at, near_at));
    assert_eq!((near.is_direct(), far.is_direct()), (direct, direct));
    let (there, back) = (noise(1, 2_000_000), noise(2, 200_000));
    let ((mut near_read, mut near_write), (mut far_read, mut far_write)) =
        (tokio::io::split(near), tokio::io::split(far));
    let (mut got, mut answered) = (vec![0; there.len()], vec![0; back.len()]);
    let writing = async {
        tokio::try_join!(near_write.write_all(&there), far_write.write_all(&back)).expect("it is taken");
        // The relay of prosody 0.12 may keep the end of what it got until more comes.
        loop {
            tokio::time::sleep(Duration::from_millis(50)).await;
            near_write.write_all(&[0]).await.expect("it is taken");
            far_write.write_all(&[0]).await.expect("it is taken");
        }
    };
    let reading = async {
        tokio::try_join!(far_read.read_exact(&mut got), near_read.read_exact(&mut answered))
            .expect("they come");
    };
    let passed = async {
        tokio::select! {
            never = writing => never,
            () = reading => {}
        }
    };
    in_time("bytes in both directions at once", passed).await;
    assert!(got == there && answered == back, "equal, and in their order");
}
