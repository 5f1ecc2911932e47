//! Something under way between the nodes, their repositories and their server.

use tributary_planner::{Direction, Heads, PushResult};

use crate::history::{EditId, Tips, Vertex};

/// Something under way. `epoch` tells a process from the one before its crash.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Step {
    AskFetch {
        node: Vertex,
        epoch: u8,
        place: Vertex,
    },
    FetchAnswer {
        node: Vertex,
        epoch: u8,
        place: Vertex,
        found: Option<Vec<Tips>>,
    },
    Push {
        node: Vertex,
        epoch: u8,
        place: Vertex,
        tips: Tips,
    },
    PushAnswer {
        node: Vertex,
        epoch: u8,
        place: Vertex,
        pushed: Heads,
        result: PushResult,
    },
    Transfer {
        node: Vertex,
        epoch: u8,
        place: Vertex,
        direction: Direction,
        edit: EditId,
    },
    Record {
        node: Vertex,
        epoch: u8,
        lines: Vec<(EditId, Vertex, bool)>,
    },
    Announce {
        node: Vertex,
        epoch: u8,
    },
    AnnounceAnswer {
        node: Vertex,
        epoch: u8,
    },
    Hint {
        from: Vertex,
        to: Vertex,
        tips: Tips,
    },
    /// The node notices that somebody pushed to it.
    Notice {
        node: Vertex,
    },
}

impl Step {
    /// The node whose planner hears of it.
    pub fn node(&self) -> Vertex {
        match self {
            Self::AskFetch { node, .. }
            | Self::FetchAnswer { node, .. }
            | Self::Push { node, .. }
            | Self::PushAnswer { node, .. }
            | Self::Transfer { node, .. }
            | Self::Record { node, .. }
            | Self::Announce { node, .. }
            | Self::AnnounceAnswer { node, .. }
            | Self::Notice { node }
            | Self::Hint { to: node, .. } => *node,
        }
    }
}
