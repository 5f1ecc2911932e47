//! The trail: what the conductor hears and starts, a line each, for whoever reads the log at the level `debug`.

use std::fmt;

use tributary_planner::{Effect, Input};

/// An input in a few words; contents only counted.
pub(super) struct Heard<'i>(pub(super) &'i Input);

impl fmt::Display for Heard<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Input::Contents(facts) => write!(out, "contents of {} keys", facts.len()),
            Input::TransferEnded { place, direction, result, .. } => {
                write!(out, "transfer ended: {direction:?} {place:?} {result:?}")
            }
            other => write!(out, "{other:?}"),
        }
    }
}

/// An effect in a few words; contents only counted.
pub(super) struct Started<'e>(pub(super) &'e Effect);

impl fmt::Display for Started<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Effect::Upload { place, keys } => write!(out, "upload of {} keys to {place:?}", keys.len()),
            Effect::Download { place, keys } => write!(out, "download of {} keys from {place:?}", keys.len()),
            Effect::Record(lines) => write!(out, "record of {} lines", lines.len()),
            other => write!(out, "{other:?}"),
        }
    }
}
