//! What is left to do, for `status` and `wait`.

use std::collections::BTreeSet;

use crate::known::Known;
use crate::{Direction, PlaceId, Planner, Settled, Why};

/// How many keys that no reachable place has are looked at to say which places they wait for.
const MOST_SOUGHT: usize = 10_000;

impl Planner {
    /// What is left to do.
    #[must_use]
    pub fn settled(&self) -> Settled {
        let mut waiting_for = BTreeSet::new();
        for known in self.places.values() {
            waiting_for.extend(self.reasons(known).map(|why| (known.place.id, why)));
        }
        waiting_for.extend(self.sought().map(|place| (place, Why::Down)));
        let failed: Vec<_> = self
            .contents
            .failing()
            .map(|(key, (place, direction))| (key.clone(), place, direction))
            .take(Settled::MAX_FAILED)
            .collect();
        waiting_for.extend(failed.iter().map(|(_, place, _)| (*place, Why::Retry)));
        Settled {
            idle: self.is_idle(),
            unanswered: self.is_unanswered(),
            waiting_for: waiting_for.into_iter().collect(),
            pending_up: self.contents.up(),
            pending_down: self.contents.down(),
            nowhere: self.contents.nowhere(),
            full_here: self.contents.is_full_here(),
            failed,
        }
    }

    /// Whether nothing is under way, and nothing is left that places which are up could do.
    fn is_idle(&self) -> bool {
        self.has_nothing_at_hand() && self.active().next().is_none()
    }

    /// Whether what is under way or left is all with places that did not answer.
    fn is_unanswered(&self) -> bool {
        let mut active = self.active().peekable();
        self.has_nothing_at_hand()
            && active.peek().is_some()
            && active.all(|known| known.unreachable.is_some())
    }

    /// Whether nothing is left but what is to be asked of places.
    fn has_nothing_at_hand(&self) -> bool {
        self.records.is_idle()
            && self.hold.is_none()
            && !self.is_transferring()
            && !self.announcing.is_pending(self.looking.channel_is_up())
    }

    /// Places with which something is under way, or which are up and have something left; some of them twice.
    fn active(&self) -> impl Iterator<Item = &Known> {
        let busy = |known: &&Known| known.exchange.is_busy() || (known.up && self.has_work(known));
        let failing = self.contents.failing().filter_map(|(_, (place, _))| self.places.get(&place));
        self.places.values().filter(busy).chain(failing.filter(|known| known.up))
    }

    /// Whether something of ours waits for the place, or of the place for us.
    fn has_work(&self, known: &Known) -> bool {
        known.exchange.wants_push(&known.place, self.heads)
            || (known.up && known.exchange.wants_fetch(&known.place))
            || known.uploads.has_ready()
            || known.downloads.has_ready()
    }

    fn reasons(&self, known: &Known) -> impl Iterator<Item = Why> {
        let work = self.has_work(known);
        let setbacks = [known.exchange.failed(), known.uploads.setback(), known.downloads.setback()];
        let person = setbacks.iter().flatten().any(|setback| setback.needs_somebody());
        let retry = known.unreachable.is_some() || setbacks.iter().flatten().next().is_some();
        let full = known.uploads.is_full();
        let reasons = [
            (Why::Down, !known.up && work),
            (Why::Busy, known.exchange.is_busy() || known.is_transferring()),
            (Why::Full, known.up && full && work),
            (Why::Person, known.up && person && work),
            (Why::Retry, known.up && retry && !person && !full && work),
        ];
        reasons.into_iter().filter(|(_, holds)| *holds).map(|(why, _)| why)
    }

    /// Places that are down and have what we want and nobody else who is up has.
    fn sought(&self) -> impl Iterator<Item = PlaceId> {
        let nowhere = self.contents.wishes().filter(|wish| wish.counted.nowhere).take(MOST_SOUGHT);
        let places = nowhere.flat_map(|wish| wish.present.iter().copied());
        let down = |place: &PlaceId| {
            self.places.get(place).is_some_and(|known| !known.up && known.allows(Direction::Download))
        };
        places.filter(down).collect::<BTreeSet<_>>().into_iter()
    }
}
