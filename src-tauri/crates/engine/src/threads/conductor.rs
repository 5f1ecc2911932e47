//! Conductor: the planner's hands. Takes every fact of one folder, asks the planner, and starts what it answers.
//!
//! Waits for facts of the folder's other threads, for the planner's next moment, and for people; publishes the folder's
//! status. One direction only: facts come in, effects go out, and every effect's result is a fact again. Ends when told
//! to stop, or when nobody is left to tell it anything.

mod keep;
mod report;
mod trail;

pub(crate) use keep::{below, not_known};

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tributary_planner::{Channel, Config, Direction, Effect, Heads, Input, Origin, Planner, Round, Why};
use tributary_repo::index::IndexError;
use tributary_repo::{memory, sync_branches};
use tributary_status::{Event, Failure, HeldAnswer, Problem, ProblemAction, ProblemCode, Reply};
use tributary_xmpp::hints;

use crate::engine_facts::{EngineFact, EngineFactSender};
use crate::folder_facts::{Ask, Fact, FactSender, Seen};
use crate::state::arrivals::Arrivals;
use crate::state::board::Board;
use crate::state::changes::Changes;
use crate::state::desk::{Desk, DeskError, DeskHandle};
use crate::state::facts;
use crate::state::outlook::files;
use crate::state::places::Places;
use crate::state::problems::{Problems, problem};
use crate::state::repositories::Repositories;
use crate::threads::committer::chain;
use crate::threads::dropper::Dropper;
use crate::threads::fetcher::Fetcher;
use crate::threads::pusher::Pusher;
use crate::threads::recorder::Recorder;
use crate::threads::transferrer::Transferrer;
use crate::tunnel::Pushed;

/// The git index is written at most this often, off the way of a change.
const INDEX_PAUSE: Duration = Duration::from_secs(1);

/// A status is put up at most this often while things move.
const STATUS_PAUSE: Duration = Duration::from_millis(200);

/// Pause before the index is tried again when another git holds its lock.
const INDEX_RETRY: Duration = Duration::from_millis(200);

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

