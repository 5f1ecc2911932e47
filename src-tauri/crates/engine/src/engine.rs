//! The engine of one home: its folders, its account, and the commands of people.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tributary_status::{
    Command, Event, Failure, FolderState, FolderStatus, NumberedEvent, ProblemCode, Reply, Snapshot,
};

use crate::commands;
use crate::config::{Config, ConfigError, FolderConfig, Pause};
use crate::engine_facts::{EngineFact, EngineFactSender};
use crate::folder_facts::Ask;
use crate::home::{Home, HomeError, HomeLock};
use crate::pairing::joining::{self, Journal};
use crate::roll::{self, Start, StartError};
use crate::socket;
use crate::state::board::Board;
use crate::state::desk::DeskError;
use crate::state::folders::Folders;
use crate::state::line::Lines;
use crate::state::own_device::OwnDevice;
use crate::state::peers::{Peers, PeersError};
use crate::state::problems::{self, problem};
use crate::threads::account::{self, AccountAsk, AccountThread};
use crate::threads::committer::chain;
use crate::threads::network_watcher::{self, NetworkWatcher};
use crate::threads::notices::{self, Notices};
use crate::threads::pairing::{self, PairingAsk, PairingThread};
use crate::tunnel::{self, Patience, Tunnels};

/// First and longest pause before a folder that could not start, or whose threads failed, is started again.
const RESTART_PAUSE: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(300));

/// Longest pause before a folder that cannot be started is tried again: a look at a few files.
const MENDING_PAUSE: Duration = Duration::from_secs(3);

/// A folder that ran this long without a fault starts with small pauses again.
const SETTLED: Duration = Duration::from_secs(60);

/// The engine of one home.
pub struct Engine {
    pub(crate) home: Home,
    pub(crate) config: Mutex<Config>,
    pub(crate) board: Arc<Board>,
    pub(crate) folders: Folders,
    pub(crate) tunnels: Tunnels,
    pub(crate) account: mpsc::UnboundedSender<AccountAsk>,
    pub(crate) facts: EngineFactSender,
    pub(crate) pairing: mpsc::UnboundedSender<PairingAsk>,
    /// Who is paired.
    pub(crate) peers: Peers,
    /// Tries to join that are not settled.
    pub(crate) joins: Journal,
    /// This device's secrets.
    pub(crate) device: OwnDevice,
    /// The account's session, while it is online.
    pub(crate) lines: Lines,
    /// What watches over each configured folder: cancelled when it is removed.
    pub(crate) watched: Mutex<std::collections::BTreeMap<PathBuf, CancellationToken>>,
    pub(crate) stop: CancellationToken,
    pub(crate) tasks: TaskTracker,
    /// One change of the set of folders at a time.
    pub(crate) changing: tokio::sync::Mutex<()>,
    _lock: HomeLock,
}

