//! What is left to do: for `status` and `wait`.

use tributary_formats::key::Key;

use crate::{Direction, PlaceId};

/// How far from done the folder is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Settled {
    /// Nothing is under way, and nothing is left that could be done with the places that are up.
    pub idle: bool,
    /// Not idle, and all that is under way or left is with places that did not answer when they were asked last: nothing
    /// moves until one of them does.
    pub unanswered: bool,
    /// Places that something waits for, and why; each at most once per reason.
    pub waiting_for: Vec<(PlaceId, Why)>,
    /// Contents to be sent, one for each place they go to.
    pub pending_up: Amount,
    /// Contents to be fetched, wherever from.
    pub pending_down: Amount,
    /// How many of `pending_down` no reachable place has.
    pub nowhere: u64,
    /// The disk of this computer was found full; downloads wait.
    pub full_here: bool,
    /// Transfers that failed and are to be tried again; at most [`Settled::MAX_FAILED`] of them.
    pub failed: Vec<(Key, PlaceId, Direction)>,
}

impl Settled {
    /// Most transfers that `failed` lists.
    pub const MAX_FAILED: usize = 100;
}

/// How many keys, and how many bytes as far as sizes are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Amount {
    /// Keys.
    pub keys: u64,
    /// Bytes.
    pub bytes: u64,
}

/// Why something waits for a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Why {
    /// It is down, and lacks names or contents of ours, or has contents that we want.
    Down,
    /// It did not answer, or a fetch, push or transfer failed; it is tried again after a delay.
    Retry,
    /// A person has to act, or what it holds will not change by itself.
    Person,
    /// It is full.
    Full,
    /// Something is under way with it.
    Busy,
}
