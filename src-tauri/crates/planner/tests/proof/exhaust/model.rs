//! A small world as a state machine: what may happen next, and what follows.
//!
//! Time is part of the state. A timer fires when nothing is under way, and otherwise only at the cost of a fault: that
//! a step takes longer than a timer is one of the things that go wrong.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use stateright::{Model, Property};
use tributary_formats::key::Key;
use tributary_formats::uuid::RepoUuid;
use tributary_planner::{Config, Failure, Input, Instant, Millis};

use crate::check;
use crate::graph::Graph;
use crate::history::{Commits, Merges, Vertex};
use crate::step::Step;
use crate::world::{Plan, Repository, World};

/// No world may need longer than this to come to rest: a few of the slowest looks, one after the other.
const PATIENCE: Instant = Instant(4 * 3_600_000);
/// A timer that is due so soon may be quicker than a step.
const SOON: Millis = Millis(1000);
/// How long nothing may be sent once it rests.
const SILENCE: u64 = 3 * 3_600_000;

/// A graph, and how much may go wrong in it.
pub struct Small {
    pub graph: Graph,
    pub xmpp: bool,
    /// Edits, all of one path: the first at one end, the second at the other.
    pub edits: usize,
    pub faults: u8,
}

/// A moment in a small world.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    world: World,
    /// What is under way, in order, so that equal sets are equal states.
    steps: Vec<Step>,
    edits_left: Vec<Vertex>,
    faults_left: u8,
    now: Instant,
}

/// What may happen next.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    Happen(usize),
    Edit(usize),
    /// Nothing is under way, so the next timer fires; or one fires although something is.
    Tick(Vertex),
    // What has to be made good.
    Start(Vertex),
    LinkUp(usize),
    // Faults.
    Lose(usize),
    LoseAnswer(usize),
    /// A fetch reads, and its answer takes its time.
    Linger(usize),
    Double(usize),
    Crash(Vertex),
    LinkDown(usize),
}

impl PartialEq for World {
    fn eq(&self, other: &Self) -> bool {
        self.repositories == other.repositories
            && self.engines == other.engines
            && self.links_up == other.links_up
            && self.edits == other.edits
    }
}

impl Hash for State {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.world.repositories.hash(state);
        self.world.engines.hash(state);
        self.world.links_up.hash(state);
        self.world.edits.hash(state);
        (&self.steps, &self.edits_left, self.faults_left, self.now).hash(state);
    }
}

impl State {
    /// Puts steps under way. What nobody can tell from a part of its cause happens with it; a fetch is one step too,
    /// unless it lingers. A hint that is still under way is overtaken by the next one of its sender, since the server
    /// keeps only the newest.
    fn go(&mut self, steps: Vec<Step>) {
        for step in steps {
            match &step {
                Step::Announce { .. }
                | Step::AnnounceAnswer { .. }
                | Step::PushAnswer { .. }
                | Step::Record { .. }
                | Step::Notice { .. } => {
                    let steps = self.world.happen(step, self.now);
                    self.go(steps);
                    continue;
                }
                Step::Hint { from, to, .. } => {
                    let (sender, receiver) = (*from, *to);
                    self.steps.retain(|other| !matches!(other, Step::Hint { from, to, .. } if (*from, *to) == (sender, receiver)));
                }
                _ => {}
            }
            let at = self.steps.partition_point(|other| rank(other) <= rank(&step));
            self.steps.insert(at, step);
        }
    }

    fn is_healed(&self) -> bool {
        let graph = &self.world.plan.graph;
        self.world.links_up.iter().all(|up| *up)
            && graph.nodes().all(|node| self.world.engines[node].is_some())
    }

    /// The next timer of all.
    fn next_wake(&self) -> Option<(Instant, Vertex)> {
        let nodes = self.world.plan.graph.nodes();
        nodes.filter_map(|node| self.wake_of(node).map(|wake| (wake, node))).min()
    }

    fn wake_of(&self, node: Vertex) -> Option<Instant> {
        self.world.engines[node].as_ref().and_then(|engine| engine.wake)
    }

