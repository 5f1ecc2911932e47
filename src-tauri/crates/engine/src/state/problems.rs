//! Problems of one folder: one per cause, with the time since when it is there.

use std::collections::BTreeMap;

use jiff::{Timestamp, Unit, Zoned};
use tributary_status::{Problem, ProblemAction, ProblemCode};

/// A problem that is there as of now and heals by itself.
#[must_use]
pub fn problem(code: ProblemCode, subject: &str, sentence: String, hint: &str) -> Problem {
    Problem {
        code,
        sentence,
        hint: hint.into(),
        since: now(),
        action: None,
        needs_you: false,
        subject: subject.into(),
    }
}

/// A full disk of this computer: a person has to make room, and the rest goes by itself.
#[must_use]
pub fn disk_full(subject: &str, sentence: String) -> Problem {
    let hint = "Make room on the disk; it goes on by itself.";
    let action = Some(ProblemAction::TryAgain);
    Problem { needs_you: true, action, ..problem(ProblemCode::DiskFull, subject, sentence, hint) }
}

/// The present moment as text: RFC 3339 in UTC, whole seconds.
#[must_use]
pub fn now() -> String {
    moment(Timestamp::now().as_second())
}

/// A moment as text.
#[must_use]
pub fn moment(seconds: i64) -> String {
    Timestamp::from_second(seconds).map_or_else(|_| String::new(), |at| at.to_string())
}

/// A moment as a person would say it: `15:00`, `tomorrow 06:00`, `Friday 15:00`, `3 May 15:00`; as it is when it is no
/// moment.
#[must_use]
pub fn clock(moment: &str) -> String {
    spoken(moment, &Zoned::now()).unwrap_or_else(|| moment.into())
}

fn spoken(moment: &str, now: &Zoned) -> Option<String> {
    let at = moment.parse::<Timestamp>().ok()?.to_zoned(now.time_zone().clone());
    let days = now.date().until((Unit::Day, at.date())).ok()?.get_days();
    let pattern = match days {
        0 => "%H:%M",
        1 => "tomorrow %H:%M",
        2..7 => "%A %H:%M",
        _ => "%-d %B %H:%M",
    };
    Some(at.strftime(pattern).to_string())
}

/// What was done at a place. Each shows its own fault: that a place can be read says nothing of whether it can be
/// written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Deed {
    /// Seen whether it is there.
    Look,
    /// Commits were fetched and merged.
    Fetch,
    /// Commits were pushed.
    Push,
    /// Contents were sent there.
    Upload,
    /// Contents were fetched.
    Download,
}

/// The problems that are there.
#[derive(Debug, Default, Clone)]
pub struct Problems {
    own: Vec<Problem>,
    at_places: BTreeMap<(String, Deed), Problem>,
    shown: Vec<Problem>,
}

impl Problems {
    /// Notes a problem.
    pub fn raise(&mut self, problem: Problem) {
        match self.own.iter_mut().find(|known| same(known, &problem)) {
            Some(known) => *known = problem,
            None => self.own.push(problem),
        }
        self.show();
    }

    /// Forgets the problems of this kind about this subject; about any, when it is empty.
    pub fn clear(&mut self, code: ProblemCode, subject: &str) {
        self.own.retain(|known| known.code != code || !(subject.is_empty() || known.subject == subject));
        self.show();
    }

    /// Makes these the only problems of this kind.
    pub fn replace(&mut self, code: ProblemCode, problems: Vec<Problem>) {
        self.own.retain(|known| known.code != code);
        self.own.extend(problems);
        self.show();
    }

    /// Notes how something at a place went. What went well also shows that the place is there, and the right one.
    pub fn went(&mut self, place: &str, deed: Deed, fault: Option<Problem>) {
        let key = (place.to_owned(), deed);
        match fault {
            Some(fault) => {
                self.at_places.insert(key, fault);
            }
            None => {
                self.at_places.remove(&key);
                self.at_places.retain(|(at, _), fault| {
                    at != place
                        || !matches!(fault.code, ProblemCode::PlaceUnreachable | ProblemCode::PlaceChanged)
                });
            }
        }
        self.show();
    }

    /// Forgets all about a place that is none any more.
    pub fn forget_place(&mut self, place: &str) {
        self.at_places.retain(|(at, _), _| at != place);
        self.show();
    }

    /// All of them.
    #[must_use]
    pub fn list(&self) -> &[Problem] {
        &self.shown
    }

