//! Small graphs, every interleaving: `stateright` walks through all states that the edits and the faults of a budget
//! can lead to. What is walked through always, and what only when `TRIBUTARY_EXHAUST` is set, is said by each
//! test; the numbers of states are in the README.

mod model;
mod small_graphs;

use model::Small;
use small_graphs::graphs;
use stateright::{Checker, Model};

use crate::graph::{Graph, Kind};

/// Walks through everything.
fn exhaust(graph: &Graph, xmpp: bool, edits: usize, faults: u8) {
    let began = std::time::Instant::now();
    let what = format!("{:?} {:?}, XMPP {xmpp}, edits {edits}, faults {faults}", graph.vertices, graph.links);
    let small = Small { graph: graph.clone(), xmpp, edits, faults };
    let checker = small.checker().threads(2).spawn_bfs().join();
    eprintln!("{what}: {} states in {:?}", checker.unique_state_count(), began.elapsed());
    checker.assert_properties();
}

/// Whether two nodes are joined directly: then each works on the repository of the other, and there are far more ways
/// for things to happen.
fn has_direct_link(graph: &Graph) -> bool {
    let node = |vertex: usize| graph.vertices[vertex] == Kind::Node;
    graph.links.iter().any(|(a, b)| node(*a) && node(*b))
}

fn is_full() -> bool {
    std::env::var_os("TRIBUTARY_EXHAUST").is_some()
}

/// Two nodes that meet at a point for names and another one for contents: the smallest set-up that people have.
fn two_points() -> Graph {
    let mut graph = Graph::default();
    let (a, b) = (graph.add(Kind::Node), graph.add(Kind::Node));
    graph.join(a, b, 2);
    graph
}

#[test]
fn every_graph_is_there_once() {
    assert_eq!(graphs(2).len(), 2, "node and node, node and point");
    assert_eq!(graphs(3).len(), 8, "and six of three vertices");
}

/// Three nodes and no point: with hints their states go into the tens of millions.
fn is_huge(graph: &Graph, xmpp: bool) -> bool {
    xmpp && graph.nodes().count() == 3 && !is_full()
}

#[test]
fn two_edits_at_once_converge() {
    for graph in graphs(3).iter().chain([&two_points()]) {
        for xmpp in [true, false] {
            exhaust(graph, xmpp, if is_huge(graph, xmpp) { 1 } else { 2 }, 0);
        }
    }
}

#[test]
fn an_edit_and_a_fault_converge() {
    for graph in graphs(3).iter().filter(|graph| graph.vertices.len() == 3 && has_direct_link(graph)) {
        for xmpp in [true, false] {
            if !is_huge(graph, xmpp) {
                exhaust(graph, xmpp, 1, 1);
            }
        }
    }
}

#[test]
fn two_edits_and_a_fault_converge() {
    for graph in graphs(3).iter().chain([&two_points()]) {
        if graph.vertices.len() < 3 || !has_direct_link(graph) || is_full() {
            for xmpp in [true, false] {
                exhaust(graph, xmpp, 2, 1);
            }
        }
    }
}
