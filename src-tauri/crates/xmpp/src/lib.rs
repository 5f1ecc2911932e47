//! XMPP: session, presence, push hints.
//!
//! Tells the person's other computers to look *now*, and nothing more: a hint is never data, and losing,
//! doubling or forging one costs a look. The protocol is written down in this crate's README.
//!
//! ```text
//! account ─→ connect ─→ login ─→ session ─events→ engine
//!                                  │ ↑
//!                        presence ─┤ └─ wire (stanzas to values and back)
//!                           hints ─┘
//! ```

pub mod account;
pub mod channel;
mod connect;
pub mod courier;
pub mod device;
mod fields;
pub mod hints;
pub mod ibb;
pub mod login;
pub mod pairing;
pub mod session;
mod wire;
mod words;
