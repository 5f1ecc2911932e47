//! A setback: something failed, and when it may be tried again.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::{Config, Failure, Instant, Millis};

/// Delays stop growing after so many doublings; it keeps the state finite.
const MAX_TRIES: u32 = 24;

/// First pause of a push that was refused twice because somebody else was quicker.
const FIRST_YIELD: Millis = Millis(100);

/// What failed so many times in a row, and until when it rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Setback {
    tries: u32,
    until: Until,
}

/// What ends a rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Until {
    Moment(Instant),
    /// A person has to act, mostly elsewhere (a key at the server, a drive's rights): nothing tells us when they did,
    /// so it is looked at again at this moment, or as soon as they say so here.
    Person(Instant),
    Change,
}

impl Setback {
    /// The setback that follows `before` when `what` failed in this way at `now`.
    pub(crate) fn next(
        before: Option<Self>,
        failure: Failure,
        what: Seed,
        config: &Config,
        now: Instant,
    ) -> Self {
        let tries = before.map_or(0, |setback| setback.tries);
        match failure {
            Failure::Unreachable | Failure::Later => {
                let (first, longest) = config.retry;
                let delay = doubled(first, tries, longest);
                // A quarter of it is jitter, so that computers that lost the same server do not come back in step.
                let delay = Millis(delay.0 - what.part_of(delay.0 / 4, tries));
                Self { tries: (tries + 1).min(MAX_TRIES), until: Until::Moment(now.after(delay)) }
            }
            Failure::After(wait) => Self { tries, until: Until::Moment(now.after(wait)) },
            Failure::Person => Self { tries, until: Until::Person(now.after(config.person_retry)) },
            Failure::Never => Self { tries, until: Until::Change },
        }
    }

    /// Whether it still rests at `now`.
    pub(crate) fn rests(&self, now: Instant) -> bool {
        match self.until {
            Until::Moment(moment) | Until::Person(moment) => now < moment,
            Until::Change => true,
        }
    }

    /// The moment when it may be tried again, if time ends the rest.
    pub(crate) fn moment(&self) -> Option<Instant> {
        match self.until {
            Until::Moment(moment) | Until::Person(moment) => Some(moment),
            Until::Change => None,
        }
    }

    /// Whether it will hardly end by itself: a person has to act, or what failed has to change.
    pub(crate) fn needs_somebody(&self) -> bool {
        matches!(self.until, Until::Person(_) | Until::Change)
    }

    /// Whether a change of what is known about it ends the rest.
    pub(crate) fn ends_with_change(&self) -> bool {
        self.until == Until::Change
    }
}

/// Whether an optional setback forbids a try at `now`.
pub(crate) fn rests(setback: Option<Setback>, now: Instant) -> bool {
    setback.is_some_and(|setback| setback.rests(now))
}

/// How long to step aside after `refusals` refused pushes in a row: not at all after the first, then anything up to a
/// limit that doubles, because whoever was quicker is likely to be quicker again when both keep the same pace.
pub(crate) fn step_aside(refusals: u32, what: Seed, config: &Config) -> Millis {
    let Some(doublings) = refusals.checked_sub(2) else { return Millis(0) };
    Millis(what.part_of(doubled(FIRST_YIELD, doublings, config.retry.1).0, refusals))
}

/// `first` doubled so many times, `longest` at most.
pub(crate) fn doubled(first: Millis, times: u32, longest: Millis) -> Millis {
    let factor = 1_u64.checked_shl(times).unwrap_or(u64::MAX);
    Millis(first.0.saturating_mul(factor)).min(longest)
}

/// Stands for one thing at one computer, and gives it jitter of its own that is the same in every run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Seed(u64);

impl Seed {
    /// The seed of a thing, such as "push to place 3", at the computer of this configuration.
    pub(crate) fn of(config: &Config, thing: impl Hash) -> Self {
        // DefaultHasher::new() has fixed keys: equal input, equal jitter, in every process of one build.
        let mut hasher = DefaultHasher::new();
        config.uuid.hash(&mut hasher);
        thing.hash(&mut hasher);
        Self(hasher.finish())
    }

    /// A number from 0 to `whole` that depends on `round`.
    pub(crate) fn part_of(self, whole: u64, round: u32) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self, round).hash(&mut hasher);
        hasher.finish() % whole.saturating_add(1).max(1)
    }
}

#[cfg(test)]
mod tests {
    use tributary_formats::uuid::RepoUuid;

    use super::*;

    fn config() -> Config {
        Config::new(RepoUuid::parse("6f7b6a3e-0001-4000-8000-000000000001").unwrap())
    }

    #[test]
    fn delays_grow_from_two_seconds_to_half_an_hour_and_stay_there() {
        let config = config();
        let now = Instant(1_000_000);
        let mut setback = None;
        let mut delays = Vec::new();
        for _ in 0..40 {
            let next = Setback::next(setback, Failure::Later, Seed::of(&config, "push"), &config, now);
            delays.push(next.moment().unwrap().since(now).0);
            setback = Some(next);
        }
        assert!((1_500..=2_000).contains(&delays[0]), "{delays:?}");
        assert!(delays.windows(2).take(8).all(|pair| pair[0] < pair[1]), "{delays:?}");
        assert!(delays[12..].iter().all(|delay| (1_350_000..=1_800_000).contains(delay)), "{delays:?}");
    }

    #[test]
    fn computers_that_failed_together_do_not_come_back_together() {
        let other = Config::new(RepoUuid::parse("6f7b6a3e-0001-4000-8000-000000000002").unwrap());
        let [a, b] = [config(), other].map(|config| {
            Setback::next(None, Failure::Unreachable, Seed::of(&config, 1), &config, Instant(0)).moment()
        });
        assert_ne!(a, b, "the jitter must depend on the computer");
    }

    #[test]
    fn what_needs_a_person_is_looked_at_again_in_half_an_hour_and_what_never_works_only_when_it_changed() {
        let config = config();
        let seed = Seed::of(&config, 1);
        let person = Setback::next(None, Failure::Person, seed, &config, Instant(0));
        let never = Setback::next(None, Failure::Never, seed, &config, Instant(0));
        let half_an_hour = Instant(30 * 60 * 1000);
        assert!(person.rests(Instant(half_an_hour.0 - 1)) && !person.rests(half_an_hour));
        assert!(never.rests(Instant(u64::MAX)));
        assert!(never.ends_with_change() && !person.ends_with_change());
        assert!(never.needs_somebody() && person.needs_somebody());
    }

    #[test]
    fn the_first_refusal_costs_no_time() {
        let config = config();
        assert_eq!(step_aside(1, Seed::of(&config, 1), &config), Millis(0));
        assert!(step_aside(40, Seed::of(&config, 1), &config) <= config.retry.1);
    }
}
