//! The local socket: how `trib` and a second shell talk to the running engine.
//!
//! One JSON value a line, as `tributary_status::wire` has it. The socket is in a private folder and is 0600: who can
//! connect is the same person. Lines are bounded, so a broken client costs its connection and no memory.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;
use tributary_status::{Failure, MAX_LINE, NumberedEvent, Reply, Request, Response};

use crate::engine::Engine;
use crate::tunnel::by_hand;

/// Answers that may wait for a slow client before its requests are read more slowly.
const OUTBOX: usize = 64;

/// Binds the socket, replacing one that a dead engine left. The caller holds the home's lock, so nobody else listens.
///
/// # Errors
/// When the socket cannot be made.
pub(crate) fn bind(path: &Path) -> io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(reachable(path)?.path())?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Serves clients until told to stop.
pub(crate) async fn serve(listener: UnixListener, engine: Arc<Engine>, stop: CancellationToken) {
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        match accepted {
            Ok((stream, _)) => {
                let (engine, stop) = (engine.clone(), stop.clone());
                tokio::spawn(async move {
                    if let Err(error) = attend(stream, engine, stop).await {
                        tracing::debug!(%error, "a client hung up");
                    }
                });
            }
            Err(error) => {
                // Out of file descriptors, most likely: others give theirs back.
                tracing::warn!(%error, "a client could not be accepted");
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        }
    }
}

async fn attend(stream: UnixStream, engine: Arc<Engine>, stop: CancellationToken) -> io::Result<()> {
    let (read, write) = stream.into_split();
    let mut lines = BufReader::new(read);
    let gone = stop.child_token();
    let Some(first) = gone.run_until_cancelled(read_line(&mut lines)).await.transpose()?.flatten() else {
        return Ok(());
    };
    if let Request::Tunnel { id, url, push } = serde_json::from_slice(&first).map_err(io::Error::from)? {
        return by_hand::connect(&engine, lines, write, id, &url, push).await;
    }
    let mut first = Some(first);
    let (outbox, answers) = mpsc::channel(OUTBOX);
    let writer = tokio::spawn(write_answers(write, answers));
    // Commands such as `wait` take long; they end when their client hangs up.
    let hang_up = gone.clone().drop_guard();
    loop {
        let line = match first.take() {
            Some(first) => first,
            None => match gone.run_until_cancelled(read_line(&mut lines)).await.transpose()?.flatten() {
                Some(line) => line,
                None => break,
            },
        };
        let (outbox, gone) = (outbox.clone(), gone.clone());
        match serde_json::from_slice(&line).map_err(io::Error::from)? {
            Request::Command { id, command } => {
                let engine = engine.clone();
                tokio::spawn(async move {
                    if let Some(reply) = gone.run_until_cancelled(engine.command(command)).await {
                        outbox.send(Response::Reply { id, reply }).await.ok();
                    }
                });
            }
            Request::Subscribe { .. } => {
                // Before the next line is read: who asks for events and then for the snapshot misses nothing between.
                tokio::spawn(forward_events(engine.subscribe(), outbox, gone));
            }
            Request::Tunnel { id, .. } => {
                let failure = Failure {
                    code: None,
                    sentence: "A tunnel needs a connection of its own.".into(),
                    hint: String::new(),
                };
                outbox.send(Response::Reply { id, reply: Reply::Failed { failure } }).await.ok();
            }
        }
    }
    drop(hang_up);
    drop(outbox);
    writer.await.map_err(io::Error::other)?
}

async fn forward_events(
    mut events: broadcast::Receiver<NumberedEvent>,
    outbox: mpsc::Sender<Response>,
    gone: CancellationToken,
) {
    while let Some(event) = gone.run_until_cancelled(events.recv()).await {
        match event {
            Ok(event) => {
                if outbox.send(Response::Event { event }).await.is_err() {
                    return;
                }
            }
            // The numbers show the gap to the client.
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return,
        }
    }
}

async fn write_answers(
    mut write: impl AsyncWrite + Unpin,
    mut answers: mpsc::Receiver<Response>,
) -> io::Result<()> {
    while let Some(answer) = answers.recv().await {
        write_line(&mut write, &answer).await?;
    }
    Ok(())
}

/// Writes one value as a line.
pub(crate) async fn write_line(
    write: &mut (impl AsyncWrite + Unpin),
    value: &impl serde::Serialize,
) -> io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    write.write_all(&line).await
}

/// Reads one line of at most `MAX_LINE` bytes; `None` at the end.
pub(crate) async fn read_line(lines: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    loop {
        let chunk = lines.fill_buf().await?;
        if chunk.is_empty() {
            return if line.is_empty() { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
        }
        let end = chunk.iter().position(|byte| *byte == b'\n');
        let taken = end.map_or(chunk.len(), |end| end + 1);
        if line.len() + taken > MAX_LINE {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the line is too long"));
        }
        line.extend_from_slice(&chunk[..taken]);
        lines.consume(taken);
        if end.is_some() {
            line.pop();
            return Ok(Some(line));
        }
    }
}

/// A name for a socket that fits in an address: 107 bytes are all that the system takes, and folders nest deeper.
///
/// A long path is reached through an open handle on its folder.
///
/// # Errors
/// When the folder cannot be opened.
pub fn reachable(path: &Path) -> io::Result<ReachablePath> {
    const LONGEST: usize = 107;
    if path.as_os_str().len() <= LONGEST {
        return Ok(ReachablePath { path: path.into(), _folder: None });
    }
    use std::os::fd::AsRawFd;
    let folder = std::fs::File::open(path.parent().ok_or(io::ErrorKind::InvalidInput)?)?;
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let short = Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(name);
    Ok(ReachablePath { path: short, _folder: Some(folder) })
}

/// A path together with the handle that makes it mean something.
#[derive(Debug)]
pub struct ReachablePath {
    path: std::path::PathBuf,
    _folder: Option<std::fs::File>,
}

impl ReachablePath {
    /// The name.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_long_line_is_refused_and_a_short_one_is_not() {
        let mut short = BufReader::new(&b"{}\nrest"[..]);
        assert_eq!(read_line(&mut short).await.unwrap().unwrap(), b"{}");
        assert!(read_line(&mut short).await.is_err(), "half a line is no line");
        let long = vec![b' '; MAX_LINE + 1];
        assert!(read_line(&mut BufReader::new(&long[..])).await.is_err());
    }

    #[tokio::test]
    async fn a_socket_far_down_the_tree_can_be_reached() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("x".repeat(120));
        std::fs::create_dir(&deep).unwrap();
        let path = deep.join("socket");
        let listener = bind(&path).unwrap();
        let short = reachable(&path).unwrap();
        let (client, server) = tokio::join!(UnixStream::connect(short.path()), listener.accept());
        client.unwrap();
        server.unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}
