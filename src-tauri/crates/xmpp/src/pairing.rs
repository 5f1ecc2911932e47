//! Pairing: two devices become known to each other by a secret that people carried, and by nothing that a server says.
//!
//! ```text
//! joiner                                     inviter
//!   code (SPAKE2) ────────────────────────────→        only for a code
//!          ←──────────────────────────── code (SPAKE2)
//!   hail (Noise XXpsk0, 1) ───────────────────→        a wrong secret fails here
//!          ←────────────────────────────── card (2)    who the inviter is
//!   prove (3) ────────────────────────────────→        who the joiner is; a person says yes
//!          ←───────────────────────────── sealed: grant or no
//!   sealed: yes or no ────────────────────────→
//! ```
//!
//! Both sides are state machines without clock and I/O: packets, decisions and the time go in, packets and events come
//! out. Nothing about a folder is said before both are proven and the inviting person said yes. Source: this crate's
//! README, "Pairing".

mod card;
mod code;
mod grant;
mod handshake;
mod introduction;
mod invitations;
mod inviter;
mod joiner;
mod link;
mod packet;
mod secret;

use std::fmt;

use crate::fields::Malformed;

pub use card::Card;
pub use code::Code;
pub use grant::{Grant, Right};
pub(crate) use introduction::MAX_LENGTH as MAX_INTRODUCTION;
pub use introduction::{Introduction, NotIntroduced, Person};
pub use invitations::Invitations;
pub use inviter::{Inviter, InviterEvent, InviterStage};
pub use joiner::{Joiner, JoinerEvent, JoinerStage};
pub use link::Link;
pub use packet::{Packet, Refusal, Step};

/// Seconds since 1970, or of any clock that goes on: both sides only compare their own.
pub type Seconds = u64;

/// How long a link is good, in seconds.
pub const LINK_LIFE: Seconds = 7 * 24 * 3600;
/// How long a code is good, in seconds.
pub const CODE_LIFE: Seconds = 10 * 60;
/// How long a side waits for a packet of the other, in seconds.
pub const PATIENCE: Seconds = 60;
/// How long it waits where a person decides on the other side, in seconds.
pub const PERSON_PATIENCE: Seconds = 3600;
/// How often a joiner that waits for a person says that it still does, in seconds.
pub const STILL_EVERY: Seconds = 10;
/// How long an inviter takes a joiner for present that has not said so, in seconds.
pub(crate) const STILL_PATIENCE: Seconds = 120;
/// What a joiner's clock may be off by, in seconds, before it calls a link expired by itself.
const CLOCK_SLACK: Seconds = 2 * 24 * 3600;

/// How an invitation is known at the inviter: below 1000 those of codes, which people say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub u32);

/// The first slot that is a link's; codes have those below.
pub const FIRST_LINK_SLOT: u32 = 1000;

/// Why a pairing did not come to be. Nothing was kept on this side; the other hears of it when it can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum PairingError {
    /// The link is not whole: a part is missing, or something in it was changed.
    #[error("the link is not complete; copy it again, whole")]
    LinkDamaged,
    /// The link was made by a newer version.
    #[error("the link was made by a newer version of Tributary; update this computer first")]
    LinkNewer,
    /// The code is none: it has a number and two words.
    #[error("a code is a number and two words, such as 7-guitar-tonic")]
    CodeMalformed,
    /// Its time is over.
    #[error("the invitation has expired; ask for a new one")]
    Expired,
    /// It was used, and is good once.
    #[error("the invitation was used already; ask for a new one")]
    Used,
    /// The code does not fit: mistyped, or somebody in between guessed. It is spent.
    #[error("the code was wrong, and is good for one try only; ask for a new one")]
    WrongCode,
    /// The other side knows no such invitation, or it was withdrawn.
    #[error("the other computer knows nothing of this invitation; ask for a new one")]
    Unknown,
    /// The other side is in the middle of a pairing with this invitation, or was asked too often: later.
    #[error("the other computer is busy with another try; try again in a minute")]
    Busy,
    /// The other person said no.
    #[error("the other side declined")]
    Declined,
    /// The other side stopped.
    #[error("the other side cancelled")]
    Cancelled,
    /// The other side does not answer.
    #[error("the other computer does not answer any more; nothing was set up, try again when it is on")]
    Vanished,
    /// The other side went silent where it may be somebody in between who guesses: the code is not to be used again.
    #[error("the other computer stopped answering in the middle; ask for a new code")]
    Unanswered,
    /// The other side does not keep to the protocol, or somebody in between changed something.
    #[error(
        "what the other computer sent cannot be trusted; somebody may be in between. Use a new invitation"
    )]
    Untrustworthy,
    /// What is to be handed over does not fit into one message.
    #[error("the folder's storage set-up is too large to be handed over")]
    TooLarge,
}

/// Two devices that are paired, as each side keeps it. The other device's keys are in its card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paired {
    /// The other device.
    pub card: Card,
    /// What was given, or got.
    pub grant: Grant,
}

impl PairingError {
    /// Whether the same invitation may be tried again, by the same person.
    pub fn may_try_again(self) -> bool {
        matches!(self, PairingError::Busy | PairingError::Vanished)
    }
}

impl From<Malformed> for PairingError {
    fn from(_: Malformed) -> PairingError {
        PairingError::Untrustworthy
    }
}

impl Slot {
    /// Whether it is a code's.
    pub fn is_code(self) -> bool {
        self.0 < FIRST_LINK_SLOT
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests;
