//! One walk: when each step happens, what goes wrong, and what is asserted at the end.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tributary_formats::key::Key;
use tributary_formats::uuid::RepoUuid;
use tributary_planner::{Channel, Config, Direction, Failure, Input, Instant, Millis, PushResult};

use crate::check;
use crate::graph::Graph;
use crate::history::{Commits, EditId, Merges, Vertex};
use crate::step::Step;
use crate::world::{Plan, Repository, World};

const SECOND: u64 = 1000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;

/// How long things go wrong.
const TROUBLE: u64 = 20 * MINUTE;
/// How long nothing may be sent in the end.
const SILENCE: u64 = 24 * HOUR;
/// So many times quicker a step is between places that are near.
const NEARER: u64 = 8;
/// How long a drive stays at one end.
const STAY: u64 = 10 * MINUTE;

/// What is walked through.
pub struct Walk {
    pub graph: Graph,
    pub seed: u64,
    pub xmpp: bool,
    pub merges: Merges,
    pub edits: usize,
    pub trouble: bool,
    pub pace: Pace,
}

/// How quick the world is, and how large what travels in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// Servers far away, and some contents that take seconds.
    Far,
    /// Places on the same desk, and small contents.
    Near,
}

/// What it cost.
#[derive(Debug, Default, Clone)]
pub struct Cost {
    pub fetches: u64,
    pub pushes: u64,
    /// Pushes that brought something new, and those that were refused.
    pub news: u64,
    pub refused: u64,
    pub records: u64,
    pub announces: u64,
    /// Transfers begun to a place that lacked the content, by way and content.
    pub transfers: BTreeMap<(Vertex, Vertex, EditId), u64>,
    /// When something other than a look happened last.
    pub last_work: u64,
}

/// Something that is to happen at a moment.
#[derive(Debug)]
enum Event {
    Step(Step),
    Wake(Vertex),
    Edit(Vertex),
    Link(usize, bool),
    NoticeLink(Vertex, usize),
    Crash(Vertex),
    Start(Vertex),
    Channel(Vertex, Channel),
}

/// A walk under way.
pub struct Walker {
    pub world: World,
    pub cost: Cost,
    pace: Pace,
    rng: StdRng,
    now: u64,
    agenda: BTreeMap<(u64, u64), Event>,
    serial: u64,
    epochs: Vec<u8>,
    /// The wake that is on the agenda for each node.
    watched: Vec<Option<Instant>>,
    trouble_until: u64,
}

impl Walk {
    /// Walks to the end and asserts all that is promised there.
    pub fn run(self) -> Cost {
        let (seed, carried) = (self.seed, self.graph.carried.clone());
        let vertices = self.graph.vertices.len();
        let what = format!("seed {seed}, {vertices} vertices, {} links", self.graph.links.len());
        let (trouble, hops) = (self.trouble, self.graph.reach_of(0));
        let mut walker = self.begin();
        // Each hop may have to wait for the slowest look, because a hint was lost or there are none; a drive has to
        // go to and fro a few times.
        let patience = 4 * HOUR + 2 * hops * 6 * MINUTE;
        walker.carry(&carried, TROUBLE + patience + SILENCE);
        walker.until(TROUBLE + patience);
        walker.until_nothing_is_under_way();
        for check in [check::converged, check::lossless, check::truthful] {
            check(&walker.world).unwrap_or_else(|problem| panic!("{what}: {problem}"));
        }
        let (before, end) = (walker.cost.clone(), TROUBLE + patience + SILENCE);
        walker.until(end);
        assert!(
            walker.cost.last_work <= TROUBLE + patience,
            "{what}: nothing may be sent but looks, yet at {} something was",
            Instant(walker.cost.last_work)
        );
        assert_eq!(before.pushes, walker.cost.pushes, "{what}: a push without news");
        if !trouble {
            walker.assert_each_content_crossed_once(&what);
        }
        walker.cost
    }

    /// Sets everything up, with the processes about to start.
    pub fn begin(self) -> Walker {
        let mut rng = StdRng::seed_from_u64(self.seed);
        let (vertices, links) = (self.graph.vertices.len(), self.graph.links.len());
        let keys = (0..self.edits.max(1) * 2 + 8).map(|edit| {
            let size = if self.pace == Pace::Near || rng.random_bool(0.8) {
                rng.random_range(1..200_000)
            } else {
                rng.random_range(1..50_000_000_u64)
            };
            Key::parse(format!("WORM-s{size}-m1--k{edit}").as_bytes()).expect("a well formed key")
        });
        let keys = keys.collect();
        let config = |vertex: Vertex| {
            let uuid = format!("6f7b6a3e-0000-4000-8000-{vertex:012x}");
            Config::new(RepoUuid::parse(&uuid).expect("a well formed UUID"))
        };
        let plan = Plan {
            xmpp: self.xmpp,
            keys,
            paths: 3,
            configs: (0..vertices).map(config).collect(),
            graph: self.graph,
        };
        let mut walker = Walker {
            world: World {
                repositories: vec![Repository::default(); vertices],
                engines: vec![None; vertices],
                links_up: (0..links).map(|link| !plan.graph.carried.contains(&link)).collect(),
                edits: Vec::new(),
                commits: Commits { merges: self.merges, next: 0 },
                plan: Arc::new(plan),
            },
            cost: Cost::default(),
            pace: self.pace,
            now: 0,
            agenda: BTreeMap::new(),
            serial: 0,
            epochs: vec![0; vertices],
            watched: vec![None; vertices],
            trouble_until: if self.trouble { TROUBLE } else { 0 },
            rng,
        };
        walker.prepare(self.edits);
        walker
    }
}

