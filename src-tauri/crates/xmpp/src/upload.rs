//! Files at the account's server (XEP-0363), for what is too much to go in-band: sealed under a fresh key, left at the
//! server, fetched by the other computer.
//!
//! ```text
//! Sealing ─→ Sealed ── put ──→ account's server ── fetch ──→ Sealed ─→ Opening
//!                └─ Place (link, key, digest, size): told in the secure channel
//! ```
//!
//! The server sees a size and random bytes, and deletes them when they are old. A place comes from the other computer,
//! which may be broken into, so fetching has limits: https alone, a certificate that the account's trust believes for
//! the link's host, the size that was named, no redirection, and no address that only this machine or its own network
//! reaches ([`address`](self)).

mod address;
mod http;
mod place;
mod sealed;

use std::io;
use std::time::Duration;

use tokio::fs::File;
use tokio::sync::watch;
use tokio::time::timeout;
use xmpp_parsers::jid::Jid;

pub use place::Place;
pub use sealed::{MOST_ADDED, Opening, Sealed, Sealing};

use self::http::{Connection, Link};
use crate::services::{AskError, Services};
use crate::session::Login;
use crate::socks5::Kind;
use crate::wire::upload as wire;

/// The largest file that is made or fetched, whatever a server would take: it is on both disks for a while.
pub const MAX_FILE: u64 = 128 << 20;
/// How long nothing may move.
const STALL: Duration = Duration::from_secs(30);
/// How long a file may take.
const LONGEST: Duration = Duration::from_secs(3600);

/// Why a file was not left at the server, or not fetched. Its data may go in-band.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// The server gives no room for it, or does not answer.
    #[error("the account's server takes no such file")]
    Refused(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The link leads where nothing is fetched from.
    #[error("the link leads where it must not: {0}")]
    NotAllowed(&'static str),
    /// What answered at the link said no.
    #[error("the answer is {0}")]
    Answer(u16),
    /// What came is not the file.
    #[error("what came is not the file that was named")]
    Wrong,
    /// The connection or the disk failed.
    #[error("the file could not be moved")]
    Broken(#[from] io::Error),
    /// Nothing moved any more.
    #[error("nothing moved for too long")]
    Silent,
}

impl From<hyper::Error> for UploadError {
    fn from(error: hyper::Error) -> UploadError {
        UploadError::Broken(io::Error::other(error))
    }
}

impl From<AskError> for UploadError {
    fn from(error: AskError) -> UploadError {
        UploadError::Refused(error.into())
    }
}

/// Leaves files at the account's server and fetches such files, for as long as the session lives.
#[derive(Debug, Clone)]
pub struct Uploads {
    services: Services,
    login: watch::Receiver<Login>,
}

impl Uploads {
    pub(crate) fn new(services: Services, login: watch::Receiver<Login>) -> Uploads {
        Uploads { services, login }
    }

    /// The largest file that the account's server takes, at most [`MAX_FILE`]; none when it takes none.
    pub async fn largest(&self) -> Option<u64> {
        self.service().await.ok().flatten().map(|(_, largest)| largest.min(MAX_FILE))
    }

    async fn service(&self) -> Result<Option<(Jid, u64)>, AskError> {
        let services = self.services.all().await?;
        Ok(services.into_iter().find_map(|(service, info)| Some((service, wire::largest(&info)?))))
    }

    /// Leaves a file at the server; says where. What was moved is counted in `moved`.
    ///
    /// # Errors
    /// See [`UploadError`].
    pub async fn put(&self, sealed: &mut Sealed, moved: &watch::Sender<u64>) -> Result<Place, UploadError> {
        let (service, _) = self.service().await?.ok_or(AskError::Refused)?;
        let name = hex::encode(rand::random::<[u8; 8]>());
        let answer = self.services.ask(service, Kind::Get, wire::request(&name, sealed.size())).await?;
        let slot = answer.as_ref().and_then(wire::read_slot).ok_or(AskError::Refused)?;
        // What the other computer will not fetch is not worth the putting.
        let place =
            sealed.place(&slot.get).ok_or(UploadError::NotAllowed("the server's own link is none"))?;
        let link = Link::parse(&slot.put)?;
        let putting = async {
            let body = sealed.reader().await?;
            self.connect(&link).await?.put(&link, &slot.headers, sealed.size(), body, moved).await
        };
        unless_stuck(putting, moved).await?;
        Ok(place)
    }

    /// Fetches a file into an empty one, and checks that it is the one that was named.
    ///
    /// # Errors
    /// See [`UploadError`].
    pub async fn fetch(
        &self,
        place: &Place,
        mut into: File,
        moved: &watch::Sender<u64>,
    ) -> Result<Sealed, UploadError> {
        let link = Link::parse(&place.link)?;
        let fetching = async { self.connect(&link).await?.get(&link, place.size, &mut into, moved).await };
        unless_stuck(fetching, moved).await?;
        Sealed::check(into, place).await
    }

    async fn connect(&self, link: &Link) -> Result<Connection, UploadError> {
        let trust = self.login.borrow().account.trust.clone();
        http::connect(link, trust, self.services.here().ends.server).await
    }
}

/// Does it, while it moves.
async fn unless_stuck<T>(
    work: impl Future<Output = Result<T, UploadError>>,
    moved: &watch::Sender<u64>,
) -> Result<T, UploadError> {
    let mut moves = moved.subscribe();
    let stuck = async { while let Ok(Ok(())) = timeout(STALL, moves.changed()).await {} };
    let work = async {
        tokio::select! {
            done = work => done,
            () = stuck => Err(UploadError::Silent),
        }
    };
    timeout(LONGEST, work).await.unwrap_or(Err(UploadError::Silent))
}
