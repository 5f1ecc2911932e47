//! Git between paired computers through their account's server, where there is no git remote at all.
//!
//! The computers are made known to each other by writing what pairing keeps; how they come to be paired is another
//! journey.

mod apart;
mod faults;
mod federation;
mod figures;
#[path = "../member.rs"]
mod member;
mod ways;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tributary_testkit::xmpp_servers::{Ejabberd, Prosody, ProsodyOptions, XmppServer};
use tributary_testkit::{Entry, Node, Sandbox, differences, eventually, need_all, run_within, within};
use tributary_xmpp::device::DeviceKeys;

use crate::member::{LIMIT, Member, PASSWORD, USER, text, trib};

/// A node that can start `git-remote-xmpp`, with an own folder and the account. `at`: where the server is; None leaves it
/// to the node to find it.
#[track_caller]
fn machine(
    sandbox: &Sandbox,
    name: &str,
    server: &dyn XmppServer,
    at: Option<u16>,
    env: &[(&str, &str)],
) -> Member {
    let at = at.map(|port| format!("127.0.0.1:{port}"));
    machine_that_runs(trib(), sandbox, name, server, at.as_deref(), env)
}

/// The same with another `trib`, and a server that may be on another computer.
#[track_caller]
fn machine_that_runs(
    trib: &Path,
    sandbox: &Sandbox,
    name: &str,
    server: &dyn XmppServer,
    at: Option<&str>,
    env: &[(&str, &str)],
) -> Member {
    let helper = PathBuf::from(env!("CARGO_BIN_EXE_git-remote-xmpp"));
    let home = sandbox.join(name).join("home");
    let beside = helper.parent().expect("a program lies in a folder");
    let builder = Node::builder(trib, &home).path_first(beside);
    let node = env.iter().fold(builder, |builder, (name, value)| builder.env(name, value)).start();
    let member = Member { node, dir: sandbox.join(name).join("folder") };
    let jid = format!("{USER}@{}", server.domain());
    let password = format!("printf %s '{PASSWORD}'");
    let login = ["xmpp", "login", &jid, "--ca", text(server.ca()), "--keyring", "file"];
    let at = at.map(|at| ["--server", at]);
    member.run(login.into_iter().chain(["--password-command", &password]).chain(at.into_iter().flatten()));
    member.add();
    member
}

/// For nodes all of whose streams go through the server, although they could reach each other.
const IN_BAND: (&str, &str) = ("TRIBUTARY_STREAMS", "in-band");

/// The same, with all streams through the server.
#[track_caller]
fn computer(sandbox: &Sandbox, name: &str, server: &dyn XmppServer) -> Member {
    machine(sandbox, name, server, Some(server.starttls_port()), &[IN_BAND])
}

/// What others know a computer by, as pairing would tell them.
struct Known {
    keys: String,
    tag: String,
    address: String,
    repository: String,
    name: String,
}

impl Known {
    #[track_caller]
    fn of(member: &Member, server: &dyn XmppServer) -> Known {
        let read = |file: &str| -> Value {
            let text = fs::read(member.node.home().join("config").join(file)).expect("it was logged in");
            serde_json::from_slice(&text).expect("it is JSON")
        };
        let (config, secrets) = (read("config.json"), read("secrets.json"));
        let stored = secrets["device keys"].as_str().expect("a device has keys");
        let keys = DeviceKeys::from_stored(stored).expect("they are what was kept").public();
        let said = |value: &Value| value.as_str().unwrap_or_else(|| panic!("no text in {config}")).to_owned();
        let resource = said(&config["account"]["resource"]);
        Known {
            keys: STANDARD.encode(keys.to_bytes()),
            tag: said(&config["deviceTag"]),
            address: format!("{USER}@{}/{resource}", server.domain()),
            repository: member.git(&["config", "annex.uuid"]).trim().to_owned(),
            name: member.name().to_owned(),
        }
    }

    /// As it stands in the book of another of the same account that shares `ours` with it.
    fn peer(&self, ours: &str, they_may: &str, we_may: &str) -> Value {
        let account = self.address.split_once('/').expect("a full address").0;
        self.friend(account, ours, they_may, we_may)
    }