    fn tick(&mut self, node: Vertex) {
        if let Some(wake) = self.wake_of(node) {
            self.now = self.now.max(wake);
            let steps = self.world.tell(node, Input::Tick, self.now);
            self.go(steps);
        }
    }

    /// Whether nothing is left to happen but looks.
    fn rests(&self) -> bool {
        self.steps.is_empty()
            && self.edits_left.is_empty()
            && self.is_healed()
            && check::converged(&self.world).is_ok()
    }

    /// Whether it stays at rest: nothing but looks for a long time.
    fn stays_at_rest(&self) -> bool {
        let mut state = self.clone();
        let end = Instant(self.now.0 + SILENCE);
        loop {
            while let Some(step) = state.steps.pop() {
                if !matches!(step, Step::AskFetch { .. } | Step::FetchAnswer { .. }) {
                    return false;
                }
                let steps = state.world.happen(step, state.now);
                state.go(steps);
            }
            match state.next_wake() {
                Some((wake, node)) if wake < end => state.tick(node),
                _ => return true,
            }
        }
    }
}

/// An order of steps, the same for equal sets.
fn rank(step: &Step) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    step.hash(&mut hasher);
    hasher.finish()
}

impl Model for Small {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let nodes: Vec<Vertex> = self.graph.nodes().collect();
        let vertices = self.graph.vertices.len();
        let key =
            |edit: usize| Key::parse(format!("WORM-s1-m1--k{edit}").as_bytes()).expect("a well formed key");
        let config = |vertex: Vertex| {
            Config::new(RepoUuid::parse(&format!("uuid-{vertex}")).expect("a well formed UUID"))
        };
        let plan = Plan {
            xmpp: self.xmpp,
            keys: (0..2).map(key).collect(),
            paths: 1,
            configs: (0..vertices).map(config).collect(),
            graph: self.graph.clone(),
        };
        let world = World {
            repositories: vec![Repository::default(); vertices],
            engines: vec![None; vertices],
            links_up: vec![true; self.graph.links.len()],
            edits: Vec::new(),
            commits: Commits { merges: Merges::Equal, next: 0 },
            plan: Arc::new(plan),
        };
        let mut ends = vec![nodes[0], nodes[nodes.len() - 1]];
        ends.truncate(self.edits);
        let mut state =
            State { world, steps: Vec::new(), edits_left: ends, faults_left: self.faults, now: Instant(0) };
        // The first looks find nothing, in whatever order they are made.
        for node in nodes {
            let steps = state.world.start(node, 0, state.now);
            state.go(steps);
        }
        while let Some(step) = state.steps.pop() {
            let steps = state.world.happen(step, state.now);
            state.go(steps);
        }
        vec![state]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for index in 0..state.steps.len() {
            if index == 0 || state.steps[index] != state.steps[index - 1] {
                actions.push(Action::Happen(index));
                if state.faults_left > 0 {
                    actions.push(Action::Lose(index));
                    match state.steps[index] {
                        Step::Hint { .. } => actions.push(Action::Double(index)),
                        Step::AskFetch { .. } => actions.push(Action::Linger(index)),
                        Step::Push { .. } => actions.push(Action::LoseAnswer(index)),
                        _ => {}
                    }
                }
            }
        }
        actions.extend((0..state.edits_left.len()).map(Action::Edit));
        let nodes: Vec<Vertex> = self.graph.nodes().collect();
        actions.extend(
            nodes.iter().copied().filter(|node| state.world.engines[*node].is_none()).map(Action::Start),
        );
        let links = 0..state.world.links_up.len();
        actions.extend(links.clone().filter(|link| !state.world.links_up[*link]).map(Action::LinkUp));
        if state.faults_left > 0 && !(state.edits_left.is_empty() && state.steps.is_empty()) {
            actions.extend(
                nodes.iter().copied().filter(|node| state.world.engines[*node].is_some()).map(Action::Crash),
            );
            actions.extend(links.filter(|link| state.world.links_up[*link]).map(Action::LinkDown));
        }
        if state.steps.is_empty() {
            if state.is_healed() && check::converged(&state.world).is_err() {
                actions.extend(state.next_wake().map(|(_, node)| Action::Tick(node)));
            }
        } else if state.faults_left > 0 {
            actions.extend(
                nodes
                    .into_iter()
                    .filter(|node| state.wake_of(*node).is_some_and(|wake| wake.since(state.now) <= SOON))
                    .map(Action::Tick),
            );
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        let now = state.now;
        let steps = match action {
            Action::Happen(index) => {
                let step = state.steps.remove(index);
                let is_fetch = matches!(step, Step::AskFetch { .. });
                let steps = state.world.happen(step, now);
                let answer = |step| state.world.happen(step, now);
                if is_fetch { steps.into_iter().flat_map(answer).collect() } else { steps }
            }
            Action::Linger(index) => {
                state.faults_left -= 1;
                let step = state.steps.remove(index);
                state.world.happen(step, now)
            }
            Action::Edit(index) => {
                let node = state.edits_left.remove(index);
                state.world.edit(node, 0, now)
            }
            Action::Tick(node) => {
                if !state.steps.is_empty() {
                    state.faults_left -= 1;
                }
                state.tick(node);
                Vec::new()
            }
            Action::Start(node) => state.world.start(node, 1, now),
            Action::LinkUp(link) => {
                state.world.links_up[link] = true;
                state.notice_link(link)
            }
            Action::Lose(index) => {
                state.faults_left -= 1;
                let step = state.steps.remove(index);
                state.world.fail(step, Failure::Unreachable, now)
            }
            Action::LoseAnswer(index) => {
                state.faults_left -= 1;
                let step = state.steps.remove(index);
                let (answers, mut steps): (Vec<_>, Vec<_>) = state
                    .world
                    .happen(step, now)
                    .into_iter()
                    .partition(|step| matches!(step, Step::PushAnswer { .. }));
                for answer in answers {
                    steps.extend(state.world.fail(answer, Failure::Unreachable, now));
                }
                steps
            }
            Action::Double(index) => {
                state.faults_left -= 1;
                let step = state.steps[index].clone();
                state.world.happen(step, now)
            }
            Action::Crash(node) => {
                state.faults_left -= 1;
                state.world.crash(node);
                // What it had under way within itself is gone; what is on its way to others is not.
                state.steps.retain(|step| {
                    step.node() != node
                        || matches!(
                            step,
                            Step::Push { .. }
                                | Step::Announce { .. }
                                | Step::Notice { .. }
                                | Step::Hint { .. }
                        )
                });
                Vec::new()
            }
            Action::LinkDown(link) => {
                state.faults_left -= 1;
                state.world.links_up[link] = false;
                state.notice_link(link)
            }
        };
        state.go(steps);
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("no content is ever lost", |_, state: &State| {
                check::contents_kept(&state.world).is_ok()
            }),
            Property::always("the logs speak the truth", |_, state: &State| {
                check::truthful(&state.world).is_ok()
            }),
            Property::always(
                "where nothing is left to happen, all is converged and silent",
                |model: &Self, state| {
                    let mut actions = Vec::new();
                    model.actions(state, &mut actions);
                    !actions.is_empty()
                        || (state.rests() && check::lossless(&state.world).is_ok() && state.stays_at_rest())
                },
            ),
            Property::always("it rests in time", |_, state: &State| state.now < PATIENCE),
            Property::sometimes("it comes to rest", |_, state: &State| state.rests()),
        ]
    }
}

impl State {
    fn notice_link(&mut self, link: usize) -> Vec<Step> {
        let (a, b) = self.world.plan.graph.links[link];
        let ends = [a, b].into_iter().filter(|end| self.world.is_node(*end)).collect::<Vec<_>>();
        ends.into_iter().flat_map(|end| self.world.notice_link(end, link, self.now)).collect()
    }
}
