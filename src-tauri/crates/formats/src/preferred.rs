//! Preferred content: what a repository wants to have. Required content is written the same way.
//!
//! Source: git-annex `doc/git-annex-preferred-content.mdwn`, 10.20261026.

use std::collections::BTreeSet;

use crate::groups::StandardGroup;
use crate::logs::MapLog;
use crate::matcher::{Asked, Expression, Facts, ParseError, Term, Vocabulary, parse};
use crate::uuid::RepoUuid;

/// What a repository wants to have.
#[derive(Debug, Clone, PartialEq)]
pub enum PreferredContent {
    /// Nothing is configured: it gets everything, and nothing is dropped.
    Unset,
    /// What matches.
    Matching(Expression),
    /// An expression that this program cannot read. It acts as `present`: nothing is fetched,
    /// nothing is dropped, and the person is to be told.
    Unreadable(ParseError),
}

impl PreferredContent {
    /// Reads a repository's expression. `standard` in it stands for that of its standard group, and
    /// `groupwanted` for that of its one group in `group-preferred-content.log`.
    pub fn new(
        expression: Option<&str>,
        groups: &BTreeSet<String>,
        group_wanted: &MapLog,
    ) -> PreferredContent {
        let Some(text) = expression.filter(|text| !text.trim().is_empty()) else {
            return PreferredContent::Unset;
        };
        match expand(text, groups, group_wanted) {
            Ok(expression) => PreferredContent::Matching(expression),
            Err(reason) => PreferredContent::Unreadable(reason),
        }
    }

    /// Whether we, the repository `here` whose expression this is, want to get the content.
    pub fn wants_get(&self, here: &RepoUuid, facts: &impl Facts) -> bool {
        self.wants(here, facts, false)
    }

    /// Whether the content is to be sent to `remote`, whose expression this is.
    pub fn wants_send(&self, remote: &RepoUuid, facts: &impl Facts) -> bool {
        self.wants(remote, facts, false)
    }

    /// Whether the copy that `repository` holds is unwanted there, asked as if it were gone
    /// already: else dropping would make it wanted again. That the drop is safe is another question.
    pub fn wants_drop(&self, repository: &RepoUuid, facts: &impl Facts) -> bool {
        !self.wants(repository, facts, true)
    }

    fn wants(&self, repository: &RepoUuid, facts: &impl Facts, as_if_gone: bool) -> bool {
        let asked = Asked { repository: Some(repository), as_if_gone };
        match self {
            PreferredContent::Unset => true,
            PreferredContent::Matching(expression) => expression.matches(facts, asked),
            PreferredContent::Unreadable(_) => facts.copies().contains(repository),
        }
    }
}

