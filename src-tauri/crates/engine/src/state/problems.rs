//! Problems of one folder: one per cause, with the time since when it is there.

use jiff::{Timestamp, Unit, Zoned};
use tributary_status::{Problem, ProblemCode};

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

/// The problems that are there.
#[derive(Debug, Default, Clone)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Notes a problem; one of the same kind about the same subject keeps its time.
    pub fn raise(&mut self, problem: Problem) {
        match self.0.iter_mut().find(|known| known.code == problem.code && known.subject == problem.subject) {
            Some(known) => {
                let since = std::mem::take(&mut known.since);
                *known = Problem { since, ..problem };
            }
            None => self.0.push(problem),
        }
    }

    /// Forgets the problems of this kind about this subject; about any, when it is empty.
    pub fn clear(&mut self, code: ProblemCode, subject: &str) {
        self.0.retain(|known| known.code != code || !(subject.is_empty() || known.subject == subject));
    }

    /// Makes these the only problems of this kind.
    pub fn replace(&mut self, code: ProblemCode, problems: Vec<Problem>) {
        self.0.retain(|known| known.code != code || problems.iter().any(|new| new.subject == known.subject));
        for problem in problems {
            self.raise(problem);
        }
    }

    /// All of them.
    #[must_use]
    pub fn list(&self) -> &[Problem] {
        &self.0
    }
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
}
