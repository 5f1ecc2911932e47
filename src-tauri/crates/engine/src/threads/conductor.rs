//! Conductor: the planner's hands. Takes every fact of one folder, asks the planner, and starts what it answers.
//!
//! Waits for facts of the folder's other threads, for the planner's next moment, and for people; publishes the folder's
//! status. One direction only: facts come in, effects go out, and every effect's result is a fact again. Ends when told
//! to stop, or when nobody is left to tell it anything.

mod announce;
mod asked;
mod hear;
mod index_file;
mod keep;
mod places;
mod report;
mod settled;
mod trail;

pub(crate) use keep::{below, not_known};

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tributary_planner::{Config, Direction, Effect, Input, Origin, Planner};
use tributary_status::{Event, HeldAnswer, Problem, ProblemCode};

use self::announce::folder_state;
use self::settled::Waiter;
use crate::engine_facts::{EngineFact, EngineFactSender};
use crate::folder_facts::{Ask, Fact, FactSender, Seen};
use crate::state::arrivals::Arrivals;
use crate::state::board::Board;
use crate::state::changes::Changes;
use crate::state::desk::{Desk, DeskError, DeskHandle};
use crate::state::facts;
use crate::state::places::Places;
use crate::state::problems::{Problems, problem};
use crate::state::repositories::Repositories;
use crate::state::room::Room;
use crate::threads::committer::chain;
use crate::threads::dropper::Dropper;
use crate::threads::fetcher::Fetcher;
use crate::threads::pusher::Pusher;
use crate::threads::recorder::Recorder;
use crate::threads::transferrer::Transferrer;

/// The git index is written at most this often, off the way of a change.
const INDEX_PAUSE: Duration = Duration::from_secs(1);

/// A status is put up at most this often while things move.
const STATUS_PAUSE: Duration = Duration::from_millis(200);

/// Facts about keys that are handed to the planner at once.
const FACTS_AT_ONCE: usize = 1_000;

/// The conductor's wiring.
pub(crate) struct Conductor {
    pub(crate) path: PathBuf,
    pub(crate) config: Config,
    pub(crate) desk: DeskHandle,
    pub(crate) repositories: Repositories,
    pub(crate) places: Places,
    pub(crate) changes: Arc<Changes>,
    pub(crate) apply: Arc<Arrivals>,
    pub(crate) room: Arc<Room>,
    pub(crate) scans: mpsc::UnboundedSender<u64>,
    pub(crate) facts: FactSender,
    pub(crate) inbox: mpsc::UnboundedReceiver<Fact>,
    pub(crate) fetcher: Fetcher,
    pub(crate) pusher: Pusher,
    pub(crate) recorder: Recorder,
    pub(crate) transferrer: Transferrer,
    pub(crate) dropper: Dropper,
    pub(crate) paused: watch::Sender<bool>,
    pub(crate) answers: mpsc::Sender<HeldAnswer>,
    pub(crate) board: Arc<Board>,
    pub(crate) engine: EngineFactSender,
    /// Whether the first sync of this folder was announced already.
    pub(crate) first_sync_done: bool,
    /// Ends the folder's threads.
    pub(crate) folder: CancellationToken,
}

/// What the conductor holds in its head.
struct Mind {
    planner: Planner,
    started: Instant,
    problems: Problems,
    seen: Seen,
    paused: Option<Option<String>>,
    waiters: Vec<Waiter>,
    next_scan: u64,
    scanned: u64,
    wake: Option<Instant>,
    index_due: Option<Instant>,
    status_due: Option<Instant>,
    arrived_from: Vec<String>,
    /// Files that a person had put back and that are not placed yet: nobody else's changes.
    put_back: usize,
    last_change: Option<String>,
    first_sync_done: bool,
    jobs: TaskTracker,
}

