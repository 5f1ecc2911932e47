//! Hints between two devices of one account.

use std::time::{Duration, Instant};

use tributary_formats::uuid::RepoUuid;
use tributary_testkit::need_all;
use tributary_testkit::xmpp_servers::{Ejabberd, Prosody, ProsodyOptions, XmppServer};
use tributary_xmpp::hints::{Counter, heads_match, open};
use tributary_xmpp::session::SessionEvent;

use crate::device::{Device, PASSWORD, alice, state, tips};

/// A hint is there to be quick: who waits for it would else look by himself.
const AT_ONCE: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread")]
async fn prosody() {
    if !need_all(Prosody::NEEDS) {
        return;
    }
    let server = Prosody::start("p.test", &[("alice", PASSWORD)]);
    reach_the_other_device(&server).await;
    assert!(!server.log().contains("11111111-"), "the repository's UUID must not be on the wire");
}

#[tokio::test(flavor = "multi_thread")]
async fn ejabberd() {
    if !need_all(Ejabberd::NEEDS) {
        return;
    }
    reach_the_other_device(&Ejabberd::start("e.test", &[("alice", PASSWORD)])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_store_they_go_to_those_who_are_there() {
    if !need_all(Prosody::NEEDS) {
        return;
    }
    let options = ProsodyOptions { without: &["pep"], ..Default::default() };
    let server = Prosody::start_with("p.test", &[("alice", PASSWORD)], options);
    let mut first = Device::start(alice(&server));
    let mut second = Device::start(alice(&server));
    first.sees(&second, true).await;
    first.session.publish(state(1, "11111111-a", 1));
    second.hint(&first, 1).await;
    let mut late = Device::start(alice(&server));
    let hint = late.hint(&first, 1).await;
    assert_eq!(hint.counter.seq, 1, "who comes later is told by those who are there");
    second.session.stop().await;
    first.session.stop().await;
}

async fn reach_the_other_device(server: &dyn XmppServer) {
    let here = RepoUuid::parse("11111111-a").expect("a proper UUID");
    let there = RepoUuid::parse("22222222-b").expect("a proper UUID");
    let mut first = Device::start(alice(server));
    let (bound, resumed) = first.online().await;
    assert_eq!(bound.resource(), first.account.resource, "a link names the full address, so it stays");
    assert!(!resumed);
    let mut second = Device::start(alice(server));
    second.online().await;
    first.sees(&second, true).await;
    second.sees(&first, true).await;

    first.session.publish(state(1, here.as_str(), 7));
    let hint = second.hint(&first, 1).await;
    let opened = open(&hint, &[there.clone(), here.clone()]);
    assert_eq!(opened.len(), 1, "it speaks of one folder");
    assert_eq!(opened[0].repository, here);
    assert!(heads_match(&opened[0], &tips(7)) && !heads_match(&opened[0], &tips(8)));
    assert!(open(&hint, std::slice::from_ref(&there)).is_empty(), "who has not the folder learns nothing");

    // Once the second one's wish for these states is known to the server, they are pushed.
    let began = Instant::now();
    first.session.publish(state(2, here.as_str(), 8));
    second.hint(&first, 2).await;
    assert!(began.elapsed() < AT_ONCE, "took {:?}", began.elapsed());
    let began = Instant::now();
    second.session.publish(state(1, there.as_str(), 9));
    first.hint(&second, 1).await;
    assert!(began.elapsed() < AT_ONCE, "took {:?}", began.elapsed());

    let before = hints_of(&second, &first);
    for seq in 3..=60 {
        first.session.publish(state(seq, here.as_str(), 1));
        tokio::task::yield_now().await;
    }
    second.hint(&first, 60).await;
    assert!(hints_of(&second, &first) - before <= 12, "a burst is thinned, and its last state comes");

    let off = first;
    off.session.publish(state(61, here.as_str(), 5));
    second.hint(&off, 61).await;
    let (device, account) = (off.account.device, off.account.clone());
    off.session.stop().await;
    second
        .until("the first one is gone", |event| match event {
            SessionEvent::PeerPresence { device: gone, online: false, .. } if *gone == device => Some(()),
            _ => None,
        })
        .await;

    let mut late = Device::start(alice(server));
    let hint = late
        .until("the state of one that is off", |event| match event {
            SessionEvent::Hint(hint) if hint.device == device => Some(hint.clone()),
            _ => None,
        })
        .await;
    assert_eq!(hint.counter.seq, 61, "who comes later gets the newest");

    // A device that lost its counter is told before the others ignore it for ever.
    let mut amnesiac = Device::start(account);
    amnesiac.session.publish(state(1, here.as_str(), 2));
    let held = amnesiac
        .until("the lost counter is noticed", |event| match event {
            SessionEvent::CounterBehind { held } => Some(*held),
            _ => None,
        })
        .await;
    assert_eq!(held, Counter { epoch: 1, seq: 61 });
    amnesiac.session.stop().await;
    late.session.stop().await;
    second.session.stop().await;
}

fn hints_of(device: &Device, from: &Device) -> usize {
    let of = |event: &&SessionEvent| matches!(event, SessionEvent::Hint(hint) if hint.device == from.account.device);
    device.seen().iter().filter(of).count()
}
