//! The two directions of a channel. Each Noise message stands behind its length in two bytes, so it does not matter
//! how the carrier cuts the stream. Nonces are counted, so the order on the wire is part of what is checked.

use std::io;
use std::sync::Arc;

use snow::StatelessTransportState;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use zeroize::Zeroizing;

use super::frame::{Frame, MAX_TEXT};
use super::{ChannelError, MAX_DATA, broken};

/// What encryption adds to a message.
const TAG: usize = 16;
/// The largest Noise message.
const MAX_MESSAGE: usize = u16::MAX as usize;

/// The direction towards the other end.
#[derive(Debug)]
pub struct Sender<W> {
    write: W,
    cipher: Cipher,
    /// A message that is being written, and how much of it was.
    pending: Vec<u8>,
    written: usize,
    ended: bool,
}

/// The direction from the other end.
#[derive(Debug)]
pub struct Receiver<R> {
    read: R,
    cipher: Cipher,
    /// A message that is being read, with its length in front.
    partial: Vec<u8>,
    opened: Zeroizing<Vec<u8>>,
    ended: bool,
}

/// The keys of both directions, and the number of the next message of one of them.
struct Cipher {
    keys: Arc<StatelessTransportState>,
    nonce: u64,
}

/// Makes both directions of a channel whose handshake is done.
pub(super) fn pair<R, W>(keys: StatelessTransportState, read: R, write: W) -> (Sender<W>, Receiver<R>) {
    let keys = Arc::new(keys);
    let cipher = |keys: &Arc<_>| Cipher { keys: Arc::clone(keys), nonce: 0 };
    let sender = Sender { write, cipher: cipher(&keys), pending: Vec::new(), written: 0, ended: false };
    let opened = Zeroizing::new(vec![0; MAX_MESSAGE]);
    (sender, Receiver { read, cipher: cipher(&keys), partial: Vec::new(), opened, ended: false })
}

impl<W: AsyncWrite + Unpin> Sender<W> {
    /// Sends a frame, as far as the carrier takes it; [`flush`](Self::flush) sees to the rest. Data longer than
    /// [`MAX_DATA`] goes as several frames. Dropped midway, what was taken goes out before what is sent next.
    ///
    /// # Errors
    /// [`ChannelError::Broken`] when the carrier is gone; [`ChannelError::Malformed`] for a frame that is too long, or
    /// comes after [`Frame::End`].
    pub async fn send(&mut self, frame: Frame) -> Result<(), ChannelError> {
        match frame {
            Frame::Data(bytes) if bytes.len() > MAX_DATA => {
                for part in bytes.chunks(MAX_DATA) {
                    self.send_one(&Frame::Data(part.to_vec())).await?;
                }
                Ok(())
            }
            Frame::Request(bytes) | Frame::File(bytes) if bytes.len() > MAX_TEXT => {
                Err(ChannelError::Malformed)
            }
            frame => self.send_one(&frame).await,
        }
    }

    /// Waits until the carrier has taken everything.
    ///
    /// # Errors
    /// [`ChannelError::Broken`] when it is gone.
    pub async fn flush(&mut self) -> Result<(), ChannelError> {
        self.drain().await?;
        self.write.flush().await.map_err(broken)
    }

    /// Says that this direction ends, unless that was said, and waits until the carrier has taken everything. The
    /// carrier stays open: an in-band bytestream can only be closed in both directions at once, so it is closed by
    /// dropping both halves of the channel when both directions have ended.
    ///
    /// # Errors
    /// [`ChannelError::Broken`] when the carrier is gone.
    pub async fn end(&mut self) -> Result<(), ChannelError> {
        if !self.ended {
            self.send_one(&Frame::End).await?;
        }
        self.flush().await
    }

    async fn send_one(&mut self, frame: &Frame) -> Result<(), ChannelError> {
        if self.ended {
            return Err(ChannelError::Malformed);
        }
        self.drain().await?;
        // From here on the frame is taken: number and bytes go together.
        self.ended = *frame == Frame::End;
        let plain = Zeroizing::new(frame.encode());
        self.pending = self.cipher.seal(&plain);
        self.written = 0;
        self.drain().await
    }

    async fn drain(&mut self) -> Result<(), ChannelError> {
        while self.written < self.pending.len() {
            let written = self.write.write(&self.pending[self.written..]).await.map_err(broken)?;
            if written == 0 {
                return Err(broken(io::ErrorKind::WriteZero.into()));
            }
            self.written += written;
        }
        Ok(())
    }
}

impl<R: AsyncRead + Unpin> Receiver<R> {
    /// The next frame; `None` after [`Frame::End`]. May be dropped at any time without loss.
    ///
    /// # Errors
    /// See [`ChannelError`]; there is nothing to be had after one.
    pub async fn next(&mut self) -> Result<Option<Frame>, ChannelError> {
        while !self.ended {
            self.fill_message().await?;
            let opened = self.cipher.open(&self.partial[2..], &mut self.opened);
            self.partial.clear();
            let length = opened?;
            if let Some(frame) = Frame::decode(&self.opened[..length])? {
                self.ended = frame == Frame::End;
                return Ok(Some(frame));
            }
        }
        Ok(None)
    }

    async fn fill_message(&mut self) -> Result<(), ChannelError> {
        self.fill(2).await?;
        let length = usize::from(u16::from_be_bytes([self.partial[0], self.partial[1]]));
        if length < TAG {
            return Err(ChannelError::Forged);
        }
        self.fill(2 + length).await
    }

    /// Reads on until `length` bytes of the message are there.
    async fn fill(&mut self, length: usize) -> Result<(), ChannelError> {
        while self.partial.len() < length {
            let missing = (length - self.partial.len()) as u64;
            let mut limited = (&mut self.read).take(missing);
            if limited.read_buf(&mut self.partial).await.map_err(broken)? == 0 {
                // Whoever cuts the stream cannot say that it is the end: that is a frame.
                return Err(ChannelError::Cut);
            }
        }
        Ok(())
    }
}

impl Cipher {
    fn seal(&mut self, plain: &[u8]) -> Vec<u8> {
        let mut message = vec![0; 2 + plain.len() + TAG];
        let (length, sealed) = message.split_at_mut(2);
        let written = self.keys.write_message(self.nonce, plain, sealed);
        let written = written.expect("frames are smaller than the largest message");
        self.nonce += 1;
        let written = u16::try_from(written).expect("frames are smaller than the largest message");
        length.copy_from_slice(&written.to_be_bytes());
        message
    }

    fn open(&mut self, sealed: &[u8], plain: &mut [u8]) -> Result<usize, ChannelError> {
        let length = self.keys.read_message(self.nonce, sealed, plain).map_err(|_| ChannelError::Forged)?;
        self.nonce += 1;
        Ok(length)
    }
}

impl std::fmt::Debug for Cipher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Cipher(message {})", self.nonce)
    }
}
