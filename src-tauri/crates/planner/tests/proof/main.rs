//! The proof: the planner that ships, run against a model of everything around it.
//!
//! `world` is that model: repositories, links, transfers, pushes, hints, each of them a step that may be delayed,
//! lost or doubled. `simulate` walks through large random graphs by a seed; `exhaust` walks through every interleaving
//! of small ones. Both assert what design.md, section 4, promises.

mod check;
mod engine;
mod exhaust;
mod graph;
mod history;
mod simulate;
mod step;
mod told;
mod world;
