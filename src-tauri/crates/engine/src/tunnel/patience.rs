//! How long tunnels wait for what, and which ways they may go: as usual, or as the environment says.

use std::time::Duration;

use tributary_repo::serve;
use tributary_xmpp::session::Timeouts;

use super::carried::Way;

/// How long what may take; tests shorten them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// Until the other side has proved who it is, and until it was asked for something.
    pub(crate) handshake: Duration,
    /// While nothing goes in either direction. Git says something every few seconds when it is at work.
    pub(crate) silence: Duration,
    /// Until the other side says that it is done, when nobody here listens any more.
    pub(crate) farewell: Duration,
    /// What a push may cost.
    pub(crate) limits: serve::Limits,
    /// The only way that is tried to open streams, when not all are.
    pub(crate) only: Option<Way>,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(30),
            silence: Duration::from_secs(120),
            farewell: Duration::from_secs(10),
            limits: serve::Limits::default(),
            only: None,
        }
    }
}

/// Set to `in-band`, `files` or `relay`, all streams that are opened go that way: for tests of it.
const STREAMS: &str = "TRIBUTARY_STREAMS";

/// Seconds after which a stream that is stuck is given up, for tests that do not wait for minutes.
const PATIENCE: &str = "TRIBUTARY_STREAM_PATIENCE";

impl Patience {
    /// As usual, or as short as the environment says.
    pub(crate) fn from_environment() -> Self {
        let seconds = std::env::var(PATIENCE).ok().and_then(|seconds| seconds.parse().ok());
        let short = seconds.map(Duration::from_secs);
        let usual = Self::default();
        Self {
            handshake: short.unwrap_or(usual.handshake),
            silence: short.unwrap_or(usual.silence),
            only: match std::env::var(STREAMS).as_deref() {
                Ok("in-band") => Some(Way::InBand),
                Ok("files") => Some(Way::File),
                Ok("relay") => Some(Way::Proxy),
                _ => None,
            },
            ..usual
        }
    }

    /// The same for the streams that carry the tunnels.
    pub(crate) fn timeouts(&self) -> Timeouts {
        Timeouts {
            reply: self.handshake,
            stall: self.silence,
            quiet: self.silence / 4,
            ..Timeouts::default()
        }
    }
}
