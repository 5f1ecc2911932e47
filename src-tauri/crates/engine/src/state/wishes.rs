//! Wishes: which repository wants which content, as preferred-content.log and the groups say.
//!
//! Read from the git-annex branch once for each of its tips that touched one of these logs. A repository without an
//! expression wants everything, as git-annex's sync and assistant have it; required content counts as wanted.

use std::collections::{BTreeMap, BTreeSet};

use tributary_formats::key::Key;
use tributary_formats::logs::map::MapLog;
use tributary_formats::logs::single::NumberLog;
use tributary_formats::logs::uuid_log::UuidLog;
use tributary_formats::matcher::{Facts, ParseError};
use tributary_formats::numcopies::NumCopies;
use tributary_formats::preferred::PreferredContent;
use tributary_formats::tree_path::TreePath;
use tributary_formats::trust::Trust;
use tributary_formats::uuid::RepoUuid;
use tributary_repo::annex_branch::{AnnexBranch, ReadError};

/// The logs that wishes are made of.
const LOGS: [&[u8]; 6] = [
    b"preferred-content.log",
    b"required-content.log",
    b"group-preferred-content.log",
    b"group.log",
    b"trust.log",
    b"numcopies.log",
];

/// What each repository wants.
#[derive(Debug, Default)]
pub struct Wishes {
    wanted: BTreeMap<RepoUuid, Vec<PreferredContent>>,
    groups: BTreeMap<String, Vec<RepoUuid>>,
    trust: BTreeMap<RepoUuid, Trust>,
    /// As numcopies.log has it.
    numcopies: Option<u32>,
    unreadable: BTreeMap<RepoUuid, ParseError>,
}

/// What an expression may ask about one content.
struct Content<'a> {
    wishes: &'a Wishes,
    key: &'a Key,
    path: Option<&'a TreePath>,
    copies: Vec<RepoUuid>,
    attribute: NumCopiesAttribute<'a>,
}

/// The attribute `annex.numcopies` of a path, if it has one.
pub type NumCopiesAttribute<'a> = &'a dyn Fn(&TreePath) -> Option<u32>;

impl Wishes {
    /// Whether a path of the git-annex branch is one that wishes are made of.
    #[must_use]
    pub fn are_made_of(path: &[u8]) -> bool {
        LOGS.contains(&path)
    }

    /// Reads the wishes.
    ///
    /// # Errors
    /// When a log cannot be read.
    pub fn read(branch: &AnnexBranch<'_>) -> Result<Self, ReadError> {
        let read = |log: &[u8]| branch.read(log);
        let by_group = MapLog::parse(&read(b"group-preferred-content.log")?);
        let mut wishes = Self::default();
        let mut member_of: BTreeMap<RepoUuid, BTreeSet<String>> = BTreeMap::new();
        for (uuid, value) in UuidLog::parse(&read(b"group.log")?).iter() {
            for group in String::from_utf8_lossy(value).split_ascii_whitespace() {
                wishes.groups.entry(group.to_owned()).or_default().push(uuid.clone());
                member_of.entry(uuid.clone()).or_default().insert(group.to_owned());
            }
        }
        for (uuid, value) in UuidLog::parse(&read(b"trust.log")?).iter() {
            wishes.trust.insert(uuid.clone(), Trust::parse(value));
        }
        wishes.numcopies = NumberLog::parse(&read(b"numcopies.log")?).get();
        for log in [&b"preferred-content.log"[..], b"required-content.log"] {
            for (uuid, value) in UuidLog::parse(&read(log)?).iter() {
                let expression = String::from_utf8_lossy(value);
                let groups = member_of.get(uuid).cloned().unwrap_or_default();
                let parsed = PreferredContent::new(Some(&expression), &groups, &by_group);
                // An empty expression is no wish at all, and everything is wanted.
                if parsed == PreferredContent::Unset {
                    continue;
                }
                if let PreferredContent::Unreadable(reason) = &parsed {
                    wishes.unreadable.insert(uuid.clone(), reason.clone());
                }
                let wanted = wishes.wanted.entry(uuid.clone()).or_default();
                // Required content alone leaves preferred content at "everything".
                if log == b"preferred-content.log" || !wanted.is_empty() {
                    wanted.push(parsed);
                }
            }
        }
        Ok(wishes)
    }

    /// Whether this repository wants the content, under any of the names it has.
    #[must_use]
    pub fn wants(
        &self,
        repository: &RepoUuid,
        key: &Key,
        names: &[TreePath],
        copies: &[RepoUuid],
        attribute: NumCopiesAttribute<'_>,
    ) -> bool {
        if self.trust.get(repository) == Some(&Trust::Dead) {
            return false;
        }
        let Some(expressions) = self.wanted.get(repository) else { return true };
        let living = |uuid: &&RepoUuid| self.trust.get(*uuid) != Some(&Trust::Dead);
        let copies: Vec<_> = copies.iter().filter(living).cloned().collect();
        let asked = |path: Option<&TreePath>| {
            let content = Content { wishes: self, key, path, copies: copies.clone(), attribute };
            expressions.iter().any(|expression| expression.wants_get(repository, &content))
        };
        if names.is_empty() { asked(None) } else { names.iter().any(|name| asked(Some(name))) }
    }

    /// Whose expression cannot be read, and why. Nothing new is sent to such a repository, and what it has stays there.
    pub fn unreadable(&self) -> impl Iterator<Item = (&RepoUuid, &ParseError)> {
        self.unreadable.iter().filter(|(uuid, _)| self.trust.get(*uuid) != Some(&Trust::Dead))
    }

    /// Whether somebody has an expression at all: else nothing has to be asked.
    #[must_use]
    pub fn any(&self) -> bool {
        !self.wanted.is_empty()
    }
}

impl Facts for Content<'_> {
    fn path(&self) -> Option<&TreePath> {
        self.path
    }

    fn key(&self) -> Option<&Key> {
        Some(self.key)
    }

    fn copies(&self) -> &[RepoUuid] {
        &self.copies
    }

    fn trust(&self, uuid: &RepoUuid) -> Trust {
        self.wishes.trust.get(uuid).copied().unwrap_or_default()
    }

    fn members(&self, group: &str) -> &[RepoUuid] {
        self.wishes.groups.get(group).map_or(&[], Vec::as_slice)
    }

    fn num_copies(&self, approximate: bool) -> NumCopies {
        let attribute = if approximate { None } else { self.path.and_then(self.attribute) };
        NumCopies::resolve(None, attribute, self.wishes.numcopies)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attribute_says_how_many_copies_are_lacking() {
        let [here, drive] = ["here", "drive"].map(|name| RepoUuid::parse(name).unwrap());
        let key = Key::parse(b"SHA256-s1--aa").unwrap();
        let names = ["kept.raw", "notes.txt"].map(|name| TreePath::new(name.as_bytes()).unwrap());
        let attribute = |path: &TreePath| path.as_bytes().ends_with(b".raw").then_some(3);
        for (expression, wanted) in
            [("lackingcopies=1", [true, false]), ("approxlackingcopies=1", [false; 2])]
        {
            let parsed = PreferredContent::new(Some(expression), &BTreeSet::new(), &MapLog::default());
            let wishes =
                Wishes { wanted: BTreeMap::from([(here.clone(), vec![parsed])]), ..Wishes::default() };
            for (name, wanted) in names.iter().zip(wanted) {
                let names = std::slice::from_ref(name);
                let wants = wishes.wants(&here, &key, names, std::slice::from_ref(&drive), &attribute);
                assert_eq!(wants, wanted, "{expression} {}", name.to_string_lossy());
            }
        }
    }
}
