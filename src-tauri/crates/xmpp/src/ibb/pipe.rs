//! What a stream's handle and the session share: bytes that wait in each direction, and who waits for them.
//!
//! Bounded in both: the handle's writer waits when [`OUT_ROOM`] is full, and the other side's blocks are answered only
//! when they were read, so who does not read holds up the sender.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::io::ReadBuf;
use tokio::sync::Notify;

use super::StreamFault;

/// Bytes that a writer may be ahead of the session: a few blocks, so that none is sent half full.
const OUT_ROOM: usize = 128 * 1024;

/// The shared part of one stream.
#[derive(Debug)]
pub(crate) struct Pipe {
    state: Mutex<State>,
    /// Wakes the session.
    bell: Arc<Notify>,
}

#[derive(Debug, Default)]
struct State {
    out: VecDeque<u8>,
    /// Somebody waits until `out` is empty, so the last block need not be full.
    flushing: bool,
    /// Nothing more will be written.
    shut: bool,
    /// The handle is gone.
    dropped: bool,
    blocks: VecDeque<Vec<u8>>,
    /// How much of the first block was read.
    read: usize,
    /// Blocks that were read to their end since the session last asked.
    consumed: usize,
    end: Option<Result<(), StreamFault>>,
    /// The stream ended before the other side had taken everything.
    cut_short: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// What the session has to know to go on with a stream.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Look {
    /// Blocks that were read and can be answered.
    pub(crate) consumed: usize,
    /// Bytes that wait to be sent.
    pub(crate) waiting: usize,
    /// They shall leave although they do not fill a block.
    pub(crate) flushing: bool,
    /// When they have left, the stream ends.
    pub(crate) ending: bool,
    /// Nobody will read any more.
    pub(crate) abandoned: bool,
}

impl Pipe {
    /// An empty pipe, whose handle wakes the session through `bell`.
    pub(crate) fn new(bell: Arc<Notify>) -> Pipe {
        Pipe { state: Mutex::default(), bell }
    }

    /// The session: what there is to do. Blocks that were read are told once.
    pub(crate) fn look(&self) -> Look {
        let mut state = self.state();
        Look {
            consumed: std::mem::take(&mut state.consumed),
            waiting: state.out.len(),
            flushing: state.flushing,
            ending: state.shut || state.dropped,
            abandoned: state.dropped,
        }
    }

    /// The session: takes the next bytes to send.
    pub(crate) fn take(&self, most: usize) -> Vec<u8> {
        let mut state = self.state();
        let length = most.min(state.out.len());
        let bytes = state.out.drain(..length).collect();
        if state.out.is_empty() {
            state.flushing = false;
        }
        state.wake_writer();
        bytes
    }

    /// The session: a block came. An empty one has been read as soon as it came.
    pub(crate) fn put(&self, block: Vec<u8>) {
        let mut state = self.state();
        if block.is_empty() {
            state.consumed += 1;
        } else {
            state.blocks.push_back(block);
        }
        state.wake_reader();
    }

    /// The session: the stream has ended; what came before can still be read. `all_taken`: nothing that had left is
    /// without its answer.
    pub(crate) fn end(&self, end: Result<(), StreamFault>, all_taken: bool) {
        let mut state = self.state();
        state.end = Some(end);
        state.cut_short = !all_taken || !state.out.is_empty();
        state.out = VecDeque::new();
        state.wake_reader();
        state.wake_writer();
    }

    /// The handle: reads what came.
    pub(crate) fn poll_read(&self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut state = self.state();
        let before = buf.filled().len();
        while buf.remaining() > 0 {
            let State { blocks, read, consumed, .. } = &mut *state;
            let Some(block) = blocks.front() else { break };
            let length = buf.remaining().min(block.len() - *read);
            buf.put_slice(&block[*read..*read + length]);
            *read += length;
            if *read == block.len() {
                blocks.pop_front();
                *read = 0;
                *consumed += 1;
            }
        }
        if buf.filled().len() > before || buf.remaining() == 0 {
            if state.consumed > 0 {
                self.bell.notify_one();
            }
            return Poll::Ready(Ok(()));
        }
        match state.end {
            Some(Ok(())) => Poll::Ready(Ok(())),
            Some(Err(fault)) => Poll::Ready(Err(fault.into())),
            None => {
                state.reader = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    /// The handle: writes.
    pub(crate) fn poll_write(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut state = self.state();
        state.writable()?;
        let room = OUT_ROOM - state.out.len();
        if room == 0 && !bytes.is_empty() {
            state.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let length = room.min(bytes.len());
        state.out.extend(&bytes[..length]);
        self.bell.notify_one();
        Poll::Ready(Ok(length))
    }

    /// The handle: waits until everything has left.
    pub(crate) fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.state();
        state.writable()?;
        if state.out.is_empty() {
            return Poll::Ready(Ok(()));
        }
        state.flushing = true;
        state.writer = Some(cx.waker().clone());
        self.bell.notify_one();
        Poll::Pending
    }

    /// The handle: ends the stream, and waits until the other side has taken everything.
    pub(crate) fn poll_shutdown(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.state();
        match state.end {
            Some(Ok(())) if state.cut_short => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            Some(end) => return Poll::Ready(end.map_err(io::Error::from)),
            None => (),
        }
        state.shut = true;
        state.writer = Some(cx.waker().clone());
        self.bell.notify_one();
        Poll::Pending
    }

    /// The handle is gone: what was written still leaves, then the stream ends.
    pub(crate) fn abandon(&self) {
        let mut state = self.state();
        state.dropped = true;
        state.blocks = VecDeque::new();
        self.bell.notify_one();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here can panic halfway, so what a panic elsewhere left is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn writable(&self) -> io::Result<()> {
        match self.end {
            Some(Err(fault)) => Err(fault.into()),
            Some(Ok(())) => Err(io::ErrorKind::BrokenPipe.into()),
            None if self.shut => Err(io::ErrorKind::BrokenPipe.into()),
            None => Ok(()),
        }
    }

    fn wake_reader(&mut self) {
        if let Some(waker) = self.reader.take() {
            waker.wake();
        }
    }

    fn wake_writer(&mut self) {
        if let Some(waker) = self.writer.take() {
            waker.wake();
        }
    }
}
