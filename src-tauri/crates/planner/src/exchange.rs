//! The exchange of names with one place: when to fetch, when to push. One at a time for each place, so that what a
//! fetch says of the place is never older than a push that ended before it.

use crate::planner::Round;
use crate::setback::{Seed, Setback, rests, step_aside};
use crate::{Config, Failure, FetchResult, Heads, Instant, Place, PlaceId, PushResult};

/// What is under way with a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Busy {
    /// A fetch, and the round of looking that it answers.
    Fetching(Round),
    /// A push, and whether it carries what was written here.
    Pushing { own_news: bool },
}

/// What to start with a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Fetch,
    Push,
}

/// Names at one place.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Exchange {
    /// Our tips that the place is known to hold.
    has: Option<Heads>,
    /// What it lacks was written here, not only passed on.
    own_news: bool,
    /// A push did not end well, and left some of what it carried: one branch of two, or maybe all of it when only the
    /// answer was lost. Nobody was told.
    untold: bool,
    /// Somebody wants it looked at.
    look: bool,
    /// It refused a push for lack of a fetch; no push before one succeeded.
    fetch_first: bool,
    /// The last thing done was a fetch: then a push has its turn, so that a storm of hints cannot keep it away.
    fetched_last: bool,
    busy: Option<Busy>,
    /// Pushes refused in a row, and until when that makes us step aside.
    refusals: u32,
    aside_until: Option<Instant>,
    fetch_setback: Option<Setback>,
    push_setback: Option<Setback>,
    /// The last round of looking that it answered, or failed to.
    answered: Round,
}

/// What makes an exchange possible at this moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Circumstances<'a> {
    pub(crate) place: &'a Place,
    pub(crate) ours: Heads,
    /// Names wait for contents.
    pub(crate) held: bool,
    /// What others wrote waits to be passed on.
    pub(crate) calming: bool,
    pub(crate) now: Instant,
}

impl Exchange {
    /// Our tips moved by something that was written here.
    pub(crate) fn own_news(&mut self) {
        self.own_news = true;
    }

    /// A fetch is under way.
    pub(crate) fn is_fetching(&self) -> bool {
        matches!(self.busy, Some(Busy::Fetching(_)))
    }

    /// Somebody wants this place looked at.
    pub(crate) fn look(&mut self) {
        self.look = true;
    }

    /// Delays are over: the place came up, or a person asked.
    pub(crate) fn forgive(&mut self) {
        self.fetch_setback = None;
        self.push_setback = None;
        self.aside_until = None;
        self.refusals = 0;
    }

    /// The place may be another one behind the same name: nothing is known of what it has.
    pub(crate) fn forget(&mut self) {
        self.has = None;
    }

    /// The place gave us these tips by itself. What is under way ends with a newer truth.
    pub(crate) fn holds(&mut self, heads: Heads, ours: Heads) {
        if self.busy.is_none() {
            self.has = Some(heads);
            self.own_news &= heads != ours;
        }
    }

    /// What to start now, if anything; it counts as started.
    pub(crate) fn start(&mut self, at: Circumstances<'_>, round: Round) -> Option<Step> {
        if self.busy.is_some() {
            return None;
        }
        let fetch = self.wants_fetch(at.place) && !self.fetch_rests(at.now);
        let push = self.wants_push(at.place, at.ours)
            && !self.fetch_first
            && !at.held
            && (self.own_news || !at.calming)
            && !rests(self.push_setback, at.now);
        if fetch && !(push && self.fetched_last) {
            self.look = false;
            self.fetched_last = true;
            self.busy = Some(Busy::Fetching(round));
            return Some(Step::Fetch);
        }
        push.then(|| {
            self.fetched_last = false;
            // What is written from here on is news again; a push that fails brings back what it carried.
            self.busy = Some(Busy::Pushing { own_news: std::mem::take(&mut self.own_news) });
            Step::Push
        })
    }

    /// Takes the end of a fetch; says whether the place answered.
    pub(crate) fn fetch_ended(
        &mut self,
        place: PlaceId,
        ours: Heads,
        result: FetchResult,
        config: &Config,
        now: Instant,
    ) -> bool {
        if let Some(Busy::Fetching(round)) = self.busy {
            self.answered = round;
        }
        self.busy = None;
        match result {
            FetchResult::Done { holds, .. } => {
                self.has = holds;
                self.own_news &= holds != Some(ours);
                self.fetch_first = false;
                self.fetch_setback = None;
                true
            }
            FetchResult::Failed(failure) => {
                self.look = true;
                let seed = Seed::of(config, (place, "fetch"));
                self.fetch_setback = Some(Setback::next(self.fetch_setback, failure, seed, config, now));
                false
            }
        }
    }

