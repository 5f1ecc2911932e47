//! Renames of which one half was seen.
//!
//! The system tells of a rename in two events, and may wake us between them; on a busy machine the other one is then late.
//! A batch with the first alone would take a moved file for a deleted one, and read it again under its new name. So the
//! batch waits a moment for the other half, which a file that was moved out of the folder does not have.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use notify::EventKind;
use notify::event::{ModifyKind, RenameMode};

/// How long the other half is waited for. What is put into a wastebasket is moved out, and its deletion is this much late.
const PATIENCE: Duration = Duration::from_millis(100);

/// First halves without a second one.
#[derive(Debug, Default)]
pub(super) struct Halves {
    /// What ties two halves together.
    trackers: BTreeSet<usize>,
    until: Option<Instant>,
}

impl Halves {
    /// Takes note of an event.
    pub(super) fn see(&mut self, event: &notify::Event, now: Instant) {
        let (EventKind::Modify(ModifyKind::Name(mode)), Some(tracker)) = (event.kind, event.tracker()) else {
            return;
        };
        if mode == RenameMode::From {
            self.trackers.insert(tracker);
            self.until.get_or_insert(now + PATIENCE);
        } else {
            self.trackers.remove(&tracker);
        }
        if self.trackers.is_empty() {
            self.until = None;
        }
    }

    /// Until when another half is waited for.
    pub(super) fn until(&self) -> Option<Instant> {
        self.until
    }

    /// Waits no longer.
    pub(super) fn give_up(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn half(mode: RenameMode, tracker: usize) -> notify::Event {
        notify::Event::new(EventKind::Modify(ModifyKind::Name(mode))).set_tracker(tracker)
    }

    #[test]
    fn the_other_half_is_waited_for() {
        let (mut halves, now) = (Halves::default(), Instant::now());
        halves.see(&half(RenameMode::From, 1), now);
        halves.see(&half(RenameMode::From, 2), now + PATIENCE / 2);
        halves.see(&half(RenameMode::To, 1), now + PATIENCE / 2);
        assert_eq!(halves.until(), Some(now + PATIENCE), "one still is, and no longer for that");
        halves.see(&half(RenameMode::To, 2), now + PATIENCE / 2);
        assert_eq!(halves.until(), None);
    }

    #[test]
    fn what_was_moved_out_or_in_has_no_other_half() {
        let (mut halves, now) = (Halves::default(), Instant::now());
        halves.see(&half(RenameMode::To, 1), now);
        assert_eq!(halves.until(), None);
        halves.see(&half(RenameMode::From, 2), now);
        halves.give_up();
        assert_eq!(halves.until(), None);
        let removed = notify::Event::new(EventKind::Remove(notify::event::RemoveKind::File));
        halves.see(&removed, now);
        assert_eq!(halves.until(), None, "a deletion waits for nothing");
    }
}
