//! The place where a stanza stream waits for its next connection.
//!
//! tokio-xmpp's worker panics when the sender of a connection is dropped, and waits for ever when nothing comes,
//! even after its stanza stream is gone. So a slot that is not filled is *retired*: it gets a connection that is
//! already dead, on which a worker without a stream ends in peace.

use tokio::io::BufStream;
use tokio::sync::oneshot;
use tokio_xmpp::stanzastream::Connection;
use tokio_xmpp::xmlstream::{FallibleStreamElement, StreamHeader, XmlStream, accept_stream, initiate_stream};
use xmpp_parsers::bind::BindFeature;
use xmpp_parsers::jid::{BareJid, Jid};
use xmpp_parsers::ns;
use xmpp_parsers::stream_features::StreamFeatures;

/// Enough for a stream header and the features.
const PIPE_SIZE: usize = 4096;

/// A slot that is filled once, or retires when dropped. Must not be dropped before its stanza stream: the worker
/// would take the dead connection for an ordinary loss and ask for the next one.
pub(crate) struct Slot(Option<oneshot::Sender<Connection>>);

impl Slot {
    /// Takes what the stanza stream gave to its reconnector.
    pub(crate) fn new(sender: oneshot::Sender<Connection>) -> Slot {
        Slot(Some(sender))
    }

    /// Hands a connection over.
    pub(crate) fn fill(mut self, connection: Connection) {
        if let Some(sender) = self.0.take() {
            // Refused only when the worker is gone, and with it everybody who waits for this connection.
            let _ = sender.send(connection);
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let Some(sender) = self.0.take() else { return };
        // Without a runtime there is no worker either.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(retire(sender));
        }
    }
}

async fn retire(sender: oneshot::Sender<Connection>) {
    match dead_connection().await {
        Ok(connection) => _ = sender.send(connection),
        // Rather a task that sleeps for ever than a panic.
        Err(error) => {
            tracing::debug!(%error, "a connection slot could not be retired");
            std::mem::forget(sender);
        }
    }
}

/// A connection whose other end spoke its greeting and is gone.
async fn dead_connection() -> std::io::Result<Connection> {
    let (near, far) = tokio::io::duplex(PIPE_SIZE);
    let timeouts = tokio_xmpp::xmlstream::Timeouts::default();
    let features =
        StreamFeatures { bind: Some(BindFeature { required: false }), ..StreamFeatures::default() };
    let greeting = async {
        let accepted = accept_stream(BufStream::new(far), ns::JABBER_CLIENT, timeouts).await?;
        let header = StreamHeader { to: None, from: None, id: Some("retired".into()) };
        let stream: XmlStream<_, FallibleStreamElement> =
            accepted.send_header(header).await?.send_features(&features).await?;
        drop(stream);
        Ok::<_, std::io::Error>(())
    };
    let greeted = async {
        let header = StreamHeader { to: Some("retired".into()), from: None, id: None };
        let pending = initiate_stream(BufStream::new(near), ns::JABBER_CLIENT, header, timeouts).await?;
        pending.recv_features::<FallibleStreamElement>().await.map_err(std::io::Error::other)
    };
    let ((), (features, stream)) = tokio::try_join!(greeting, greeted)?;
    let identity = BareJid::new("retired").expect("a plain word is a domain");
    Ok(Connection { stream: stream.box_stream(), features, identity: Jid::from(identity) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio_xmpp::stanzastream::StanzaStream;

    /// A worker that panicked, or still waits, would keep its end of the channel.
    #[tokio::test]
    async fn a_dropped_stream_whose_slot_is_dropped_ends() {
        let (slots, mut asked) = tokio::sync::mpsc::channel(1);
        let alive = std::sync::Arc::new(());
        let witness = alive.clone();
        let stream = StanzaStream::new(
            Box::new(move |_, sender| {
                let _witness = &witness;
                slots.try_send(Slot::new(sender)).expect("one slot at a time");
            }),
            16,
        );
        let slot = asked.recv().await.expect("the stream asks at once");
        // Long enough for the worker to hold a permit, which keeps it from noticing that the stream is gone.
        tokio::task::yield_now().await;
        drop(stream);
        drop(slot);
        let ended = async {
            while std::sync::Arc::strong_count(&alive) > 1 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(5), ended)
            .await
            .expect("the worker must end with its stream");
        assert!(asked.recv().await.is_none(), "and must not ask for another connection");
    }
}
