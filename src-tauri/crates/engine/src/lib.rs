//! The assistant: threads that keep folders in sync.
//!
//! ```text
//! disk ─→ watcher ─→ committer ─→ conductor (planner) ─→ pusher, fetcher, transferrer, recorder
//!                                   ↑        │
//!            applier ←── merges, downloads   └─→ account (XMPP hints), board (status, events)
//! ```
//!
//! `roll` makes a folder's channels and starts its threads; `engine` keeps the folders running and does what people
//! want; `host` is the way in for `trib` and the shell. Alone in knowing `notify` and `keyring`.

pub mod client;
mod commands;
pub mod config;
pub mod engine;
mod engine_facts;
mod folder;
mod folder_facts;
pub mod home;
pub mod host;
pub mod logging;
mod pairing;
mod parallel;
mod roll;
pub mod secrets;
pub mod socket;
pub mod state;
mod supervisor;
mod threads;
mod tunnel;

pub use engine::Engine;
pub use home::Home;
pub use host::{Link, open_or_join};
pub use tributary_repo::memory;
