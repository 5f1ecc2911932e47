//! Where the engine lives for somebody who wants to use it: in this process, or in one that runs already.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::broadcast;
use tributary_status::{Command, NumberedEvent, Reply, Snapshot};

use crate::client::{Client, ClientError};
use crate::engine::{Engine, EngineError};
use crate::home::Home;

/// A way to an engine.
#[derive(Clone)]
pub enum Link {
    /// It lives in this process.
    Here(Arc<Engine>),
    /// It runs in another process.
    There(Arc<Client>),
}

/// Why there is no way to an engine.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The engine did not start.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The running engine does not answer.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The engine answered something else than was asked.
    #[error("the running program answered something unexpected; is it another version?")]
    Unexpected,
}

/// Starts the engine of this home in this process, or connects to the one that runs.
///
/// # Errors
/// When neither works.
pub async fn open_or_join(home: Home) -> Result<Link, LinkError> {
    match Engine::start(home.clone()).await {
        Ok(engine) => Ok(Link::Here(engine)),
        Err(EngineError::Running) => Ok(Link::There(Arc::new(Client::connect(&home.socket()).await?))),
        Err(error) => Err(error.into()),
    }
}

impl Link {
    /// Does what a person wants.
    ///
    /// # Errors
    /// When the engine in the other process is gone.
    pub async fn command(&self, command: Command) -> Result<Reply, LinkError> {
        match self {
            Self::Here(engine) => Ok(engine.command(command).await),
            Self::There(client) => Ok(client.command(command).await?),
        }
    }

    /// Everything, at this moment.
    ///
    /// # Errors
    /// When the engine in the other process is gone.
    pub async fn snapshot(&self) -> Result<Snapshot, LinkError> {
        match self {
            Self::Here(engine) => Ok(engine.snapshot()),
            Self::There(client) => match client.command(Command::Status { folder: None }).await? {
                Reply::Status { snapshot } => Ok(*snapshot),
                _ => Err(LinkError::Unexpected),
            },
        }
    }

    /// Events from now on.
    ///
    /// # Errors
    /// When the engine in the other process is gone.
    pub async fn subscribe(&self) -> Result<broadcast::Receiver<NumberedEvent>, LinkError> {
        match self {
            Self::Here(engine) => Ok(engine.subscribe()),
            Self::There(client) => Ok(client.subscribe().await?),
        }
    }

    /// Ends the engine when it lives here; one that runs in another process goes on.
    pub async fn stop(&self) {
        if let Self::Here(engine) = self {
            engine.shut_down().await;
        }
    }
}

/// The `trib` beside this program or on PATH: what git is told to start as filter where git-annex is missing.
#[must_use]
pub fn trib_binary() -> Option<PathBuf> {
    let beside = std::env::current_exe().ok().map(|this| this.with_file_name("trib"));
    let on_path = std::env::var_os("PATH")
        .map(|path| std::env::split_paths(&path).map(|dir| dir.join("trib")).collect::<Vec<_>>())
        .unwrap_or_default();
    beside.into_iter().chain(on_path).find(|path| path.is_file())
}
