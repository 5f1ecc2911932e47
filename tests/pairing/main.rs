//! Pairing: two computers become connected by a link or a code, and have the folder; whatever goes wrong says why and
//! leaves nothing on either side.

#[path = "../member.rs"]
mod member;

mod bad_input;
mod between;
mod clocks;
mod friends;
mod interrupted;
mod kills;
mod lacking;
mod lost_counters;
mod own;
mod parting;
mod party;
mod three;