    /// As it stands in the book of another of this account.
    fn friend(&self, account: &str, ours: &str, they_may: &str, we_may: &str) -> Value {
        json!({
            "keys": self.keys,
            "tag": self.tag,
            "name": self.name,
            "address": self.address,
            "account": account,
            "since": 1_795_400_000,
            "shares": [{
                "ours": ours, "theirs": self.repository, "theyMay": they_may, "weMay": we_may,
            }],
        })
    }
}

/// Pairs all of them with each other, with every right.
#[track_caller]
fn pair(members: &mut [Member], server: &dyn XmppServer) {
    let known: Vec<Known> = members.iter().map(|member| Known::of(member, server)).collect();
    for (at, member) in members.iter_mut().enumerate() {
        let others = known.iter().enumerate().filter(|(other, _)| *other != at);
        let peers: Vec<Value> =
            others.map(|(_, other)| other.peer(&known[at].repository, "edit", "edit")).collect();
        keep(member, peers);
    }
}

/// Writes the book of a computer.
#[track_caller]
fn keep(member: &mut Member, peers: Vec<Value>) {
    member.node.stop();
    let file = member.node.home().join("config/peers.json");
    fs::write(file, json!({ "peers": peers }).to_string()).expect("the test's own folder can be written");
    member.node.start_daemon();
}

/// Waits until the set-up of the special remote has come.
#[track_caller]
fn knows_of_the_store(member: &Member) {
    eventually(3 * LIMIT, "the set-up of the drive arrives", || {
        let mut show = member.node.machine().command("git");
        show.current_dir(&member.dir).args(["show", "git-annex:remote.log"]);
        run_within(show, LIMIT).stdout().contains("name=store").then_some(())
    });
}

/// Writes this many files, each with a content of its own.
#[track_caller]
fn many(member: &Member, files: usize) {
    for file in 0..files {
        let content = format!("{} {file}", member.name());
        member.write(&format!("{}/{}/{file}", member.name(), file % 10), content);
    }
}

/// Nothing is damaged. The programs are stopped first: what is written while git looks, it takes for missing.
#[track_caller]
fn sound(members: &mut [Member]) {
    for member in members {
        member.node.stop();
        member.git(&["fsck", "--strict", "--no-dangling"]);
    }
}

/// Waits until all have the same files and history.
#[track_caller]
fn converged(members: &[Member]) {
    let tips = |member: &Member| {
        member.git(&[
            "for-each-ref",
            "--format=%(refname) %(objectname)",
            "refs/heads/master",
            "refs/heads/git-annex",
        ])
    };
    let same = within(3 * LIMIT, || {
        let (files, tip) = (members[0].files(), tips(&members[0]));
        members[1..].iter().all(|member| member.files() == files && tips(member) == tip).then_some(())
    });
    if same.is_none() {
        for member in members {
            eprintln!("{}: {:#}\n{}", member.name(), member.status(), tips(member));
            eprintln!("{}", differences(&members[0].files(), &member.files()));
        }
        panic!("they did not converge");
    }
}

#[test]
fn computers_without_a_git_remote_converge_and_the_server_reads_nothing() {
    if !need_all(Prosody::NEEDS) {
        return;
    }
    let sandbox = Sandbox::new();
    // It writes down every stanza.
    let options = ProsodyOptions { also: &["stanza_debug"], ..ProsodyOptions::default() };
    let server = Prosody::start_with("localhost.example", &[(USER, PASSWORD)], options);
    let store = sandbox.dir("drive");
    let mut members = vec![computer(&sandbox, "anna", &server), computer(&sandbox, "ben", &server)];
    members[0].store(&store).write("from-anna/secret-name", "words of anna");
    many(&members[0], 249);
    members[0].wait();
    pair(&mut members, &server);
    // Where contents are is known from the names that came.
    knows_of_the_store(&members[1]);
    members[1].store(&store).write("from-ben/other-name", "words of ben");
    many(&members[1], 249);
    converged(&members);
    assert_eq!(members[0].files().values().filter(|entry| matches!(entry, Entry::File { .. })).count(), 500);
    assert_eq!(members[0].read("from-ben/other-name").as_deref(), Some("words of ben"));
    assert_eq!(members[1].read("from-anna/secret-name").as_deref(), Some("words of anna"));
    for member in &members {
        let remotes = member.git(&["remote", "-v"]);
        let urls = remotes.lines().filter_map(|line| line.split_whitespace().nth(1));
        assert!(urls.clone().count() > 0 && urls.clone().all(|url| url.starts_with("xmpp::")), "{remotes}");
    }
    sound(&mut members);
    let seen = server.log();
    assert!(seen.contains("http://jabber.org/protocol/ibb"), "the server wrote down what it saw");
    let hidden = ["refs/heads", "synced/master", "git-annex", "secret-name", "other-name", "words of"];
    let head = members[0].git(&["rev-parse", "HEAD"]);
    for secret in hidden.into_iter().chain([head.trim()]) {
        assert!(!seen.contains(secret), "the server saw {secret}");
        // Base64 of a text looks otherwise at each of three places.
        for place in 0..3 {
            let encoded = STANDARD.encode([&vec![b'.'; place][..], secret.as_bytes()].concat());
            let whole = &encoded[(8 * place).div_ceil(6)..8 * (place + secret.len()) / 6];
            assert!(!seen.contains(whole), "the server saw {secret} in base64");
        }
    }
}

