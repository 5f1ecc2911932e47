//! The roll: makes the channels of a folder, and starts its threads in their order.
//!
//! The conductor comes first, so that nothing that is told is lost; then the applier, so that what was merged before the
//! last end is placed before the committer could take its absence for something; then the committer; and the watcher
//! last, since it has something to say at once. The place watcher wakes the planner up: it starts when all others stand.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;
use tributary_formats::logs::description;
use tributary_formats::logs::uuid_log::UuidLog;
use tributary_planner::Config;
use tributary_repo::cancel::Cancel;
use tributary_status::Event;

use crate::engine_facts::EngineFactSender;
use crate::folder::Folder;
use crate::state::arrivals::Arrivals;
use crate::state::board::Board;
use crate::state::changes::Changes;
use crate::state::commit_first::CommitFirst;
use crate::state::desk::{Desk, DeskError, DeskHandle};
use crate::state::places::{Places, PlacesError};
use crate::state::repositories::Repositories;
use crate::state::room::Room;
use crate::threads::applier::{self, Applier};
use crate::threads::committer::{self, Committer};
use crate::threads::conductor::{self, Conductor};
use crate::threads::dropper::Dropper;
use crate::threads::fetcher::Fetcher;
use crate::threads::housekeeper::{self, Housekeeper};
use crate::threads::merger::merge::Merge;
use crate::threads::merger::{self, Merger};
use crate::threads::peer_places::{self, PeerPlaces};
use crate::threads::place_watcher::{self, PlaceWatcher};
use crate::threads::pusher::Pusher;
use crate::threads::recorder::Recorder;
use crate::threads::room_watcher::{self, RoomWatcher};
use crate::threads::sentry::{self, Sentry};
use crate::threads::transferrer::Transferrer;
use crate::threads::watcher::{self, Watcher};
use crate::tunnel::Tunnels;

