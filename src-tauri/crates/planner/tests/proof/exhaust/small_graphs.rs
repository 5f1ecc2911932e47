//! All small graphs, each once.

use std::collections::BTreeSet;

use crate::graph::{Graph, Kind, POINT};

/// Every connected graph of up to so many vertices with at least one node, each once whatever its vertices are called.
pub fn graphs(most: usize) -> Vec<Graph> {
    let mut found = Vec::new();
    for vertices in 2..=most {
        let pairs: Vec<(usize, usize)> =
            (0..vertices).flat_map(|a| (a + 1..vertices).map(move |b| (a, b))).collect();
        let mut known = BTreeSet::new();
        // Kinds in order, so that only the links remain to be compared under renaming.
        for nodes in 1..=vertices {
            let kind = |vertex: usize| if vertex < nodes { Kind::Node } else { POINT };
            for chosen in 0_u32..1 << pairs.len() {
                let links: BTreeSet<(usize, usize)> =
                    (0..pairs.len()).filter(|bit| chosen >> bit & 1 == 1).map(|bit| pairs[bit]).collect();
                let useless = links.iter().any(|(a, _)| kind(*a) == POINT);
                if useless || !is_connected(vertices, &links) {
                    continue;
                }
                let names = permutations(vertices)
                    .into_iter()
                    .filter(|name| (0..vertices).all(|v| (v < nodes) == (name[v] < nodes)));
                let renamed = names.map(|name| {
                    links
                        .iter()
                        .map(|(a, b)| (name[*a].min(name[*b]), name[*a].max(name[*b])))
                        .collect::<BTreeSet<_>>()
                });
                if known.insert((nodes, renamed.min().expect("at least the names they have"))) {
                    let mut graph = Graph::default();
                    (0..vertices).for_each(|vertex| {
                        graph.add(kind(vertex));
                    });
                    links.into_iter().for_each(|(a, b)| {
                        graph.link(a, b);
                    });
                    found.push(graph);
                }
            }
        }
    }
    found
}

fn is_connected(vertices: usize, links: &BTreeSet<(usize, usize)>) -> bool {
    let mut reached = BTreeSet::from([0]);
    for _ in 0..vertices {
        for (a, b) in links {
            if reached.contains(a) || reached.contains(b) {
                reached.extend([*a, *b]);
            }
        }
    }
    reached.len() == vertices
}

fn permutations(of: usize) -> Vec<Vec<usize>> {
    if of == 0 {
        return vec![Vec::new()];
    }
    let shorter = permutations(of - 1);
    shorter
        .into_iter()
        .flat_map(|rest| {
            (0..of).map(move |at| {
                let mut names = rest.clone();
                names.insert(at, of - 1);
                names
            })
        })
        .collect()
}
