//! Tunnels for git by hand: `git-remote-xmpp` asks on the local socket, and then the connection is git's.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;

use tokio::io::BufReader;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tributary_repo::transport::{Service, Stream};
use tributary_status::{Failure, Reply, Response};

use crate::engine::Engine;
use crate::socket::write_line;

/// Connects a client of the socket with git on a paired device, until both are done.
///
/// # Errors
/// When the client is gone.
pub(crate) async fn connect(
    engine: &Engine,
    read: BufReader<OwnedReadHalf>,
    mut write: OwnedWriteHalf,
    id: u64,
    url: &str,
    push: bool,
) -> io::Result<()> {
    let service = if push { Service::ReceivePack } else { Service::UploadPack };
    let opened = engine.tunnels.open(url, service).await;
    let reply = match &opened {
        Ok(_) => Reply::Done { sentence: "Connected.".into() },
        Err(cause) => Reply::Failed { failure: failure(url, cause) },
    };
    write_line(&mut write, &Response::Reply { id, reply }).await?;
    let Ok(stream) = opened else { return Ok(()) };
    // The client waits for the answer before it says more.
    if !read.buffer().is_empty() {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let socket = read.into_inner().reunite(write).map_err(io::Error::other)?.into_std()?;
    socket.set_nonblocking(false)?;
    tokio::task::spawn_blocking(move || carry(stream, &socket)).await.map_err(io::Error::other)?
}

/// Carries bytes between the two until the far side has said everything, or the client is gone.
fn carry(stream: Stream, socket: &UnixStream) -> io::Result<()> {
    let Stream { mut reader, mut writer, cut } = stream;
    let mut from_client = socket.try_clone()?;
    let saying = std::thread::spawn(move || pass_on(&mut from_client, &mut writer));
    let mut to_client = socket;
    if pass_on(&mut reader, &mut to_client).is_err() {
        cut();
    }
    // What is left to say has nobody to hear it: the far side speaks last.
    socket.shutdown(Shutdown::Both).ok();
    saying.join().map_err(|_| io::Error::other("a thread panicked"))?.ok();
    Ok(())
}

fn pass_on(from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut buffer = vec![0; 16 << 10];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(length) => {
                to.write_all(&buffer[..length])?;
                to.flush()?;
            }
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
            Err(cause) => return Err(cause),
        }
    }
}

fn failure(url: &str, cause: &io::Error) -> Failure {
    let hint = match cause.kind() {
        io::ErrorKind::PermissionDenied => "`trib peers` lists the paired computers.",
        _ => "Try again when it is online.",
    };
    Failure { code: None, sentence: format!("{url} cannot be reached: {cause}."), hint: hint.into() }
}
