//! What the engine's threads share: a file each, with verbs, and no lock in sight outside.

pub(crate) mod arrivals;
pub mod board;
pub mod boot;
pub mod changes;
pub(crate) mod commit_first;
pub(crate) mod conflicts;
pub mod deletions;
pub mod desk;
pub(crate) mod device_keys;
pub mod facts;
pub(crate) mod folders;
pub mod ledger;
pub(crate) mod line;
pub mod outlook;
pub(crate) mod own_device;
pub mod peers;
pub mod places;
pub mod problems;
pub(crate) mod remote_uuid;
pub mod repositories;
pub(crate) mod room;
pub mod wishes;
