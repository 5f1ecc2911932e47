//! What must move where, who must be told, when to try again: input to effects.
//!
//! [`Planner::handle`] takes a fact and the time and answers with what to start now. No I/O, no clock, no randomness:
//! the engine, the simulator and the model checker run this very code. The README beside it is the protocol.

pub mod config;
pub mod effect;
pub mod heads;
pub mod input;
pub mod place;
mod planner;
pub mod settled;
pub mod time;

pub use config::Config;
pub use effect::Effect;
pub use heads::{Head, Heads, Origin};
pub use input::{Channel, ContentFact, Failure, FetchResult, Input, PushResult, TransferResult};
pub use place::{Direction, Place, PlaceId, Presence, Site};
pub use planner::{Planner, Round};
pub use settled::{Amount, Settled, Why};
pub use time::{Instant, Millis};
