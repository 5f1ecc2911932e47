//! Two computers and a server, each with a network of its own, and a cable between the two computers: streams go over the
//! cable whoever opens them, and nobody who listens there can read them.

use std::path::{Path, PathBuf};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tributary_testkit::xmpp_servers::{Prosody, ProsodyOptions, XmppServer};
use tributary_testkit::{Computer, Plug, Sandbox, cable, eventually, in_own_network, need_all, run_within};

use crate::member::{LIMIT, Member, PASSWORD, USER, text, trib};
use crate::{Known, converged, machine_that_runs, pair, sound};

/// What the computers are called, and by which address each is known: the one on its way to the server.
const COMPUTERS: [(&str, &str); 2] = [("anna", "10.77.1.2"), ("ben", "10.77.2.2")];
/// The device at either end of the cable between them.
const CABLE: &str = "cable";

#[test]
fn two_computers_on_one_network_need_no_proxy() {
    goes_over_the_cable("apart::two_computers_on_one_network_need_no_proxy", |[anna, ben]| {
        anna.ip("route add 10.77.2.2 via 10.77.3.2 src 10.77.1.2");
        ben.ip("route add 10.77.1.2 via 10.77.3.1 src 10.77.2.2");
    });
}

#[test]
fn who_cannot_be_come_to_goes_to_the_other_whoever_opens_the_stream() {
    let here = "apart::who_cannot_be_come_to_goes_to_the_other_whoever_opens_the_stream";
    goes_over_the_cable(here, |[anna, ben]| {
        // As behind a router: she gets out, with another address than the one that she knows of and listens at, and what is
        // sent to that one goes to nobody: there is no 10.77.3.9.
        anna.ip("route add 10.77.2.2 via 10.77.3.2 src 10.77.3.1");
        ben.ip("neighbour add 10.77.3.9 lladdr 02:00:00:00:00:09 dev cable nud permanent");
        ben.ip("route add 10.77.1.2 via 10.77.3.9");
    });
}

