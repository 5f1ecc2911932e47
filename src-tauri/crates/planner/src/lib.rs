//! What must move where, who must be told, when to try again: input to effects.
//!
//! [`Planner::handle`] takes a fact and the time and answers with what to start now. No I/O, no clock, no randomness:
//! the engine, the simulator and the model checker run this very code. The README beside it is the protocol.

mod announcing;
pub mod config;
mod contents;
pub mod effect;
mod exchange;
pub mod heads;
mod hold;
pub mod input;
mod known;
mod lane;
mod looking;
pub mod place;
mod planner;
mod records;
mod relay;
mod setback;
pub mod settled;
pub mod time;
mod wish;

pub use config::Config;
pub use effect::Effect;
pub use heads::{Head, Heads, Origin};
pub use input::{Channel, ContentFact, Failure, FetchResult, Input, PushResult, TransferResult};
pub use place::{Direction, Place, PlaceId, Presence, Site};
pub use planner::{Planner, Round};
pub use settled::{Amount, Settled, Why};
pub use time::{Instant, Millis};