impl Walker {
    /// Lets time pass.
    pub fn until(&mut self, end: u64) {
        while let Some(entry) = self.agenda.first_entry().filter(|entry| entry.key().0 <= end) {
            let ((now, _), event) = entry.remove_entry();
            self.now = now;
            self.take(event);
        }
        self.now = end;
    }

    /// Lets the next thing happen; whether there was one.
    pub fn step(&mut self) -> bool {
        let Some(((now, _), event)) = self.agenda.pop_first() else { return false };
        self.now = now;
        self.take(event);
        true
    }

    /// Lets a look that happens to be under way come to its end.
    fn until_nothing_is_under_way(&mut self) {
        while self.agenda.values().any(|event| matches!(event, Event::Step(_))) {
            self.step();
        }
    }

    pub fn now(&self) -> u64 {
        self.now
    }

    /// Somebody saves something at a node now.
    pub fn edit(&mut self, node: Vertex) {
        self.take(Event::Edit(node));
    }

    /// No way carries a content twice. A link between two nodes is used from both ends, so there two may begin; the
    /// receiver's lock lets one of them through.
    pub fn assert_each_content_crossed_once(&self, what: &str) {
        for ((from, to, edit), times) in &self.cost.transfers {
            let ends = if self.world.is_node(*from) && self.world.is_node(*to) { 2 } else { 1 };
            assert!(*times <= ends, "{what}: content {edit} went {times} times from {from} to {to}");
        }
    }

    fn prepare(&mut self, edits: usize) {
        let nodes: Vec<Vertex> = self.world.plan.graph.nodes().collect();
        for node in &nodes {
            let at = self.rng.random_range(0..5 * SECOND);
            self.at(at, Event::Start(*node));
        }
        for _ in 0..edits {
            let node = nodes[self.rng.random_range(0..nodes.len())];
            let at = self.rng.random_range(5 * SECOND..TROUBLE);
            self.at(at, Event::Edit(node));
        }
        if self.trouble_until > 0 {
            self.prepare_trouble(&nodes);
        }
    }

    fn prepare_trouble(&mut self, nodes: &[Vertex]) {
        for link in 0..self.world.links_up.len() {
            if self.world.plan.graph.carried.contains(&link) {
                continue;
            }
            for _ in 0..self.rng.random_range(0..3) {
                let down = self.rng.random_range(0..TROUBLE - MINUTE);
                let up = self.rng.random_range(down..TROUBLE);
                self.at(down, Event::Link(link, false));
                self.at(up, Event::Link(link, true));
            }
            self.at(TROUBLE, Event::Link(link, true));
        }
        for node in nodes {
            if self.rng.random_bool(0.3) {
                let crash = self.rng.random_range(5 * SECOND..TROUBLE - MINUTE);
                let start = self.rng.random_range(crash + 1..TROUBLE);
                self.at(crash, Event::Crash(*node));
                self.at(start, Event::Start(*node));
            }
            if self.world.plan.xmpp && self.rng.random_bool(0.3) {
                let down = self.rng.random_range(5 * SECOND..TROUBLE - MINUTE);
                let up = self.rng.random_range(down..TROUBLE);
                self.at(down, Event::Channel(*node, Channel::Down));
                self.at(up, Event::Channel(*node, Channel::Up));
            }
        }
    }

    /// Carries a drive to and fro.
    fn carry(&mut self, carried: &[usize], end: u64) {
        let mut at = MINUTE;
        while !carried.is_empty() && at < end {
            for link in carried {
                self.at(at, Event::Link(*link, true));
                self.at(at + STAY, Event::Link(*link, false));
                at += 2 * STAY;
            }
        }
    }

    fn at(&mut self, moment: u64, event: Event) {
        self.serial += 1;
        self.agenda.insert((moment, self.serial), event);
    }

