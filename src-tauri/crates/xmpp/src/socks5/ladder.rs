//! Which end offers a stream, and what: what is best first, and what worked for a client again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::offer::Places;
use super::{Socks5, Socks5Error, Socks5Stream};
use crate::account::FullJid;

/// A way to a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rung {
    /// It comes to us.
    Here,
    /// It makes the offer, and we come to it: nobody reaches us, as behind a router or a firewall. It may offer proxies, too;
    /// our server need not have any.
    There,
    /// It comes to a proxy of our server.
    Proxy,
}

/// From the best on.
const LADDER: [Rung; 3] = [Rung::Here, Rung::There, Rung::Proxy];

/// How each client was reached last in a session. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Rungs(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    session: Option<FullJid>,
    reached: BTreeMap<FullJid, Rung>,
}

impl Socks5 {
    /// Opens a stream to a client: straight if one of the two can come to the other, else through a proxy. What worked before
    /// in this session is all that is tried; when it fails, the next call tries everything.
    ///
    /// # Errors
    /// When there is no way, see [`Socks5Error`]. That may take some seconds.
    pub async fn open(&self, peer: &FullJid) -> Result<Socks5Stream, Socks5Error> {
        let session = self.services.bound()?;
        if let Some(rung) = self.rungs.of(&session, peer) {
            let opened = self.step(rung, peer).await;
            if opened.as_ref().is_err_and(|fault| !matches!(fault, Socks5Error::Offline)) {
                self.rungs.forget(peer);
            }
            return opened;
        }
        let mut fault = Socks5Error::NoWay;
        // Who tells nobody where this machine is goes nowhere by itself either: that would tell as well.
        for rung in LADDER.into_iter().filter(|rung| !self.hidden || *rung == Rung::Proxy) {
            match self.step(rung, peer).await {
                Ok(stream) => {
                    self.rungs.keep(&session, peer, rung);
                    return Ok(stream);
                }
                // Nobody is there to ask.
                Err(fault @ (Socks5Error::Offline | Socks5Error::Silent)) => return Err(fault),
                Err(next @ (Socks5Error::NoWay | Socks5Error::Broken(_))) => fault = next,
            }
        }
        Err(fault)
    }

    async fn step(&self, rung: Rung, peer: &FullJid) -> Result<Socks5Stream, Socks5Error> {
        let name = format!("s{}", hex::encode(rand::random::<[u8; 8]>()));
        match rung {
            Rung::Here => self.offer(peer, name, Places::Here).await,
            Rung::There => self.ask_for(peer, name).await,
            Rung::Proxy => self.offer(peer, name, Places::Proxies).await,
        }
    }
}

impl Rungs {
    fn of(&self, session: &FullJid, peer: &FullJid) -> Option<Rung> {
        let known = self.known();
        known.reached.get(peer).copied().filter(|_| known.session.as_ref() == Some(session))
    }

    fn keep(&self, session: &FullJid, peer: &FullJid, rung: Rung) {
        let mut known = self.known();
        if known.session.as_ref() != Some(session) {
            *known = Known { session: Some(session.clone()), reached: BTreeMap::new() };
        }
        known.reached.insert(peer.clone(), rung);
    }

    fn forget(&self, peer: &FullJid) {
        self.known().reached.remove(peer);
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
