//! The ways that tunnels take: straight where the computers reach each other, through a relay of the server where they do
//! not, and through the session always, much of it as a file at the server; a person is told which.

use std::path::Path;

use tributary_testkit::xmpp_servers::{Ejabberd, EjabberdOptions, Prosody, ProsodyOptions, XmppServer};
use tributary_testkit::{Sandbox, eventually, free_port, need_all};

use crate::faults::full;
use crate::member::{LIMIT, Member, PASSWORD, USER};
use crate::{IN_BAND, SHIPPED_BY_PROSODY, converged, knows_of_the_store, machine, pair, sound};

#[test]
fn computers_that_reach_each_other_do_so_directly() {
    goes(&[], "directly");
}

#[test]
fn computers_that_do_not_meet_at_a_relay() {
    goes(&[("TRIBUTARY_STREAMS", "relay")], "through a relay of the account's server");
}

#[test]
fn the_session_carries_what_nothing_else_does() {
    goes(&[IN_BAND], "through the account's server");
}

/// What the other computer is said to be reached by, as a person sees it.
#[track_caller]
fn said(member: &Member) -> String {
    member.run(["peers"]).stdout().to_owned()
}

#[track_caller]
fn goes(env: &[(&str, &str)], way: &str) {
    if !need_all(Prosody::NEEDS) {
        return;
    }
    let sandbox = Sandbox::new();
    let options = ProsodyOptions { proxy_at: Some(free_port()), ..ProsodyOptions::default() };
    let server = Prosody::start_with("localhost.example", &[(USER, PASSWORD)], options);
    let store = sandbox.dir("drive");
    let at = Some(server.starttls_port());
    let mut members: Vec<Member> =
        ["anna", "ben"].iter().map(|name| machine(&sandbox, name, &server, at, env)).collect();
    members[0].store(&store);
    pair(&mut members, &server);
    knows_of_the_store(&members[1]);
    members[1].store(&store);
    // The first streams go through the session in any case; what the last one took is seen as changes go on.
    let mut change = 0;
    let words = format!("online, reached {way}");
    eventually(3 * LIMIT, "both say how the other is reached", || {
        change += 1;
        for member in &members {
            member.write(&format!("{}/{change}", member.name()), format!("{change}"));
        }
        converged(&members);
        members.iter().all(|member| said(member).contains(&words)).then_some(())
    });
    // What is much goes that way as well.
    let noise: Vec<u8> =
        (0..1_500_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    // Kept in git itself, so that git carries it.
    members[0].git(&["config", "annex.largefiles", "nothing"]);
    members[0].write("much", &noise);
    converged(&members);
    let held = std::fs::read(members[1].dir.join("much"));
    assert!(held.is_ok_and(|held| held == noise), "it came whole");
    sound(&mut members);
}

#[test]
fn what_is_much_lies_at_prosody_as_a_file_that_it_cannot_read() {
    // A minute and more with the limits that it is shipped with. The engine's own tests have the same over a slow way, and
    // those of tributary-xmpp with the real servers.
    if !full() || !need_all(Prosody::NEEDS) {
        return;
    }
    let options = ProsodyOptions {
        also: &["limits"],
        extra: SHIPPED_BY_PROSODY,
        upload_at: Some(free_port()),
        ..ProsodyOptions::default()
    };
    goes_as_a_file(&Prosody::start_with("localhost.example", &[(USER, PASSWORD)], options));
}

#[test]
fn what_is_much_lies_at_ejabberd_as_a_file_that_it_cannot_read() {
    // Its limits let 2 kB through in a second: whatever is said before and after takes minutes on a busy machine.
    if !full() || !need_all(Ejabberd::NEEDS) {
        return;
    }
    let options =
        EjabberdOptions { limited: true, upload_at: Some(free_port()), ..EjabberdOptions::default() };
    goes_as_a_file(&Ejabberd::start_any("localhost.example", &[(USER, PASSWORD)], options));
}

/// Both push much to each other through a server with the limits that it is shipped with.
#[track_caller]
fn goes_as_a_file(server: &dyn XmppServer) {
    let sandbox = Sandbox::new();
    let at = Some(server.starttls_port());
    let files = [("TRIBUTARY_STREAMS", "files")];
    let mut members: Vec<Member> =
        ["anna", "ben"].iter().map(|name| machine(&sandbox, name, server, at, &files)).collect();
    for member in &members {
        // Kept in git itself, so that git carries it.
        member.git(&["config", "annex.largefiles", "nothing"]);
    }
    pair(&mut members, server);
    let noise: Vec<u8> = (0..150_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    members[0].write("much", &noise);
    let held = |member: &Member| std::fs::read(member.dir.join("much")).is_ok_and(|held| held == noise);
    eventually(5 * LIMIT, "it comes whole", || held(&members[1]).then_some(()));
    let words = "online, reached through the account's server, what is much as a file there";
    eventually(LIMIT, "both say how it went", || {
        members.iter().all(|member| said(member).contains(words)).then_some(())
    });
    let kept = kept(&server.kept());
    let large: Vec<&Vec<u8>> = kept.iter().filter(|file| file.len() > 200_000).collect();
    assert!(!large.is_empty(), "it lies at the server: {:?}", kept.iter().map(Vec::len).collect::<Vec<_>>());
    let pieces = [&noise[..32], &noise[300_000..300_032], &noise[noise.len() - 32..], b"refs/heads/"];
    for piece in pieces {
        let read = kept.iter().any(|file| file.windows(piece.len()).any(|window| window == piece));
        assert!(!read, "the server can read it");
    }
    sound(&mut members);
}

/// All files in a folder and below it; those that go meanwhile are passed over.
fn kept(folder: &Path) -> Vec<Vec<u8>> {
    let paths = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let files = paths
        .map(|path| if path.is_dir() { kept(&path) } else { std::fs::read(&path).into_iter().collect() });
    files.flatten().collect()
}
