//! The repository on disk: commits, merges, push and fetch, the git-annex branch, the object store.
//!
//! Blocking throughout: callers run it off their event loop. Alone in knowing git2.

pub mod annex_branch;
pub mod bare;
pub mod filter;
pub mod journal;
pub mod keysdb;
pub mod large_files;
pub mod lock;
pub mod object_batch;
pub mod place_in_tree;
pub mod repository;
pub mod stat;
pub mod store;
mod syscall;

pub use repository::Repository;
