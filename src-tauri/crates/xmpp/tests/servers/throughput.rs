//! How fast an in-band bytestream is: against one block at a time, and under the rate limits that servers ship with.
//!
//! These take minutes and a quiet machine; `cargo xtask test --full` runs them.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tributary_testkit::need_all;
use tributary_testkit::xmpp_servers::{Prosody, ProsodyOptions, XmppServer};

use crate::device::{Device, PASSWORD, through, user};
use crate::slixmpp::{Peer, python};
use crate::streams::{let_in, noise};

const ACCOUNTS: [(&str, &str); 2] = [("alice", PASSWORD), ("bob", PASSWORD)];

/// Whether measurements were asked for.
fn measures() -> bool {
    std::env::var_os("TRIBUTARY_FULL").is_some()
}

/// One stream of `length` bytes from Alice to Bob; gives the seconds it took.
async fn one_stream(server: &dyn XmppServer, port: u16, length: usize) -> f64 {
    let mut alice = Device::start(through(user(server, "alice"), port));
    let mut bob = Device::start(through(user(server, "bob"), port));
    let ((alice_at, _), (bob_at, _)) = tokio::join!(alice.online(), bob.online());
    let mut inbox = let_in(&bob.session.bytestreams(), &alice_at);
    let mut near = alice.session.open_bytestream(&bob_at).await.expect("Bob lets Alice in");
    let mut far = inbox.recv().await.expect("it arrives");
    let bytes = noise(3, length);
    let began = Instant::now();
    let sending = async {
        near.write_all(&bytes).await?;
        near.shutdown().await
    };
    let mut got = Vec::with_capacity(length);
    tokio::try_join!(sending, far.read_to_end(&mut got)).expect("all bytes pass");
    let took = began.elapsed().as_secs_f64();
    assert!(got == bytes, "equal");
    alice.session.stop().await;
    bob.session.stop().await;
    took
}

/// At least ten times the careful way of the standard, a block of 4,096 at a time, as two slixmpp clients do it, where
/// each client's way to the server and back takes 50 ms. On the loopback itself one block at a time takes between 5 and
/// 45 ms, as Nagle's algorithm and the kernel's guesses have it, so nothing can be compared there.
#[tokio::test(flavor = "multi_thread")]
async fn a_window_against_one_block_at_a_time() {
    const LENGTH: usize = 2_000_000;
    if !measures() {
        return;
    }
    let Some(python) = python().filter(|_| need_all(Prosody::NEEDS)) else { return };
    let server = Prosody::start("p.test", &ACCOUNTS);
    let near = one_stream(&server, server.starttls_port(), LENGTH).await;
    let port = far_away(server.starttls_port()).await;
    let windowed = one_stream(&server, port, LENGTH).await;

    let mut receiver = Peer::start_at(port, &python, &server, "bob", &["receive"]);
    let bob_at = receiver.says("ready").await;
    let role = ["send", &bob_at, &LENGTH.to_string()];
    let mut careful = Peer::start_at(port, &python, &server, "alice", &role);
    let said = careful.says("sent").await;
    let single: f64 = said.split(' ').next_back().and_then(|took| took.parse().ok()).expect("seconds");
    let rate = |took: f64| LENGTH as f64 / took / 1000.0;
    eprintln!(
        "in-band over prosody, 2 MB: on the loopback {:.0} kB/s; 100 ms from end to end and back: window {:.0} kB/s, one \
         block at a time {:.0} kB/s, ratio {:.1}",
        rate(near),
        rate(windowed),
        rate(single),
        single / windowed
    );
    assert!(single / windowed >= 10.0, "windowed {windowed} s, one at a time {single} s");
}

/// A port that leads to another one, 25 ms away in each direction.
async fn far_away(target: u16) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
    let port = listener.local_addr().expect("a bound socket has an address").port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, target)).await else { continue };
            for tcp in [&client, &server] {
                tcp.set_nodelay(true).expect("a socket that is open");
            }
            let ((from_client, to_client), (from_server, to_server)) =
                (client.into_split(), server.into_split());
            tokio::spawn(delayed(from_client, to_server));
            tokio::spawn(delayed(from_server, to_client));
        }
    });
    port
}

async fn delayed(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    let (on_the_way, mut arriving) =
        tokio::sync::mpsc::unbounded_channel::<(tokio::time::Instant, Vec<u8>)>();
    let leaving = async move {
        let mut bytes = vec![0; 64 * 1024];
        while let Ok(length @ 1..) = from.read(&mut bytes).await {
            let arrives = tokio::time::Instant::now() + Duration::from_millis(25);
            if on_the_way.send((arrives, bytes[..length].to_vec())).is_err() {
                return;
            }
        }
    };
    let arriving = async move {
        while let Some((at, bytes)) = arriving.recv().await {
            tokio::time::sleep_until(at).await;
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
    };
    tokio::join!(leaving, arriving);
}

/// Under prosody's shipped limit of 10 kB/s at least 85 % of the bytes that may pass are blocks, base64 counted.
#[tokio::test(flavor = "multi_thread")]
async fn under_a_rate_limit() {
    const LENGTH: usize = 300_000;
    const ALLOWED: f64 = 10_000.0;
    if !measures() || !need_all(Prosody::NEEDS) {
        return;
    }
    let options = ProsodyOptions {
        // The last assignment counts: Debian's own list, with the limits that the other tests are spared.
        extra: r#"modules_enabled = { "disco", "roster", "saslauth", "tls", "blocklist", "carbons", "pep", "private",
            "smacks", "csi_simple", "ping", "time", "version", "posix", "limits" }"#,
        ..Default::default()
    };
    let server = Prosody::start_with("p.test", &ACCOUNTS, options);
    let took =
        tokio::time::timeout(Duration::from_secs(120), one_stream(&server, server.starttls_port(), LENGTH))
            .await;
    let took = took.expect("a limit slows it down and never stops it");
    let used = LENGTH as f64 * 4.0 / 3.0 / took / ALLOWED;
    eprintln!(
        "in-band over prosody as shipped: {:.1} kB/s, {:.0} % of the limit",
        LENGTH as f64 / took / 1000.0,
        used * 100.0
    );
    assert!(used >= 0.85, "{used}");
}
