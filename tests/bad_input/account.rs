//! Accounts that do not work: the login names the step that failed, and keeps nothing.

use serde_json::Value;
use tributary_testkit::xmpp_servers::{Prosody, ProsodyOptions, XmppServer};
use tributary_testkit::{Finished, Sandbox, free_port, need_all};

use crate::member::{Member, PASSWORD, USER, login, server, text};

/// The failed step and the sentence of a login that must fail.
#[track_caller]
fn failed_step(member: &Member, login: &Finished) -> String {
    assert_eq!(login.code(), Some(1), "it must not succeed: {login}");
    let said = login.stdout();
    let failed: Vec<_> = said.lines().filter_map(|line| line.strip_suffix(": FAILED")).collect();
    assert_eq!(failed.len(), 1, "one step failed: {login}");
    assert!(!said.contains(PASSWORD), "no password is shown: {login}");
    let status = member.node.json(["status"]);
    assert_eq!(status["account"], Value::Null, "an account that does not work is not kept");
    failed[0].to_owned()
}

#[test]
fn the_step_that_failed_is_named() {
    if !need_all(Prosody::NEEDS) {
        return;
    }
    let sandbox = Sandbox::new();
    let (one, other) = (server(), server());
    let member = Member::start(&sandbox, "a");
    let refused = login(&member.node, &one, "wrong", one.ca());
    assert_eq!(failed_step(&member, &refused), "Password refused");
    let untrusted = login(&member.node, &one, PASSWORD, other.ca());
    assert_eq!(failed_step(&member, &untrusted), "Certificate refused");
    assert!(untrusted.stdout().contains("--pin"), "how to trust it all the same: {untrusted}");
    login(&member.node, &one, PASSWORD, one.ca()).ok();
    assert_eq!(member.node.json(["status"])["account"]["jid"], format!("{USER}@{}", one.domain()));
}

#[test]
fn a_certificate_that_is_over_or_for_another_is_refused() {
    if !need_all(Prosody::NEEDS) {
        return;
    }
    let sandbox = Sandbox::new();
    let member = Member::start(&sandbox, "a");
    let domain = "localhost.example";
    let over = ProsodyOptions { certificate_days: -1, ..ProsodyOptions::default() };
    let foreign = ProsodyOptions { certificate_for: Some("other.example"), ..ProsodyOptions::default() };
    for options in [over, foreign] {
        let server = Prosody::start_with(domain, &[(USER, PASSWORD)], options);
        let refused = login(&member.node, &server, PASSWORD, server.ca());
        assert_eq!(failed_step(&member, &refused), "Certificate refused", "{refused}");
    }
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let sandbox = Sandbox::new();
    let member = Member::start(&sandbox, "a");
    let nobody = format!("127.0.0.1:{}", free_port());
    let log_in = |args: &[&str]| {
        let all =
            ["xmpp", "login", "ann@nowhere.invalid", "--password-command", "echo x", "--keyring", "file"];
        member.node.trib(all.iter().chain(args))
    };
    // `.invalid` never resolves: RFC 2606.
    assert_eq!(failed_step(&member, &log_in(&[])), "Server not found");
    assert_eq!(failed_step(&member, &log_in(&["--server", &nobody])), "Not reached");
    let missing = sandbox.join("no such file");
    let refused = log_in(&["--server", &nobody, "--ca", text(&missing)]);
    assert_eq!(refused.code(), Some(1), "an authority that is not there is no authority: {refused}");
}
