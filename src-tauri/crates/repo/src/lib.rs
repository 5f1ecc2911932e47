//! The repository on disk: commits, merges, push and fetch, the git-annex branch, the object store.
//!
//! Blocking throughout: callers run it off their event loop. Alone in knowing git2.

pub mod annex_branch;
pub mod attributes;
pub mod bare;
pub mod cancel;
mod closure;
pub mod commit;
mod config_lock;
pub mod conflict;
pub mod contents;
pub mod fetch;
pub mod filter;
pub mod housekeeping;
pub mod index;
pub mod journal;
pub mod keysdb;
pub mod large_files;
pub mod lock;
pub mod memory;
pub mod merge;
pub mod object_batch;
pub mod place_in_tree;
pub mod push;
pub mod refs;
pub mod remote;
pub mod repository;
pub mod serve;
pub mod stale_locks;
pub mod stat;
pub mod store;
pub mod sync_branches;
mod syscall;
pub mod transport;
pub mod tree;

pub use git2::{ObjectType, Oid};
pub use repository::Repository;
