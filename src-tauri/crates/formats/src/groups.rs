//! Groups of repositories, and the expressions that the standard ones stand for.

use std::collections::BTreeSet;

/// The groups that a value of `group.log` lists.
pub fn parse_groups(value: &[u8]) -> BTreeSet<String> {
    let text = String::from_utf8_lossy(value);
    text.split_whitespace().map(str::to_owned).collect()
}

/// The value of `group.log` for these groups.
pub fn format_groups(groups: &BTreeSet<String>) -> String {
    groups.iter().map(String::as_str).collect::<Vec<_>>().join(" ")
}

macro_rules! client {
    () => {
        "(include=* and ((exclude=*/archive/* and exclude=archive/*) or (not (copies=archive:1 or copies=smallarchive:1)))) or approxlackingcopies=1"
    };
}

macro_rules! archive {
    () => {
        "(not (copies=archive:1 or copies=smallarchive:1)) or approxlackingcopies=1"
    };
}

/// A group that git-annex gives a meaning to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StandardGroup {
    /// A person's computer: everything, save what was archived.
    Client,
    /// A place in between: what some client still lacks.
    Transfer,
    /// Everything.
    Backup,
    /// What no other backup has.
    IncrementalBackup,
    /// What lies in `archive` folders and no other archive has.
    SmallArchive,
    /// What no other archive has.
    FullArchive,
    /// Where files come from; nothing is kept that is anywhere else.
    Source,
    /// What a person asked for.
    Manual,
    /// What lies in one folder, for everybody to see.
    Public,
    /// Nothing.
    Unwanted,
}

impl StandardGroup {
    /// All of them.
    pub const ALL: [StandardGroup; 10] = [
        StandardGroup::Client,
        StandardGroup::Transfer,
        StandardGroup::Backup,
        StandardGroup::IncrementalBackup,
        StandardGroup::SmallArchive,
        StandardGroup::FullArchive,
        StandardGroup::Source,
        StandardGroup::Manual,
        StandardGroup::Public,
        StandardGroup::Unwanted,
    ];

    /// Its name in `group.log`.
    pub fn name(self) -> &'static str {
        match self {
            StandardGroup::Client => "client",
            StandardGroup::Transfer => "transfer",
            StandardGroup::Backup => "backup",
            StandardGroup::IncrementalBackup => "incrementalbackup",
            StandardGroup::SmallArchive => "smallarchive",
            StandardGroup::FullArchive => "archive",
            StandardGroup::Source => "source",
            StandardGroup::Manual => "manual",
            StandardGroup::Public => "public",
            StandardGroup::Unwanted => "unwanted",
        }
    }

    /// The group by its name in `group.log`.
    pub fn named(name: &str) -> Option<StandardGroup> {
        StandardGroup::ALL.into_iter().find(|group| group.name() == name)
    }

    /// The standard group of a repository: it counts only when there is exactly one.
    pub fn of(groups: &BTreeSet<String>) -> Option<StandardGroup> {
        let mut standard = groups.iter().filter_map(|name| StandardGroup::named(name));
        standard.next().filter(|_| standard.next().is_none())
    }

    /// What a repository of the group wants, as git-annex 10.20261026 prints it.
    pub fn expression(self) -> &'static str {
        match self {
            StandardGroup::Client => client!(),
            StandardGroup::Transfer => {
                concat!(
                    "(not (inallgroup=client and copies=client:2) and (",
                    client!(),
                    ")) or approxlackingcopies=1"
                )
            }
            StandardGroup::Backup => "anything",
            StandardGroup::IncrementalBackup => {
                "((not copies=backup:1) and (not copies=incrementalbackup:1)) or approxlackingcopies=1"
            }
            StandardGroup::SmallArchive => {
                concat!(
                    "((include=*/archive/* or include=archive/*) and (",
                    archive!(),
                    ")) or approxlackingcopies=1"
                )
            }
            StandardGroup::FullArchive => archive!(),
            StandardGroup::Source => "not (copies=1)",
            StandardGroup::Manual => concat!("present and (", client!(), ")"),
            StandardGroup::Public => "inpreferreddir",
            StandardGroup::Unwanted => "not anything",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matcher::{Vocabulary, parse};

    #[test]
    fn every_expression_is_one() {
        for group in StandardGroup::ALL {
            assert!(parse(group.expression(), Vocabulary::PreferredContent).is_ok(), "{group:?}");
            assert_eq!(StandardGroup::named(group.name()), Some(group));
        }
    }

    #[test]
    fn only_a_single_standard_group_counts() {
        let of = |names: &str| StandardGroup::of(&parse_groups(names.as_bytes()));
        assert_eq!(of("client mine"), Some(StandardGroup::Client));
        assert_eq!((of("client backup"), of("mine"), of("")), (None, None, None));
        assert_eq!(format_groups(&parse_groups(b"b  a")), "a b");
    }
}
