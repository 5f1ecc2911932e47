//! Named shapes and random graphs, with and without trouble, with and without XMPP.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::walk::{Pace, Walk};
use crate::graph::Graph;
use crate::history::Merges;

/// Random graphs walked through where nothing else is said, and with `TRIBUTARY_FULL`.
const GRAPHS: [u64; 2] = [200, 2000];
/// Vertices that a random graph has at most, where nothing else is said.
const VERTICES: usize = 50;

/// Walks through a shape in trouble, with and without XMPP and with each kind of merge.
fn walk(graph: &Graph, seed: u64) {
    for xmpp in [true, false] {
        for merges in [Merges::New, Merges::ByParents, Merges::Equal] {
            let graph = graph.clone();
            Walk { graph, seed, xmpp, merges, edits: 6, trouble: true, pace: Pace::Far }.run();
        }
    }
}

#[test]
fn lines_converge() {
    (0..3).for_each(|how| walk(&Graph::line(8, false, |_| how), u64::from(how)));
}

#[test]
fn rings_converge() {
    (0..3).for_each(|how| walk(&Graph::line(8, true, |_| how), u64::from(how)));
}

#[test]
fn stars_converge() {
    walk(&Graph::star(2), 1);
    walk(&Graph::star(12), 2);
}

#[test]
fn trees_converge() {
    (0..3).for_each(|how| walk(&Graph::tree(13, 3, |node| how + node as u32), u64::from(how)));
}

#[test]
fn stars_of_stars_converge() {
    walk(&Graph::star_of_stars(4, 4), 1);
}

#[test]
fn islands_with_a_carried_drive_converge() {
    (0..4).for_each(|seed| walk(&Graph::islands(4), seed));
}

#[test]
fn random_graphs_converge() {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse().ok());
    let vertices = number("TRIBUTARY_SIM_VERTICES").map_or(VERTICES, |most| most as usize);
    let full = std::env::var_os("TRIBUTARY_FULL").is_some();
    let seeds = match number("TRIBUTARY_SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("TRIBUTARY_SIM_GRAPHS").unwrap_or(GRAPHS[usize::from(full)]),
    };
    for seed in seeds {
        let mut rng = StdRng::seed_from_u64(seed);
        let size = rng.random_range(2..=vertices);
        let graph = Graph::random(size, &mut rng);
        let merges = [Merges::New, Merges::ByParents][rng.random_range(0..2)];
        let (xmpp, trouble) = (rng.random_bool(0.6), rng.random_bool(0.8));
        Walk { graph, seed, xmpp, merges, edits: rng.random_range(1..8), trouble, pace: Pace::Far }.run();
    }
}
