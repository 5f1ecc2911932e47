//! Logging in: every way that must work, and every fault with its own name.

use std::time::Duration;

use tributary_testkit::xmpp_servers::{Authority, Ejabberd, FaultProxy, Prosody, ProsodyOptions, XmppServer};
use tributary_testkit::{free_port, need_all};
use tributary_xmpp::account::{Account, Secret, Trust};
use tributary_xmpp::login::{Distrust, Feature, LoginCause, LoginFault, LoginStep, Mechanism, check};
use tributary_xmpp::session::ConnectionState;

use crate::device::{Device, PASSWORD, alice, quick, secret};

#[tokio::test(flavor = "multi_thread")]
async fn prosody() {
    if !need_all(Prosody::NEEDS) {
        return;
    }
    let server = Prosody::start("p.test", &[("alice", PASSWORD)]);
    works(&server).await;
    faults_have_names(&server).await;
    a_wrong_password_is_tried_once(&server).await;
    let log = server.log();
    assert!(
        log.contains("<auth mechanism='SCRAM") || log.contains("mechanism='SCRAM"),
        "the log shows logins"
    );
    assert!(!log.contains("mechanism='PLAIN'"), "the password must not be on the wire, even inside TLS");
}

#[tokio::test(flavor = "multi_thread")]
async fn ejabberd() {
    if !need_all(Ejabberd::NEEDS) {
        return;
    }
    let server = Ejabberd::start("e.test", &[("alice", PASSWORD)]);
    works(&server).await;
    faults_have_names(&server).await;
    a_wrong_password_is_tried_once(&server).await;
    assert!(!server.log().contains("c2s PLAIN"), "the password must not be on the wire, even inside TLS");
}

/// An offer of nothing but PLAIN, a certificate that is over, one for another name.
#[tokio::test(flavor = "multi_thread")]
async fn servers_that_ask_too_much() {
    if !need_all(Prosody::NEEDS) {
        return;
    }
    let extra = r#"disable_sasl_mechanisms = { "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS" }"#;
    let plain =
        Prosody::start_with("p.test", &[("alice", PASSWORD)], ProsodyOptions { extra, ..Default::default() });
    let account = alice(&plain);
    let fault = fails(&account).await;
    assert!(matches!(fault.cause, LoginCause::Lacks(Feature::SafeLogin)), "{fault:?}");
    assert!(!plain.log().contains("<auth"), "nothing was sent that has the password in it");
    let permitted = Account { allow_plain: true, ..account };
    let report = check(&permitted, &secret(), &quick()).await.expect("a person may permit it");
    assert_eq!(report.mechanism, Mechanism::Plain);

    let options = ProsodyOptions { certificate_days: -1, ..Default::default() };
    let over = Prosody::start_with("p.test", &[("alice", PASSWORD)], options);
    distrusted(&fails(&alice(&over)).await, Distrust::OutOfDate);

    let options = ProsodyOptions { certificate_for: Some("other.test"), ..Default::default() };
    let other = Prosody::start_with("p.test", &[("alice", PASSWORD)], options);
    distrusted(&fails(&alice(&other)).await, Distrust::WrongName);
}

async fn works(server: &dyn XmppServer) {
    let starttls = alice(server);
    let report = check(&starttls, &secret(), &quick()).await.expect("login by STARTTLS");
    assert!(!report.direct_tls && report.pep && report.resumable, "{report:?}");
    assert!(report.mechanism >= Mechanism::ScramSha1, "{report:?}");
    assert_eq!(report.bound.to_bare(), starttls.jid);

    let port = |port: u16| Account { server: Some(("127.0.0.1".to_owned(), port)), ..alice(server) };
    let report =
        check(&port(server.direct_tls_port()), &secret(), &quick()).await.expect("login by direct TLS");
    assert!(report.direct_tls, "the port that a person names is tried both ways");

    let stranger = tempfile::tempdir().expect("a temporary folder");
    let trust = Trust::CaFile(Authority::new(stranger.path()).file());
    let fault = fails(&Account { trust, ..alice(server) }).await;
    let LoginCause::Untrusted { fingerprint, .. } = fault.cause else { panic!("{fault:?}") };
    let pinned = Account { trust: Trust::Pinned(fingerprint), ..alice(server) };
    check(&pinned, &secret(), &quick()).await.expect("login by the fingerprint that the fault showed");

    let remembered = Account { strongest: Some(Mechanism::ScramSha256Plus), ..alice(server) };
    let fault = fails(&remembered).await;
    assert!(matches!(fault.cause, LoginCause::Lacks(Feature::SafeLogin)), "weaker than before: {fault:?}");
}