/// What Debian's configuration allows a client.
const SHIPPED_BY_PROSODY: &str = r#"limits = { c2s = { rate = "10kb/s" } }"#;

#[test]
fn a_server_that_limits_its_clients_slows_them_down_and_stops_nothing() {
    if !need_all(Prosody::NEEDS) {
        return;
    }
    let also = &["limits"];
    let options = ProsodyOptions { also, extra: SHIPPED_BY_PROSODY, ..ProsodyOptions::default() };
    sixty_files(&Prosody::start_with("localhost.example", &[(USER, PASSWORD)], options));
}

#[test]
fn ejabberd_as_it_is_shipped_carries_it_too() {
    if !need_all(Ejabberd::NEEDS) {
        return;
    }
    sixty_files(&Ejabberd::start_limited("localhost.example", &[(USER, PASSWORD)]));
}

/// Two computers and sixty files, thirty from each.
#[track_caller]
fn sixty_files(server: &dyn XmppServer) {
    let sandbox = Sandbox::new();
    let store = sandbox.dir("drive");
    let mut members = vec![computer(&sandbox, "anna", server), computer(&sandbox, "ben", server)];
    members[0].store(&store);
    many(&members[0], 30);
    members[0].wait();
    pair(&mut members, server);
    knows_of_the_store(&members[1]);
    members[1].store(&store);
    many(&members[1], 30);
    converged(&members);
    assert_eq!(members[1].read("anna/9/29").as_deref(), Some("anna 29"));
    assert_eq!(members[0].read("ben/0/0").as_deref(), Some("ben 0"));
}

#[test]
fn who_was_off_catches_up_and_then_all_is_silent() {
    if !need_all(Prosody::NEEDS) {
        return;
    }
    let (sandbox, server) = (Sandbox::new(), member::server());
    let store = sandbox.dir("drive");
    let mut members: Vec<Member> =
        ["anna", "ben", "carla"].iter().map(|name| computer(&sandbox, name, &server)).collect();
    members[0].store(&store);
    pair(&mut members, &server);
    for member in &members[1..] {
        knows_of_the_store(member);
        member.store(&store);
    }
    for member in &members {
        member.write(&format!("of-{}", member.name()), member.name());
    }
    converged(&members);
    members[1].node.stop();
    members[0].write("while-ben-was-off", "1");
    members[2].write("of-carla", "changed");
    eventually(LIMIT, "carla has it", || members[2].read("while-ben-was-off"));
    members[1].node.start_daemon();
    converged(&members);
    assert_eq!(members[1].read("of-carla").as_deref(), Some("changed"));

    // Nothing is pushed to and fro once all have the same.
    let streams = || server.log().matches("protocol/ibb").count();
    let quiet = within(LIMIT, || {
        let before = streams();
        // Time is what is tested here: there is no sign to wait for when nothing happens.
        std::thread::sleep(Duration::from_secs(5));
        (streams() == before).then_some(())
    });
    assert!(quiet.is_some(), "they go on talking");
}

