//! Facts for the planner, each variant the sentence its sender says.
//!
//! Order that the engine keeps: `Contents` of a local commit before its `Heads`; `Heads` and `Contents` of a merge
//! before the `FetchEnded` that brought it; `Heads` of a record before its `RecordEnded`. Out of order, nothing is
//! lost, it only costs more pushes. Every `Fetch`, `Push`, `Record`, `Announce` and every key of an `Upload` or
//! `Download` is answered by exactly one `…Ended`, however it ended, also after `PlaceDown` and `PlaceGone`.

use tributary_formats::key::Key;

use crate::{Direction, Heads, Millis, Origin, Place, PlaceId};

/// A fact, or a wish of a person.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Input {
    /// "This place is configured", said at the start for each, and again whenever something of it changed.
    /// It counts as down until `PlaceUp`.
    PlaceKnown(Place),
    /// "This place is configured no more."
    PlaceGone(PlaceId),
    /// "This place answers" (mounted, network back, login done). Said again, it means: look anew, forget delays.
    PlaceUp(PlaceId),
    /// "This place does not answer", until `PlaceUp` says otherwise.
    PlaceDown(PlaceId),
    /// "These are our own tips now", at the start and whenever they moved.
    Heads {
        /// Our tips.
        heads: Heads,
        /// Why they moved.
        origin: Origin,
    },
    /// "This is the truth of these keys now"; it replaces what the planner held of them. Said for the keys that a
    /// local commit added, replaced or removed, for keys whose names or logs a merge changed, for keys whose presence
    /// here changed, at the start for every key that is wanted and lacking somewhere, and when a place appears for all
    /// that it or we lack. What is on record is read no earlier than the last `RecordEnded`.
    Contents(Vec<ContentFact>),
    /// "The `Fetch` from this place ended, and what it brought is merged."
    FetchEnded {
        /// The place that was asked.
        place: PlaceId,
        /// How it ended.
        result: FetchResult,
    },
    /// "The `Push` to this place ended."
    PushEnded {
        /// The place that was offered them.
        place: PlaceId,
        /// The tips that were offered.
        pushed: Heads,
        /// How it ended.
        result: PushResult,
    },
    /// "This place gave us these tips by itself, so it holds them."
    PlaceHolds {
        /// The place.
        place: PlaceId,
        /// What it holds.
        heads: Heads,
    },
    /// "The transfer of this key ended."
    TransferEnded {
        /// The other end.
        place: PlaceId,
        /// Which way.
        direction: Direction,
        /// What.
        key: Key,
        /// How it ended.
        result: TransferResult,
    },
    /// "The `Record` was committed", or not: then it will be asked for again after a delay.
    RecordEnded {
        /// Whether it is on the git-annex branch now.
        ok: bool,
    },
    /// "The `Announce` was taken by the XMPP server", or not.
    AnnounceEnded {
        /// Whether it was taken.
        ok: bool,
    },
    /// "One of our devices says that there is something new."
    Hint {
        /// Whether the heads it speaks of are in our history already: then there is nothing to look for.
        heads_known: bool,
    },
    /// "XMPP is connected and subscribed", or lost. Said again as up, it means a fresh connection: hints may be missed.
    Channel(Channel),
    /// "A person, or `wait`, asks to look at every place now": delays are forgotten, what needed a person is tried.
    LookNow,
    /// "A person wants this folder to rest": nothing new is started.
    Pause,
    /// "A person wants this folder to go on."
    Resume,
    /// "The moment of the last `WakeAt` has come" (or any other moment; it does no harm).
    Tick,
}

/// What is true of one key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentFact {
    /// The key.
    pub key: Key,
    /// Its size in bytes, where it is known.
    pub size: Option<u64>,
    /// Whether its content is here, complete.
    pub here: bool,
    /// Whether the location log says that it is here. Where that differs from `here`, a `Record` follows.
    pub here_on_record: bool,
    /// Whether preferred content wants it here, and a name or a person asks for it.
    pub wanted_here: bool,
    /// Places that have it, as the location log says.
    pub present_at: Vec<PlaceId>,
    /// Places whose preferred content wants it (those that have it may be listed too).
    pub wanted_at: Vec<PlaceId>,
    /// Whether a local commit named it just now: its first upload may go before the push of its name.
    pub fresh: bool,
}

/// How a fetch ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FetchResult {
    /// "It answered, and what I could merge is merged."
    Done {
        /// Whether it had anything new since the last fetch.
        changed: bool,
        /// Our tips as they were compared after the merge, when the place holds all their history already; none
        /// when it lacks some of it.
        holds: Option<Heads>,
    },
    /// "It did not work."
    Failed(Failure),
}

/// How a push ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PushResult {
    /// "The place holds what was pushed."
    Done {
        /// Whether it lacked any of it before.
        news: bool,
    },
    /// "It has commits that we do not: fetch first."
    NeedsFetch {
        /// Whether it took one of the branches all the same.
        news: bool,
    },
    /// "It did not work."
    Failed(Failure),
}

/// How a transfer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TransferResult {
    /// "The bytes are at the other end, verified" (sent now, or there before).
    Done,
    /// Download: "the place answered that it does not have it."
    SourceLacks,
    /// Download: "what it sent does not match the key."
    Corrupt,
    /// "The receiving end is full."
    NoSpace,
    /// "We do not have it any more" (upload), or "nobody wants it here any more" (download).
    KeyGone,
    /// "It did not work."
    Failed(Failure),
}

/// When it makes sense to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Failure {
    /// "Nobody answers there": nothing else is tried at this place until a growing delay is over.
    Unreachable,
    /// "Later", after a growing delay.
    Later,
    /// "Not before this long from now", such as content that is thawing.
    After(Millis),
    /// "Once a person has done something": tried at the next `LookNow` or `PlaceUp`, and after half an hour in case they
    /// did it elsewhere.
    Person,
    /// "Never": tried again only when something about it changes (`PlaceKnown`, or new facts of that key).
    Never,
}

/// Whether hints can reach us and leave us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Channel {
    /// Connected and subscribed, just now.
    Up,
    /// Lost, or no account.
    Down,
}
