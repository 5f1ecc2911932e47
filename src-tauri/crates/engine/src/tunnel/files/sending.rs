//! Git says much: it is gathered, and left as a file for the other side, where that pays.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::fs::File;
use tokio::io::AsyncWrite;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout};
use tributary_xmpp::channel::{ChannelError, Frame, MAX_DATA, Sender};
use tributary_xmpp::upload::{MOST_ADDED, Sealed, Sealing};

use super::pace::Pace;
use super::{BUSY_PAUSE, Files};
use crate::tunnel::bridge::Said;

/// Git gives no sign that it waits for the other side; when it says nothing for so long, what was gathered has to go.
const PAUSE: Duration = Duration::from_secs(1);

/// Sends files to the other side.
pub(in crate::tunnel) struct Outgoing<'a> {
    files: &'a Files,
    /// Whether the other side takes them.
    takes: &'a AtomicBool,
    /// What it says of each.
    verdicts: mpsc::Receiver<bool>,
    pace: Pace,
    /// The largest file that the server takes, once it was asked.
    largest: Option<u64>,
}

/// What was gathered, and what came after it and is no data.
struct Gathered {
    file: Sealing,
    then: Option<Said>,
}

impl<'a> Outgoing<'a> {
    /// Nothing was sent yet.
    pub(in crate::tunnel) fn new(
        files: &'a Files,
        takes: &'a AtomicBool,
        verdicts: mpsc::Receiver<bool>,
    ) -> Outgoing<'a> {
        Outgoing { files, takes, verdicts, pace: Pace::default(), largest: None }
    }

    /// So many bytes were sent in-band.
    pub(in crate::tunnel) fn sent(&mut self, bytes: usize, time: Duration) {
        self.pace.took(bytes as u64, time);
    }

    /// Sends what git says next as a file, if that pays. Gives back what it said after that and is no data. What does not
    /// pay, or does not arrive as a file, goes in-band. `alive` is called while something moves.
    pub(in crate::tunnel) async fn try_file<W: AsyncWrite + Unpin>(
        &mut self,
        said: &mut mpsc::Receiver<Said>,
        errands: &mut mpsc::Receiver<Frame>,
        sender: &mut Sender<W>,
        alive: impl Fn(),
    ) -> Result<Option<Said>, ChannelError> {
        // Before the server is asked: hardly anything needs this.
        if !self.takes.load(Ordering::Relaxed) || !self.pace.pays(u64::MAX) || !self.files.allowed() {
            return Ok(None);
        }
        let largest = match self.largest {
            Some(largest) => largest,
            None => {
                let asked = meanwhile(self.files.depot.largest(), None, errands, sender, &alive).await?;
                *self.largest.insert(asked.unwrap_or(0).saturating_sub(MOST_ADDED))
            }
        };
        if !self.pace.pays(largest) {
            return Ok(None);
        }
        let Ok(file) = self.files.empty().await else { return Ok(None) };
        let Gathered { file, then } = self.gather(file, largest, said, errands, sender, &alive).await?;
        if file.is_empty() {
            return Ok(then);
        }
        let pays = self.pace.pays(file.len());
        let mut file = file.done().await.map_err(|cause| self.disk_failed(cause))?;
        if !pays || !self.deliver(&mut file, errands, sender, &alive).await? {
            let mut opening = file.open().await.map_err(|cause| self.disk_failed(cause))?;
            while let Some(piece) = opening.next().await.map_err(|cause| self.disk_failed(cause))? {
                let (length, began) = (piece.len(), Instant::now());
                sender.send(Frame::Data(piece)).await?;
                alive();
                self.pace.took(length as u64, began.elapsed());
            }
            sender.flush().await?;
        }
        Ok(then)
    }

    /// Gathers what git says until it pauses, ends, or has said this much.
    async fn gather<W: AsyncWrite + Unpin>(
        &self,
        file: File,
        most: u64,
        said: &mut mpsc::Receiver<Said>,
        errands: &mut mpsc::Receiver<Frame>,
        sender: &mut Sender<W>,
        alive: &impl Fn(),
    ) -> Result<Gathered, ChannelError> {
        let mut file = Sealing::new(file);
        let mut told = Instant::now();
        while file.len() + MAX_DATA as u64 <= most {
            if told.elapsed() >= BUSY_PAUSE {
                told = Instant::now();
                sender.send(Frame::Busy).await?;
                sender.flush().await?;
            }
            let next = timeout(PAUSE, said.recv());
            match meanwhile(next, None, errands, sender, alive).await? {
                Ok(Some(Said::Data(piece))) => {
                    file.add(&piece).await.map_err(|cause| self.disk_failed(cause))?
                }
                Ok(Some(Said::Flush)) => {}
                Ok(Some(then)) => return Ok(Gathered { file, then: Some(then) }),
                Ok(None) | Err(_) => break,
            }
            alive();
        }
        Ok(Gathered { file, then: None })
    }

    /// Git says all of it again, and then it goes in-band.
    fn disk_failed(&self, source: io::Error) -> ChannelError {
        self.files.failed();
        ChannelError::Broken { source }
    }

    /// Leaves a file and waits until the other side has it; false when it has not.
    async fn deliver<W: AsyncWrite + Unpin>(
        &mut self,
        file: &mut Sealed,
        errands: &mut mpsc::Receiver<Frame>,
        sender: &mut Sender<W>,
        alive: &impl Fn(),
    ) -> Result<bool, ChannelError> {
        let (moved, moves) = watch::channel(0);
        let size = file.size();
        let put = self.files.depot.put(file, &moved);
        let place = match meanwhile(put, Some(moves), errands, sender, alive).await? {
            Ok(place) => place,
            Err(fault) => {
                tracing::info!(%fault, size, "the account's server takes no file");
                self.files.failed();
                return Ok(false);
            }
        };
        // What the other side said of anything before is not about this one.
        while self.verdicts.try_recv().is_ok() {}
        sender.send(Frame::File(place.encode())).await?;
        sender.flush().await?;
        let verdict = meanwhile(self.verdicts.recv(), None, errands, sender, alive).await?;
        alive();
        if verdict == Some(true) {
            tracing::info!(size, "what was much went as a file");
            self.files.went();
        } else {
            self.files.failed();
        }
        Ok(verdict == Some(true))
    }
}

/// Waits for something, and says meanwhile what the other direction has to say, and that this one is at work.
async fn meanwhile<T, W: AsyncWrite + Unpin>(
    work: impl Future<Output = T>,
    mut moves: Option<watch::Receiver<u64>>,
    errands: &mut mpsc::Receiver<Frame>,
    sender: &mut Sender<W>,
    alive: &impl Fn(),
) -> Result<T, ChannelError> {
    tokio::pin!(work);
    loop {
        let moved = async {
            match &mut moves {
                Some(moves) => {
                    tokio::time::sleep(BUSY_PAUSE).await;
                    // What is being counted lives as long as the work.
                    if moves.changed().await.is_err() {
                        std::future::pending::<()>().await;
                    }
                }
                None => std::future::pending().await,
            }
        };
        let frame = tokio::select! {
            done = &mut work => return Ok(done),
            Some(errand) = errands.recv() => errand,
            () = moved => Frame::Busy,
        };
        alive();
        sender.send(frame).await?;
        sender.flush().await?;
    }
}
