//! The handle of a stream: what is written goes to the other client, what it sends is read.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::pipe::Pipe;
use crate::account::FullJid;

/// An open in-band bytestream. Small writes are gathered into blocks until a flush; a failure carries a
/// [`StreamFault`](super::StreamFault). Shutting it down waits until the other side has taken everything and ends both
/// directions, as the standard has it; dropping it does the same without waiting.
#[derive(Debug)]
pub struct Bytestream {
    peer: FullJid,
    name: String,
    block_size: u16,
    pipe: Arc<Pipe>,
}

impl Bytestream {
    pub(crate) fn new(peer: FullJid, name: String, block_size: u16, pipe: Arc<Pipe>) -> Bytestream {
        Bytestream { peer, name, block_size, pipe }
    }

    /// The other client.
    pub fn peer(&self) -> &FullJid {
        &self.peer
    }

    /// The stream's name, chosen by the side that opened it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The most bytes in a block, as both sides agreed.
    pub fn block_size(&self) -> u16 {
        self.block_size
    }
}

impl AsyncRead for Bytestream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.pipe.poll_read(cx, buf)
    }
}

impl AsyncWrite for Bytestream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.pipe.poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.pipe.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.pipe.poll_shutdown(cx)
    }
}

impl Drop for Bytestream {
    fn drop(&mut self) {
        self.pipe.abandon();
    }
}
