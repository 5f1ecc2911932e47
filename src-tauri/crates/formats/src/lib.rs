//! git-annex's formats: text to values and back, no I/O, no clock.
//!
//! What others wrote is read as hostile: every parser is bounded, none panics, and what could
//! leave a directory or break a line is refused where it enters.

#[cfg(any(test, feature = "arbitrary"))]
pub mod arbitrary;
pub mod backend;
pub mod branches;
pub mod clock;
pub mod data_size;
pub mod extension;
pub mod glob;
pub mod groups;
pub mod hasher;
#[cfg(any(test, feature = "arbitrary"))]
pub mod invariants;
pub mod journal;
pub mod key;
pub mod logs;
pub mod matcher;
pub mod numcopies;
pub mod p2p;
pub mod pointer;
pub mod preferred;
pub mod tree_path;
pub mod trust;
pub mod union_merge;
pub mod uuid;
pub mod variant;

pub use backend::{Backend, HashAlgorithm};
pub use clock::Timestamp;
pub use hasher::KeyHasher;
pub use key::Key;
pub use numcopies::{MinCopies, NumCopies};
pub use preferred::PreferredContent;
pub use tree_path::TreePath;
pub use trust::Trust;
pub use union_merge::union_merge;
pub use uuid::RepoUuid;
