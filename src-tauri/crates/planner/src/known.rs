//! A place as the planner knows it: what it is, whether it answers, and what is under way with it.

use std::collections::BTreeMap;

use crate::exchange::Exchange;
use crate::lane::Lane;
use crate::setback::{Setback, rests};
use crate::{Direction, Instant, Place, PlaceId};

/// All places of a folder.
pub(crate) type Places = BTreeMap<PlaceId, Known>;

/// One place.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Known {
    pub(crate) place: Place,
    pub(crate) up: bool,
    /// It is said to be up, yet did not answer.
    pub(crate) unreachable: Option<Setback>,
    pub(crate) exchange: Exchange,
    pub(crate) uploads: Lane,
    pub(crate) downloads: Lane,
}

impl Known {
    pub(crate) fn new(place: Place) -> Self {
        Self {
            place,
            up: false,
            unreachable: None,
            exchange: Exchange::default(),
            uploads: Lane::default(),
            downloads: Lane::default(),
        }
    }

    /// Whether anything may be started with it at `now`.
    pub(crate) fn answers(&self, now: Instant) -> bool {
        self.up && !rests(self.unreachable, now)
    }

    pub(crate) fn lane(&self, direction: Direction) -> &Lane {
        match direction {
            Direction::Upload => &self.uploads,
            Direction::Download => &self.downloads,
        }
    }

    pub(crate) fn lane_mut(&mut self, direction: Direction) -> &mut Lane {
        match direction {
            Direction::Upload => &mut self.uploads,
            Direction::Download => &mut self.downloads,
        }
    }

    /// Whether contents can go that way at all.
    pub(crate) fn allows(&self, direction: Direction) -> bool {
        self.place.contents
            && match direction {
                Direction::Upload => self.place.writable,
                Direction::Download => self.place.readable,
            }
    }

    /// Whether contents can go that way at `now`.
    pub(crate) fn open(&self, direction: Direction, now: Instant) -> bool {
        self.allows(direction) && self.answers(now) && !self.lane(direction).rests(now)
    }

    /// Whether it can be looked at.
    pub(crate) fn can_be_looked_at(&self) -> bool {
        self.up && self.place.git && self.place.readable
    }

    /// Delays are over.
    pub(crate) fn forgive(&mut self) {
        self.unreachable = None;
        self.exchange.forgive();
        self.uploads.forgive();
        self.downloads.forgive();
    }

    pub(crate) fn is_transferring(&self) -> bool {
        self.uploads.is_flying() || self.downloads.is_flying()
    }
}
