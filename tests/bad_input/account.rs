//! Accounts that do not work: the login names the step that failed, and keeps nothing.

use serde_json::Value;
use tributary_testkit::xmpp_servers::{Prosody, ProsodyOptions, XmppServer};
use tributary_testkit::{Finished, Sandbox, eventually, free_port, need_all, within};

use crate::member::{LIMIT, Member, PASSWORD, USER, bare, login, server, text};

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

/// The problems that belong to no folder.
fn problems(member: &Member) -> Vec<Value> {
    member.node.json(["status"])["problems"].as_array().expect("a status lists its problems").clone()
}

/// Waits for the one problem of the account, which must be this one, and say what to do.
#[track_caller]
fn one_problem(member: &Member, code: &str) -> Value {
    let found = within(LIMIT, || problems(member).into_iter().find(|problem| problem["code"] == code));
    let Some(found) = found else { panic!("no problem {code}: {:#}", member.node.json(["status"])) };
    assert_eq!(problems(member).len(), 1, "one cause is one problem: {:#?}", problems(member));
    assert!(found["hint"].as_str().is_some_and(|hint| !hint.is_empty()), "a hint helps: {found:#}");
    found
}

/// Waits until the account is online and nothing is said of it any more.
#[track_caller]
fn solved(member: &Member) {
    eventually(LIMIT, "the account is online again", || {
        let status = member.node.json(["status"]);
        (status["account"]["state"] == "online" && status["problems"] == Value::Array(vec![])).then_some(())
    });
}

/// Two members of one folder with a hub in between; one of them online.
fn pair(sandbox: &Sandbox, server: &Prosody) -> (Member, Member) {
    let (hub, store) = (bare(sandbox, "hub.git"), sandbox.dir("store"));
    let (a, b) = (Member::start(sandbox, "a"), Member::start(sandbox, "b"));
    a.log_in(server).add().remote("hub", &[text(&hub)]).store(&store).write("one", "1").wait();
    b.clone_from(&hub).store(&store).wait();
    (a, b)
}

#[test]
fn a_password_that_is_changed_on_the_server_is_asked_for_and_the_folders_go_on() {
    if !need_all(Prosody::NEEDS) {
        return;
    }
    let sandbox = Sandbox::new();
    let mut server = server();
    let (a, b) = pair(&sandbox, &server);
    server.change_password(USER, "another");
    let problem = one_problem(&a, "passwordRefused");
    assert_eq!(
        (problem["needsYou"].as_bool(), problem["action"].as_str()),
        (Some(true), Some("enterPassword")),
        "{problem:#}"
    );
    assert_eq!(a.node.json(["status"])["state"], "needsYou");
    b.write("two", "2").wait();
    eventually(LIMIT, "A looks by itself", || a.read("two"));

    // The wrong one again changes nothing; the right one mends it.
    let refused = login(&a.node, &server, "a third", server.ca());
    assert_eq!(refused.code(), Some(1), "{refused}");
    one_problem(&a, "passwordRefused");
    login(&a.node, &server, "another", server.ca()).ok();
    solved(&a);
}

#[test]
fn a_certificate_that_is_over_later_is_refused_until_it_is_renewed() {
    if !need_all(Prosody::NEEDS) {
        return;
    }
    let sandbox = Sandbox::new();
    let mut server = server();
    let (a, b) = pair(&sandbox, &server);
    server.change(ProsodyOptions { certificate_days: -1, ..ProsodyOptions::default() });
    let problem = one_problem(&a, "certificateRefused");
    assert_eq!(problem["needsYou"], true, "{problem:#}");
    b.write("two", "2").wait();
    eventually(LIMIT, "A looks by itself", || a.read("two"));

    server.change(ProsodyOptions::default());
    a.run(["sync"]);
    solved(&a);
}
