//! Streams that another client was asked to offer: its offer is ours to take, not something new.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use tokio::time::timeout;
use xmpp_parsers::jid::Jid;

use super::{Kind, MEETING, Socks5, Socks5Error, Socks5Stream};
use crate::account::FullJid;
use crate::wire::socks5 as wire;

/// Whose offer of which stream.
type Key = (FullJid, String);

/// Those who wait. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Awaited(Arc<Mutex<HashMap<Key, oneshot::Sender<Socks5Stream>>>>);

/// One who waits; when it goes, nobody does.
struct Wait {
    awaited: Awaited,
    key: Key,
    came: oneshot::Receiver<Socks5Stream>,
}

impl Socks5 {
    /// Asks a client to offer the stream of this name, and takes it.
    pub(super) async fn ask_for(&self, peer: &FullJid, stream: String) -> Result<Socks5Stream, Socks5Error> {
        let request = wire::meet(&stream);
        let mut wait = self.awaited.wait((peer.clone(), stream));
        self.services.ask(Jid::from(peer.0.clone()), Kind::Set, request).await?;
        // It answers when both are there, and a proxy has joined them; only what is under way on this machine is left.
        let came = timeout(MEETING, &mut wait.came).await.map_err(|_| Socks5Error::NoWay)?;
        came.map_err(|_| Socks5Error::NoWay)
    }
}

impl Awaited {
    /// Who waits for a stream that this client offers. Only the first offer counts.
    pub(super) fn claim(&self, peer: &FullJid, stream: &str) -> Option<oneshot::Sender<Socks5Stream>> {
        self.waiting().remove(&(peer.clone(), stream.to_owned()))
    }

    fn wait(&self, key: Key) -> Wait {
        let (give, came) = oneshot::channel();
        self.waiting().insert(key.clone(), give);
        Wait { awaited: self.clone(), key, came }
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<Key, oneshot::Sender<Socks5Stream>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        self.awaited.waiting().remove(&self.key);
    }
}
