//! When it makes sense to try again.

use std::time::Duration;

/// What an error from the outside world answers to "shall we try again?".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// The same would happen again.
    Never,
    /// The cause may pass by itself; the caller chooses when, with growing pauses.
    Later,
    /// Trying sooner than this is useless.
    After(Duration),
    /// A person has to do something first: plug in a drive, make room, give permission.
    OncePersonActed,
}
