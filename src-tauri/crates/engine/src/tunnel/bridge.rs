//! A bridge between a channel, which is asynchronous, and git, which blocks.
//!
//! Little is held on the way: whoever reads slowly holds up the sender at the other end, through channel, stream and
//! server.

use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tributary_xmpp::channel::{ChannelError, Frame, MAX_DATA, Receiver, Sender};

/// Pieces that may wait in each direction.
const DEPTH: usize = 4;

/// How long the other side has to say that it is done when nobody here listens any more.
const FAREWELL: Duration = Duration::from_secs(10);

/// A relay may keep the end of what it carries until more comes (prosody 0.12's does): while an answer is due it gets
/// more, this often.
const PADDING_PAUSE: Duration = Duration::from_millis(100);

/// How often, at the end: then nobody is there any more.
const LAST_PADDINGS: u32 = 50;

/// Who keeps a relay moving.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pads {
    /// There is none.
    Never,
    /// This side asks, and ends when it has all.
    Guest,
    /// This side answers; its last word has to come through before the other side ends.
    Host,
}

/// The ends for git.
pub(super) struct Ends {
    pub(super) reader: BlockingReader,
    pub(super) writer: BlockingWriter,
}

/// The ends for the channel.
pub(super) struct Feed {
    heard: mpsc::Sender<io::Result<Vec<u8>>>,
    said: mpsc::Receiver<Said>,
}

/// What git says.
enum Said {
    Data(Vec<u8>),
    Flush,
    /// How the program ended, before its end.
    Exit(i32),
    /// Why it was not let go on.
    Refused(String),
}

/// Reads what the other side sent.
pub(super) struct BlockingReader {
    heard: mpsc::Receiver<io::Result<Vec<u8>>>,
    piece: Vec<u8>,
    read: usize,
}

/// Writes what the other side gets. Dropping it ends this direction.
pub(super) struct BlockingWriter {
    said: mpsc::Sender<Said>,
    piece: Vec<u8>,
}

/// Makes a bridge.
pub(super) fn bridge() -> (Ends, Feed) {
    let (heard, hears) = mpsc::channel(DEPTH);
    let (said, says) = mpsc::channel(DEPTH);
    let reader = BlockingReader { heard: hears, piece: Vec::new(), read: 0 };
    let writer = BlockingWriter { said, piece: Vec::new() };
    (Ends { reader, writer }, Feed { heard, said: says })
}

impl Feed {
    /// What was received before the bridge stood.
    pub(super) async fn begin_with(&self, piece: Vec<u8>) {
        // Nothing was read yet, so there is room; nobody can be gone yet.
        self.heard.send(Ok(piece)).await.ok();
    }

