//! Bad input: each cause gives one Problem that says what happened and what to do; nothing is lost, and the rest goes
//! on.

#[path = "../member.rs"]
mod member;

mod account;
mod disk;
mod places;
mod repositories;
mod rules;
mod stopping;
mod unready;
mod usage;
mod watches;
