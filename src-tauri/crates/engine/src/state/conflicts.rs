//! Conflicts that nobody has looked after yet: files of which several versions stand beside each other.
//!
//! Read from the names in the index, which are the same on every computer and outlive the program: a conflict is over when
//! all but one of its versions are deleted or have a name of their own.

use std::collections::BTreeMap;

use tributary_formats::tree_path::TreePath;
use tributary_formats::variant::original_of;
use tributary_status::{Problem, ProblemAction, ProblemCode};

use crate::state::problems::problem;

/// More versions of a file than these are not named.
const MOST_NAMED: usize = 3;

/// The files of which several versions stand beside each other, with those.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Conflicts(BTreeMap<TreePath, Vec<TreePath>>);

impl Conflicts {
    /// Finds them among all paths of a folder; `holds` says whether a path is one of them.
    pub fn among<'a>(paths: impl Iterator<Item = &'a [u8]>, holds: impl Fn(&[u8]) -> bool) -> Self {
        let mut found = BTreeMap::<TreePath, Vec<TreePath>>::new();
        for path in paths {
            // Most are nobody's version, and cost no more than a look at their names.
            if let Some(original) = original_of(path)
                && let Ok(version) = TreePath::new(path)
            {
                found.entry(original).or_default().push(version);
            }
        }
        found.retain(|original, versions| {
            // What git itself holds, or a folder's file, keeps the name.
            if holds(original.as_bytes()) {
                versions.insert(0, original.clone());
            }
            versions.len() > 1
        });
        Conflicts(found)
    }

    /// What a person is told of them: how many there are, and where the versions of the first one are.
    pub fn problem(&self) -> Option<Problem> {
        let (original, versions) = self.0.first_key_value()?;
        let mut names: Vec<_> = versions.iter().take(MOST_NAMED).map(TreePath::to_string_lossy).collect();
        if versions.len() > MOST_NAMED {
            names.push(format!("{} more", versions.len() - MOST_NAMED));
        }
        let last = names.pop()?;
        let (file, kept) = (original.to_string_lossy(), format!("{} and {last}", names.join(", ")));
        let (sentence, hint) = if self.0.len() == 1 {
            let sentence =
                format!("{file} was changed on two computers at once. The versions are kept as {kept}.");
            (
                sentence,
                "Nothing is lost. Delete the version that you do not want, or give it a name of its own.",
            )
        } else {
            let count = self.0.len();
            let sentence = format!(
                "{count} files were changed on two computers at once. All versions are kept, such as {kept} of {file}."
            );
            (
                sentence,
                "Nothing is lost. Delete the versions that you do not want, or give them names of their own.",
            )
        };
        let mut kept = problem(ProblemCode::ConflictKept, "conflicts", sentence, hint);
        kept.action = Some(ProblemAction::OpenFolder);
        Some(kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn among(paths: &[&str]) -> Conflicts {
        let paths: Vec<_> = paths.iter().map(|path| path.as_bytes()).collect();
        Conflicts::among(paths.iter().copied(), |path| paths.contains(&path))
    }

    fn sentence(paths: &[&str]) -> Option<String> {
        among(paths).problem().map(|problem| problem.sentence)
    }

    #[test]
    fn the_versions_of_a_file_are_named_until_one_is_left() {
        let both = ["docs/a.odt", "docs/r.variant-16e4.odt", "docs/r.variant-5d43.odt"];
        assert_eq!(
            sentence(&both).as_deref(),
            Some(
                "docs/r.odt was changed on two computers at once. The versions are kept as docs/r.variant-16e4.odt and \
                 docs/r.variant-5d43.odt."
            )
        );
        assert_eq!(sentence(&both[..2]), None, "the other one was deleted");
        assert_eq!(
            sentence(&["docs/r.variant-16e4.odt", "docs/r of ben.odt"]),
            None,
            "it has a name of its own"
        );
        assert_eq!(sentence(&["docs/r.variant-16e4.odt", "r.variant-5d43.odt"]), None, "two files");
        let kept = sentence(&["link", "link.variant-5d43"]).expect("what is in git keeps the name");
        assert!(kept.contains("link and link.variant-5d43"), "{kept}");
    }

    #[test]
    fn many_are_one_problem_of_bounded_length() {
        let names: Vec<_> = (0..1000).map(|n| format!("r.variant-{n:04x}.odt")).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let said = sentence(&names).expect("a conflict");
        assert!(said.contains("r.variant-0002.odt and 997 more") && said.len() < 300, "{said}");

        let many = ["a.variant-16e4", "a.variant-5d43", "b.variant-16e4", "b.variant-5d43"];
        let said = sentence(&many).expect("conflicts");
        assert!(
            said.starts_with("2 files were") && said.contains("a.variant-16e4 and a.variant-5d43 of a"),
            "{said}"
        );
    }
}
