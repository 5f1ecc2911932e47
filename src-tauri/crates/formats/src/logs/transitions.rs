//! `transitions.log`: rewrites of the whole git-annex branch. `NAME TS`.
//!
//! A branch must not be merged with one that lacks its transitions: that would bring back what was
//! forgotten. This program does not perform them; it detects them and leaves such branches alone.

use std::collections::BTreeSet;
use std::fmt;

use super::lines;
use crate::clock::Timestamp;

/// A kind of rewrite.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Transition {
    /// `ForgetGitHistory`: the branch starts again with a single commit.
    ForgetGitHistory,
    /// `ForgetDeadRemotes`: lines about dead repositories are dropped.
    ForgetDeadRemotes,
    /// One that this program does not know.
    Unknown(String),
}

impl fmt::Display for Transition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Transition::ForgetGitHistory => "ForgetGitHistory",
            Transition::ForgetDeadRemotes => "ForgetDeadRemotes",
            Transition::Unknown(name) => name,
        })
    }
}

/// The transitions a branch went through.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Transitions {
    done: BTreeSet<(Timestamp, Transition)>,
}

impl Transitions {
    /// Reads the log. A line that cannot be read counts as an unknown transition: to merge in
    /// spite of it would be the unsafe way.
    pub fn parse(bytes: &[u8]) -> Transitions {
        Transitions { done: lines(bytes).map(parse_line).collect() }
    }

    /// Whether the two branches went through the same transitions, so that they can be merged.
    pub fn agrees_with(&self, other: &Transitions) -> bool {
        self.done == other.done
    }

    /// Those that this branch went through and `other` did not.
    pub fn missing_in<'a>(&'a self, other: &'a Transitions) -> impl Iterator<Item = &'a Transition> {
        self.done.difference(&other.done).map(|(_, transition)| transition)
    }

    /// Whether there were none.
    pub fn is_empty(&self) -> bool {
        self.done.is_empty()
    }

    /// The log.
    pub fn to_bytes(&self) -> Vec<u8> {
        let line = |(timestamp, transition): &(Timestamp, Transition)| {
            if *timestamp == Timestamp::UNKNOWN {
                format!("{transition}\n")
            } else {
                format!("{transition} {timestamp}\n")
            }
        };
        self.done.iter().map(line).collect::<String>().into_bytes()
    }
}

fn parse_line(line: &[u8]) -> (Timestamp, Transition) {
    let space = line.iter().position(|&b| b == b' ');
    let timestamp = space.and_then(|space| Timestamp::parse(&line[space + 1..]));
    let (name, timestamp) = match (space, timestamp) {
        (Some(space), Some(timestamp)) => (&line[..space], timestamp),
        _ => return (Timestamp::UNKNOWN, Transition::Unknown(String::from_utf8_lossy(line).into_owned())),
    };
    let transition = match name {
        b"ForgetGitHistory" => Transition::ForgetGitHistory,
        b"ForgetDeadRemotes" => Transition::ForgetDeadRemotes,
        _ => Transition::Unknown(String::from_utf8_lossy(name).into_owned()),
    };
    (timestamp, transition)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_side_lags() {
        let ours = Transitions::parse(b"ForgetGitHistory 1700000000s\n");
        let theirs = Transitions::parse(b"ForgetDeadRemotes 1700000000s\nForgetGitHistory 1700000000s\n");
        assert!(!ours.agrees_with(&theirs) && ours.agrees_with(&ours));
        assert_eq!(theirs.missing_in(&ours).collect::<Vec<_>>(), [&Transition::ForgetDeadRemotes]);
        assert_eq!(ours.missing_in(&theirs).count(), 0);
        assert_eq!(Transitions::parse(&theirs.to_bytes()), theirs);
    }

    #[test]
    fn what_cannot_be_read_is_not_ignored() {
        let odd = Transitions::parse(b"ForgetGitHistory\nNewThing 1s\n\xff x\n");
        assert_eq!(odd.missing_in(&Transitions::default()).count(), 3);
        assert!(!odd.agrees_with(&Transitions::default()));
        assert_eq!(Transitions::parse(&odd.to_bytes()), Transitions::parse(&odd.to_bytes()));
        assert!(Transitions::parse(b"\n").is_empty());
    }
}