async fn faults_have_names(server: &dyn XmppServer) {
    let at = |host: &str, port| Account { server: Some((host.to_owned(), port)), ..alice(server) };

    let fault = fails(&at("no-such-host.invalid", 5222)).await;
    assert_eq!(fault.step, LoginStep::NameLookup, "{fault:?}");
    assert!(matches!(&fault.cause, LoginCause::UnknownHost { host, .. } if host == "no-such-host.invalid"));

    let fault = fails(&at("127.0.0.1", free_port())).await;
    assert_eq!(fault.step, LoginStep::Connect, "{fault:?}");
    assert!(matches!(fault.cause, LoginCause::Unreachable { .. }));

    let fault =
        check(&alice(server), &Secret::new("wrong".to_owned()), &quick()).await.expect_err("it is wrong");
    assert_eq!(fault.step, LoginStep::Password, "{fault:?}");
    assert!(matches!(fault.cause, LoginCause::WrongPassword));

    let stranger = tempfile::tempdir().expect("a temporary folder");
    let trust = Trust::CaFile(Authority::new(stranger.path()).file());
    distrusted(&fails(&Account { trust, ..alice(server) }).await, Distrust::UnknownAuthority);
    distrusted(
        &fails(&Account { trust: Trust::SystemRoots, ..alice(server) }).await,
        Distrust::UnknownAuthority,
    );

    let wrong: String = "00".repeat(32);
    let pin = Trust::Pinned(wrong.parse().expect("a fingerprint"));
    distrusted(&fails(&Account { trust: pin, ..alice(server) }).await, Distrust::NotThePinned);

    let missing = Trust::CaFile(stranger.path().join("missing.pem"));
    let fault = fails(&Account { trust: missing, ..alice(server) }).await;
    assert!(matches!(fault.cause, LoginCause::NoAuthorities { .. }), "{fault:?}");
}

/// ejabberd's fail2ban would ban the address of somebody who goes on.
async fn a_wrong_password_is_tried_once(server: &dyn XmppServer) {
    let proxy = FaultProxy::start(server.starttls_port());
    let account = Account { server: Some(("127.0.0.1".to_owned(), proxy.port())), ..alice(server) };
    let mut device = Device::start_with(account, Secret::new("wrong".to_owned()), quick());
    device.state("it asks for the password", |s| matches!(s, ConnectionState::NeedsPassword { .. })).await;
    device.session.network_changed();
    // There is no signal for what must not happen: several of the pauses after which other faults are tried again.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(matches!(device.session.state(), ConnectionState::NeedsPassword { .. }));
    assert_eq!(proxy.seen(), 1, "a wrong password does not get better by itself");
    device.session.set_password(secret());
    device.online().await;
    device.session.stop().await;
}

async fn fails(account: &Account) -> LoginFault {
    check(account, &secret(), &quick()).await.expect_err("this must not log in")
}

fn distrusted(fault: &LoginFault, expected: Distrust) {
    assert_eq!(fault.step, LoginStep::Certificate, "{fault:?}");
    assert!(
        matches!(&fault.cause, LoginCause::Untrusted { why, .. } if *why == expected),
        "{expected:?}: {fault:?}"
    );
}
