//! The end comes at once, whatever is under way, and loses nothing: what was cut off goes on after the next start.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::{Duration, Instant};

use tributary_testkit::xmpp_servers::{FaultProxy, Prosody, XmppServer};
use tributary_testkit::{Node, Sandbox, eventually, need_all, snapshot};

use crate::member::{LIMIT, Member, PASSWORD, USER, bare, server, text, trib};

/// An end that takes longer is one that a person, or a system that shuts down, waits for. On a quiet machine a third of
/// a second is enough; this one may be busy with other tests.
const AT_ONCE: Duration = Duration::from_secs(3);

/// Large enough that moving it takes a while, bytes.
const LARGE: usize = 400 << 20;

/// Ends the daemon as a system does that shuts down.
#[track_caller]
fn stops_at_once(member: &mut Member, while_it: &str) {
    let began = Instant::now();
    member.node.stop();
    let took = began.elapsed();
    eprintln!("{while_it} it took {took:?} to end");
    assert!(took < AT_ONCE, "{while_it} it took {took:?} to end");
}

/// Writes a file that does not compress and is like no other.
fn write_large(path: &Path) {
    let mut file = fs::File::create(path).expect("the folder can be written");
    let mut block = vec![0_u8; 1 << 20];
    for number in 0..LARGE >> 20 {
        block.iter_mut().enumerate().for_each(|(at, byte)| *byte = (at * 31 + number * 7) as u8);
        file.write_all(&block).expect("there is room");
    }
}

/// Waits until a transfer is under way.
#[track_caller]
fn moves(member: &Member) {
    eventually(LIMIT, "a transfer is under way", || {
        let status = member.status();
        status["transfers"].as_array().is_some_and(|moving| !moving.is_empty()).then_some(())
    });
}

#[test]
fn in_the_middle_of_a_large_file() {
    let sandbox = Sandbox::new();
    let (hub, store) = (bare(&sandbox, "hub.git"), sandbox.dir("store"));
    let (mut a, mut b) = (Member::start(&sandbox, "a"), Member::start(&sandbox, "b"));
    a.add().remote("hub", &[text(&hub)]).store(&store).write("small", "s").wait();
    b.clone_from(&hub).store(&store).wait();

    write_large(&a.dir.join("large"));
    eventually(LIMIT, "it is being taken in", || (a.status()["state"] != "upToDate").then_some(()));
    stops_at_once(&mut a, "while a file is taken in");
    a.node.start_daemon();
    moves(&a);
    stops_at_once(&mut a, "while a file is uploaded");
    a.node.start_daemon();
    a.wait();
    b.sync();
    moves(&b);
    stops_at_once(&mut b, "while a file is downloaded");
    b.node.start_daemon();
    b.wait();
    assert_eq!(snapshot(&a.dir), snapshot(&b.dir), "it is here, whole");
    assert_eq!(snapshot(&store.join("tmp")).len(), 0, "nothing is left half done");
}

#[test]
fn while_servers_say_nothing() {
    if !need_all(Prosody::NEEDS) {
        return;
    }
    let sandbox = Sandbox::new();
    let server = server();
    let proxy = FaultProxy::start(server.starttls_port());
    // An ssh that takes what it is given, and is silent. It says that it was started.
    let (ssh, started) = (sandbox.join("ssh"), sandbox.join("started"));
    fs::write(&ssh, format!("#!/bin/sh\ntouch '{}'\nexec sleep 1000\n", text(&started))).expect("write");
    fs::set_permissions(&ssh, fs::Permissions::from_mode(0o755)).expect("chmod");
    let home = sandbox.join("a").join("home");
    let node = Node::builder(trib(), &home).env("GIT_SSH_COMMAND", &ssh).start();
    let mut a = Member { node, dir: sandbox.join("a").join("folder") };
    a.add();
    a.git(&["remote", "add", "silent", "ssh://localhost/hub.git"]);
    let (jid, at) = (format!("{USER}@{}", server.domain()), format!("127.0.0.1:{}", proxy.port()));
    let login = ["xmpp", "login", &jid, "--server", &at, "--ca", text(server.ca()), "--keyring", "file"];
    let password = format!("printf %s '{PASSWORD}'");
    a.run(login.into_iter().chain(["--password-command", &password]));
    eventually(LIMIT, "the account is online", || {
        (a.node.json(["status"])["account"]["state"] == "online").then_some(())
    });
    stops_at_once(&mut a, "while it is online");

    a.node.start_daemon();
    eventually(LIMIT, "the account is online", || {
        (a.node.json(["status"])["account"]["state"] == "online").then_some(())
    });
    eventually(LIMIT, "the silent place is asked", || started.exists().then_some(()));
    proxy.swallow();
    stops_at_once(&mut a, "while servers are silent");

    proxy.swallow_new();
    let connections = proxy.seen();
    a.node.start_daemon();
    eventually(LIMIT, "the account connects", || (proxy.seen() > connections).then_some(()));
    assert_eq!(a.node.json(["status"])["account"]["state"], "connecting");
    stops_at_once(&mut a, "while a login is not answered");
}

#[test]
fn while_the_keyring_says_nothing() {
    let sandbox = Sandbox::new();
    // A session bus that takes connections and is silent, as when the keyring waits for a person to unlock it.
    let socket = sandbox.join("bus");
    let _silent = UnixListener::bind(&socket).expect("a socket can be made");
    let home = sandbox.join("a").join("home");
    let config = home.join("config");
    fs::create_dir_all(&config).expect("our own folder can be written");
    let configured = serde_json::json!({
        "account": { "jid": "ann@localhost.example", "resource": "trib-01234567" },
        "deviceTag": "0123456789abcdef",
    });
    fs::write(config.join("config.json"), configured.to_string()).expect("our own folder can be written");
    let bus = format!("unix:path={}", text(&socket));
    let node = Node::builder(trib(), &home).env("DBUS_SESSION_BUS_ADDRESS", bus).start();
    let mut a = Member { node, dir: sandbox.join("a").join("folder") };
    stops_at_once(&mut a, "while the keyring is asked");

    a.node.start_daemon();
    eventually(LIMIT, "it is said", || {
        let status = a.node.json(["status"]);
        let problem =
            status["problems"].as_array()?.iter().find(|known| known["code"] == "keyringUnavailable")?;
        problem["hint"].as_str().filter(|hint| hint.contains("Unlock")).map(drop)
    });
    a.add().write("file", "1").wait();
    stops_at_once(&mut a, "while the keyring is asked again");
}