/// Somebody who waits until everything is settled.
struct Waiter {
    scan: u64,
    round: Round,
    reply: oneshot::Sender<Reply>,
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
        let places = self.places.clone();
        let told = self
            .desk
            .with(move |desk| {
                let keys = facts::unsettled(desk, &places)?;
                let mut contents = Vec::new();
                for keys in keys.chunks(FACTS_AT_ONCE) {
                    contents.push(Input::Contents(facts::of_keys(desk, &places, keys, false)?));
                }
                Ok::<_, DeskError>((contents, facts::heads(desk)?, committed_at(desk)))
            })
            .await;
        match told {
            Ok((contents, heads, newest)) => {
                mind.last_change = newest.map(crate::state::problems::moment);
                let mut inputs: Vec<_> =
                    self.places.rows().iter().map(|row| Input::PlaceKnown(row.for_planner())).collect();
                inputs.push(Input::Heads { heads, origin: Origin::Local });
                inputs.extend(contents);
                self.plan(mind, inputs);
            }
            Err(error) => self.desk_failed(mind, &error),
        }
        mind.index_due = Some(Instant::now() + INDEX_PAUSE);
        self.apply.versions();
    }

    async fn take(&mut self, fact: Fact, mind: &mut Mind) {
        if let Fact::Ask(Ask::Status(reply)) = fact {
            if mind.status_due.take().is_some() {
                self.put_up_status(mind).await;
            }
            reply.send(()).ok();
            return;
        }
        mind.status_due.get_or_insert_with(|| Instant::now() + STATUS_PAUSE);
        match fact {
            Fact::Planner(mut inputs) => {
                if inputs.iter().any(|input| matches!(input, Input::Heads { .. })) {
                    mind.index_due.get_or_insert_with(|| Instant::now() + INDEX_PAUSE);
                    self.refresh_heads(&mut inputs).await;
                }
                self.plan(mind, inputs);
            }
            Fact::Committed { changes } => {
                mind.last_change = Some(crate::state::problems::now());
                self.publish(Event::CommitMade { folder: self.shown_path(), changes: changes as u64 });
            }
            Fact::Merged { from, conflicts } => {
                for name in from {
                    if !mind.arrived_from.contains(&name) {
                        mind.arrived_from.push(name);
                    }
                }
                for (path, variants) in conflicts {
                    let variants = variants.iter().map(|path| path.to_string_lossy()).collect();
                    let file = path.to_string_lossy();
                    self.publish(Event::ConflictKept { folder: self.shown_path(), file, variants });
                }
            }
            Fact::Applied { files } => {
                mind.last_change = Some(crate::state::problems::now());
                mind.index_due.get_or_insert_with(|| Instant::now() + INDEX_PAUSE);
                let ours = files.min(mind.put_back);
                mind.put_back -= ours;
                if files > ours {
                    let from = std::mem::take(&mut mind.arrived_from);
                    let files = (files - ours) as u64;
                    self.publish(Event::ChangesArrived { folder: self.shown_path(), from, files });
                }
            }
            Fact::Held { count, reason, files } => {
                mind.seen.held = count as u64;
                (mind.seen.held_reason, mind.seen.held_files) = (reason.clone(), files);
                if count == 0 {
                    mind.problems.clear(ProblemCode::DeletionsHeld, "");
                } else {
                    let hint = "Put them back, or delete them everywhere: in the window, or with \
                                `trib held DIR --restore` or `--delete`.";
                    let mut held = problem(ProblemCode::DeletionsHeld, "deletions", reason, hint);
                    held.needs_you = true;
                    held.action = Some(ProblemAction::AnswerDeletions);
                    mind.problems.raise(held);
                }
            }
            Fact::NotSynced { count, examples } => {
                mind.seen.skipped = count as u64;
                mind.seen.skipped_examples.clone_from(&examples);
                if count == 0 {
                    mind.problems.clear(ProblemCode::NotSynced, "");
                } else {
                    let sentence =
                        format!("{count} things in the folder are not synced, such as {}.", examples[0]);
                    let hint = "Sockets, devices and other repositories are left out. Move them elsewhere.";
                    mind.problems.raise(problem(ProblemCode::NotSynced, "things", sentence, hint));
                }
            }
            Fact::Raise(problem) => mind.problems.raise(problem),
            Fact::Clear(code, subject) => mind.problems.clear(code, &subject),
            Fact::Went { place, deed, fault } => {
                // A computer that is off or has just left is no fault; what it lacks goes there when it comes.
                let fault = fault
                    .filter(|fault| fault.code != ProblemCode::PlaceUnreachable || !self.is_peer(&place));
                mind.problems.went(&place, deed, fault);
            }
            Fact::Progress { transfer: (place, direction, path), bytes } => {
                self.progress(mind, place, direction, path, bytes);
            }
            Fact::Scanned(number) => {
                mind.scanned = mind.scanned.max(number);
                self.changes.hurry();
            }
            Fact::Ask(ask) => self.ask(ask, mind).await,
        }
    }

    /// Two threads that move the branches may overtake each other on their way here, and a planner that believes in heads
    /// of the past would push for ever. So it is told what is, not what was.
    async fn refresh_heads(&self, inputs: &mut [Input]) {
        // Heads that cannot be read now are a fault that every other visit to the desk reports.
        let Ok(now) = self.desk.with(|desk| facts::heads(desk)).await else { return };
        for input in inputs {
            if let Input::Heads { heads, .. } = input {
                *heads = now;
            }
        }
    }

    async fn ask(&mut self, ask: Ask, mind: &mut Mind) {
        match ask {
            Ask::Sync => {
                self.scans.send(mind.next_scan).ok();
                mind.next_scan += 1;
                self.apply.versions();
                self.plan(mind, vec![Input::LookNow]);
            }
            // It is answered before it comes here.
            Ask::Status(_) => {}
            Ask::Wait(reply) => {
                let scan = mind.next_scan;
                self.scans.send(scan).ok();
                mind.next_scan += 1;
                self.apply.versions();
                self.plan(mind, vec![Input::LookNow]);
                mind.waiters.push(Waiter { scan, round: mind.planner.round(), reply });
            }
            Ask::PlacesChanged => self.places_changed(mind).await,
            Ask::Pause(until) => {
                self.paused.send(until.is_some()).ok();
                let input = if until.is_some() { Input::Pause } else { Input::Resume };
                mind.paused = until;
                self.plan(mind, vec![input]);
            }
            Ask::Hint(hint) => {
                let known = self.desk.with(tips).await;
                let heads_known = known.is_ok_and(|tips| hints::heads_match(&hint, &tips));
                self.plan(mind, vec![Input::Hint { heads_known }]);
            }
            Ask::News(news) => {
                let known = self.desk.with(tips).await;
                let heads_known = known.is_ok_and(|tips| tips == news.tips);
                self.plan(mind, vec![Input::Hint { heads_known }]);
            }
            Ask::Channel(up) => {
                let channel = if up { Channel::Up } else { Channel::Down };
                self.plan(mind, vec![Input::Channel(channel)]);
                if up {
                    self.announce().await;
                }
            }
            Ask::Announced(ok) => self.plan(mind, vec![Input::AnnounceEnded { ok }]),
            Ask::PushedTo(pushed) => self.pushed_to(&pushed, mind).await,
            Ask::Held(answer, reply) => {
                reply.send(self.held(answer, mind).await).ok();
            }
            Ask::Keep(wish, reply) => self.keep(wish, reply).await,
        }
    }

    fn is_peer(&self, place: &str) -> bool {
        self.places.rows().iter().any(|row| row.name == place && row.peer().is_some())
    }

    /// Whoever pushed here has what it pushed: that need not be offered to it.
    async fn pushed_to(&self, pushed: &Pushed, mind: &mut Mind) {
        let rows = self.places.rows();
        let Some(row) = rows.iter().find(|row| row.peer().is_some_and(|peer| peer.repository == pushed.by))
        else {
            return;
        };
        let (name, moved) = (row.name.clone(), pushed.moved.clone());
        let repositories = self.repositories.clone();
        let noted = tokio::task::spawn_blocking(move || {
            repositories.with(|repo| sync_branches::note_pushed_by(repo.git(), &name, &moved))
        });
        match noted.await.expect("noting refs does not panic") {
            Ok(Ok((Some(branch), Some(annex)))) => {
                let holds = Heads { branch: facts::head(Some(branch)), annex: facts::head(Some(annex)) };
                self.plan(mind, vec![Input::PlaceHolds { place: row.id, heads: holds }]);
            }
            // What it has is found out by the next look.
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::warn!(error = chain(&error), "what was pushed here is not noted"),
            Err(error) => tracing::warn!(error = chain(&error), "what was pushed here is not noted"),
        }
    }

    async fn held(&self, answer: Option<HeldAnswer>, mind: &mut Mind) -> Reply {
        match answer {
            None => Reply::Held {
                held: tributary_status::HeldDeletions {
                    count: mind.seen.held,
                    reason: mind.seen.held_reason.clone(),
                    files: mind.seen.held_files.clone(),
                },
            },
            Some(_) if mind.seen.held == 0 => Reply::Done { sentence: "No deletions are held.".into() },
            Some(answer) => {
                self.answers.send(answer).await.ok();
                let count = files(mind.seen.held);
                let sentence = match answer {
                    HeldAnswer::Restore => {
                        mind.put_back = usize::try_from(mind.seen.held).unwrap_or(usize::MAX);
                        format!("Putting {count} back.")
                    }
                    HeldAnswer::Delete => format!("Deleting {count} everywhere."),
                };
                Reply::Done { sentence }
            }
        }
    }

    async fn places_changed(&self, mind: &mut Mind) {
        self.transferrer.shared.forget_remotes();
        let (places, repositories, table) =
            (self.places.clone(), self.repositories.clone(), self.places.clone());
        let read = tokio::task::spawn_blocking(move || repositories.with(|repo| places.read(repo)))
            .await
            .expect("reading the places does not panic");
        let (before, now) =
            match read.map_err(|error| chain(&error)).and_then(|read| read.map_err(|error| chain(&error))) {
                Ok(rows) => rows,
                Err(error) => {
                    let hint = "Look at the remotes in `.git/config`.";
                    mind.problems.raise(problem(ProblemCode::Internal, "places", format!("{error}."), hint));
                    return;
                }
            };
        let mut inputs = Vec::new();
        for gone in before.iter().filter(|old| !now.iter().any(|new| new.id == old.id)) {
            inputs.push(Input::PlaceGone(gone.id));
            mind.problems.forget_place(&gone.name);
        }
        inputs.extend(now.iter().map(|row| Input::PlaceKnown(row.for_planner())));
        let told = self
            .desk
            .with(move |desk| {
                let keys = facts::unsettled(desk, &table)?;
                let mut contents = Vec::new();
                for keys in keys.chunks(FACTS_AT_ONCE) {
                    contents.push(Input::Contents(facts::of_keys(desk, &table, keys, false)?));
                }
                Ok::<_, DeskError>(contents)
            })
            .await;
        match told {
            Ok(contents) => inputs.extend(contents),
            Err(error) => self.desk_failed(mind, &error),
        }
        for row in now.iter() {
            let there = match row.peer() {
                Some(_) => self.places.peer_is_there(row).is_some(),
                None => row.local_path().is_none_or(std::path::Path::exists),
            };
            inputs.push(if there { Input::PlaceUp(row.id) } else { Input::PlaceDown(row.id) });
        }
        self.plan(mind, inputs);
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
                mind.jobs.spawn(async move {
                    if let Some(state) = desk.with(folder_state).await {
                        engine.send(EngineFact::Announce { folder: path, state }).ok();
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

    /// Publishes our state, also when it is no news: others may have missed it.
    async fn announce(&self) {
        if let Some(state) = self.desk.with(folder_state).await {
            self.engine.send(EngineFact::Announce { folder: self.path.clone(), state }).ok();
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

    /// Gives back what the work took. The next change pays a few milliseconds for it, the rest of the day nothing.
    async fn rest(&self) {
        self.desk.with(Desk::rest).await;
        self.repositories.rest();
        tokio::task::spawn_blocking(memory::give_back);
    }

    /// Writes git's index, and once more as soon as git can trust all of it. Whether it is written.
    async fn write_index(&self, mind: &mut Mind) -> bool {
        mind.index_due = None;
        let written = self.desk.with(|desk| {
            // Git's index is that of another branch then, and the folder is being stopped.
            desk.fit().ok()?;
            Some(desk.write_index().map(|()| desk.index.settles_at()))
        });
        let Some(written) = written.await else { return true };
        match written {
            Ok(settles_at) => {
                for code in [ProblemCode::Internal, ProblemCode::DiskFull] {
                    mind.problems.clear(code, "index");
                }
                // Until then git would run its filter on files of this second, and git-annex's gives a file whose name
                // has another extension than its key a new key.
                let left = settles_at.and_then(|at| at.duration_since(SystemTime::now()).ok());
                mind.index_due = left.map(|left| Instant::now() + left);
                if left.is_none() {
                    // All is quiet: what the work took is not needed for a while.
                    self.rest().await;
                }
                return true;
            }
            Err(IndexError::Locked) => {
                let repositories = self.repositories.clone();
                tokio::task::spawn_blocking(move || repositories.clear_locks()).await.ok();
                mind.index_due = Some(Instant::now() + INDEX_RETRY);
            }
            Err(error) => {
                let sentence = format!("Git's index could not be written: {}.", chain(&error));
                mind.problems.raise(if is_full(&error) {
                    let hint = "Make room on the disk; it goes on by itself.";
                    Problem { needs_you: true, ..problem(ProblemCode::DiskFull, "index", sentence, hint) }
                } else {
                    let hint = "It is tried again. If it stays, run `git status` in the folder.";
                    problem(ProblemCode::Internal, "index", sentence, hint)
                });
                mind.index_due = Some(Instant::now() + 10 * INDEX_PAUSE);
            }
        }
        false
    }

    async fn answer_waiters(&self, mind: &mut Mind) {
        if mind.waiters.is_empty() {
            return;
        }
        if mind.seen.held > 0 {
            let failure = Failure {
                code: Some(ProblemCode::DeletionsHeld),
                sentence: mind.seen.held_reason.clone(),
                hint: "Say `trib held DIR --restore` or `--delete`.".into(),
            };
            for waiter in mind.waiters.drain(..) {
                waiter.reply.send(Reply::Failed { failure: failure.clone() }).ok();
            }
            return;
        }
        mind.waiters.retain(|waiter| !waiter.reply.is_closed());
        let quiet = |mind: &Mind, waiter: &Waiter| {
            mind.scanned >= waiter.scan && mind.planner.looked_since(waiter.round)
        };
        if !mind.waiters.iter().any(|waiter| quiet(mind, waiter))
            || self.changes.waiting() > 0
            || !mind.planner.settled().idle
            || mind.paused.is_some()
        {
            return;
        }
        if unsettled_problem(mind) || self.failing(mind) {
            return;
        }
        if self.arriving().await > 0 || !self.inbox.is_empty() {
            return;
        }
        if self.desk.with(|desk| desk.index.is_edited()).await && !self.write_index(mind).await {
            return;
        }
        self.put_up_status(mind).await;
        let (done, rest) =
            std::mem::take(&mut mind.waiters).into_iter().partition(|waiter| quiet(mind, waiter));
        mind.waiters = rest;
        for waiter in Vec::<Waiter>::into_iter(done) {
            waiter.reply.send(Reply::Done { sentence: "Everything is where it should be.".into() }).ok();
        }
    }

    /// Whether a place that answers does not take or give what it should. One that does not answer is not waited for.
    fn failing(&self, mind: &Mind) -> bool {
        let rows = self.places.rows();
        let away = |id| {
            let name = rows.iter().find(|row| row.id == id).map(|row| row.name.as_str());
            mind.problems.list().iter().any(|problem| {
                problem.code == ProblemCode::PlaceUnreachable && Some(problem.subject.as_str()) == name
            })
        };
        let settled = mind.planner.settled();
        settled.failed.iter().any(|(_, place, _)| !away(*place))
            || settled
                .waiting_for
                .iter()
                .any(|(place, why)| matches!(why, Why::Full | Why::Person) && !away(*place))
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

/// Whether the disk has no room.
fn is_full(error: &IndexError) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<std::io::Error>() {
            return matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded);
        }
        cause = error.source();
    }
    false
}

/// When the newest commit was made, seconds since 1970.
fn committed_at(desk: &crate::state::desk::Desk) -> Option<i64> {
    let commit = desk.repo.git().find_commit(desk.head?).ok()?;
    Some(commit.time().seconds())
}

/// Whether something of this folder itself is not as it should be: changes that could not be taken in or placed.
fn unsettled_problem(mind: &Mind) -> bool {
    mind.problems.list().iter().any(|problem| {
        matches!(
            problem.code,
            ProblemCode::Unreadable
                | ProblemCode::ReadOnly
                | ProblemCode::DiskFull
                | ProblemCode::FolderGone
                | ProblemCode::CorruptRepository
                | ProblemCode::Internal
        )
    })
}

/// Our tips, as hints speak of them.
fn tips(desk: &mut crate::state::desk::Desk) -> Result<hints::Tips, DeskError> {
    let id =
        |oid: Option<tributary_repo::Oid>| oid.and_then(|oid| hints::ObjectId::from_bytes(oid.as_bytes()));
    let (branch, annex) = desk.tips()?;
    Ok(hints::Tips { branch: id(branch), annex: id(annex) })
}

fn folder_state(desk: &mut crate::state::desk::Desk) -> Option<hints::FolderState> {
    let tips = tips(desk).ok()?;
    Some(hints::FolderState { repository: desk.repo.uuid().clone(), tips })
}
