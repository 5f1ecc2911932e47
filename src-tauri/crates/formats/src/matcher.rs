//! Expressions: which files are annexed, and which contents a repository wants.
//!
//! Terms with `and`, `or`, `not` and parentheses. As in git-annex (by experiment, 10.20261026):
//! `and` and `or` bind equally and from the left, two terms side by side are joined by `and`,
//! parentheses are words of their own wherever they stand (so globs cannot hold them), and an
//! operand that is missing matches anything. The grammar therefore refuses nothing; terms that are
//! not known are refused.

use crate::tree_path::TreePath;
use crate::uuid::RepoUuid;
use crate::{Key, numcopies::NumCopies, trust::Trust};

mod eval;
mod parse;
mod term;

pub use parse::{ParseError, parse};
pub use term::Term;

/// Which terms an expression may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vocabulary {
    /// `annex.largefiles`, `annex.addunlocked`: what can be said of a file before it has a key.
    LargeFiles,
    /// Preferred and required content.
    PreferredContent,
}

/// A parsed expression.
#[derive(Debug, Clone, PartialEq)]
pub struct Expression(Node);

#[derive(Debug, Clone, PartialEq)]
enum Node {
    /// An operand that is missing, or empty parentheses.
    Anything,
    Term(Term),
    Not(Box<Node>),
    /// A first operand, and those joined to it, from left to right. A list and not a tree, so that
    /// a long expression is no deep one.
    Chain(Box<Node>, Vec<(Join, Node)>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Join {
    And,
    Or,
}

/// What is known about the file or key that an expression is asked about. The caller's answers come
/// from what it has at hand; nothing here does I/O. Everything has a default of "not known".
pub trait Facts {
    /// The file; none when a key is looked at without a file. Then `include=` never matches.
    fn path(&self) -> Option<&TreePath> {
        None
    }
    /// The key.
    fn key(&self) -> Option<&Key> {
        None
    }
    /// The content's size in bytes.
    fn size(&self) -> Option<u64> {
        self.key().and_then(Key::size)
    }
    /// The repositories on record as having the content, dead ones left out.
    fn copies(&self) -> &[RepoUuid] {
        &[]
    }
    /// How far a repository is trusted.
    fn trust(&self, _uuid: &RepoUuid) -> Trust {
        Trust::default()
    }
    /// The members of a group of repositories.
    fn members(&self, _group: &str) -> &[RepoUuid] {
        &[]
    }
    /// How many copies the file is to have; `approximate` asks without the file's attributes.
    fn num_copies(&self, _approximate: bool) -> NumCopies {
        NumCopies::default()
    }
    /// The values of a metadata field.
    fn metadata(&self, _field: &str) -> Vec<Vec<u8>> {
        Vec::new()
    }
    /// The content's MIME type: `text/plain`.
    fn mime_type(&self) -> Option<&str> {
        None
    }
    /// The content's encoding: `us-ascii`, `binary`.
    fn mime_encoding(&self) -> Option<&str> {
        None
    }
    /// Whether no file refers to the key any more.
    fn is_unused(&self) -> bool {
        false
    }
    /// The name of the directory that `inpreferreddir` means for a repository
    /// (`preferreddir=` of its configuration).
    fn preferred_dir(&self, _uuid: &RepoUuid) -> &str {
        "public"
    }
    /// The addresses that the content can be had from.
    fn urls(&self) -> &[String] {
        &[]
    }
}

/// For whom an expression is asked.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The repository whose copy it is about; none for `annex.largefiles`.
    pub repository: Option<&'a RepoUuid>,
    /// Whether to answer as if that copy were gone already, to decide a drop.
    pub as_if_gone: bool,
}

impl Expression {
    /// Whether the expression matches.
    pub fn matches(&self, facts: &impl Facts, asked: Asked<'_>) -> bool {
        eval::matches(&self.0, facts, asked, false)
    }

    /// Whether a file is to be annexed, or unlocked: an expression without a repository.
    pub fn matches_file(&self, facts: &impl Facts) -> bool {
        self.matches(facts, Asked { repository: None, as_if_gone: false })
    }

    /// Whether any term is one that `wanted` says yes to: such as [`Term::uses_mime`], to know
    /// which facts have to be gathered.
    pub fn any_term(&self, mut wanted: impl FnMut(&Term) -> bool) -> bool {
        fn any(node: &Node, wanted: &mut impl FnMut(&Term) -> bool) -> bool {
            match node {
                Node::Anything => false,
                Node::Term(term) => wanted(term),
                Node::Not(inner) => any(inner, wanted),
                Node::Chain(first, rest) => {
                    any(first, wanted) || rest.iter().any(|(_, node)| any(node, wanted))
                }
            }
        }
        any(&self.0, &mut wanted)
    }
}

impl Expression {
    /// Puts other expressions in the place of terms: `other` says which, if any.
    pub(crate) fn replace(&mut self, other: &mut impl FnMut(&Term) -> Option<Expression>) {
        fn replace(node: &mut Node, other: &mut impl FnMut(&Term) -> Option<Expression>) {
            match node {
                Node::Anything => {}
                Node::Term(term) => {
                    if let Some(Expression(new)) = other(term) {
                        *node = new;
                    }
                }
                Node::Not(inner) => replace(inner, other),
                Node::Chain(first, rest) => {
                    replace(first, other);
                    rest.iter_mut().for_each(|(_, node)| replace(node, other));
                }
            }
        }
        replace(&mut self.0, other);
    }
}

#[cfg(test)]
mod tests;
