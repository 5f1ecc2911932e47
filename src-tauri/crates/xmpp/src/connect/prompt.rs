//! A TCP connection that acknowledges at once.
//!
//! Servers that leave Nagle's algorithm on (prosody 0.12 does) hold a small stanza back until the one before was
//! acknowledged, and a kernel that has nothing to send delays that by 40 ms: a pause in every exchange of stanzas. The
//! kernel forgets the setting, so it is made again after each read. Source: RFC 1122 section 4.2.3.2, tcp(7).

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// The addresses of a connection's two ends, where the system tells them.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Ends {
    /// This machine's.
    pub(crate) own: Option<IpAddr>,
    /// The server's.
    pub(crate) server: Option<IpAddr>,
}

/// The connection.
pub(crate) struct Prompt(TcpStream);

impl Prompt {
    /// Takes a connection, which sends small stanzas at once too.
    pub(crate) fn new(tcp: TcpStream) -> io::Result<Prompt> {
        tcp.set_nodelay(true)?;
        let prompt = Prompt(tcp);
        prompt.acknowledge();
        Ok(prompt)
    }

    /// The addresses that it goes between.
    pub(crate) fn ends(&self) -> Ends {
        let ip = |address: io::Result<SocketAddr>| address.ok().map(|address| address.ip());
        Ends { own: ip(self.0.local_addr()), server: ip(self.0.peer_addr()) }
    }

    fn acknowledge(&self) {
        // Where it cannot be set, exchanges are slower and nothing else.
        #[cfg(target_os = "linux")]
        let _ = rustix::net::sockopt::set_tcp_quickack(&self.0, true);
    }
}

impl AsyncRead for Prompt {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.0).poll_read(cx, buf);
        if read.is_ready() {
            self.acknowledge();
        }
        read
    }
}

impl AsyncWrite for Prompt {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
