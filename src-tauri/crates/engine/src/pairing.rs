//! Pairing: the parts of it beside its thread.
//!
//! ```text
//! invite: threads/pairing ─ asks a person ─→ grant ─→ the joiner
//! join:   joining ─ offer, a person's yes ─→ folder ─→ the inviter's "heard" ─→ peers
//! ```
//!
//! Who joins has the folder before it says yes, and who fails takes back what it made: so there is nothing half.

pub(crate) mod grant;
pub(crate) mod insist;
pub(crate) mod joining;
pub(crate) mod message;
pub(crate) mod notice;
pub(crate) mod set_up;
pub(crate) mod target;
