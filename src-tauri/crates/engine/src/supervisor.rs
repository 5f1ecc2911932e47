//! Supervisor: keeps each configured folder running, and shows why one does not run.
//!
//! One task for each folder. Starts its threads, waits until they end, and starts them again after a pause that grows
//! while it fails. Ends when the folder is removed or the engine ends.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;
use tributary_repo::repository::OpenError;
use tributary_status::{AccountState, Event, FolderState, FolderStatus, ProblemCode};

use crate::commands;
use crate::config::{FolderConfig, Pause, path_text};
use crate::engine::{Engine, now};
use crate::folder_facts::Ask;
use crate::roll::{self, Start, StartError};
use crate::state::desk::DeskError;
use crate::state::problems::{self, problem};
use crate::threads::committer::chain;

/// First and longest pause before a folder that could not start, or whose threads failed, is started again.
const RESTART_PAUSE: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(300));

/// Longest pause before a folder that cannot be started is tried again: a look at a few files.
const MENDING_PAUSE: Duration = Duration::from_secs(3);

/// A folder that ran this long without a fault starts with small pauses again.
const SETTLED: Duration = Duration::from_secs(60);

impl Engine {
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
                        .is_some_and(|account| account.state == AccountState::Online)
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

    /// Ends when every configured folder runs and shows how it is, or shows why it does not run.
    pub(crate) async fn folders_started(&self) {
        let mut events = self.subscribe();
        loop {
            let told = |known: &FolderConfig| {
                let status = self.board.folder(&known.path);
                status.is_some_and(|status| status.uuid.is_empty() || self.folders.get(&known.path).is_some())
            };
            if self.configuration().folders.iter().all(told) {
                return;
            }
            if matches!(events.recv().await, Err(RecvError::Closed)) {
                return;
            }
        }
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

/// The status of a folder that could not be started.
fn not_running(path: &Path, error: &StartError) -> FolderStatus {
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
    let status = FolderStatus::new(path.display().to_string(), FolderState::NeedsYou, sentence);
    FolderStatus { path_base64: path_text::coded(path), problems: vec![fault], ..status }
}
