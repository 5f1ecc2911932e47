//! The session against real servers: prosody and ejabberd as Debian ships them, TLS on.
//!
//! Real: the servers, their certificates, the network stack. A proxy between stands for a network that fails. Every
//! test starts its own server, so the tests of a server that does much are one function.

mod device;
mod faults;
mod friends;
mod hints;
mod login;
mod pairing;
mod slixmpp;
mod socks5;
mod streams;
mod throughput;
mod upload;
