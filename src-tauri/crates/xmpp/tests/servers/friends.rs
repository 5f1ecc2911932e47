//! Sealed hints between paired devices of two accounts.

use std::collections::BTreeMap;
use std::sync::Arc;

use tributary_formats::uuid::RepoUuid;
use tributary_testkit::need_all;
use tributary_testkit::xmpp_servers::{Ejabberd, Prosody, XmppServer};
use tributary_xmpp::device::DeviceKeys;
use tributary_xmpp::hints::{HintKey, Replays, Sealer, open_sealed};
use tributary_xmpp::session::SessionEvent;

use crate::device::{Device, PASSWORD, state, tips, user};

const ACCOUNTS: [(&str, &str); 2] = [("alice", PASSWORD), ("bob", PASSWORD)];
const FOLDER: &str = "11111111-a";

#[tokio::test(flavor = "multi_thread")]
async fn prosody() {
    if !need_all(Prosody::NEEDS) {
        return;
    }
    reach_a_friend(&Prosody::start("p.test", &ACCOUNTS)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ejabberd() {
    if !need_all(Ejabberd::NEEDS) {
        return;
    }
    reach_a_friend(&Ejabberd::start("e.test", &ACCOUNTS)).await;
}

async fn reach_a_friend(server: &dyn XmppServer) {
    let mut alice = Device::start(user(server, "alice"));
    let mut bob = Device::start(user(server, "bob"));
    alice.online().await;
    bob.online().await;
    let (keys, key) = (Arc::new(DeviceKeys::generate()), HintKey::random());
    let folder = RepoUuid::parse(FOLDER).expect("a proper UUID");
    let sealer =
        Sealer { device: Arc::clone(&keys), folders: BTreeMap::from([(folder.clone(), key.clone())]) };
    alice.session.seal_hints(sealer);
    alice.session.publish(state(1, FOLDER, 7));

    // Paired: each knows the other's device and account.
    let device = |of: &Device| (of.account.device, of.account.jid.clone());
    bob.session.set_friends([device(&alice)].into_iter().collect());
    alice.session.set_friends([device(&bob)].into_iter().collect());
    let hint = bob.hint(&alice, 1).await;
    assert_eq!(hint.from, alice.account.jid);
    bob.sees(&alice, true).await;
    alice.sees(&bob, true).await;

    let mut replays = Replays::default();
    let now = std::time::UNIX_EPOCH.elapsed().expect("after 1970").as_secs();
    let news = open_sealed(&hint, &keys.public(), [&key], now);
    assert_eq!(news.len(), 1);
    assert_eq!((&news[0].repository, &news[0].tips), (&folder, &tips(7)), "heads are seen without a tunnel");
    assert!(replays.is_news(&news[0]) && !replays.is_news(&news[0]));
    assert!(open_sealed(&hint, &keys.public(), [&HintKey::random()], now).is_empty());

    // What is published now is pushed, with nobody asking.
    alice.session.publish(state(2, FOLDER, 8));
    let hint = bob.hint(&alice, 2).await;
    assert_eq!(open_sealed(&hint, &keys.public(), [&key], now)[0].tips, tips(8));

    // Off and on again: the state is still there, and presence comes without being asked for again.
    let account = bob.account.clone();
    bob.session.stop().await;
    alice
        .until("Bob is gone", |event| match event {
            SessionEvent::PeerPresence { device, online: false, .. } if *device == account.device => Some(()),
            _ => None,
        })
        .await;
    alice.session.publish(state(3, FOLDER, 9));
    let mut bob = Device::start(account);
    bob.session.set_friends([device(&alice)].into_iter().collect());
    let hint = bob.hint(&alice, 3).await;
    assert_eq!(open_sealed(&hint, &keys.public(), [&key], now)[0].tips, tips(9));

    bob.sees(&alice, true).await;

    // Removed: what she says is not heard any more.
    bob.session.set_friends(Default::default());
    bob.until("Alice is gone for Bob", |event| match event {
        SessionEvent::PeerPresence { online: false, .. } => Some(()),
        _ => None,
    })
    .await;
    alice.session.stop().await;
    bob.session.stop().await;
}
