//! The world around the planners: what is on the disks, which links work, and what each step on the way does.
//!
//! A `Step` is something under way. Whoever walks through the world decides which one happens next, and whether it
//! happens at all.

use std::collections::BTreeSet;
use std::sync::Arc;

use tributary_formats::key::Key;
use tributary_planner::{
    Config, Direction, Failure, FetchResult, Input, Instant, Origin, PlaceId, PushResult, TransferResult,
};

use crate::engine::Engine;
use crate::graph::{Graph, Kind};
use crate::history::{Commits, EditId, Moved, Tips, Vertex};
use crate::step::Step;

/// What does not change while a world is walked through.
#[derive(Debug)]
pub struct Plan {
    pub graph: Graph,
    /// Whether nodes have XMPP.
    pub xmpp: bool,
    /// Keys and sizes by edit.
    pub keys: Vec<Key>,
    /// How many paths the edits go to.
    pub paths: usize,
    pub configs: Vec<Config>,
}

/// What is on the disk at a vertex.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Repository {
    pub tips: Tips,
    /// What others pushed and the node has not merged yet: git's `synced/` branches.
    pub pushed: Tips,
    pub objects: BTreeSet<EditId>,
}

/// A saved version: the edits that its maker knew are its past.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Edit {
    pub path: usize,
    pub past: BTreeSet<EditId>,
}

/// Everything that can change.
#[derive(Debug, Clone)]
pub struct World {
    pub plan: Arc<Plan>,
    pub repositories: Vec<Repository>,
    /// The process at each node that runs.
    pub engines: Vec<Option<Engine>>,
    pub links_up: Vec<bool>,
    pub edits: Vec<Edit>,
    pub commits: Commits,
}

impl World {
    pub fn kind(&self, vertex: Vertex) -> Kind {
        self.plan.graph.vertices[vertex]
    }

    pub fn is_node(&self, vertex: Vertex) -> bool {
        self.kind(vertex) == Kind::Node
    }

    fn works(&self, a: Vertex, b: Vertex) -> bool {
        self.plan.graph.between(a, b).is_some_and(|link| self.links_up[link])
    }

    /// The versions that a repository shows: those that no later one of the same path replaced.
    pub fn shown(&self, tips: &Tips) -> BTreeSet<EditId> {
        let edits = &tips.branch.reach().edits;
        let replaced = |edit: &EditId| {
            edits.iter().any(|later| {
                self.edits[*later].path == self.edits[*edit].path && self.edits[*later].past.contains(edit)
            })
        };
        edits.iter().copied().filter(|edit| !replaced(edit)).collect()
    }

    /// A node's process, when it runs and is the one that the step belongs to.
    fn runs(&self, node: Vertex, epoch: u8) -> bool {
        self.engines[node].as_ref().is_some_and(|engine| engine.epoch == epoch)
    }

    /// Lets a step happen.
    pub fn happen(&mut self, step: Step, now: Instant) -> Vec<Step> {
        let mut steps = Vec::new();
        match step {
            Step::AskFetch { node, epoch, place } => {
                if self.runs(node, epoch) {
                    let there = &self.repositories[place];
                    let found =
                        self.works(node, place).then(|| vec![there.tips.clone(), there.pushed.clone()]);
                    steps.push(Step::FetchAnswer { node, epoch, place, found });
                }
            }
            Step::FetchAnswer { node, epoch, place, found } => {
                if self.runs(node, epoch) {
                    steps = self.fetched(node, place, found, now);
                }
            }
            Step::Push { node, epoch, place, tips } => {
                let pushed = tips.heads();
                let (result, notice) = self.pushed(node, place, tips);
                if notice {
                    steps.push(Step::Notice { node: place });
                }
                if self.runs(node, epoch) {
                    steps.push(Step::PushAnswer { node, epoch, place, pushed, result });
                }
            }
            Step::PushAnswer { node, epoch, place, pushed, result } => {
                if self.runs(node, epoch) {
                    let place = PlaceId(place as u32);
                    steps = self.tell(node, Input::PushEnded { place, pushed, result }, now);
                }
            }
            Step::Transfer { node, epoch, place, direction, edit } => {
                if self.runs(node, epoch) {
                    steps = self.transferred(node, place, direction, edit, now);
                }
            }
            Step::Record { node, epoch, lines } => {
                if self.runs(node, epoch) {
                    steps = self.recorded(node, lines, now);
                }
            }
            Step::Announce { node, epoch } => {
                let tips = self.repositories[node].tips.clone();
                let others = self.plan.graph.nodes().filter(|other| *other != node);
                steps = others.map(|to| Step::Hint { from: node, to, tips: tips.clone() }).collect();
                if self.runs(node, epoch) {
                    steps.push(Step::AnnounceAnswer { node, epoch });
                }
            }
            Step::AnnounceAnswer { node, epoch } => {
                if self.runs(node, epoch) {
                    steps = self.tell(node, Input::AnnounceEnded { ok: true }, now);
                }
            }
            Step::Hint { to, tips, .. } => {
                if self.engines[to].is_some() {
                    let heads_known = self.repositories[to].tips.includes(&tips);
                    steps = self.tell(to, Input::Hint { heads_known }, now);
                }
            }
            Step::Notice { node } => {
                if self.engines[node].is_some() {
                    steps = self.merge_pushed(node, now);
                }
            }
        }
        steps
    }

