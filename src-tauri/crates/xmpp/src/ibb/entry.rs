//! One stream at the session: its pipe, both directions, and how far it is.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;
use xmpp_parsers::stanza_error::{DefinedCondition, ErrorType, StanzaError};

use super::incoming::Incoming;
use super::outgoing::Outgoing;
use super::pipe::Pipe;
use super::{Bytestream, OpenError, StreamFault};

/// How long the streams wait for what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// The answer to an opening or a close.
    pub(crate) reply: Duration,
    /// Any answer while blocks are under way.
    pub(crate) stall: Duration,
    /// Silence on a stream until the other side is asked whether it still has it.
    pub(crate) quiet: Duration,
}

/// A stream.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) pipe: Arc<Pipe>,
    pub(super) phase: Phase,
    pub(super) outgoing: Outgoing,
    pub(super) incoming: Incoming,
    /// When something last came from the other side.
    pub(super) heard: Instant,
}

/// How far it is.
#[derive(Debug)]
pub(super) enum Phase {
    /// Offered, with this block size.
    Opening { block_size: u16, reply: oneshot::Sender<Result<Bytestream, OpenError>>, until: Instant },
    /// Both ends have it.
    Open,
    /// Our `close` is on its way.
    Closing { until: Instant },
}

impl Entry {
    /// A stream on which nothing was said.
    pub(super) fn new(pipe: Arc<Pipe>, phase: Phase, block_size: u16, now: Instant) -> Entry {
        let (outgoing, incoming) = (Outgoing::new(block_size, now), Incoming::new(block_size));
        Entry { pipe, phase, outgoing, incoming, heard: now }
    }

    /// When something is overdue, or has to be asked.
    pub(super) fn due(&self, limits: Limits) -> Instant {
        match &self.phase {
            Phase::Opening { until, .. } | Phase::Closing { until } => *until,
            Phase::Open => self.outgoing.stalls_at(limits.stall).unwrap_or(self.heard + limits.quiet),
        }
    }

    /// The stream is over: tells whoever uses it, or waits for it.
    pub(super) fn finish(self, end: Result<(), StreamFault>) {
        let all_taken = self.outgoing.all_taken();
        self.pipe.end(end, all_taken);
        if let Phase::Opening { reply, .. } = self.phase {
            let why = match end {
                Err(StreamFault::SessionLost) => OpenError::Offline,
                Err(StreamFault::Stalled) => OpenError::Silent,
                Err(StreamFault::PeerGone | StreamFault::Damaged) | Ok(()) => OpenError::NotThere,
            };
            // Who asked may be gone.
            let _ = reply.send(Err(why));
        }
    }
}

/// What a refused block says about the stream.
pub(super) fn fault_of(error: &StanzaError) -> StreamFault {
    match error.defined_condition {
        DefinedCondition::UnexpectedRequest
        | DefinedCondition::BadRequest
        | DefinedCondition::NotAcceptable => StreamFault::Damaged,
        _ => StreamFault::PeerGone,
    }
}

/// Whether a smaller block is worth a try.
pub(super) fn wants_smaller(error: &StanzaError) -> bool {
    error.defined_condition == DefinedCondition::ResourceConstraint
}

/// What a refused opening says.
pub(super) fn refusal_of(error: &StanzaError) -> OpenError {
    match (&error.defined_condition, &error.type_) {
        (DefinedCondition::ResourceConstraint, _) | (_, ErrorType::Wait) => OpenError::Busy,
        _ => OpenError::NotThere,
    }
}
