//! Servers that lose, double and delay, connections that are cut, a server that is killed: all of it delays, and nothing
//! is lost or damaged.

use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tributary_testkit::xmpp_servers::{
    FAULT_LOGGED, FaultProxy, Prosody, ProsodyOptions, StanzaFault, StanzaFaults, XmppServer,
};
use tributary_testkit::{Sandbox, eventually, need_all};

use crate::member::{self, LIMIT, Member, PASSWORD, USER};
use crate::{IN_BAND, converged, knows_of_the_store, machine, pair, sound};

/// For nodes that give up what is stuck after so many seconds; in the product it is minutes.
pub(crate) const IMPATIENT: [(&str, &str); 2] = [IN_BAND, ("TRIBUTARY_STREAM_PATIENCE", "6")];

/// How long a single change may take to come through all this.
const PATIENT: Duration = LIMIT.saturating_mul(5);

/// Whether all was asked for, which takes long.
pub(crate) fn full() -> bool {
    std::env::var_os("TRIBUTARY_FULL").is_some()
}

#[test]
fn a_server_that_loses_requests_loses_no_change() {
    faulty(StanzaFault::Drop);
}

#[test]
fn a_server_that_doubles_requests_doubles_no_change() {
    faulty(StanzaFault::Double);
}

#[test]
fn a_server_that_holds_requests_up_holds_changes_up_and_no_more() {
    faulty(StanzaFault::Delay);
}

/// Changes go to and fro until the server has done enough harm, and all arrive.
#[track_caller]
fn faulty(fault: StanzaFault) {
    if !need_all(Prosody::NEEDS) {
        return;
    }
    let enough = if full() { 60 } else { 5 };
    let faults = StanzaFaults { fault, one_in: 40, seed: tributary_testkit::seed() };
    let options = ProsodyOptions { faults: Some(faults), ..ProsodyOptions::default() };
    let server = Prosody::start_with("localhost.example", &[(USER, PASSWORD)], options);
    let sandbox = Sandbox::new();
    let store = sandbox.dir("drive");
    let at = Some(server.starttls_port());
    let mut members = ["anna", "ben"]
        .map(|name| machine(&sandbox, name, &server, at, &IMPATIENT))
        .into_iter()
        .collect::<Vec<_>>();
    members[0].store(&store);
    pair(&mut members, &server);
    knows_of_the_store(&members[1]);
    members[1].store(&store);
    let harm = || server.log().matches(FAULT_LOGGED).count();
    for round in 0.. {
        assert!(round < 400, "the server does no harm: {} times in {round} rounds", harm());
        for (from, to) in [(0, 1), (1, 0)] {
            let (file, content) = (format!("{}/{round}", members[from].name()), format!("{round}"));
            members[from].write(&file, &content);
            eventually(PATIENT, "the change arrives", || {
                (members[to].read(&file).as_ref() == Some(&content)).then_some(())
            });
        }
        if harm() >= enough {
            break;
        }
    }
    converged(&members);
    sound(&mut members);
}

#[test]
fn connections_that_are_cut_and_a_server_that_is_killed_delay_and_lose_nothing() {
    if !need_all(Prosody::NEEDS) {
        return;
    }
    let cuts = if full() { 100 } else { 20 };
    let (sandbox, mut server) = (Sandbox::new(), member::server());
    let proxies = [(); 2].map(|()| FaultProxy::start(server.starttls_port()));
    let store = sandbox.dir("drive");
    let mut members: Vec<Member> = ["anna", "ben"]
        .iter()
        .zip(&proxies)
        .map(|(name, proxy)| machine(&sandbox, name, &server, Some(proxy.port()), &IMPATIENT))
        .collect();
    members[0].store(&store);
    pair(&mut members, &server);
    knows_of_the_store(&members[1]);
    members[1].store(&store);
    let mut lots = StdRng::seed_from_u64(tributary_testkit::seed());
    for round in 0..cuts {
        for file in 0..10 {
            for member in &members {
                let content = format!("{} {round} {file}", member.name());
                member.write(&format!("{}/{round}/{file}", member.name()), content);
            }
        }
        if round % 4 == 3 {
            // What was sent is under way at least now and then: not every cut comes while the computers find back.
            let (last, content) = (format!("anna/{round}/9"), format!("anna {round} 9"));
            eventually(PATIENT, "it comes through between the cuts", || {
                (members[1].read(&last)? == content).then_some(())
            });
            continue;
        }
        // Somewhere in what the files set going: there is no signal for the middle of a push.
        let cut_at = Instant::now() + Duration::from_millis(lots.random_range(0..900));
        std::thread::sleep(cut_at.saturating_duration_since(Instant::now()));
        proxies[lots.random_range(0..2)].cut();
        if round == cuts / 2 {
            server.kill();
            server.restart();
        }
    }
    converged(&members);
    let last = cuts - 1;
    assert_eq!(members[1].read(&format!("anna/{last}/9")), Some(format!("anna {last} 9")));
    assert_eq!(members[0].read("ben/0/0").as_deref(), Some("ben 0 0"));
    sound(&mut members);
}
