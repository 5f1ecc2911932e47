//! What is promised of a world once it is left alone.

use std::collections::BTreeSet;

use crate::graph::Kind;
use crate::world::World;

/// Convergence: folders, logs and tips are equal everywhere, and every content is where it is wanted and on record.
pub fn converged(world: &World) -> Result<(), String> {
    let nodes: Vec<_> = world.plan.graph.nodes().collect();
    let first = &world.repositories[nodes[0]].tips;
    let shown = world.shown(first);
    for (vertex, repository) in world.repositories.iter().enumerate() {
        let (git, contents) = match world.kind(vertex) {
            Kind::Node => (true, true),
            Kind::Point { git, contents } => (git, contents),
        };
        if git && repository.tips != *first {
            let (ours, theirs) = (first.annex.reach(), repository.tips.annex.reach());
            return Err(format!(
                "{vertex} holds edits {:?} (node {} {:?}); lines equal: {}",
                repository.tips.branch.reach().edits,
                nodes[0],
                first.branch.reach().edits,
                ours.lines == theirs.lines
            ));
        }
        if !contents {
            continue;
        }
        for edit in &shown {
            let (here, on_record) = (repository.objects.contains(edit), first.on_record(*edit, vertex));
            if !here || !on_record {
                return Err(format!("content {edit} at {vertex}: there {here}, on record {on_record}"));
            }
        }
    }
    for node in nodes {
        let Some(engine) = &world.engines[node] else { return Err(format!("{node} does not run")) };
        let settled = engine.planner.settled();
        let left = (settled.pending_up.keys, settled.pending_down.keys, settled.failed.len());
        if !settled.idle || left != (0, 0, 0) {
            return Err(format!("node {node} is not settled: {settled:?}"));
        }
    }
    Ok(())
}

/// No loss: every version that was saved is in the history of every node, and its content is somewhere.
pub fn lossless(world: &World) -> Result<(), String> {
    let all: BTreeSet<_> = (0..world.edits.len()).collect();
    for node in world.plan.graph.nodes() {
        let known = &world.repositories[node].tips.branch.reach().edits;
        if *known != all {
            return Err(format!("node {node} knows versions {known:?} of {}", all.len()));
        }
    }
    contents_kept(world)
}

/// The part of it that holds at every moment: no content is ever nowhere.
pub fn contents_kept(world: &World) -> Result<(), String> {
    let kept: BTreeSet<_> = world.repositories.iter().flat_map(|repository| &repository.objects).collect();
    match (0..world.edits.len()).find(|edit| !kept.contains(edit)) {
        Some(edit) => Err(format!("content {edit} is nowhere")),
        None => Ok(()),
    }
}

/// The logs speak the truth: what is on record as present is there. Nothing is dropped in these worlds, so it holds at
/// every moment, at every vertex.
pub fn truthful(world: &World) -> Result<(), String> {
    for repository in &world.repositories {
        for ((edit, site), (_, present)) in &repository.tips.annex.reach().lines {
            if *present && !world.repositories[*site].objects.contains(edit) {
                return Err(format!("content {edit} is on record at {site} and not there"));
            }
        }
    }
    Ok(())
}
