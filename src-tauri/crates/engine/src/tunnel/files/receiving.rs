//! The other side left a file: it is fetched, and what is in it goes to git.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, watch};
use tributary_xmpp::channel::{ChannelError, Frame};
use tributary_xmpp::upload::{Place, Sealed, UploadError};

use super::{BUSY_PAUSE, Files};

/// Whether answers can still be said: after our last word they cannot, and a file without an answer was not taken.
#[derive(Default)]
pub(in crate::tunnel) struct Direction(Mutex<Now>);

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Now {
    #[default]
    Open,
    /// A file is being fetched, and will be answered.
    Owing,
    Ended,
}

impl Direction {
    fn now(&self) -> MutexGuard<'_, Now> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An answer will be said; false when it is too late.
    fn owes(&self) -> bool {
        let mut now = self.now();
        if *now == Now::Open {
            *now = Now::Owing;
        }
        *now == Now::Owing
    }

    /// The answer is on its way.
    fn paid(&self) {
        let mut now = self.now();
        if *now == Now::Owing {
            *now = Now::Open;
        }
    }

    /// Ends it; false while an answer is owed.
    pub(in crate::tunnel) fn end(&self) -> bool {
        let mut now = self.now();
        if *now == Now::Open {
            *now = Now::Ended;
        }
        *now == Now::Ended
    }
}

/// Takes files of the other side.
pub(in crate::tunnel) struct Incoming<'a> {
    pub(in crate::tunnel) files: &'a Files,
    pub(in crate::tunnel) direction: &'a Direction,
    /// What has to be said to the other side.
    pub(in crate::tunnel) errands: mpsc::Sender<Frame>,
}

impl Incoming<'_> {
    /// Fetches the file that a frame names and answers; none when its data comes in-band. `alive` is called while it
    /// moves.
    pub(in crate::tunnel) async fn take(
        &self,
        body: &[u8],
        alive: impl Fn(),
    ) -> Result<Option<Sealed>, ChannelError> {
        let place = Place::decode(body).ok_or(ChannelError::Malformed)?;
        if !self.direction.owes() {
            return Ok(None);
        }
        let fetched = self.fetch(&place, alive).await;
        let answer = match &fetched {
            Ok(_) => {
                self.files.went();
                Frame::FileTaken
            }
            Err(fault) => {
                tracing::info!(%fault, "what a paired computer left at a server is not to be had");
                self.files.failed();
                Frame::FileMissed
            }
        };
        // Whoever says it is gone with the tunnel.
        let said = self.errands.send(answer).await;
        self.direction.paid();
        said.map_err(|_| ChannelError::Cut)?;
        Ok(fetched.ok())
    }

    async fn fetch(&self, place: &Place, alive: impl Fn()) -> Result<Sealed, UploadError> {
        let (moved, mut moves) = watch::channel(0);
        let into = self.files.empty().await?;
        let fetching = self.files.depot.fetch(place, into, &moved);
        let telling = async {
            while moves.changed().await.is_ok() {
                alive();
                // A word that waits says as much as two.
                let _ = self.errands.try_send(Frame::Busy);
                tokio::time::sleep(BUSY_PAUSE).await;
            }
        };
        tokio::select! {
            fetched = fetching => fetched,
            // The counter lives as long as the fetching.
            () = telling => Err(UploadError::Silent),
        }
    }
}
