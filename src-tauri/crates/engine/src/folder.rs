//! A running folder: the handle by which the engine talks to its threads.

use std::path::{Path, PathBuf};

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tributary_formats::uuid::RepoUuid;
use tributary_repo::cancel::Cancel;
use tributary_status::{HeldAnswer, Reply};

use crate::folder_facts::{Ask, Fact, FactSender, KeepAsk};
use crate::state::commit_first::CommitFirst;
use crate::state::desk::DeskHandle;
use crate::state::repositories::Repositories;

/// A running folder.
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
    pub(crate) desk: DeskHandle,
    pub(crate) repositories: Repositories,
    pub(crate) first: CommitFirst,
    pub(crate) facts: FactSender,
    pub(crate) stop: CancellationToken,
    pub(crate) cancel: Cancel,
    pub(crate) tasks: TaskTracker,
}

impl Folder {
    /// Looks everywhere now.
    pub(crate) fn sync(&self) {
        self.tell(Ask::Sync);
    }

    /// The remotes changed in the configuration.
    pub(crate) fn places_changed(&self) {
        self.tell(Ask::PlacesChanged);
    }

    /// Puts up the status, if it is older than what was done before this.
    pub(crate) fn refresh(&self) -> oneshot::Receiver<()> {
        let (reply, answer) = oneshot::channel();
        self.tell(Ask::Status(reply));
        answer
    }

    /// Answers when everything is settled. The answer is lost when the folder stops.
    pub(crate) fn wait(&self) -> oneshot::Receiver<Reply> {
        let (reply, answer) = oneshot::channel();
        self.tell(Ask::Wait(reply));
        answer
    }

    /// Held deletions, or the answer for them.
    pub(crate) fn held(&self, answer: Option<HeldAnswer>) -> oneshot::Receiver<Reply> {
        let (reply, answered) = oneshot::channel();
        self.tell(Ask::Held(answer, reply));
        answered
    }

    /// Keeps content here, or lets it go.
    pub(crate) fn keep(&self, wish: KeepAsk) -> oneshot::Receiver<Reply> {
        let (reply, answered) = oneshot::channel();
        self.tell(Ask::Keep(wish, reply));
        answered
    }

    /// Says something to the conductor.
    pub(crate) fn tell(&self, ask: Ask) {
        // A conductor that is gone has nothing to be told.
        self.facts.send(Fact::Ask(ask)).ok();
    }

    /// Every repository of the folder, as uuid.log lists them.
    pub(crate) async fn known_repositories(&self) -> Vec<RepoUuid> {
        let log = self.desk.with(|desk| desk.repo.annex_branch().read(b"uuid.log")).await;
        let Ok(text) = log else { return vec![] };
        tributary_formats::logs::uuid_log::UuidLog::parse(&text)
            .iter()
            .map(|(uuid, _)| uuid.clone())
            .collect()
    }

    /// Whether a file or folder is in this one.
    pub(crate) fn holds(&self, path: &Path) -> bool {
        path.starts_with(&self.path)
    }

    /// Ends the folder's threads and waits for them. What moves is stopped, and is resumed at the next start.
    pub(crate) async fn stop(&self) {
        self.stop.cancel();
        self.cancel.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}