    /// Shows each cause once, with the time since when it is there.
    fn show(&mut self) {
        let before = std::mem::take(&mut self.shown);
        for problem in self.own.iter().chain(self.at_places.values()) {
            if self.shown.iter().any(|shown| same_cause(shown, problem)) {
                continue;
            }
            let since = before.iter().find(|known| same_cause(known, problem)).map(|known| &known.since);
            let since = since.unwrap_or(&problem.since).clone();
            self.shown.push(Problem { since, ..problem.clone() });
        }
    }
}

/// Whether two problems are the same one, whatever their words.
fn same(one: &Problem, other: &Problem) -> bool {
    one.code == other.code && one.subject == other.subject
}

/// Whether two problems have the same cause. A full disk is noticed by everybody who writes.
fn same_cause(one: &Problem, other: &Problem) -> bool {
    same(one, other) || (one.code == ProblemCode::DiskFull && other.code == ProblemCode::DiskFull)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_said_as_near_as_it_is() {
        let zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(2));
        let now = jiff::civil::date(2026, 3, 2).at(23, 30, 0, 0).to_zoned(zone).unwrap();
        let said = |moment| spoken(moment, &now);
        assert_eq!(said("2026-03-02T21:45:00Z").as_deref(), Some("23:45"), "in the person's own time");
        assert_eq!(said("2026-03-03T04:00:00Z").as_deref(), Some("tomorrow 06:00"));
        assert_eq!(said("2026-03-06T10:00:00Z").as_deref(), Some("Friday 12:00"));
        assert_eq!(said("2026-05-03T10:00:00Z").as_deref(), Some("3 May 12:00"));
        assert_eq!(
            said("2026-03-01T10:00:00Z").as_deref(),
            Some("1 March 12:00"),
            "what is over is no weekday"
        );
        assert_eq!(said("soon"), None);
    }

    #[test]
    fn replacing_keeps_the_time_of_what_stays_and_leaves_other_kinds_alone() {
        let about = |code, subject: &str| problem(code, subject, "It broke.".into(), "Mend it.");
        let mut problems = Problems::default();
        problems.raise(about(ProblemCode::DiskFull, "disk"));
        let old = Problem { since: "1970-01-01T00:00:00Z".into(), ..about(ProblemCode::UnreadableRule, "a") };
        problems.replace(ProblemCode::UnreadableRule, vec![old, about(ProblemCode::UnreadableRule, "b")]);
        problems.replace(ProblemCode::UnreadableRule, vec![about(ProblemCode::UnreadableRule, "a")]);
        let left: Vec<_> = problems.list().iter().map(|known| (known.code, known.subject.as_str())).collect();
        assert_eq!(left, [(ProblemCode::DiskFull, "disk"), (ProblemCode::UnreadableRule, "a")]);
        assert_eq!(problems.list()[1].since, "1970-01-01T00:00:00Z");
    }

    #[test]
    fn what_went_well_clears_its_own_fault_and_that_the_place_is_away() {
        let about = |code| problem(code, "hub", "It broke.".into(), "Mend it.");
        let codes = |problems: &Problems| problems.list().iter().map(|known| known.code).collect::<Vec<_>>();
        let mut problems = Problems::default();
        problems.went("hub", Deed::Push, Some(about(ProblemCode::PlaceRefused)));
        problems.went("hub", Deed::Download, Some(about(ProblemCode::PlaceUnreachable)));
        problems.went("hub", Deed::Upload, Some(about(ProblemCode::PlaceUnreachable)));
        assert_eq!(codes(&problems), [ProblemCode::PlaceRefused, ProblemCode::PlaceUnreachable]);
        problems.went("other", Deed::Fetch, None);
        problems.went("hub", Deed::Fetch, None);
        assert_eq!(
            codes(&problems),
            [ProblemCode::PlaceRefused],
            "it can be read, and still not be written to"
        );
        problems.went("hub", Deed::Push, None);
        assert_eq!(codes(&problems), []);
    }

    #[test]
    fn a_full_disk_is_one_problem_whoever_notices_it() {
        let full = |subject| problem(ProblemCode::DiskFull, subject, "It is full.".into(), "Make room.");
        let mut problems = Problems::default();
        problems.raise(full("store"));
        problems.raise(full("index"));
        problems.went("hub", Deed::Download, Some(full("hub")));
        assert_eq!(problems.list().len(), 1);
        problems.clear(ProblemCode::DiskFull, "store");
        problems.clear(ProblemCode::DiskFull, "index");
        assert_eq!(problems.list().len(), 1, "one of them still has no room");
        problems.went("hub", Deed::Download, None);
        assert!(problems.list().is_empty());
    }
}
