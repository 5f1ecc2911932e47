//! How long it takes until all are alike again when everybody changes something at the same moment, and what it costs.

use super::walk::{Cost, Pace, Walk};
use crate::check;
use crate::graph::Graph;
use crate::history::Merges;

/// Each shape is walked through so often, with other delays every time.
const SEEDS: u64 = 20;
/// Long enough for everything to come to rest, milliseconds.
const REST: u64 = 8 * 3_600_000;

/// What it took, over all walks.
#[derive(Debug, Default)]
struct Taken {
    /// Until all were alike, milliseconds; in order.
    times: Vec<u64>,
    news: u64,
    refused: u64,
    fetches: u64,
}

impl Taken {
    fn median(&self) -> u64 {
        self.times[self.times.len() / 2]
    }

    fn longest(&self) -> u64 {
        *self.times.last().expect("there was a walk")
    }
}

/// Every node saves a file in a world at rest, and hears of the others afterwards.
fn all_change(graph: &Graph, merges: Merges) -> Taken {
    let mut taken = Taken::default();
    for seed in 0..SEEDS {
        let edits = graph.nodes().count();
        let mut walker =
            Walk { graph: graph.clone(), seed, xmpp: true, merges, edits, trouble: false, pace: Pace::Near }
                .begin();
        walker.until(REST);
        let (begun, before) = (walker.now(), walker.cost.clone());
        graph.nodes().for_each(|node| walker.edit(node));
        while check::converged(&walker.world).is_err() {
            assert!(walker.step(), "seed {seed}: nothing is under way, and they differ");
        }
        taken.times.push(walker.now() - begun);
        walker.until(begun + REST);
        let Cost { news, refused, fetches, .. } = walker.cost;
        taken.news += news - before.news;
        taken.refused += refused - before.refused;
        taken.fetches += fetches - before.fetches;
    }
    taken.times.sort_unstable();
    taken
}

/// Shapes, what half of the walks take at most, and the longest of them, milliseconds. Four computers on one desk are
/// alike before a person has looked from one to the other.
fn shapes() -> [(&'static str, Graph, u64, u64); 6] {
    [
        ("line of 4 over points", Graph::line(4, false, |_| 1), 2_000, 3_500),
        ("ring of 4 over points", Graph::line(4, true, |_| 1), 2_000, 3_500),
        ("star of 4 around a node", Graph::tree(4, 3, |_| 1), 1_600, 3_000),
        ("star of 4 around a point", Graph::star(4), 1_500, 2_000),
        ("ring of 8 over points", Graph::line(8, true, |_| 1), 5_000, 9_000),
        ("star of 16 around a point", Graph::star(16), 3_500, 7_000),
    ]
}

/// Pushes, with news and refused, for each way of using a link.
const PUSHES_PER_USE: u64 = 12;

#[test]
fn everybody_changes_something_at_once_and_all_are_soon_alike() {
    for (name, graph, half, longest) in shapes() {
        let uses = graph.uses();
        for merges in [Merges::ByParents, Merges::New] {
            let taken = all_change(&graph, merges);
            let (news, refused) = (taken.news / SEEDS, taken.refused / SEEDS);
            eprintln!(
                "{name}, {merges:?}: alike after {} ms, {} at most; {news} pushes with news, {refused} refused, \
                 {} fetches",
                taken.median(),
                taken.longest(),
                taken.fetches / SEEDS,
            );
            assert!(taken.median() <= half, "{name}: {taken:?}");
            assert!(taken.longest() <= longest, "{name}: {taken:?}");
            assert!(news + refused <= PUSHES_PER_USE * uses, "{name}: {taken:?}");
        }
    }
}
