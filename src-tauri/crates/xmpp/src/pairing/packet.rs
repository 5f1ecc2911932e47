//! What the two sides send each other: small messages, each the request or the answer of one exchange.

use super::Slot;

/// The largest content of a packet: one Noise message.
pub(crate) const MAX_CONTENT: usize = 65_535;

/// A packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// Which invitation it is about.
    pub slot: Slot,
    /// What it says.
    pub step: Step,
}

/// What a packet says. Each is documented as the sentence that its sender says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Joiner, to all devices of an account: "Which of you shows this number?" Only a code is looked for so.
    Knock,
    /// Inviter: "I do, and this is my address."
    Here,
    /// "This is my half of a key that only our code makes whole."
    Code(Vec<u8>),
    /// Joiner: "I know the secret; here is a fresh key."
    Hail(Vec<u8>),
    /// Inviter: "So do I; and this is who I am."
    Card(Vec<u8>),
    /// Joiner: "And this is who I am."
    Prove(Vec<u8>),
    /// Either: something that only the other can read.
    Sealed(Vec<u8>),
    /// "Understood; there is nothing to say yet."
    Noted,
    /// "No, and this is why."
    Refused(Refusal),
}

/// Why a packet is not followed. In clear and provable by nobody: it ends a try and decides nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// There is no such invitation.
    Unknown,
    /// There was one.
    Expired,
    /// It was used.
    Used,
    /// The secret does not fit.
    WrongSecret,
    /// Another try is going on, or there were too many: later.
    Busy,
    /// That is not what comes next.
    OutOfTurn,
    /// The sender stops.
    Cancelled,
}

impl Packet {
    /// A refusal.
    pub(crate) fn refused(slot: Slot, refusal: Refusal) -> Packet {
        Packet { slot, step: Step::Refused(refusal) }
    }
}
