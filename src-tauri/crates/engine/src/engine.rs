//! The engine of one home: its folders, its account, and the commands of people.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tributary_status::{Command, Event, Failure, NumberedEvent, ProblemCode, Reply, Snapshot};

use crate::commands;
use crate::config::{Config, ConfigError};
use crate::engine_facts::{EngineFact, EngineFactSender};
use crate::home::{Home, HomeError, HomeLock};
use crate::pairing::joining::{self, Journal};
use crate::socket;
use crate::state::board::Board;
use crate::state::folders::Folders;
use crate::state::line::Lines;
use crate::state::own_device::OwnDevice;
use crate::state::peers::{Peers, PeersError};
use crate::state::problems::problem;
use crate::threads::account::{self, AccountAsk, AccountThread};
use crate::threads::committer::chain;
use crate::threads::network_watcher::{self, NetworkWatcher};
use crate::threads::notices::{self, Notices};
use crate::threads::pairing::{self, PairingAsk, PairingThread};
use crate::tunnel::{self, Patience, Tunnels};

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
        let tunnels = Tunnels::new(
            peers.clone(),
            Patience::from_environment(),
            home.state_dir().to_owned(),
            stop.clone(),
        );
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
            presence_file: home.state_dir().join("presence.json"),
        };
        tasks.spawn(pairing::run(thread, stop.clone()));
        let thread = Notices {
            peers: peers.clone(),
            device: device.clone(),
            tunnels: tunnels.clone(),
            board: board.clone(),
            calls,
        };
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

    /// The running folder at this path, or why there is none.
    pub(crate) fn folder(&self, path: &Path) -> Result<Arc<crate::folder::Folder>, Failure> {
        if let Some(folder) = self.folders.get(path) {
            return Ok(folder);
        }
        Err(match self.board.folder(path) {
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

/// Seconds since 1970.
pub(crate) fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}