/// Why a folder does not run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// Its repository cannot or must not be used.
    #[error(transparent)]
    Desk(#[from] DeskError),
    /// Its remotes cannot be read.
    #[error(transparent)]
    Places(#[from] PlacesError),
}

/// What a folder is told at its start.
pub(crate) struct Start {
    /// Until when it rests.
    pub(crate) paused: Option<Option<String>>,
    /// Whether its first sync was announced before.
    pub(crate) first_sync_done: bool,
}

/// Opens the folder and starts its threads.
pub(crate) async fn start_folder(
    path: &Path,
    start: Start,
    tunnels: Tunnels,
    board: Arc<Board>,
    engine: EngineFactSender,
) -> Result<Folder, StartError> {
    let path = path.to_owned();
    let places = Places::reaching(tunnels.clone());
    let (top, table) = (path.clone(), places.clone());
    let (desk, uuid, description, git_dir) = tokio::task::spawn_blocking(move || {
        let desk = Desk::open(&top)?;
        table.read(&desk.repo)?;
        let uuid = desk.repo.uuid().clone();
        let log = UuidLog::parse(&desk.repo.annex_branch().read(b"uuid.log").map_err(DeskError::from)?);
        let description = log.get(&uuid).map(description::unescape).unwrap_or_default();
        let git_dir = desk.repo.git_dir().to_owned();
        Ok::<_, StartError>((desk, uuid, description, git_dir))
    })
    .await
    .expect("opening a folder does not panic")?;
    let desk = DeskHandle::new(desk);
    let repositories = Repositories::new(path.clone());
    let changes = Arc::new(Changes::default());
    let apply = Arc::new(Arrivals::default());
    let room = Arc::new(Room::default());
    let cancel = Cancel::new();
    let stop = CancellationToken::new();
    let tasks = TaskTracker::new();
    let (facts, inbox) = mpsc::unbounded_channel();
    let (scans, scan_requests) = mpsc::unbounded_channel();
    let (paused, is_paused) = watch::channel(start.paused.is_some());
    // One answer at a time: a person gives them.
    let (answers, answered) = mpsc::channel(1);
    let spawn = Spawn { path: path.clone(), tasks: tasks.clone(), stop: stop.clone(), board: board.clone() };

    let first = CommitFirst::new(changes.clone(), is_paused.clone(), stop.clone());
    let merge = Merge {
        desk: desk.clone(),
        repositories: repositories.clone(),
        places: places.clone(),
        tell: Some(facts.clone()),
        first: Some(first.clone()),
    };
    let fetcher =
        Fetcher { merge: merge.clone(), facts: facts.clone(), apply: apply.clone(), cancel: cancel.clone() };
    let pusher = Pusher { repositories: repositories.clone(), facts: facts.clone(), cancel: cancel.clone() };
    let recorder = Recorder {
        repositories: repositories.clone(),
        desk: desk.clone(),
        places: places.clone(),
        facts: facts.clone(),
    };
    let transferrer = Transferrer {
        repositories: repositories.clone(),
        desk: desk.clone(),
        places: places.clone(),
        facts: facts.clone(),
        apply: apply.clone(),
        cancel: cancel.clone(),
        stop: stop.clone(),
        shared: Arc::default(),
    };
    let dropper = Dropper { transferrer: transferrer.clone(), recorder: recorder.clone() };
    let place_watcher =
        PlaceWatcher { places: places.clone(), transferrer: transferrer.clone(), facts: facts.clone() };
    let conductor = Conductor {
        path: path.clone(),
        config: Config::new(uuid),
        desk: desk.clone(),
        repositories: repositories.clone(),
        places: places.clone(),
        changes: changes.clone(),
        apply: apply.clone(),
        room: room.clone(),
        scans,
        facts: facts.clone(),
        inbox,
        fetcher,
        pusher,
        recorder,
        transferrer,
        dropper,
        paused,
        answers,
        board,
        engine,
        first_sync_done: start.first_sync_done,
        folder: stop.clone(),
    };
    spawn.thread("conductor", conductor::run(conductor, start.paused, stop.clone()));
    let applier = Applier {
        desk: desk.clone(),
        repositories: repositories.clone(),
        changes: changes.clone(),
        facts: facts.clone(),
        wake: apply.clone(),
        paused: is_paused.clone(),
    };
    spawn.thread("applier", applier::run(applier, stop.clone()));
    let committer = Committer {
        changes: changes.clone(),
        desk: desk.clone(),
        repositories: repositories.clone(),
        places: places.clone(),
        facts: facts.clone(),
        apply: apply.clone(),
        room: room.clone(),
        paused: is_paused.clone(),
        answers: answered,
        description,
    };
    spawn.thread("committer", committer::run(committer, stop.clone()));
    let merger = Merger { git_dir: git_dir.clone(), merge, facts: facts.clone(), apply, paused: is_paused };
    spawn.thread("merger", merger::run(merger, stop.clone()));
    let sentry = Sentry { git_dir: git_dir.clone(), desk: desk.clone(), folder: stop.clone() };
    spawn.thread("sentry", sentry::run(sentry, stop.clone()));
    let room_watcher = RoomWatcher { git_dir: git_dir.clone(), room, facts: facts.clone() };
    spawn.thread("room watcher", room_watcher::run(room_watcher, stop.clone()));
    let keeper =
        Housekeeper { git_dir, places: places.clone(), changes: changes.clone(), cancel: cancel.clone() };
    spawn.thread("housekeeper", housekeeper::run(keeper, stop.clone()));
    let watcher = Watcher {
        top: path.clone(),
        desk: desk.clone(),
        changes,
        facts: facts.clone(),
        scans: scan_requests,
    };
    spawn.thread("watcher", watcher::run(watcher, stop.clone()));
    let peer_places = PeerPlaces {
        peers: tunnels.peers().clone(),
        repositories: repositories.clone(),
        facts: facts.clone(),
    };
    spawn.thread("peer places", peer_places::run(peer_places, stop.clone()));
    spawn.thread("place watcher", place_watcher::run(place_watcher, stop.clone()));
    Ok(Folder { path, desk, repositories, first, facts, stop, cancel, tasks })
}

/// Starts the threads of one folder.
struct Spawn {
    path: PathBuf,
    tasks: TaskTracker,
    stop: CancellationToken,
    board: Arc<Board>,
}

impl Spawn {
    /// Starts a thread. One that panics is said aloud, and stops the folder: half a set of threads would look like
    /// silence, and a folder is started anew from what is on disk.
    fn thread(&self, name: &'static str, run: impl Future<Output = ()> + Send + 'static) {
        let span = tracing::info_span!("thread", name, folder = %self.path.display());
        let running = tokio::spawn(run.instrument(span));
        let (stop, board) = (self.stop.clone(), self.board.clone());
        self.tasks.spawn(async move {
            if let Err(error) = running.await {
                tracing::error!(thread = name, %error, "a thread failed");
                let reason = error.to_string();
                board.publish(Event::ThreadFailed { thread: name.into(), reason, retry_in_secs: None });
                stop.cancel();
            }
        });
    }
}
