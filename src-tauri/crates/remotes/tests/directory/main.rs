//! The `directory` remote: the suite, what only a directory can meet, and git-annex as reader, writer and judge.

#![allow(clippy::unwrap_used, reason = "a fixture that fails has failed its test")]

mod annex;
mod mount;
mod place;
mod suite;
mod unprivileged;
