//! What one change costs in a world that is otherwise at rest.

use super::walk::{Cost, Pace, Walk};
use crate::graph::Graph;
use crate::history::Merges;

/// Lets a world come to rest, saves one file, and counts until it rests again.
fn cost_of_a_change(graph: Graph, merges: Merges) -> Cost {
    let node = graph.nodes().next().expect("every graph has a node");
    let mut walker =
        Walk { graph, seed: 7, xmpp: true, merges, edits: 1, trouble: false, pace: Pace::Far }.begin();
    walker.until(8 * 3_600_000);
    let before = walker.cost.clone();
    walker.edit(node);
    walker.until(walker.now() + 8 * 3_600_000);
    walker.assert_each_content_crossed_once("economy");
    let after = &walker.cost;
    Cost {
        fetches: after.fetches - before.fetches,
        pushes: after.pushes - before.pushes,
        news: after.news - before.news,
        refused: after.refused - before.refused,
        records: after.records - before.records,
        announces: after.announces - before.announces,
        ..Cost::default()
    }
}

/// Pushes that bring something new, and hints, for one change, per way of using a link: the change, and a record from
/// each node that got it, which travel together as far as they can.
const NEWS_PER_USE: u64 = 12;
/// Pushes that are refused because somebody else was quicker, per way of using a link.
const REFUSED_PER_USE: u64 = 8;

#[test]
fn a_change_costs_pushes_and_hints_by_the_number_of_links() {
    let shapes = [
        ("two nodes and a point", Graph::star(2)),
        ("line of 4 over points", Graph::line(4, false, |_| 1)),
        ("ring of 4 over points", Graph::line(4, true, |_| 1)),
        ("star of 4", Graph::star(4)),
        ("line of 16 over points", Graph::line(16, false, |_| 1)),
        ("line of 16, direct", Graph::line(16, false, |_| 0)),
        ("ring of 16 over points", Graph::line(16, true, |_| 1)),
        ("star of 16", Graph::star(16)),
        ("tree of 31 over points", Graph::tree(31, 2, |_| 1)),
        ("star of 6 stars of 6", Graph::star_of_stars(6, 6)),
        ("star of 64", Graph::star(64)),
    ];
    for (name, graph) in shapes {
        let (uses, nodes) = (graph.uses(), graph.nodes().count() as u64);
        for merges in [Merges::ByParents, Merges::New] {
            let cost = cost_of_a_change(graph.clone(), merges);
            eprintln!(
                "{name}, {merges:?}: {uses} ends of links, {} pushes with news, {} refused, {} hints, {} records",
                cost.news, cost.refused, cost.announces, cost.records
            );
            assert!(cost.news <= NEWS_PER_USE * uses, "{name}: {cost:?}");
            assert!(cost.refused <= REFUSED_PER_USE * uses, "{name}: {cost:?}");
            assert!(cost.announces <= cost.news, "{name}: a hint follows a push that brought news, {cost:?}");
            assert!(cost.records <= nodes, "{name}: one record for each node, {cost:?}");
        }
    }
}

#[test]
fn a_change_between_two_computers_costs_two_pushes() {
    let cost = cost_of_a_change(Graph::star(2), Merges::New);
    assert_eq!(
        (cost.pushes, cost.announces, cost.records),
        (2, 2, 2),
        "the change with its record, and the answer"
    );
}