/// Why the engine did not start.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// There is no place for its files.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// Another engine runs in this home.
    #[error("Tributary is running already")]
    Running,
    /// The lock or the socket cannot be made.
    #[error("{what} cannot be used")]
    Io {
        /// What.
        what: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// The configuration cannot be read.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Who is paired cannot be read.
    #[error(transparent)]
    Peers(#[from] PeersError),
}

/// Reads who is paired. A damaged book is put aside, so that nobody in it is let in and it can be looked at.
fn peers(home: &Home, board: &Board) -> Result<Peers, EngineError> {
    let file = home.peers_file();
    match Peers::load(&file) {
        Err(error @ PeersError::Damaged { .. }) => {
            let aside = file.with_extension("damaged");
            std::fs::rename(&file, &aside)
                .map_err(|source| EngineError::Io { what: "the list of paired computers", source })?;
            let sentence = format!("{}. It was put aside as {}.", chain(&error), aside.display());
            let hint = "Pair your computers again; nothing in your folders was touched.";
            board.raise(problem(ProblemCode::Internal, "peers", sentence, hint));
            Ok(Peers::load(&file)?)
        }
        loaded => Ok(loaded?),
    }
}

impl Engine {
    /// Starts the engine of this home: its folders, its account, and the socket for commands.
    ///
    /// # Errors
    /// `Running` when another engine has the home; others when the home cannot be used.
    pub async fn start(home: Home) -> Result<Arc<Self>, EngineError> {
        tributary_repo::memory::limit();
        let lock = home
            .lock()
            .map_err(|source| EngineError::Io { what: "the lock file", source })?
            .ok_or(EngineError::Running)?;
        let mut damaged = None;
        let config = match Config::load(&home.config_file()) {
            Ok(config) => config,
            Err(error @ ConfigError::Damaged { .. }) => {
                damaged = Some(chain(&error));
                Config::default()
            }
            Err(error) => return Err(error.into()),
        };
        let listener = socket::bind(&home.socket())
            .map_err(|source| EngineError::Io { what: "the local socket", source })?;
        let board = Arc::new(Board::new(config.settings.clone()));
        if let Some(damaged) = damaged {
            let hint = "Add your folders again; nothing in them was touched.";
            board.raise(problem(ProblemCode::Internal, "configuration", damaged, hint));
        }
        let stop = CancellationToken::new();
        let peers = peers(&home, &board)?;
        let tunnels = Tunnels::new(peers.clone(), Patience::from_environment(), stop.clone());
        tunnels.register();
        let folders = Folders::default();
        let (account, asks) = mpsc::unbounded_channel();
        let (facts, told) = mpsc::unbounded_channel();
        let (proven, proofs) = mpsc::unbounded_channel();
        let (pairing, pairing_asks) = mpsc::unbounded_channel();
        let (device, lines) = (OwnDevice::default(), Lines::default());
        let tasks = TaskTracker::new();
        let (said, calls) = mpsc::channel(notices::WAITING);
        let thread = AccountThread {
            asks,
            folders: folders.clone(),
            board: board.clone(),
            peers: peers.clone(),
            tunnels: tunnels.clone(),
            device: device.clone(),
            lines: lines.clone(),
            state_file: home.state_dir().join("hints.json"),
            notices: said,
            proven,
        };
        tasks.spawn(tunnel::keep_to_the_book(tunnels.clone()));
        tasks.spawn(account::run(thread, stop.clone()));
        let thread = PairingThread {
            tunnels: tunnels.clone(),
            asks: pairing_asks,
            lines: lines.clone(),
            peers: peers.clone(),
            device: device.clone(),
            folders: folders.clone(),
            board: board.clone(),
        };
        tasks.spawn(pairing::run(thread, stop.clone()));
        let thread =
            Notices { peers: peers.clone(), device: device.clone(), tunnels: tunnels.clone(), calls };
        tasks.spawn(notices::run(thread, stop.clone()));
        let network = NetworkWatcher { account: account.clone(), folders: folders.clone() };
        tasks.spawn(network_watcher::run(network, stop.clone()));
        let joins = Journal::load(home.joins_file());
        let engine = Arc::new(Self {
            home,
            config: Mutex::new(config.clone()),
            board,
            folders,
            tunnels,
            account,
            facts,
            pairing,
            peers,
            joins,
            device,
            lines,
            watched: Mutex::default(),
            stop: stop.clone(),
            tasks: tasks.clone(),
            changing: tokio::sync::Mutex::new(()),
            _lock: lock,
        });
        tasks.spawn(engine.clone().listen(told, proofs));
        commands::account::connect_kept(&engine, &config);
        joining::take_up(&engine);
        for folder in &config.folders {
            engine.watch_over(folder.clone());
        }
        tasks.spawn(socket::serve(listener, engine.clone(), stop));
        Ok(engine)
    }

    /// Does what a person wants.
    pub async fn command(self: &Arc<Self>, command: Command) -> Reply {
        commands::run(self, command).await.unwrap_or_else(|failure| Reply::Failed { failure })
    }

    /// Everything, at this moment.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.board.snapshot()
    }

    /// Events from now on.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<NumberedEvent> {
        self.board.subscribe()
    }

    /// Ends when somebody told the engine to end.
    pub async fn stopped(&self) {
        self.stop.cancelled().await;
    }

    /// Ends the engine: everything under way is stopped where it can be resumed.
    pub async fn shut_down(&self) {
        self.stop.cancel();
        for folder in self.folders.all() {
            folder.stop().await;
        }
        self.tasks.close();
        self.tasks.wait().await;
        std::fs::remove_file(self.home.socket()).ok();
    }

    /// Changes the configuration and keeps it.
    pub(crate) fn configure<T>(&self, change: impl FnOnce(&mut Config) -> T) -> Result<T, ConfigError> {
        let mut config = self.config.lock().expect("no holder of this lock panics");
        let mut changed = config.clone();
        let value = change(&mut changed);
        if changed != *config {
            changed.save(&self.home.config_file())?;
            *config = changed;
        }
        Ok(value)
    }

    /// The configuration as it is.
    pub(crate) fn configuration(&self) -> Config {
        self.config.lock().expect("no holder of this lock panics").clone()
    }

    /// Keeps a folder running until it is removed or the engine ends.
    pub(crate) fn watch_over(self: &Arc<Self>, folder: FolderConfig) {
        let stop = self.stop.child_token();
        self.watched.lock().expect("no holder panics").insert(folder.path.clone(), stop.clone());
        self.tasks.spawn(self.clone().keep_running(folder.path, stop));
    }

    async fn keep_running(self: Arc<Self>, path: PathBuf, stop: CancellationToken) {
        let mut pause = RESTART_PAUSE.0;
        while !stop.is_cancelled() {
            let began = tokio::time::Instant::now();
            let mut failed = false;
            let config = self.configuration().folders.into_iter().find(|folder| folder.path == path);
            let Some(config) = config else { return };
            let start =
                Start { paused: pause_of(config.pause, now()), first_sync_done: config.first_sync_done };
            match roll::start_folder(
                &path,
                start,
                self.tunnels.clone(),
                self.board.clone(),
                self.facts.clone(),
            )
            .await
            {
                Ok(folder) => {
                    let folder = Arc::new(folder);
                    self.folders.insert(folder.clone());
                    // The status may have been up before: whoever waits for both looks again.
                    self.publish(Event::FolderChanged { folder: path.display().to_string() });
                    if self
                        .board
                        .snapshot()
                        .account
                        .is_some_and(|account| account.state == tributary_status::AccountState::Online)
                    {
                        folder.tell(Ask::Channel(true));
                    }
                    self.resume_in_time(&path, config.pause);
                    let ended = folder.stop.clone();
                    tokio::select! {
                        () = stop.cancelled() => {}
                        () = ended.cancelled() => {}
                    }
                    folder.stop().await;
                    self.folders.remove(&path);
                    if !stop.is_cancelled() {
                        self.show_obstacle(&path).await;
                    }
                }
                Err(error) => {
                    failed = true;
                    self.board.set_folder(&path, not_running(&path, &error));
                }
            }
            // A person who mends what is in the way does not want to wait for long.
            let longest = if failed { MENDING_PAUSE } else { RESTART_PAUSE.1 };
            if began.elapsed() > SETTLED {
                pause = RESTART_PAUSE.0;
            }
            stop.run_until_cancelled(tokio::time::sleep(pause)).await;
            pause = (pause * 2).min(longest);
        }
    }

    /// Says at once why a folder that was stopped will not start again, if that is so.
    async fn show_obstacle(&self, path: &Path) {
        let top = path.to_owned();
        let opened = tokio::task::spawn_blocking(move || tributary_repo::Repository::open(&top).map(drop));
        if let Err(error) = opened.await.expect("opening does not panic") {
            self.board.set_folder(path, not_running(path, &StartError::Desk(DeskError::Open(error))));
        }
    }

    /// Lets a folder go on when its pause ends.
    pub(crate) fn resume_in_time(self: &Arc<Self>, path: &Path, pause: Pause) {
        let Pause::Until(end) = pause else { return };
        let Ok(left) = u64::try_from(end - now()) else { return };
        let (engine, path) = (self.clone(), path.to_owned());
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            stop.run_until_cancelled(tokio::time::sleep(Duration::from_secs(left))).await;
            let due = engine
                .configuration()
                .folders
                .iter()
                .any(|folder| folder.path == path && folder.pause == pause);
            if due && !stop.is_cancelled() {
                commands::pause::resume(&engine, Some(&path)).ok();
            }
        });
    }

    async fn listen(
        self: Arc<Self>,
        mut told: mpsc::UnboundedReceiver<EngineFact>,
        mut proofs: mpsc::UnboundedReceiver<String>,
    ) {
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return,
                Some(fact) = told.recv() => match fact {
                    EngineFact::Announce { folder, state } => {
                        self.account.send(AccountAsk::Announce(folder, state)).ok();
                    }
                    EngineFact::FirstSyncDone { folder } => {
                        let kept = self.configure(|config| {
                            for known in config.folders.iter_mut().filter(|known| known.path == folder) {
                                known.first_sync_done = true;
                            }
                        });
                        if let Err(error) = kept {
                            tracing::warn!(%error, "that the first sync is done could not be kept");
                        }
                    }
                },
                Some(mechanism) = proofs.recv() => {
                    let kept = self.configure(|config| {
                        if let Some(account) = &mut config.account {
                            account.strongest_mechanism = Some(mechanism);
                        }
                    });
                    if let Err(error) = kept {
                        tracing::warn!(%error, "the login mechanism could not be kept");
                    }
                }
            }
        }
    }

    /// Ends when every configured folder runs and shows how it is, or shows why it does not run.
    pub(crate) async fn folders_started(&self) {
        let mut events = self.subscribe();
        loop {
            let snapshot = self.snapshot();
            let told = |known: &FolderConfig| {
                let status = snapshot.folders.iter().find(|status| Path::new(&status.path) == known.path);
                status.is_some_and(|status| status.uuid.is_empty() || self.folders.get(&known.path).is_some())
            };
            if self.configuration().folders.iter().all(told) {
                return;
            }
            if matches!(events.recv().await, Err(broadcast::error::RecvError::Closed)) {
                return;
            }
        }
    }

    /// The running folder at this path, or why there is none.
    pub(crate) fn folder(&self, path: &Path) -> Result<Arc<crate::folder::Folder>, Failure> {
        if let Some(folder) = self.folders.get(path) {
            return Ok(folder);
        }
        let status = self.board.snapshot().folders.into_iter().find(|status| Path::new(&status.path) == path);
        Err(match status {
            Some(status) => Failure {
                code: status.problems.first().map(|problem| problem.code),
                sentence: status.sentence,
                hint: status
                    .problems
                    .first()
                    .map_or_else(|| "Try again in a moment.".into(), |problem| problem.hint.clone()),
            },
            None => Failure {
                code: None,
                sentence: format!("{} is not a synced folder.", path.display()),
                hint: format!("Say `trib add {}` first.", path.display()),
            },
        })
    }

    /// Publishes an event of no folder.
    pub(crate) fn publish(&self, event: Event) {
        self.board.publish(event);
    }
}