/// Runs until told to stop; then waits for what is under way.
pub(crate) async fn run(mut conductor: Conductor, paused: Option<Option<String>>, stop: CancellationToken) {
    let mut mind = Mind {
        planner: Planner::new(conductor.config.clone()),
        started: Instant::now(),
        problems: Problems::default(),
        seen: Seen::default(),
        paused,
        waiters: Vec::new(),
        next_scan: 1,
        scanned: 0,
        wake: None,
        index_due: None,
        status_due: Some(Instant::now()),
        arrived_from: Vec::new(),
        put_back: 0,
        last_change: None,
        first_sync_done: conductor.first_sync_done,
        jobs: TaskTracker::new(),
    };
    conductor.begin(&mut mind).await;
    loop {
        let due = [mind.wake, mind.index_due, mind.status_due].into_iter().flatten().min();
        let timer = async {
            match due {
                Some(due) => tokio::time::sleep_until(due.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = stop.cancelled() => break,
            fact = conductor.inbox.recv() => {
                let Some(fact) = fact else { break };
                conductor.take(fact, &mut mind).await;
                // What came meanwhile is one status.
                while let Ok(fact) = conductor.inbox.try_recv() {
                    conductor.take(fact, &mut mind).await;
                }
            }
            () = timer => {}
        }
        conductor.timers(&mut mind).await;
        let full = |problem: &Problem| problem.code == ProblemCode::DiskFull;
        conductor.room.note(mind.problems.list().iter().any(full));
        conductor.answer_waiters(&mut mind).await;
    }
    mind.jobs.close();
    mind.jobs.wait().await;
    conductor.write_index(&mut mind).await;
}

impl Conductor {
    /// Tells the planner what is on disk: places, heads, and every key that is not settled.
    async fn begin(&self, mind: &mut Mind) {
        if mind.paused.is_some() {
            self.plan(mind, vec![Input::Pause]);
        }
        let read =
            self.desk.with(|desk| Ok::<_, DeskError>((facts::heads_to_tell(desk)?, committed_at(desk))));
        match read.await {
            Ok((heads, newest)) => {
                mind.last_change = newest.map(crate::state::problems::moment);
                let mut inputs: Vec<_> =
                    self.places.rows().iter().map(|row| Input::PlaceKnown(row.for_planner())).collect();
                inputs.push(Input::Heads { heads, origin: Origin::Local });
                self.plan(mind, inputs);
                self.tell_unsettled(mind).await;
            }
            Err(error) => self.desk_failed(mind, &error),
        }
        mind.index_due = Some(Instant::now() + INDEX_PAUSE);
        self.apply.versions();
    }

    /// Tells the planner of every key that is not settled: read and sent at the desk, so that no older truth comes after.
    async fn tell_unsettled(&self, mind: &mut Mind) {
        let (places, tell) = (self.places.clone(), self.facts.clone());
        let told = self.desk.with(move |desk| {
            for keys in facts::unsettled(desk, &places)?.chunks(FACTS_AT_ONCE) {
                let contents = facts::of_keys(desk, &places, keys, false)?;
                tell.send(Fact::Planner(vec![Input::Contents(contents)])).ok();
            }
            Ok::<_, DeskError>(())
        });
        if let Err(error) = told.await {
            self.desk_failed(mind, &error);
        }
    }

    /// Hands facts to the planner and starts what it answers.
    fn plan(&self, mind: &mut Mind, inputs: Vec<Input>) {
        for input in inputs {
            let now = tributary_planner::Instant(mind.started.elapsed().as_millis() as u64);
            tracing::debug!("heard {}", trail::Heard(&input));
            for effect in mind.planner.handle(input, now) {
                tracing::debug!("started {}", trail::Started(&effect));
                self.start(effect, mind);
            }
        }
    }

    fn start(&self, effect: Effect, mind: &mut Mind) {
        match effect {
            Effect::WakeAt(at) => mind.wake = Some(mind.started + Duration::from_millis(at.0)),
            Effect::Fetch { place } => {
                if let Some(row) = self.places.row(place) {
                    mind.jobs.spawn(self.fetcher.clone().fetch(row));
                }
            }
            Effect::Push { place, heads } => {
                if let Some(row) = self.places.row(place) {
                    mind.jobs.spawn(self.pusher.clone().push(row, heads));
                }
            }
            Effect::Upload { place, keys } => self.transfer(mind, place, Direction::Upload, keys),
            Effect::Download { place, keys } => self.transfer(mind, place, Direction::Download, keys),
            Effect::Record(lines) => {
                let chunks = self.transferrer.shared.take_chunks();
                mind.jobs.spawn(self.recorder.clone().record(lines, chunks));
            }
            Effect::Announce => {
                let (desk, engine, path) = (self.desk.clone(), self.engine.clone(), self.path.clone());
                let facts = self.facts.clone();
                mind.jobs.spawn(async move {
                    match desk.with(folder_state).await {
                        Some(state) => drop(engine.send(EngineFact::Announce { folder: path, state })),
                        // The planner waits for an answer, whatever comes in between.
                        None => drop(facts.send(Fact::Ask(Ask::Announced(false)))),
                    }
                });
            }
        }
    }

    fn transfer(
        &self,
        mind: &Mind,
        place: tributary_planner::PlaceId,
        direction: Direction,
        keys: Vec<tributary_formats::key::Key>,
    ) {
        if let Some(row) = self.places.row(place) {
            mind.jobs.spawn(self.transferrer.clone().transfer(row, direction, keys));
        }
    }

    async fn timers(&self, mind: &mut Mind) {
        let now = Instant::now();
        if mind.wake.is_some_and(|at| at <= now) {
            mind.wake = None;
            self.plan(mind, vec![Input::Tick]);
        }
        if mind.index_due.is_some_and(|at| at <= now) {
            self.write_index(mind).await;
        }
        if mind.status_due.is_some_and(|at| at <= now) {
            mind.status_due = None;
            self.put_up_status(mind).await;
        }
    }

    fn desk_failed(&self, mind: &mut Mind, error: &DeskError) {
        let sentence = format!("The folder's repository cannot be used: {}.", chain(error));
        let hint = "Run `git fsck` in the folder. Nothing was changed.";
        let mut fault = problem(ProblemCode::CorruptRepository, "repository", sentence, hint);
        fault.needs_you = true;
        mind.problems.raise(fault);
    }

    fn publish(&self, event: Event) {
        self.board.publish(event);
    }
}

/// When the newest commit was made, seconds since 1970.
fn committed_at(desk: &Desk) -> Option<i64> {
    let commit = desk.repo.git().find_commit(desk.head?).ok()?;
    Some(commit.time().seconds())
}
