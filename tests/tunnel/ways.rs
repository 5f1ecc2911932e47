//! The ways that tunnels take: straight where the computers reach each other, through a relay of the server where they do
//! not, and through the session always; a person is told which.

use tributary_testkit::xmpp_servers::{Prosody, ProsodyOptions, XmppServer};
use tributary_testkit::{Sandbox, eventually, free_port, need_all};

use crate::member::{LIMIT, Member, PASSWORD, USER};
use crate::{IN_BAND, converged, knows_of_the_store, machine, pair, sound};

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