    /// Carries both directions until both have ended, one broke, or it is cut. Gives how the program at the other end
    /// ended, if it said so.
    pub(super) async fn carry<R, W>(
        self,
        mut receiver: Receiver<R>,
        mut sender: Sender<W>,
        silence: Duration,
        pads: Pads,
        cut: &CancellationToken,
    ) -> Option<i32>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        let Feed { heard, mut said } = self;
        // Nobody holds these for longer than it takes to look.
        let last = Mutex::new(Instant::now());
        let exit = Mutex::new(None);
        let heard_now = || *last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        // We said something to which nothing was said yet; and the other side has said all.
        let (owed, all_heard) = (AtomicBool::new(false), AtomicBool::new(false));
        let outward = async {
            loop {
                let next = match pads {
                    Pads::Guest | Pads::Host if owed.load(Ordering::Relaxed) => {
                        timeout(PADDING_PAUSE, said.recv()).await
                    }
                    _ => Ok(said.recv().await),
                };
                let Ok(next) = next else {
                    sender.send(Frame::Padding).await?;
                    sender.flush().await?;
                    continue;
                };
                let Some(said) = next else { break };
                match said {
                    Said::Data(piece) => sender.send(Frame::Data(piece)).await?,
                    Said::Flush => sender.flush().await?,
                    Said::Exit(status) => sender.send(Frame::Exit(status)).await?,
                    Said::Refused(why) => sender.send(Frame::Refused(why)).await?,
                }
                owed.store(true, Ordering::Relaxed);
                heard_now();
            }
            for _ in 0..if pads == Pads::Host { LAST_PADDINGS } else { 0 } {
                if all_heard.load(Ordering::Relaxed) {
                    break;
                }
                sender.send(Frame::Padding).await?;
                sender.flush().await?;
                tokio::time::sleep(PADDING_PAUSE).await;
            }
            sender.end().await
        };
        let inward = async {
            while let Some(frame) = receiver.next().await? {
                // It only keeps the way open: who sends nothing else is silent.
                if frame == Frame::Padding {
                    continue;
                }
                owed.store(false, Ordering::Relaxed);
                heard_now();
                match frame {
                    // Whoever is not heard any more need not go on.
                    Frame::Data(piece) => heard.send(Ok(piece)).await.map_err(|_| ChannelError::Cut)?,
                    Frame::Exit(status) => {
                        *exit.lock().unwrap_or_else(PoisonError::into_inner) = Some(status)
                    }
                    Frame::Refused(why) => {
                        heard.send(Err(refused(&why))).await.map_err(|_| ChannelError::Cut)?
                    }
                    Frame::End | Frame::Padding | Frame::Request(_) => {}
                }
                heard_now();
            }
            all_heard.store(true, Ordering::Relaxed);
            Ok(())
        };
        // Silence counts while git waits to be told something. While we wait for git, it is at work; a write that
        // stands is the stream's to give up.
        let silent = async {
            loop {
                let until = *last.lock().unwrap_or_else(PoisonError::into_inner) + silence;
                if until <= Instant::now() {
                    return;
                }
                sleep_until(until).await;
            }
        };
        let unheard = async {
            heard.closed().await;
            tokio::time::sleep(FAREWELL).await;
        };
        let ended: Result<(), ChannelError> = tokio::select! {
            ended = async { tokio::try_join!(outward, inward).map(|_| ()) } => ended,
            () = silent => Err(ChannelError::Silent),
            () = unheard => Ok(()),
            () = cut.cancelled() => Err(ChannelError::Broken { source: io::ErrorKind::ConnectionAborted.into() }),
        };
        if let Err(fault) = ended {
            tracing::debug!(%fault, "a tunnel broke");
            // A reader that has pieces left reads those first; one that is gone needs no word.
            let told = heard.send(Err(io::Error::new(io::ErrorKind::ConnectionAborted, fault)));
            timeout(FAREWELL, told).await.ok();
        }
        exit.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The other side's own words, kept short and without what could deceive.
pub(super) fn refused(why: &str) -> io::Error {
    let why: String = why.chars().filter(|letter| !letter.is_control()).take(300).collect();
    io::Error::new(io::ErrorKind::PermissionDenied, why)
}

impl Read for BlockingReader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.read == self.piece.len() {
            match self.heard.blocking_recv() {
                Some(piece) => (self.piece, self.read) = (piece?, 0),
                None => return Ok(0),
            }
        }
        let length = buf.len().min(self.piece.len() - self.read);
        buf[..length].copy_from_slice(&self.piece[self.read..self.read + length]);
        self.read += length;
        Ok(length)
    }
}

impl BlockingWriter {
    /// Says how the program ended, and that this is all.
    pub(super) fn exit(mut self, status: i32) {
        // A tunnel that broke has nobody to tell.
        let _ = self.send_piece();
        let _ = self.say(Said::Exit(status));
    }

    /// Says why this is all.
    pub(super) fn refuse(self, why: String) {
        let _ = self.say(Said::Refused(why));
    }

    fn send_piece(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let piece = std::mem::take(&mut self.piece);
        self.say(Said::Data(piece))
    }

    fn say(&self, said: Said) -> io::Result<()> {
        self.said.blocking_send(said).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl Write for BlockingWriter {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let length = buf.len().min(MAX_DATA - self.piece.len());
        self.piece.extend_from_slice(&buf[..length]);
        if self.piece.len() == MAX_DATA {
            self.send_piece()?;
        }
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.send_piece()?;
        self.say(Said::Flush)
    }
}
