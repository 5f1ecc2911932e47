//! XMPP: session, presence, push hints; pairing, secure streams.
//!
//! Tells the person's other computers to look *now*: a hint is never data, and losing, doubling or forging one costs a
//! look. Makes devices known to each other, and carries streams between those that are, so that nobody in between can
//! read or forge. The protocol, and how to wire it in, is written down in this crate's README.
//!
//! ```text
//! account ─→ connect ─→ login ─→ session ─events→ engine
//!                                  │ ↑
//!                        presence ─┤ └─ wire (stanzas to values and back)
//!                           hints ─┤
//!              courier ← pairing ──┤
//!  ibb, socks5, upload ← channel ──┘        device (keys) ─→ channel, pairing, hints
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
pub mod notice;
pub mod pairing;
mod services;
pub mod session;
pub mod socks5;
pub mod upload;
mod wire;
mod words;