    /// Takes the end of a push; says whether the place answered.
    pub(crate) fn push_ended(
        &mut self,
        place: &Place,
        pushed: Heads,
        result: PushResult,
        config: &Config,
        now: Instant,
    ) -> bool {
        if let (Some(Busy::Pushing { own_news: true }), false) =
            (self.busy, matches!(result, PushResult::Done { .. }))
        {
            self.own_news = true;
        }
        self.busy = None;
        match result {
            PushResult::Done { .. } => self.untold = false,
            PushResult::NeedsFetch { news } => self.untold |= news,
            PushResult::Failed(_) => self.untold = true,
        }
        match result {
            PushResult::Done { .. } => {
                self.has = Some(pushed);
                self.push_setback = None;
                self.refusals = 0;
                self.aside_until = None;
                true
            }
            PushResult::NeedsFetch { .. } if place.readable => {
                self.has = None;
                self.look = true;
                self.fetch_first = true;
                self.refusals = self.refusals.saturating_add(1).min(32);
                let aside = step_aside(self.refusals, Seed::of(config, (place.id, "refused")), config);
                self.aside_until = (aside.0 > 0).then(|| now.after(aside));
                true
            }
            // We can write but not read: nobody but a person can bring the two together.
            PushResult::NeedsFetch { .. } => {
                self.push_setback(place.id, Failure::Person, config, now);
                true
            }
            PushResult::Failed(failure) => {
                self.push_setback(place.id, failure, config, now);
                false
            }
        }
    }

    /// Whether the place may hold something from us of which nobody was told, and nothing more is to come. It counts as
    /// told.
    pub(crate) fn tell(&mut self, ours: Heads) -> bool {
        self.has == Some(ours) && std::mem::take(&mut self.untold)
    }

    /// Whether a push may have left something of which nobody was told.
    pub(crate) fn is_untold(&self) -> bool {
        self.untold
    }

    /// Whether a look is wanted, now or later.
    pub(crate) fn wants_fetch(&self, place: &Place) -> bool {
        place.git && place.readable && self.look
    }

    /// Whether the place lacks our tips, as far as we know.
    pub(crate) fn wants_push(&self, place: &Place, ours: Heads) -> bool {
        place.git && place.writable && ours.exist() && self.has != Some(ours)
    }

    /// Whether a fetch or a push is under way.
    pub(crate) fn is_busy(&self) -> bool {
        self.busy.is_some()
    }

    /// Whether it was asked in that round or a later one.
    pub(crate) fn answered_since(&self, round: Round) -> bool {
        self.answered >= round
    }

    /// Whether a fetch or a push failed and was not made good.
    pub(crate) fn failed(&self) -> Option<Setback> {
        self.fetch_setback.or(self.push_setback)
    }

    /// The next moment at which `start` may answer otherwise than now.
    pub(crate) fn next_moment(&self, at: Circumstances<'_>) -> Option<Instant> {
        if self.busy.is_some() {
            return None;
        }
        let fetch = if self.wants_fetch(at.place) {
            let setback = self.fetch_setback.map(|setback| setback.moment());
            // A rest without a moment is ended by nothing that the clock knows.
            match setback {
                Some(None) => None,
                Some(moment) => moment.max(self.aside_until),
                None => self.aside_until,
            }
        } else {
            None
        };
        let push = if self.wants_push(at.place, at.ours) && !self.fetch_first {
            self.push_setback.and_then(|setback| setback.moment())
        } else {
            None
        };
        [fetch, push].into_iter().flatten().filter(|moment| *moment > at.now).min()
    }

    fn fetch_rests(&self, now: Instant) -> bool {
        rests(self.fetch_setback, now) || self.aside_until.is_some_and(|moment| now < moment)
    }

    fn push_setback(&mut self, place: PlaceId, failure: Failure, config: &Config, now: Instant) {
        let seed = Seed::of(config, (place, "push"));
        self.push_setback = Some(Setback::next(self.push_setback, failure, seed, config, now));
    }
}
