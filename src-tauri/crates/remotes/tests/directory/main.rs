//! The `directory` remote: the suite, what only a directory can meet, and git-annex as reader, writer and judge.

mod annex;
mod mount;
mod place;
mod suite;