fn expand(text: &str, groups: &BTreeSet<String>, group_wanted: &MapLog) -> Result<Expression, ParseError> {
    let read = |text: &str| parse(text, Vocabulary::PreferredContent);
    let standard = StandardGroup::of(groups).map(|group| read(group.expression())).transpose()?;
    let mut of_groups = groups.iter().filter_map(|group| group_wanted.get_text(group));
    let wanted = of_groups.next().filter(|_| of_groups.next().is_none());
    let mut wanted = wanted.map(read).transpose()?;

    // A group's expression may say "standard"; one that says "groupwanted" would go on for ever.
    if let Some(wanted) = &mut wanted {
        wanted.replace(&mut |term| match term {
            Term::Standard => standard.clone(),
            _ => None,
        });
    }
    let mut expression = read(text)?;
    expression.replace(&mut |term| match term {
        Term::Standard => standard.clone(),
        Term::GroupWanted => wanted.clone(),
        _ => None,
    });
    Ok(expression)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numcopies::NumCopies;
    use crate::tree_path::TreePath;

    struct File {
        path: TreePath,
        copies: Vec<RepoUuid>,
        archives: Vec<RepoUuid>,
        clients: Vec<RepoUuid>,
        num_copies: u32,
    }

    impl Facts for File {
        fn path(&self) -> Option<&TreePath> {
            Some(&self.path)
        }
        fn copies(&self) -> &[RepoUuid] {
            &self.copies
        }
        fn members(&self, group: &str) -> &[RepoUuid] {
            match group {
                "archive" => &self.archives,
                "client" => &self.clients,
                _ => &[],
            }
        }
        fn num_copies(&self, _approximate: bool) -> NumCopies {
            NumCopies::new(self.num_copies)
        }
    }

    fn uuid(name: &str) -> RepoUuid {
        RepoUuid::parse(name).unwrap()
    }

    fn file(path: &str, copies: &[&str]) -> File {
        File {
            path: TreePath::new(path).unwrap(),
            copies: copies.iter().map(|name| uuid(name)).collect(),
            archives: vec![uuid("archive")],
            clients: vec![uuid("laptop"), uuid("desktop")],
            num_copies: 1,
        }
    }

    fn standard(group: &str) -> PreferredContent {
        PreferredContent::new(Some("standard"), &BTreeSet::from([group.into()]), &MapLog::default())
    }

    fn own(text: &str) -> PreferredContent {
        PreferredContent::new(Some(text), &BTreeSet::new(), &MapLog::default())
    }

    #[test]
    fn unset_gets_everything_and_drops_nothing() {
        for preferred in [PreferredContent::new(None, &BTreeSet::new(), &MapLog::default()), own("  ")] {
            let file = file("a", &["here"]);
            assert!(preferred.wants_get(&uuid("here"), &file));
            assert!(!preferred.wants_drop(&uuid("here"), &file));
        }
    }

    #[test]
    fn what_cannot_be_read_gets_nothing_and_drops_nothing() {
        let preferred = own("anything or balanced=client:2");
        assert_eq!(
            preferred,
            PreferredContent::Unreadable(ParseError::UnknownTerm("balanced=client:2".into()))
        );
        assert!(!preferred.wants_get(&uuid("here"), &file("a", &["other"])));
        assert!(!preferred.wants_drop(&uuid("here"), &file("a", &["here"])));
    }

    #[test]
    fn a_drop_is_decided_as_if_the_copy_were_gone() {
        // Here and in one other place: without the copy here there is one left, so it can go.
        let preferred = own("not copies=1");
        assert!(preferred.wants_drop(&uuid("here"), &file("a", &["here", "other"])));
        assert!(!preferred.wants_drop(&uuid("here"), &file("a", &["here"])), "it would be wanted again");
        assert!(!own("present").wants_drop(&uuid("here"), &file("a", &["here"])));
    }

    #[test]
    fn not_present_does_not_come_and_go() {
        for text in ["not present", "not (present and anything)", "not present and anything"] {
            let preferred = own(text);
            assert!(!preferred.wants_get(&uuid("here"), &file("a", &[])), "{text}");
            assert!(preferred.wants_drop(&uuid("here"), &file("a", &["here"])), "{text}");
        }
    }

    #[test]
    fn clients_leave_archived_files_to_the_archive() {
        let (client, here) = (standard("client"), uuid("laptop"));
        assert!(client.wants_get(&here, &file("a.txt", &["archive"])));
        assert!(client.wants_get(&here, &file("old/archive/a.txt", &["desktop"])));
        assert!(!client.wants_get(&here, &file("archive/a.txt", &["archive"])));
        assert!(client.wants_drop(&here, &file("archive/a.txt", &["laptop", "archive"])));
        let careful = File { num_copies: 2, ..file("archive/a.txt", &["laptop", "archive"]) };
        assert!(!client.wants_drop(&here, &careful), "a copy would be lacking");
    }

    #[test]
    fn a_transfer_place_holds_what_a_client_lacks() {
        let (transfer, usb) = (standard("transfer"), uuid("usb"));
        assert!(transfer.wants_send(&usb, &file("a", &["laptop"])));
        assert!(transfer.wants_drop(&usb, &file("a", &["laptop", "desktop", "usb"])));
        assert!(!transfer.wants_drop(&usb, &file("a", &["laptop", "usb"])));
    }

    #[test]
    fn groups_can_have_expressions_of_their_own() {
        let log =
            MapLog::parse(b"1s mine include=*.txt\n1s client groupwanted or standard\n1s loop groupwanted\n");
        let of = |groups: &[&str]| {
            let groups = groups.iter().map(|&group| group.to_owned()).collect();
            PreferredContent::new(Some("groupwanted"), &groups, &log)
        };
        let here = uuid("laptop");
        assert!(of(&["mine", "other"]).wants_get(&here, &file("a.txt", &[])));
        assert!(!of(&["mine"]).wants_get(&here, &file("a.jpg", &["x"])));
        assert!(of(&["client"]).wants_get(&here, &file("a.jpg", &["x"])));
        for unclear in [&["mine", "client"][..], &["none"], &["loop"]] {
            assert!(!of(unclear).wants_get(&here, &file("a.txt", &["x"])), "acts as present: {unclear:?}");
        }
    }
}
