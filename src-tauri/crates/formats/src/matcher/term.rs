//! The terms of expressions.

use super::Vocabulary;
use super::parse::ParseError;
use crate::data_size::parse_data_size;
use crate::glob::Glob;
use crate::trust::Trust;

/// A term. Sizes in bytes.
#[derive(Debug, Clone, PartialEq)]
pub enum Term {
    /// `anything`
    Anything,
    /// `nothing`
    Nothing,
    /// `include=GLOB`, of the path from the top.
    Include(Glob),
    /// `exclude=GLOB`
    Exclude(Glob),
    /// `largerthan=SIZE`
    LargerThan(u64),
    /// `smallerthan=SIZE`
    SmallerThan(u64),
    /// `mimetype=GLOB`
    MimeType(Glob),
    /// `mimeencoding=GLOB`
    MimeEncoding(Glob),
    /// `copies=[GROUP:|TRUST:|TRUST+:]N`: at least so many.
    Copies(Holders, u32),
    /// `lackingcopies=N`, and `approxlackingcopies=N`, which does not look at attributes.
    LackingCopies {
        /// At least so many more are wanted.
        number: u32,
        /// Whether attributes are left aside.
        approximate: bool,
    },
    /// `inbackend=NAME`
    InBackend(String),
    /// `securehash`
    SecureHash,
    /// `inallgroup=GROUP`
    InAllGroup(String),
    /// `onlyingroup=GROUP`
    OnlyInGroup(String),
    /// `metadata=FIELD=GLOB`
    Metadata(String, Glob),
    /// `metadata=FIELD<VALUE` and its like.
    MetadataOrder(String, Order, String),
    /// `present`
    Present,
    /// `inpreferreddir`
    InPreferredDir,
    /// `unused`
    Unused,
    /// `url=GLOB`
    Url(Glob),
    /// `standard`, to be replaced by the expression of the repository's standard group.
    Standard,
    /// `groupwanted`, to be replaced by the expression of `group-preferred-content.log`.
    GroupWanted,
}

/// Whose copies count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holders {
    /// Everybody's.
    All,
    /// A group's.
    Group(String),
    /// Those of repositories with this trust.
    Trust(Trust),
    /// Those of repositories with this trust or more.
    TrustOrMore(Trust),
}

/// How a metadata value is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "named as what they are")]
pub enum Order {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Term {
    /// Whether the content's MIME type or encoding has to be found out.
    pub fn uses_mime(&self) -> bool {
        matches!(self, Term::MimeType(_) | Term::MimeEncoding(_))
    }

    /// Whether the metadata log has to be read.
    pub fn uses_metadata(&self) -> bool {
        matches!(self, Term::Metadata(..) | Term::MetadataOrder(..))
    }

    pub(super) fn parse(word: &str, vocabulary: Vocabulary) -> Result<Term, ParseError> {
        let unknown = || ParseError::UnknownTerm(word.to_owned());
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word, None),
        };
        if let Some(term) = common(name, value) {
            return term.ok_or_else(|| ParseError::BadValue(word.to_owned()));
        }
        let term = match vocabulary {
            Vocabulary::LargeFiles => of_files(name, value),
            Vocabulary::PreferredContent => of_contents(name, value),
        };
        term.ok_or_else(unknown)?.ok_or_else(|| ParseError::BadValue(word.to_owned()))
    }
}

/// The outer option: whether there is such a term; the inner: whether its value can be read.
type Found = Option<Option<Term>>;

fn common(name: &str, value: Option<&str>) -> Found {
    Some(match (name, value) {
        ("anything", None) => Some(Term::Anything),
        ("nothing", None) => Some(Term::Nothing),
        ("unused", None) => Some(Term::Unused),
        ("include", value) => Glob::new(value.unwrap_or_default()).map(Term::Include),
        ("exclude", value) => Glob::new(value.unwrap_or_default()).map(Term::Exclude),
        ("largerthan", value) => parse_data_size(value.unwrap_or_default()).map(Term::LargerThan),
        ("smallerthan", value) => parse_data_size(value.unwrap_or_default()).map(Term::SmallerThan),
        _ => return None,
    })
}

fn of_files(name: &str, value: Option<&str>) -> Found {
    let value = value.unwrap_or_default();
    Some(match name {
        "mimetype" => Glob::new(value).map(Term::MimeType),
        "mimeencoding" => Glob::new(value).map(Term::MimeEncoding),
        _ => return None,
    })
}

fn of_contents(name: &str, value: Option<&str>) -> Found {
    let lacking = |approximate| {
        let number = |value: &str| Some(Term::LackingCopies { number: number(value)?, approximate });
        value.and_then(number)
    };
    let group = |term: fn(String) -> Term| value.map(|group| term(group.to_owned()));
    Some(match (name, value) {
        ("present", None) => Some(Term::Present),
        ("inpreferreddir", None) => Some(Term::InPreferredDir),
        ("securehash", None) => Some(Term::SecureHash),
        ("standard", None) => Some(Term::Standard),
        ("groupwanted", None) => Some(Term::GroupWanted),
        ("copies", Some(value)) => copies(value),
        ("lackingcopies", Some(_)) => lacking(false),
        ("approxlackingcopies", Some(_)) => lacking(true),
        ("inbackend", Some(_)) => group(Term::InBackend),
        ("inallgroup", Some(_)) => group(Term::InAllGroup),
        ("onlyingroup", Some(_)) => group(Term::OnlyInGroup),
        ("metadata", Some(value)) => metadata(value),
        ("url", Some(value)) => Glob::new(value).map(Term::Url),
        _ => return None,
    })
}

fn copies(value: &str) -> Option<Term> {
    let Some((holders, wanted)) = value.split_once(':') else {
        return Some(Term::Copies(Holders::All, number(value)?));
    };
    let holders = match (Trust::named(holders), holders.strip_suffix('+').and_then(Trust::named)) {
        (Some(trust), _) => Holders::Trust(trust),
        (None, Some(trust)) => Holders::TrustOrMore(trust),
        (None, None) => Holders::Group(holders.to_owned()),
    };
    Some(Term::Copies(holders, number(wanted)?))
}

fn metadata(value: &str) -> Option<Term> {
    // Without anything to compare with, the empty value is meant.
    let at = value.find(['=', '<', '>']).unwrap_or(value.len());
    let (field, rest) = value.split_at(at);
    if field.is_empty() {
        return None;
    }
    let field = field.to_owned();
    let ordered = |order, value: &str| Some(Term::MetadataOrder(field.clone(), order, value.to_owned()));
    if let Some(value) = rest.strip_prefix("<=") {
        ordered(Order::LessOrEqual, value)
    } else if let Some(value) = rest.strip_prefix(">=") {
        ordered(Order::GreaterOrEqual, value)
    } else if let Some(value) = rest.strip_prefix('<') {
        ordered(Order::Less, value)
    } else if let Some(value) = rest.strip_prefix('>') {
        ordered(Order::Greater, value)
    } else {
        Some(Term::Metadata(field, Glob::ignoring_case(rest.strip_prefix('=').unwrap_or_default())?))
    }
}

fn number(text: &str) -> Option<u32> {
    let plain = text.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}
