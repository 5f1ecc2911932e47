//! A client of the running engine's local socket.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::BufReader;
use tokio::net::UnixStream;
use tokio::net::unix::OwnedWriteHalf;
use tokio::sync::{broadcast, oneshot};
use tokio_util::sync::CancellationToken;
use tributary_status::{Command, NumberedEvent, Reply, Request, Response};

use crate::socket::{reachable, read_line, write_line};

/// Events that a listener may lag behind before it has to ask for the snapshot.
const BACKLOG: usize = 1024;

/// A connection to the running engine. Several commands may be under way at once.
#[derive(Debug)]
pub struct Client {
    write: tokio::sync::Mutex<OwnedWriteHalf>,
    waiting: Waiting,
    next_id: AtomicU64,
    events: broadcast::Sender<NumberedEvent>,
    gone: CancellationToken,
}

/// Who waits for which answer; `None` once the engine hung up.
type Waiting = Arc<Mutex<Option<HashMap<u64, oneshot::Sender<Reply>>>>>;

/// Why there was no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No engine listens.
    #[error("Tributary is not running")]
    NotRunning,
    /// The engine hung up before it answered.
    #[error("Tributary stopped before it answered")]
    HungUp,
    /// The socket failed.
    #[error("the connection to the running program failed")]
    Socket(#[from] io::Error),
}

impl Client {
    /// Connects to the engine that listens on this socket.
    ///
    /// # Errors
    /// `NotRunning` when nobody listens, `Socket` with another cause.
    pub async fn connect(socket: &Path) -> Result<Self, ClientError> {
        let short = reachable(socket).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => ClientError::NotRunning,
            _ => error.into(),
        })?;
        let stream = UnixStream::connect(short.path()).await.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => ClientError::NotRunning,
            _ => error.into(),
        })?;
        let (read, write) = stream.into_split();
        let waiting = Waiting::new(Mutex::new(Some(HashMap::new())));
        let (events, _) = broadcast::channel(BACKLOG);
        let gone = CancellationToken::new();
        let receiving = receive(BufReader::new(read), waiting.clone(), events.clone());
        let guard = gone.clone().drop_guard();
        tokio::spawn(async move {
            receiving.await;
            drop(guard);
        });
        Ok(Self { write: write.into(), waiting, next_id: AtomicU64::new(1), events, gone })
    }

    /// Sends a command and waits for its reply, however long that takes.
    ///
    /// # Errors
    /// `HungUp` when the engine ends first, `Socket` when it cannot be written to.
    pub async fn command(&self, command: Command) -> Result<Reply, ClientError> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let (answer, answered) = oneshot::channel();
        lock(&self.waiting).as_mut().ok_or(ClientError::HungUp)?.insert(id, answer);
        write_line(&mut *self.write.lock().await, &Request::Command { id, command }).await?;
        answered.await.map_err(|_| ClientError::HungUp)
    }

    /// Asks for events from now on. The receiver ends when the engine does.
    ///
    /// # Errors
    /// When the engine cannot be written to.
    pub async fn subscribe(&self) -> Result<broadcast::Receiver<NumberedEvent>, ClientError> {
        let receiver = self.events.subscribe();
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        write_line(&mut *self.write.lock().await, &Request::Subscribe { id }).await?;
        Ok(receiver)
    }

    /// Ends when the engine hung up.
    pub async fn gone(&self) {
        self.gone.cancelled().await;
    }
}

fn lock(
    waiting: &Mutex<Option<HashMap<u64, oneshot::Sender<Reply>>>>,
) -> std::sync::MutexGuard<'_, Option<HashMap<u64, oneshot::Sender<Reply>>>> {
    waiting.lock().expect("no holder of this lock panics")
}

async fn receive(
    mut lines: BufReader<tokio::net::unix::OwnedReadHalf>,
    waiting: Waiting,
    events: broadcast::Sender<NumberedEvent>,
) {
    while let Ok(Some(line)) = read_line(&mut lines).await {
        match serde_json::from_slice(&line) {
            Ok(Response::Reply { id, reply }) => {
                let answer = lock(&waiting).as_mut().and_then(|waiting| waiting.remove(&id));
                if let Some(answer) = answer {
                    answer.send(reply).ok();
                }
            }
            Ok(Response::Event { event }) => {
                events.send(event).ok();
            }
            Err(error) => tracing::warn!(%error, "a line of the engine was not understood"),
        }
    }
    // Everybody who still waits learns that the engine hung up.
    lock(&waiting).take();
}
