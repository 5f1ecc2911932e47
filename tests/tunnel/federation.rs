//! Two accounts on two servers that federate, found by SRV records of the test's own name server.

use std::net::Ipv4Addr;

use tributary_testkit::xmpp_servers::{FaultProxy, Prosody, ProsodyOptions, XmppServer};
use tributary_testkit::{Sandbox, Zone, answer_names, free_port, in_own_network, need_all};

use crate::faults::IMPATIENT;
use crate::member::{Member, PASSWORD, USER};
use crate::{Known, converged, keep, knows_of_the_store, machine};

#[test]
fn friends_on_two_servers_converge_and_the_stream_between_the_servers_may_be_cut() {
    let here = "federation::friends_on_two_servers_converge_and_the_stream_between_the_servers_may_be_cut";
    if !need_all(Prosody::NEEDS) || !in_own_network(here) {
        return;
    }
    let sandbox = Sandbox::new();
    let domains = ["p.example", "e.example"];
    let ports = [(); 2].map(|()| free_port());
    // Each server is met by the other through a proxy.
    let proxies = ports.map(FaultProxy::start);
    let servers: Vec<Prosody> = domains
        .iter()
        .zip(ports)
        .map(|(domain, port)| {
            let options = ProsodyOptions { federates_at: Some(port), ..ProsodyOptions::default() };
            Prosody::start_with(domain, &[(USER, PASSWORD)], options)
        })
        .collect();
    let zone = servers.iter().zip(&proxies).fold(Zone::default(), |zone, (server, proxy)| {
        zone.host(server.domain(), Ipv4Addr::LOCALHOST)
            .service("_xmpp-client._tcp", server.domain(), server.starttls_port())
            .service("_xmpps-client._tcp", server.domain(), server.direct_tls_port())
            .service("_xmpp-server._tcp", server.domain(), proxy.port())
    });
    let _names = answer_names(&sandbox, zone);
    let store = sandbox.dir("drive");
    // Nobody says where the servers are: the ports are nowhere but in the records.
    let mut members: Vec<Member> = ["anna", "ben"]
        .iter()
        .zip(&servers)
        .map(|(name, server)| machine(&sandbox, name, server, None, &IMPATIENT))
        .collect();
    members[0].store(&store).write("from-anna", "1").wait();
    let known: Vec<Known> =
        members.iter().zip(&servers).map(|(member, server)| Known::of(member, server)).collect();
    for (own, other) in [(0, 1), (1, 0)] {
        let account = format!("{USER}@{}", domains[own]);
        let friend = known[other].friend(&account, &known[own].repository, "edit", "edit");
        keep(&mut members[own], vec![friend]);
    }
    knows_of_the_store(&members[1]);
    members[1].store(&store).write("from-ben", "2");
    converged(&members);
    for round in 0..6 {
        for member in &members {
            for file in 0..5 {
                member.write(&format!("{}/{round}/{file}", member.name()), format!("{round} {file}"));
            }
        }
        proxies[round % 2].cut();
    }
    converged(&members);
    assert_eq!(members[0].read("ben/5/4").as_deref(), Some("5 4"));
    assert_eq!(members[1].read("anna/5/4").as_deref(), Some("5 4"));
    assert!(proxies.iter().any(|proxy| proxy.seen() > 1), "the servers met again after a cut");
}