/// `join` says how the two reach each other over the cable, at which they are 10.77.3.1 and 10.77.3.2.
#[track_caller]
fn goes_over_the_cable(test: &str, join: impl FnOnce([&Computer; 2])) {
    if !need_all(Prosody::NEEDS) || !need_all(Computer::NEEDS) || !in_own_network(test) {
        return;
    }
    let sandbox = Sandbox::new();
    let computers = COMPUTERS.map(|(name, _)| Computer::new(&sandbox, name));
    let [anna, ben] = computers.each_ref();
    for (computer, (device, near, far)) in [
        (anna, ("to-anna", "10.77.1.1/24", "10.77.1.2/24")),
        (ben, ("to-ben", "10.77.2.1/24", "10.77.2.2/24")),
    ] {
        let server = Plug { computer: None, device, address: near };
        cable([server, Plug { computer: Some(computer), device: "uplink", address: far }]);
    }
    cable([
        Plug { computer: Some(anna), device: CABLE, address: "10.77.3.1/24" },
        Plug { computer: Some(ben), device: CABLE, address: "10.77.3.2/24" },
    ]);
    join([anna, ben]);
    let tap = ben.listen(CABLE);

    // No proxy, and nothing else that could carry a stream but its own sessions.
    let options = ProsodyOptions { extra: r#"interfaces = { "0.0.0.0" }"#, ..ProsodyOptions::default() };
    let server = Prosody::start_with("localhost.example", &[(USER, PASSWORD)], options);
    let mut members: Vec<Member> = computers
        .iter()
        .zip([("anna", "10.77.1.1"), ("ben", "10.77.2.1")])
        .map(|(computer, (name, server_at))| {
            let at = format!("{server_at}:{}", server.starttls_port());
            let trib = computer.program(trib());
            machine_that_runs(&trib, &sandbox, name, &server, Some(&at), &[])
        })
        .collect();
    for member in &members {
        // Kept in git itself, so that git carries it: there is no other place where contents could be.
        member.git(&["config", "annex.largefiles", "nothing"]);
    }
    pair(&mut members, &server);
    let words = "online, reached directly";
    let mut change = 0;
    // The first streams go through the session in any case.
    eventually(3 * LIMIT, "both say that they reach the other directly", || {
        change += 1;
        for member in &members {
            member.write(&format!("{}/{change}", member.name()), format!("{change}"));
        }
        converged(&members);
        let said = |member: &Member| member.run(["peers"]).stdout().contains(words);
        members.iter().all(said).then_some(())
    });

    let much = [noise(1), noise(2)];
    for (member, much) in members.iter().zip(&much) {
        member.write(&format!("much-of-{}", member.name()), much);
    }
    converged(&members);
    for (member, much) in members.iter().rev().zip(&much) {
        let files = std::fs::read_dir(&member.dir).expect("a folder can be read").flatten();
        let came = files.filter_map(|file| std::fs::read(file.path()).ok()).any(|held| held == *much);
        assert!(came, "{} has what the other wrote", member.name());
    }
    // Git by hand: these streams are opened by the one who asks, whatever the programs do among themselves.
    let urls = members
        .iter()
        .rev()
        .map(|other| format!("xmpp::{USER}@{}/{}", server.domain(), Known::of(other, &server).repository));
    for (at, url) in urls.enumerate() {
        let (near, far) = (&members[at], 1 - at);
        let clone = clone_over_the_cable(&sandbox, near, &url, &computers[at]);
        push_over_the_cable(near, &clone, &computers[far]);
    }
    converged(&members);

    let head = members[0].git(&["rev-parse", "HEAD"]);
    let seen = tap.seen();
    let has = |piece: &[u8]| seen.windows(piece.len()).any(|window| window == piece);
    // What a meeting begins with (RFC 1928): a name of 40 letters is asked for.
    assert!(has(&[5, 1, 0, 3, 40]), "whoever listens at the cable hears something: {} bytes", seen.len());
    let pieces = much.iter().flat_map(|much| [&much[..32], &much[much.len() / 2..][..32]]);
    let words = [&b"refs/heads/"[..], b"synced/master", b"git-annex", b"much-of-", head.trim().as_bytes()];
    for secret in pieces.chain(words) {
        assert!(!has(secret), "the cable shows {}", String::from_utf8_lossy(secret));
    }
    sound(&mut members);
}

/// Clones by hand until what comes comes over the cable: a way that failed rests for a minute.
#[track_caller]
fn clone_over_the_cable(sandbox: &Sandbox, near: &Member, url: &str, computer: &Computer) -> PathBuf {
    let mut tries = 0;
    eventually(3 * LIMIT, "what is fetched comes over the cable", || {
        tries += 1;
        let clone = sandbox.join(format!("clone-{}-{tries}", near.name()));
        let before = computer.received(CABLE);
        let cloned = try_by_hand(near, sandbox.path(), &["clone", "-q", url, text(&clone)]);
        (cloned && computer.received(CABLE) - before > 2 * MUCH).then_some(clone)
    })
}

/// Pushes something by hand until it goes over the cable.
#[track_caller]
fn push_over_the_cable(near: &Member, clone: &Path, far: &Computer) {
    let mut tries = 0;
    eventually(3 * LIMIT, "what is pushed goes over the cable", || {
        tries += 1;
        let name = format!("by-hand-of-{}-{tries}", near.name());
        std::fs::write(clone.join(&name), noise(3 + tries)).expect("the clone can be written");
        by_hand(near, clone, &["add", &name]);
        by_hand(near, clone, &["commit", "-q", "-m", "by hand"]);
        let before = far.received(CABLE);
        // The programs may push at the same moment, as anybody may: pull and push again. What is pushed gets into the
        // folder's own branch by itself; the one for pushing need not be there yet.
        eventually(LIMIT, "it is pushed", || {
            let git = |args: &[&str]| try_by_hand(near, clone, args);
            (git(&["pull", "-q", "--rebase", "origin", "master"])
                && git(&["push", "-q", "origin", "HEAD:synced/master"]))
            .then_some(())
        });
        (far.received(CABLE) - before > MUCH).then_some(())
    });
}

#[track_caller]
fn by_hand(member: &Member, folder: &Path, args: &[&str]) {
    assert!(try_by_hand(member, folder, args), "git {args:?}");
}

#[track_caller]
fn try_by_hand(member: &Member, folder: &Path, args: &[&str]) -> bool {
    let mut command = member.node.machine().command("git");
    command.current_dir(folder).args(args);
    let finished = run_within(command, 2 * LIMIT);
    if !finished.success() {
        eprintln!("{finished}");
    }
    finished.success()
}

/// How much is much, bytes.
const MUCH: u64 = 400_000;

/// Bytes in which git finds nothing to make smaller.
fn noise(seed: u64) -> Vec<u8> {
    let length = usize::try_from(MUCH).expect("it is not that much");
    StdRng::seed_from_u64(seed).random_iter().take(length).collect()
}
