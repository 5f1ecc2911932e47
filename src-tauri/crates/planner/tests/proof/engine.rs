//! The process at a node: the planner, and what turns its effects into steps of the world.

use tributary_planner::{Config, Direction, Effect, Input, Instant, Planner};

use crate::history::{Tips, Vertex};
use crate::step::Step;
use crate::told::line;
use crate::world::Plan;

/// A running process.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Engine {
    pub planner: Planner,
    pub epoch: u8,
    pub wake: Option<Instant>,
}

impl Engine {
    pub fn new(config: Config, epoch: u8) -> Self {
        Self { planner: Planner::new(config), epoch, wake: None }
    }

    pub fn handle(
        &mut self,
        node: Vertex,
        input: Input,
        tips: &Tips,
        plan: &Plan,
        now: Instant,
    ) -> Vec<Step> {
        if self.wake.is_some_and(|wake| wake <= now) {
            self.wake = None;
        }
        let epoch = self.epoch;
        let mut steps = Vec::new();
        for effect in self.planner.handle(input, now) {
            let mut transfers = |place: Vertex, direction: Direction, keys: Vec<_>| {
                steps.extend(keys.iter().map(|key| {
                    let edit = plan.keys.iter().position(|known| known == key).expect("a known key");
                    Step::Transfer { node, epoch, place, direction, edit }
                }));
            };
            match effect {
                Effect::Fetch { place } => {
                    steps.push(Step::AskFetch { node, epoch, place: place.0 as Vertex })
                }
                Effect::Push { place, heads } => {
                    assert_eq!(heads, tips.heads(), "what is pushed is what we have");
                    steps.push(Step::Push { node, epoch, place: place.0 as Vertex, tips: tips.clone() });
                }
                Effect::Upload { place, keys } => transfers(place.0 as Vertex, Direction::Upload, keys),
                Effect::Download { place, keys } => transfers(place.0 as Vertex, Direction::Download, keys),
                Effect::Record(lines) => {
                    let lines = lines.into_iter().map(|entry| line(node, plan, entry)).collect();
                    steps.push(Step::Record { node, epoch, lines });
                }
                Effect::Announce => steps.push(Step::Announce { node, epoch }),
                Effect::WakeAt(moment) => {
                    assert!(moment > now, "a moment that has passed wakes nobody");
                    self.wake = Some(moment);
                }
            }
        }
        steps
    }
}
