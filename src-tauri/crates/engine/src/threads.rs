//! The threads of the engine, a small file each: its reason on top, one loop, every wait stoppable.

pub(crate) mod account;
pub(crate) mod applier;
pub(crate) mod committer;
pub(crate) mod conductor;
pub(crate) mod dropper;
pub(crate) mod fetcher;
pub(crate) mod housekeeper;
pub(crate) mod merger;
pub(crate) mod network_watcher;
pub(crate) mod notices;
pub(crate) mod pairing;
pub(crate) mod peer_places;
pub(crate) mod place_watcher;
pub(crate) mod pusher;
pub(crate) mod recorder;
pub(crate) mod room_watcher;
pub(crate) mod scan;
pub(crate) mod sentry;
pub(crate) mod transferrer;
pub(crate) mod watcher;