    /// Makes a step fail instead of happening; an answer gets lost after the deed was done.
    pub fn fail(&mut self, step: Step, failure: Failure, now: Instant) -> Vec<Step> {
        let (node, epoch, input) = match step {
            Step::AskFetch { node, epoch, place } | Step::FetchAnswer { node, epoch, place, .. } => {
                let place = PlaceId(place as u32);
                (node, epoch, Input::FetchEnded { place, result: FetchResult::Failed(failure) })
            }
            Step::Push { node, epoch, place, ref tips } => {
                let (place, pushed) = (PlaceId(place as u32), tips.heads());
                (node, epoch, Input::PushEnded { place, pushed, result: PushResult::Failed(failure) })
            }
            Step::PushAnswer { node, epoch, place, pushed, .. } => {
                let place = PlaceId(place as u32);
                (node, epoch, Input::PushEnded { place, pushed, result: PushResult::Failed(failure) })
            }
            Step::Transfer { node, epoch, place, direction, edit } => {
                let (place, key) = (PlaceId(place as u32), self.plan.keys[edit].clone());
                let result = TransferResult::Failed(failure);
                (node, epoch, Input::TransferEnded { place, direction, key, result })
            }
            Step::Record { node, epoch, .. } => (node, epoch, Input::RecordEnded { ok: false }),
            Step::Announce { node, epoch } | Step::AnnounceAnswer { node, epoch } => {
                (node, epoch, Input::AnnounceEnded { ok: false })
            }
            Step::Hint { .. } | Step::Notice { .. } => return Vec::new(),
        };
        if self.runs(node, epoch) { self.tell(node, input, now) } else { Vec::new() }
    }

    /// Somebody saves a new version of a path at a node.
    pub fn edit(&mut self, node: Vertex, path: usize, now: Instant) -> Vec<Step> {
        let edit = self.edits.len();
        let mut concerned = self.shown(&self.repositories[node].tips);
        let repository = &mut self.repositories[node];
        let past = repository.tips.branch.reach().edits.clone();
        self.edits.push(Edit { path, past });
        repository.objects.insert(edit);
        repository.tips.branch.commit(&mut self.commits, |reach| {
            reach.edits.insert(edit);
        });
        if self.engines[node].is_none() {
            // It is found when the process starts.
            return Vec::new();
        }
        concerned.retain(|old| self.edits[*old].path == path);
        let mut facts = vec![self.fact(node, edit, true)];
        facts.extend(concerned.into_iter().map(|old| self.fact(node, old, false)));
        let mut steps = self.tell(node, Input::Contents(facts), now);
        let heads = self.repositories[node].tips.heads();
        steps.extend(self.tell(node, Input::Heads { heads, origin: Origin::Local }, now));
        steps
    }

    /// The process at a node starts and tells its planner what is on disk.
    pub fn start(&mut self, node: Vertex, epoch: u8, now: Instant) -> Vec<Step> {
        let repository = &mut self.repositories[node];
        let pushed = repository.pushed.clone();
        repository.tips.merge(&pushed, &mut self.commits);
        self.engines[node] = Some(Engine::new(self.plan.configs[node].clone(), epoch));
        let plan = Arc::clone(&self.plan);
        let neighbours = plan.graph.neighbours(node);
        let mut inputs = Vec::new();
        for (_, vertex) in neighbours {
            inputs.push(Input::PlaceKnown(self.place(*vertex)));
        }
        let heads = self.repositories[node].tips.heads();
        inputs.push(Input::Heads { heads, origin: Origin::Local });
        let edits: Vec<EditId> = self.repositories[node].tips.branch.reach().edits.iter().copied().collect();
        inputs.push(Input::Contents(edits.into_iter().map(|edit| self.fact(node, edit, false)).collect()));
        if self.plan.xmpp {
            inputs.push(Input::Channel(tributary_planner::Channel::Up));
        }
        for (link, vertex) in neighbours {
            if self.links_up[*link] {
                inputs.push(Input::PlaceUp(PlaceId(*vertex as u32)));
            }
        }
        inputs.into_iter().flat_map(|input| self.tell(node, input, now)).collect()
    }

    /// The process at a node is killed; what it had under way with others may still arrive there.
    pub fn crash(&mut self, node: Vertex) {
        self.engines[node] = None;
    }

    /// A node notices whether a link works.
    pub fn notice_link(&mut self, node: Vertex, link: usize, now: Instant) -> Vec<Step> {
        let (a, b) = self.plan.graph.links[link];
        let place = PlaceId(if a == node { b } else { a } as u32);
        let input = if self.links_up[link] { Input::PlaceUp(place) } else { Input::PlaceDown(place) };
        self.tell(node, input, now)
    }

