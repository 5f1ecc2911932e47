//! A stream that carries a tunnel, whichever way it goes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tributary_xmpp::account::FullJid;
use tributary_xmpp::channel::Carrier;
use tributary_xmpp::ibb::Bytestream;
use tributary_xmpp::socks5::Socks5Stream;

/// The way that a stream goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// In requests of the session: always possible, and slow.
    InBand,
    /// The same, and what is much as a file that lies at the account's server for a while.
    File,
    /// Through a proxy of an account's server.
    Proxy,
    /// Straight to the other computer.
    Direct,
}

impl Way {
    /// How a person is told.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Way::InBand => "through the account's server",
            Way::File => "through the account's server, what is much as a file there",
            Way::Proxy => "through a relay of the account's server",
            Way::Direct => "directly",
        }
    }
}

trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Io for S {}

/// The stream.
pub(super) struct Carried {
    /// The other client.
    pub(super) peer: FullJid,
    /// What the one who opened it called it.
    pub(super) name: String,
    pub(super) way: Way,
    io: Box<dyn Io>,
}

impl Carried {
    /// A stream that somebody made otherwise.
    #[cfg(test)]
    pub(super) fn over(
        peer: FullJid,
        name: &str,
        io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    ) -> Carried {
        Carried { peer, name: name.to_owned(), way: Way::InBand, io: Box::new(io) }
    }

    /// What the channel is bound to.
    pub(super) fn carrier(&self) -> Carrier {
        match self.way {
            Way::InBand | Way::File => Carrier::InBand,
            Way::Proxy | Way::Direct => Carrier::Socks5,
        }
    }
}

impl From<Bytestream> for Carried {
    fn from(stream: Bytestream) -> Carried {
        let (peer, name) = (stream.peer().clone(), stream.name().to_owned());
        Carried { peer, name, way: Way::InBand, io: Box::new(stream) }
    }
}

impl From<Socks5Stream> for Carried {
    fn from(stream: Socks5Stream) -> Carried {
        let (peer, name) = (stream.peer().clone(), stream.name().to_owned());
        let way = if stream.is_direct() { Way::Direct } else { Way::Proxy };
        Carried { peer, name, way, io: Box::new(stream) }
    }
}

impl AsyncRead for Carried {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl AsyncWrite for Carried {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