/// Until when a folder rests, as it is shown; `None` when it does not.
pub(crate) fn pause_of(pause: Pause, now: i64) -> Option<Option<String>> {
    match pause {
        _ if !pause.holds_at(now) => None,
        Pause::Until(end) => Some(Some(problems::moment(end))),
        Pause::Off | Pause::UntilResumed => Some(None),
    }
}

/// Seconds since 1970.
pub(crate) fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// The status of a folder that could not be started.
fn not_running(path: &Path, error: &StartError) -> FolderStatus {
    use tributary_repo::repository::OpenError;

    let (code, hint) = match error {
        StartError::Desk(DeskError::Open(open)) => match open {
            OpenError::AdjustedBranch { .. } => (
                ProblemCode::AdjustedBranch,
                "Check out the branch it was made from (`git checkout master`); the folder starts by itself.",
            ),
            OpenError::AssistantRunning { .. } => (
                ProblemCode::OtherAssistant,
                "Stop it with `git annex assistant --stop`; the folder starts by itself.",
            ),
            OpenError::NotRepository { .. } | OpenError::Unreadable { .. } => (
                ProblemCode::FolderGone,
                "Put the folder back, or remove it from Tributary. Nothing was deleted elsewhere.",
            ),
            OpenError::Git(_) => {
                (ProblemCode::CorruptRepository, "Run `git fsck` in it. Nothing was changed.")
            }
            _ => {
                (ProblemCode::UnsupportedRepository, "It is left as it is. The message says what would help.")
            }
        },
        StartError::Desk(DeskError::WorkTree(_)) => {
            (ProblemCode::FolderGone, "Put the folder back, or remove it from Tributary.")
        }
        StartError::Desk(_) | StartError::Places(_) => {
            (ProblemCode::CorruptRepository, "Run `git fsck` in it. Nothing was changed.")
        }
    };
    let sentence = format!("{} cannot be synced: {}.", path.display(), chain(error));
    let mut fault = problem(code, "folder", sentence.clone(), hint);
    fault.needs_you = true;
    FolderStatus {
        path: path.display().to_string(),
        path_base64: None,
        uuid: String::new(),
        state: FolderState::NeedsYou,
        sentence,
        files: 0,
        bytes: 0,
        pending: 0,
        arriving: 0,
        only_elsewhere: 0,
        skipped: 0,
        held: 0,
        paused_until: None,
        last_change: None,
        places: vec![],
        transfers: vec![],
        problems: vec![fault],
    }
}