    fn take(&mut self, event: Event) {
        let now = Instant(self.now);
        let (node, steps) = match event {
            Event::Step(step) => (step.node(), self.happen(step)),
            Event::Wake(node) => match &self.world.engines[node] {
                Some(engine) if engine.wake == Some(now) => (node, self.world.tell(node, Input::Tick, now)),
                _ => return,
            },
            Event::Edit(node) => {
                self.cost.last_work = self.now;
                let path = self.rng.random_range(0..self.world.plan.paths);
                (node, self.world.edit(node, path, now))
            }
            Event::Link(link, up) => return self.link(link, up),
            Event::NoticeLink(node, link) => (node, self.world.notice_link(node, link, now)),
            Event::Crash(node) => return self.world.crash(node),
            Event::Start(node) if self.world.engines[node].is_some() => return,
            Event::Start(node) => {
                self.epochs[node] += 1;
                (node, self.world.start(node, self.epochs[node], now))
            }
            Event::Channel(node, channel) => (node, self.world.tell(node, Input::Channel(channel), now)),
        };
        self.go(steps);
        self.watch(node);
    }

    /// A link starts or stops to work; its ends notice some time later, and then see what is true then.
    fn link(&mut self, link: usize, up: bool) {
        if self.world.links_up[link] == up {
            return;
        }
        self.world.links_up[link] = up;
        let (a, b) = self.world.plan.graph.links[link];
        for end in [a, b] {
            if self.world.is_node(end) {
                let delay = self.rng.random_range(0..5 * SECOND);
                self.at(self.now + delay, Event::NoticeLink(end, link));
            }
        }
    }

    fn happen(&mut self, step: Step) -> Vec<Step> {
        let now = Instant(self.now);
        if !matches!(step, Step::AskFetch { .. } | Step::FetchAnswer { .. }) {
            self.cost.last_work = self.now;
        }
        match &step {
            Step::PushAnswer { result: PushResult::Done { news: true }, .. } => self.cost.news += 1,
            Step::PushAnswer { result: PushResult::NeedsFetch { .. }, .. } => self.cost.refused += 1,
            _ => {}
        }
        if self.now < self.trouble_until && self.rng.random_bool(0.05) {
            self.spoil(step)
        } else {
            self.world.happen(step, now)
        }
    }

    /// Something goes wrong with a step: a hint is lost, doubled or late, anything else fails.
    fn spoil(&mut self, step: Step) -> Vec<Step> {
        let now = Instant(self.now);
        if let Step::Hint { .. } = step {
            return match self.rng.random_range(0..3) {
                0 => Vec::new(),
                1 => vec![step.clone(), step],
                _ => {
                    let late = self.now + self.rng.random_range(0..MINUTE);
                    self.at(late, Event::Step(step));
                    Vec::new()
                }
            };
        }
        if let Step::Notice { .. } = step {
            return self.world.happen(step, now);
        }
        let failures = [Failure::Unreachable, Failure::Later, Failure::After(Millis::from_secs(7))];
        let failure = failures[self.rng.random_range(0..failures.len())];
        self.world.fail(step, failure, now)
    }

    /// Sends steps on their way.
    fn go(&mut self, steps: Vec<Step>) {
        for step in steps {
            let delay = self.delay(&step);
            self.at(self.now + delay, Event::Step(step));
        }
    }

    fn delay(&mut self, step: &Step) -> u64 {
        match step {
            Step::AskFetch { .. } => self.cost.fetches += 1,
            Step::Push { .. } => self.cost.pushes += 1,
            Step::Record { .. } => self.cost.records += 1,
            Step::Announce { .. } => self.cost.announces += 1,
            Step::Transfer { node, place, direction, edit, .. } => {
                let (from, to) = match direction {
                    Direction::Upload => (*node, *place),
                    Direction::Download => (*place, *node),
                };
                if !self.world.repositories[to].objects.contains(edit) {
                    *self.cost.transfers.entry((from, to, *edit)).or_default() += 1;
                }
                let bytes = self.world.plan.keys[*edit].size().unwrap_or(0);
                return self.take_about(2..50) + bytes / 10_000;
            }
            _ => {}
        }
        match step {
            Step::Record { .. } => self.rng.random_range(1..20),
            Step::Hint { .. } => self.take_about(20..500),
            _ => self.take_about(10..200),
        }
    }

    /// What a step takes that takes so long in a slow world, milliseconds.
    fn take_about(&mut self, range: Range<u64>) -> u64 {
        let time = self.rng.random_range(range);
        match self.pace {
            Pace::Far => time,
            Pace::Near => time.div_ceil(NEARER),
        }
    }

    /// Puts the next moment that a planner asked for on the agenda.
    fn watch(&mut self, node: Vertex) {
        let wake = self.world.engines[node].as_ref().and_then(|engine| engine.wake);
        if let Some(wake) = wake.filter(|wake| self.watched[node] != Some(*wake)) {
            self.watched[node] = Some(wake);
            self.at(wake.0, Event::Wake(node));
        }
    }
}
