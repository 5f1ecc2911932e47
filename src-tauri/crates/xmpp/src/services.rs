//! Questions in a session, and what the services of the account's server say of themselves (XEP-0030).

use std::sync::Arc;

use tokio::sync::{Mutex, mpsc, oneshot, watch};
use xmpp_parsers::disco::{DiscoInfoQuery, DiscoInfoResult, DiscoItemsQuery};
use xmpp_parsers::jid::Jid;
use xmpp_parsers::minidom::Element;

use crate::account::FullJid;
use crate::socks5::{Ask, Kind, Whereabouts};
use crate::wire::disco;

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    /// This side is not online.
    #[error("not connected to the account's server")]
    Offline,
    /// Whoever was asked said no, or is not there.
    #[error("what was asked for is not to be had")]
    Refused,
    /// It did not answer in time.
    #[error("nobody answered")]
    Silent,
}

/// Asks in a session, for as long as the session lives. Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Services {
    asks: mpsc::Sender<Ask>,
    here: watch::Receiver<Whereabouts>,
    known: Arc<Mutex<Option<Known>>>,
}

/// What was found in a session.
#[derive(Debug)]
struct Known {
    session: FullJid,
    services: Vec<(Jid, DiscoInfoResult)>,
}

impl Services {
    /// Asks over this way, as whoever we are.
    pub(crate) fn new(asks: mpsc::Sender<Ask>, here: watch::Receiver<Whereabouts>) -> Services {
        Services { asks, here, known: Arc::default() }
    }

    /// Where this client is.
    pub(crate) fn here(&self) -> Whereabouts {
        self.here.borrow().clone()
    }

    /// Our address in the session.
    pub(crate) fn bound(&self) -> Result<FullJid, AskError> {
        self.here().bound.ok_or(AskError::Offline)
    }

    /// Asks somebody something.
    pub(crate) async fn ask(
        &self,
        to: Jid,
        kind: Kind,
        payload: Element,
    ) -> Result<Option<Element>, AskError> {
        let (reply, answer) = oneshot::channel();
        self.say(Ask::Question { to, kind, payload, reply }).await?;
        answer.await.unwrap_or(Err(AskError::Offline))
    }

    /// Has the session say something.
    pub(crate) async fn say(&self, ask: Ask) -> Result<(), AskError> {
        self.asks.send(ask).await.map_err(|_| AskError::Offline)
    }

    /// The services of our server, asked once in a session.
    pub(crate) async fn all(&self) -> Result<Vec<(Jid, DiscoInfoResult)>, AskError> {
        let session = self.bound()?;
        let mut known = self.known.lock().await;
        if let Some(found) = known.as_ref().filter(|found| found.session == session) {
            return Ok(found.services.clone());
        }
        let server = session.to_bare().domain().parse::<Jid>().map_err(|_| AskError::Refused)?;
        let items = self.ask(server, Kind::Get, DiscoItemsQuery { node: None, rsm: None }.into()).await?;
        let listed = items.map(|items| disco::services(&items)).unwrap_or_default();
        let asked = listed.into_iter().map(async |service| {
            let info = self.ask(service.clone(), Kind::Get, DiscoInfoQuery { node: None }.into()).await;
            Some((service, DiscoInfoResult::try_from(info.ok().flatten()?).ok()?))
        });
        let services: Vec<_> = futures::future::join_all(asked).await.into_iter().flatten().collect();
        *known = Some(Known { session, services: services.clone() });
        Ok(services)
    }
}
