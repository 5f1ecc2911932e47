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
use tributary_xmpp::upload::Sealed;

use super::Patience;
use super::files::{Direction, Files, Incoming, Outgoing};

/// Pieces that may wait in each direction.
const DEPTH: usize = 4;

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
    heard: mpsc::Sender<Heard>,
    said: mpsc::Receiver<Said>,
}

/// What git hears.
pub(super) enum Heard {
    /// Bytes.
    Data(Vec<u8>),
    /// The other side has said all. Git that waits for more has to know: a guest may leave without a word of farewell.
    End,
    /// Why nothing more comes.
    Fault(io::Error),
}

/// What git says.
pub(super) enum Said {
    /// Bytes.
    Data(Vec<u8>),
    /// What was said is to arrive.
    Flush,
    /// How the program ended, before its end.
    Exit(i32),
    /// Why it was not let go on.
    Refused(String),
}

/// Reads what the other side sent.
pub(super) struct BlockingReader {
    heard: mpsc::Receiver<Heard>,
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
        self.heard.send(Heard::Data(piece)).await.ok();
    }

    /// Carries both directions until both have ended, one broke, or it is cut. Gives how the program at the other end
    /// ended, if it said so. `files`: how what is much may go as a file, and whether the other side said already that it
    /// takes them.
    pub(super) async fn carry<R, W>(
        self,
        mut receiver: Receiver<R>,
        mut sender: Sender<W>,
        patience: Patience,
        pads: Pads,
        files: Option<(Files, bool)>,
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
        // What the directions have to do with each other's files.
        let (files, takes_files) = files.map_or((None, false), |(files, takes)| (Some(files), takes));
        let (takes_files, direction) = (AtomicBool::new(takes_files), Direction::default());
        let (errands, mut to_say) = mpsc::channel(DEPTH);
        let (verdict, verdicts) = mpsc::channel(1);
        let mut outgoing = files.as_ref().map(|files| Outgoing::new(files, &takes_files, verdicts));
        let incoming = files.as_ref().map(|files| {
            let errands = errands.clone();
            Incoming { files, direction: &direction, errands }
        });
        let outward = async {
            let mut then = None;
            loop {
                let saying = async {
                    match then.take() {
                        Some(then) => Some(then),
                        None => said.recv().await,
                    }
                };
                let next = tokio::select! {
                    next = saying => next,
                    // There is always somebody who could have an errand.
                    Some(errand) = to_say.recv() => {
                        sender.send(errand).await?;
                        sender.flush().await?;
                        continue;
                    }
                    () = padding_pause(pads, &owed) => {
                        sender.send(Frame::Padding).await?;
                        sender.flush().await?;
                        continue;
                    }
                };
                let Some(next) = next else {
                    // Nothing can be answered after the end.
                    if direction.end() {
                        break;
                    }
                    if let Some(errand) = to_say.recv().await {
                        sender.send(errand).await?;
                        sender.flush().await?;
                    }
                    continue;
                };
                match next {
                    Said::Data(piece) => {
                        let (length, began) = (piece.len(), Instant::now());
                        sender.send(Frame::Data(piece)).await?;
                        if let Some(outgoing) = &mut outgoing {
                            outgoing.sent(length, began.elapsed());
                            then = outgoing.try_file(&mut said, &mut to_say, &mut sender, heard_now).await?;
                        }
                    }
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
                    Frame::Data(piece) => tell(&heard, Heard::Data(piece)).await?,
                    Frame::Exit(status) => {
                        *exit.lock().unwrap_or_else(PoisonError::into_inner) = Some(status)
                    }
                    Frame::Refused(why) => tell(&heard, Heard::Fault(refused(&why))).await?,
                    Frame::TakesFiles => takes_files.store(true, Ordering::Relaxed),
                    Frame::File(body) => {
                        // Nobody here said that files are taken.
                        let incoming = incoming.as_ref().ok_or(ChannelError::Malformed)?;
                        if let Some(mut file) = incoming.take(&body, heard_now).await? {
                            hand_over(&mut file, &heard, heard_now).await?;
                        }
                    }
                    // An answer to what nobody asked is none.
                    Frame::FileTaken => _ = verdict.try_send(true),
                    Frame::FileMissed => _ = verdict.try_send(false),
                    Frame::End | Frame::Padding | Frame::Request(_) | Frame::Busy => {}
                }
                heard_now();
            }
            all_heard.store(true, Ordering::Relaxed);
            // Nothing is answered any more.
            takes_files.store(false, Ordering::Relaxed);
            let _ = verdict.try_send(false);
            // Git that does not listen any more knows its own end.
            heard.send(Heard::End).await.ok();
            Ok(())
        };
        // Silence counts while git waits to be told something. While we wait for git, it is at work; a write that
        // stands is the stream's to give up.
        let silent = async {
            loop {
                let until = *last.lock().unwrap_or_else(PoisonError::into_inner) + patience.silence;
                if until <= Instant::now() {
                    return;
                }
                sleep_until(until).await;
            }
        };
        let offering = async {
            if let Some(files) = &files {
                files.until_allowed().await;
                // Whoever says it is gone with the tunnel.
                errands.send(Frame::TakesFiles).await.ok();
            }
            std::future::pending::<()>().await
        };
        let unheard = async {
            heard.closed().await;
            tokio::time::sleep(patience.farewell).await;
            // Who has said all is not talking to nobody, but waits for an answer.
            if all_heard.load(Ordering::Relaxed) {
                std::future::pending::<()>().await;
            }
        };
        let ended: Result<(), ChannelError> = tokio::select! {
            ended = async { tokio::try_join!(outward, inward).map(|_| ()) } => ended,
            () = silent => Err(ChannelError::Silent),
            () = offering => Ok(()),
            () = unheard => Ok(()),
            () = cut.cancelled() => Err(ChannelError::Broken { source: io::ErrorKind::ConnectionAborted.into() }),
        };
        if let Err(fault) = ended {
            tracing::debug!(%fault, "a tunnel broke");
            // A reader that has pieces left reads those first; one that is gone needs no word.
            let told = heard.send(Heard::Fault(io::Error::new(io::ErrorKind::ConnectionAborted, fault)));
            timeout(patience.farewell, told).await.ok();
        }
        exit.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends when a relay needs something to carry.
async fn padding_pause(pads: Pads, owed: &AtomicBool) {
    match pads {
        Pads::Guest | Pads::Host if owed.load(Ordering::Relaxed) => tokio::time::sleep(PADDING_PAUSE).await,
        _ => std::future::pending().await,
    }
}

/// Gives git what is in a file.
async fn hand_over(
    file: &mut Sealed,
    heard: &mpsc::Sender<Heard>,
    alive: impl Fn(),
) -> Result<(), ChannelError> {
    let broken = |source| ChannelError::Broken { source };
    let mut opening = file.open().await.map_err(broken)?;
    while let Some(piece) = opening.next().await.map_err(broken)? {
        tell(heard, Heard::Data(piece)).await?;
        alive();
    }
    Ok(())
}

/// Tells git something. Whoever is not heard any more need not go on.
async fn tell(heard: &mpsc::Sender<Heard>, what: Heard) -> Result<(), ChannelError> {
    heard.send(what).await.map_err(|_| ChannelError::Cut)
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
                Some(Heard::Data(piece)) => (self.piece, self.read) = (piece, 0),
                Some(Heard::Fault(why)) => return Err(why),
                Some(Heard::End) | None => {
                    // Nothing comes after it, however often it is asked for.
                    self.heard.close();
                    return Ok(0);
                }
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
