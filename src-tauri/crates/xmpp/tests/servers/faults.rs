//! Connections that break, networks that swallow, servers that die.

use std::time::{Duration, Instant};

use tributary_testkit::need_all;
use tributary_testkit::xmpp_servers::{Ejabberd, FaultProxy, Prosody, ProsodyOptions, XmppServer};
use tributary_xmpp::account::Account;
use tributary_xmpp::session::{ConnectionState, Timeouts};

use crate::device::{Device, PASSWORD, alice, quick, secret, state};

#[tokio::test(flavor = "multi_thread")]
async fn prosody() {
    if !need_all(Prosody::NEEDS) {
        return;
    }
    let mut server = Prosody::start("p.test", &[("alice", PASSWORD)]);
    a_broken_connection_is_resumed(&server).await;
    a_black_hole_is_noticed(&server).await;
    a_killed_server_is_met_again(&mut server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ejabberd() {
    if !need_all(Ejabberd::NEEDS) {
        return;
    }
    let mut server = Ejabberd::start("e.test", &[("alice", PASSWORD)]);
    a_broken_connection_is_resumed(&server).await;
    a_black_hole_is_noticed(&server).await;
    a_killed_server_is_met_again(&mut server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn prosody_away_too_long() {
    if !need_all(Prosody::NEEDS) {
        return;
    }
    let options = ProsodyOptions { extra: "smacks_hibernation_time = 1", ..Default::default() };
    away_too_long(&Prosody::start_with("p.test", &[("alice", PASSWORD)], options)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ejabberd_away_too_long() {
    if !need_all(Ejabberd::NEEDS) {
        return;
    }
    away_too_long(&Ejabberd::start_with("e.test", &[("alice", PASSWORD)], ", resume_timeout: 1")).await;
}

/// Beyond the resume time the session is a new one, and what was missed is read from the store.
async fn away_too_long(server: &dyn XmppServer) {
    let proxy = FaultProxy::start(server.starttls_port());
    let mut away = through(server, &proxy, quick());
    away.online().await;
    let mut steady = Device::start(alice(server));
    steady.sees(&away, true).await;
    away.sees(&steady, true).await;
    proxy.turn_away(true);
    proxy.cut();
    steady.session.publish(state(1, "11111111-a", 1));
    // The server's signal that it gave the session up.
    steady.sees(&away, false).await;
    away.session.publish(state(1, "22222222-b", 1));
    proxy.turn_away(false);
    away.session.network_changed();
    let (_, resumed) = away.online().await;
    assert!(!resumed, "there was nothing left to resume");
    away.hint(&steady, 1).await;
    steady.hint(&away, 1).await;
    away.session.stop().await;
    steady.session.stop().await;
}

fn through(server: &dyn XmppServer, proxy: &FaultProxy, timeouts: Timeouts) -> Device {
    let account = Account { server: Some(("127.0.0.1".to_owned(), proxy.port())), ..alice(server) };
    Device::start_with(account, secret(), timeouts)
}

async fn a_broken_connection_is_resumed(server: &dyn XmppServer) {
    let proxy = FaultProxy::start(server.starttls_port());
    let mut shaky = through(server, &proxy, quick());
    shaky.online().await;
    let mut steady = Device::start(alice(server));
    shaky.sees(&steady, true).await;
    let mut resumed = 0;
    for round in 1..=4 {
        proxy.cut();
        shaky.state("it notices", |state| matches!(state, ConnectionState::Suspended)).await;
        // Published while it is away: it must come all the same, whether the session is resumed or not.
        steady.session.publish(state(round, "11111111-a", 1));
        resumed += u32::from(shaky.online().await.1);
        shaky.hint(&steady, round).await;
        shaky.session.publish(state(round, "22222222-b", 2));
        steady.hint(&shaky, round).await;
    }
    assert!(resumed > 0, "at least one of the sessions was resumed instead of begun anew");
    shaky.session.stop().await;
    steady.session.stop().await;
}

async fn a_black_hole_is_noticed(server: &dyn XmppServer) {
    let proxy = FaultProxy::start(server.starttls_port());
    let second = Duration::from_secs(1);
    let mut impatient = through(server, &proxy, Timeouts { read: second, response: second, ..quick() });
    let mut patient = through(server, &proxy, quick());
    impatient.online().await;
    patient.online().await;
    let mut steady = Device::start(alice(server));
    steady.sees(&impatient, true).await;
    steady.sees(&patient, true).await;
    proxy.swallow();
    impatient.session.publish(state(1, "11111111-a", 1));
    patient.session.publish(state(1, "22222222-b", 1));
    steady.hint(&impatient, 1).await;
    let began = Instant::now();
    patient.session.network_changed();
    steady.hint(&patient, 1).await;
    assert!(
        began.elapsed() < Duration::from_secs(8),
        "told that the network changed, it does not wait for silence"
    );
    for device in [impatient, patient, steady] {
        device.session.stop().await;
    }
}

/// Both servers then refuse to resume in a way that tokio-xmpp takes for a broken connection, for ever.
async fn a_killed_server_is_met_again(server: &mut dyn XmppServer) {
    let mut first = Device::start(alice(server));
    let mut second = Device::start(alice(server));
    first.sees(&second, true).await;
    second.sees(&first, true).await;
    first.session.publish(state(1, "11111111-a", 1));
    second.hint(&first, 1).await;
    server.kill();
    first.state("it notices and tries again", |s| matches!(s, ConnectionState::Retrying { .. })).await;
    second.state("it notices and tries again", |s| matches!(s, ConnectionState::Retrying { .. })).await;
    first.session.publish(state(2, "11111111-a", 2));
    server.restart();
    first.online().await;
    second.hint(&first, 2).await;
    second.session.publish(state(1, "22222222-b", 2));
    first.hint(&second, 1).await;
    first.session.stop().await;
    second.session.stop().await;
}
