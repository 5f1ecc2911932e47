//! The secure channel between two paired devices, over whatever carries bytes.
//!
//! ```text
//! handshake (two messages, KK) ─→ cipher ─→ frames, each one Noise message behind its length
//! ```
//!
//! Nobody in between can read, forge, replay, reorder or cut it unseen; who can delay it can do nothing more. Both
//! ends prove the keys they were paired with, for this very stream. Source: Noise revision 34 and this crate's README,
//! "The secure channel".

mod binding;
mod frame;
mod halves;
mod handshake;

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadHalf, WriteHalf};

pub use binding::{Binding, Carrier, Party};
pub use frame::{Frame, MAX_DATA};
pub use halves::{Receiver, Sender};

use self::handshake::{Handshake, MESSAGE};
use crate::device::{DeviceKeys, PublicKeys};

/// Why a channel ended, or never came to be. What had been received before was true all the same.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// Something on the way altered it, or the other end is not the device it was taken for.
    #[error("the stream was altered on the way, or the other end is not the paired device")]
    Forged,
    /// The other end is the paired device and says what no version says.
    #[error("the other end sent what is no frame")]
    Malformed,
    /// It ended before the other end had said so.
    #[error("the stream was cut off")]
    Cut,
    /// The other end did not answer the handshake in time.
    #[error("the other end did not answer")]
    Silent,
    /// What carries the stream failed.
    #[error("the stream broke")]
    Broken {
        /// How.
        #[source]
        source: io::Error,
    },
}

/// Opens a channel to `peer` as the side that opened the stream.
///
/// # Errors
/// [`ChannelError::Forged`] when the other end is not `peer`, [`ChannelError::Silent`] when it does not answer within
/// `limit`; the others when the stream fails.
pub async fn initiate<S: AsyncRead + AsyncWrite>(
    stream: S,
    own: &DeviceKeys,
    peer: &PublicKeys,
    binding: &Binding,
    limit: Duration,
) -> Result<(Sender<WriteHalf<S>>, Receiver<ReadHalf<S>>), ChannelError> {
    let mut handshake = Handshake::initiate(own, peer, binding);
    let (mut read, mut write) = tokio::io::split(stream);
    within(limit, async {
        write_message(&mut write, &handshake.write()).await?;
        handshake.read(&read_message(&mut read).await?)
    })
    .await?;
    Ok(halves::pair(handshake.finish(), read, write))
}

/// Accepts a channel from `peer` as the side that the stream was opened to.
///
/// # Errors
/// As [`initiate`].
pub async fn accept<S: AsyncRead + AsyncWrite>(
    stream: S,
    own: &DeviceKeys,
    peer: &PublicKeys,
    binding: &Binding,
    limit: Duration,
) -> Result<(Sender<WriteHalf<S>>, Receiver<ReadHalf<S>>), ChannelError> {
    let mut handshake = Handshake::accept(own, peer, binding);
    let (mut read, mut write) = tokio::io::split(stream);
    within(limit, async {
        handshake.read(&read_message(&mut read).await?)?;
        write_message(&mut write, &handshake.write()).await
    })
    .await?;
    Ok(halves::pair(handshake.finish(), read, write))
}

async fn within<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, ChannelError>>,
) -> Result<T, ChannelError> {
    tokio::time::timeout(limit, work).await.unwrap_or(Err(ChannelError::Silent))
}

async fn write_message(
    write: &mut (impl AsyncWrite + Unpin),
    message: &[u8; MESSAGE],
) -> Result<(), ChannelError> {
    let length = (MESSAGE as u16).to_be_bytes();
    write.write_all(&[&length, message.as_slice()].concat()).await.map_err(broken)?;
    write.flush().await.map_err(broken)
}

async fn read_message(read: &mut (impl AsyncRead + Unpin)) -> Result<[u8; MESSAGE], ChannelError> {
    // Both messages have one length, so a stranger makes us hold no more than that.
    if usize::from(read.read_u16().await.map_err(broken)?) != MESSAGE {
        return Err(ChannelError::Forged);
    }
    let mut message = [0; MESSAGE];
    read.read_exact(&mut message).await.map_err(broken)?;
    Ok(message)
}

fn broken(source: io::Error) -> ChannelError {
    match source.kind() {
        io::ErrorKind::UnexpectedEof => ChannelError::Cut,
        _ => ChannelError::Broken { source },
    }
}

#[cfg(test)]
mod tests;