    /// Hands an input to the planner at a node, and sets what it asks for on its way.
    pub fn tell(&mut self, node: Vertex, input: Input, now: Instant) -> Vec<Step> {
        let plan = Arc::clone(&self.plan);
        let tips = self.repositories[node].tips.clone();
        match &mut self.engines[node] {
            Some(engine) => engine.handle(node, input, &tips, &plan, now),
            None => Vec::new(),
        }
    }

    fn fetched(&mut self, node: Vertex, place: Vertex, found: Option<Vec<Tips>>, now: Instant) -> Vec<Step> {
        let id = PlaceId(place as u32);
        let Some(found) = found else {
            let result = FetchResult::Failed(Failure::Unreachable);
            return self.tell(node, Input::FetchEnded { place: id, result }, now);
        };
        let before = self.repositories[node].tips.clone();
        let mut moved = Moved::Not;
        for tips in &found {
            moved = moved.max(self.repositories[node].tips.merge(tips, &mut self.commits));
        }
        let mut steps = self.tell_moved(node, moved, &before, now);
        let ours = &self.repositories[node].tips;
        let held = found.iter().any(|tips| tips.branch.includes(&ours.branch))
            && found.iter().any(|tips| tips.annex.includes(&ours.annex));
        let holds = held.then(|| ours.heads());
        let result = FetchResult::Done { changed: moved != Moved::Not, holds };
        steps.extend(self.tell(node, Input::FetchEnded { place: id, result }, now));
        steps
    }

    /// What a push does at its target: each branch moves forward or is refused. Says too whether a node has to notice.
    fn pushed(&mut self, node: Vertex, place: Vertex, tips: Tips) -> (PushResult, bool) {
        if !self.works(node, place) {
            return (PushResult::Failed(Failure::Unreachable), false);
        }
        let is_node = self.is_node(place);
        let there = &mut self.repositories[place];
        let target = if is_node { &mut there.pushed } else { &mut there.tips };
        let before = target.clone();
        let mut refused = false;
        for (ours, theirs) in [(&tips.branch, &mut target.branch), (&tips.annex, &mut target.annex)] {
            if ours.includes(theirs) {
                *theirs = ours.clone();
            } else if !theirs.includes(ours) {
                refused = true;
            }
        }
        let news = *target != before;
        let target = target.clone();
        let notice = is_node && !there.tips.includes(&target);
        (if refused { PushResult::NeedsFetch { news } } else { PushResult::Done { news } }, notice)
    }

    fn transferred(
        &mut self,
        node: Vertex,
        place: Vertex,
        direction: Direction,
        edit: EditId,
        now: Instant,
    ) -> Vec<Step> {
        let (from, to) = match direction {
            Direction::Upload => (node, place),
            Direction::Download => (place, node),
        };
        let unwanted =
            direction == Direction::Download && !self.shown(&self.repositories[node].tips).contains(&edit);
        let result = if !self.works(node, place) {
            TransferResult::Failed(Failure::Unreachable)
        } else if self.repositories[to].objects.contains(&edit) {
            // A second transfer of a key into a repository waits for the first one's lock, and then finds it done.
            TransferResult::Done
        } else if unwanted {
            TransferResult::KeyGone
        } else if !self.repositories[from].objects.contains(&edit) {
            match direction {
                Direction::Upload => TransferResult::KeyGone,
                Direction::Download => TransferResult::SourceLacks,
            }
        } else {
            self.repositories[to].objects.insert(edit);
            TransferResult::Done
        };
        let key = self.plan.keys[edit].clone();
        let place = PlaceId(place as u32);
        self.tell(node, Input::TransferEnded { place, direction, key, result }, now)
    }

    fn recorded(&mut self, node: Vertex, lines: Vec<(EditId, Vertex, bool)>, now: Instant) -> Vec<Step> {
        let moved = self.repositories[node].tips.annex.commit(&mut self.commits, |reach| {
            for (edit, site, present) in lines {
                let line = reach.lines.entry((edit, site)).or_insert((0, false));
                if line.1 != present || line.0 == 0 {
                    *line = (line.0 + 1, present);
                }
            }
        });
        let mut steps = Vec::new();
        if moved {
            let heads = self.repositories[node].tips.heads();
            steps.extend(self.tell(node, Input::Heads { heads, origin: Origin::Recorded }, now));
        }
        steps.extend(self.tell(node, Input::RecordEnded { ok: true }, now));
        steps
    }

    fn merge_pushed(&mut self, node: Vertex, now: Instant) -> Vec<Step> {
        let repository = &mut self.repositories[node];
        let (before, pushed) = (repository.tips.clone(), repository.pushed.clone());
        let moved = repository.tips.merge(&pushed, &mut self.commits);
        self.tell_moved(node, moved, &before, now)
    }
}