#[test]
fn git_by_hand_clones_pulls_and_pushes() {
    if !need_all(Prosody::NEEDS) {
        return;
    }
    let (sandbox, server) = (Sandbox::new(), member::server());
    let mut members = vec![computer(&sandbox, "anna", &server), computer(&sandbox, "ben", &server)];
    members[0].write("a", "1").wait();
    let uuid = Known::of(&members[0], &server).repository;
    let url = format!("xmpp::{USER}@{}/{uuid}", server.domain());
    let clone = sandbox.join("clone");
    let on_ben = |members: &[Member], args: &[&str]| {
        let mut command = members[1].node.machine().command("git");
        command.current_dir(sandbox.path()).args(args);
        run_within(command, 2 * LIMIT)
    };
    let stranger = on_ben(&members, &["clone", "-q", &url, text(&clone)]);
    assert!(!stranger.success() && stranger.stderr().contains("no paired computer"), "{stranger}");
    pair(&mut members, &server);
    eventually(3 * LIMIT, "anna is online for ben", || {
        on_ben(&members, &["ls-remote", &url]).success().then_some(())
    });
    on_ben(&members, &["clone", "-q", &url, text(&clone)]).ok();
    // Anna's own history may have gone on meanwhile, since ben's folder is merged with hers.
    let cloned = on_ben(&members, &["-C", text(&clone), "rev-parse", "HEAD"]).ok().text();
    members[0].git(&["merge-base", "--is-ancestor", cloned.trim(), "HEAD"]);
    let names = on_ben(&members, &["-C", text(&clone), "ls-tree", "--name-only", "HEAD"]).ok().text();
    assert_eq!(names.trim(), "a");

    fs::write(clone.join("by-hand"), "2").expect("the clone can be written");
    let inside = |args: &[&str]| on_ben(&members, &[&["-C", text(&clone)], args].concat());
    inside(&["add", "by-hand"]).ok();
    inside(&["commit", "-q", "-m", "by hand"]).ok();
    // Ben's own program may push at the same moment, as anybody may: pull and push again.
    eventually(LIMIT, "it is pushed", || {
        inside(&["pull", "-q", "--rebase", "origin", "synced/master"]);
        inside(&["push", "-q", "origin", "HEAD:synced/master"]).success().then_some(())
    });
    eventually(LIMIT, "what was pushed is in the folder", || members[0].read("by-hand"));
    let refused = inside(&["push", "-q", "origin", "HEAD:refs/heads/elsewhere"]);
    assert!(!refused.success(), "{refused}");
    assert!(members[0].git(&["for-each-ref", "refs/heads/elsewhere"]).is_empty());
    // The program's own way of getting a folder knows these addresses, too.
    let second = sandbox.join("second");
    members[1].run(["clone", &url, text(&second)]);
    assert_eq!(members[1].node.folder(&second)["places"][0]["name"], "origin");
    members[0].write("later", "3").wait();
    inside(&["pull", "-q", "--rebase", "origin", "master"]).ok();
    assert!(clone.join("later").exists());
}

#[test]
fn who_may_only_read_changes_nothing() {
    if !need_all(Prosody::NEEDS) {
        return;
    }
    let (sandbox, server) = (Sandbox::new(), member::server());
    let mut members = [computer(&sandbox, "anna", &server), computer(&sandbox, "ben", &server)];
    members[0].write("a", "1").wait();
    let known: Vec<Known> = members.iter().map(|member| Known::of(member, &server)).collect();
    let (anna, ben) = (&known[0], &known[1]);
    let of_ben = ben.peer(&anna.repository, "readOnly", "edit");
    // Ben's own program believes that it may change everything.
    let of_anna = anna.peer(&ben.repository, "edit", "edit");
    keep(&mut members[0], vec![of_ben]);
    keep(&mut members[1], vec![of_anna]);
    eventually(3 * LIMIT, "ben gets what anna has", || {
        let log = members[1].git(&["log", "--format=%H", "--all"]);
        log.contains(members[0].git(&["rev-parse", "HEAD"]).trim()).then_some(())
    });
    let before = members[0].git(&["for-each-ref"]);
    members[1].write("b", "2");
    let problem = eventually(LIMIT, "ben is told", || {
        let status = members[1].status();
        let problems = status["problems"].as_array().cloned().unwrap_or_default();
        problems.into_iter().find(|problem| problem["sentence"].to_string().contains("not changed"))
    });
    assert!(!problem["hint"].to_string().is_empty());
    assert_eq!(members[0].git(&["for-each-ref"]), before);
    assert_eq!(members[0].read("b"), None);
}
