//! Whether an expression matches.

use super::term::{Holders, Order};
use super::{Asked, Facts, Join, Node, Term};
use crate::trust::Trust;
use crate::uuid::RepoUuid;

/// `negated`: whether the node stands under an odd number of `not`.
pub(super) fn matches(node: &Node, facts: &impl Facts, asked: Asked<'_>, negated: bool) -> bool {
    match node {
        Node::Anything => true,
        Node::Term(term) => term_matches(term, facts, asked, negated),
        Node::Not(inner) => !matches(inner, facts, asked, !negated),
        Node::Chain(first, rest) => {
            let first = matches(first, facts, asked, negated);
            rest.iter().fold(first, |so_far, (join, node)| match join {
                Join::And => so_far && matches(node, facts, asked, negated),
                Join::Or => so_far || matches(node, facts, asked, negated),
            })
        }
    }
}

fn term_matches(term: &Term, facts: &impl Facts, asked: Asked<'_>, negated: bool) -> bool {
    let gone = asked.repository.filter(|_| asked.as_if_gone);
    let copies = || facts.copies().iter().filter(|&uuid| Some(uuid) != gone);
    match term {
        Term::Anything => true,
        Term::Nothing => false,
        Term::Include(glob) => facts.path().is_some_and(|path| glob.matches(path.as_bytes())),
        Term::Exclude(glob) => !facts.path().is_some_and(|path| glob.matches(path.as_bytes())),
        Term::LargerThan(limit) => facts.size().is_some_and(|size| size > *limit),
        // git-annex takes an unknown size for smaller than any.
        Term::SmallerThan(limit) => facts.size().is_none_or(|size| size < *limit),
        Term::MimeType(glob) => facts.mime_type().is_some_and(|mime| glob.matches(mime.as_bytes())),
        Term::MimeEncoding(glob) => facts.mime_encoding().is_some_and(|mime| glob.matches(mime.as_bytes())),
        Term::Copies(holders, number) => {
            let held = copies().filter(|uuid| holds(holders, uuid, facts)).count();
            held >= *number as usize
        }
        Term::LackingCopies { number, approximate } => {
            let safe = copies().filter(|uuid| facts.trust(uuid) > Trust::Untrusted).count();
            let wanted = facts.num_copies(*approximate).get() as usize;
            wanted >= safe + *number as usize
        }
        Term::InBackend(name) => facts.key().is_some_and(|key| key.backend().to_string() == *name),
        Term::SecureHash => facts.key().is_some_and(|key| key.backend().is_secure()),
        Term::InAllGroup(group) => {
            let here = |member: &RepoUuid| copies().any(|uuid| uuid == member);
            facts.members(group).iter().all(here)
        }
        Term::OnlyInGroup(group) => {
            let member = |uuid: &RepoUuid| facts.members(group).contains(uuid);
            copies().next().is_some() && copies().all(member)
        }
        Term::Metadata(field, glob) => facts.metadata(field).iter().any(|value| glob.matches(value)),
        Term::MetadataOrder(field, order, limit) => {
            facts.metadata(field).iter().any(|value| compares(value, *order, limit))
        }
        // "not present" would make contents come and go in turn; it never matches, as in git-annex
        // since 2024. And a copy is present while its drop is decided, so that "present" keeps it.
        Term::Present if negated => true,
        Term::Present => asked.repository.is_some_and(|uuid| facts.copies().contains(uuid)),
        Term::InPreferredDir => {
            let Some((uuid, path)) = asked.repository.zip(facts.path()) else { return false };
            let dir = facts.preferred_dir(uuid).as_bytes();
            path.components().rev().skip(1).any(|component| component == dir)
        }
        Term::Unused => facts.is_unused(),
        Term::Url(glob) => facts.urls().iter().any(|url| glob.matches(url.as_bytes())),
        // Those left where no expression could take their place act as "present".
        Term::Standard | Term::GroupWanted => term_matches(&Term::Present, facts, asked, negated),
    }
}

fn holds(holders: &Holders, uuid: &RepoUuid, facts: &impl Facts) -> bool {
    match holders {
        Holders::All => true,
        Holders::Group(group) => facts.members(group).contains(uuid),
        Holders::Trust(trust) => facts.trust(uuid) == *trust,
        Holders::TrustOrMore(trust) => facts.trust(uuid) >= *trust,
    }
}

/// As numbers when both are, else as text.
fn compares(value: &[u8], order: Order, limit: &str) -> bool {
    let number = |text: &[u8]| std::str::from_utf8(text).ok()?.trim().parse::<f64>().ok();
    let compared = match number(value).zip(number(limit.as_bytes())) {
        Some((value, limit)) => value.partial_cmp(&limit),
        None => Some(value.cmp(limit.as_bytes())),
    };
    compared.is_some_and(|compared| match order {
        Order::Less => compared.is_lt(),
        Order::LessOrEqual => compared.is_le(),
        Order::Greater => compared.is_gt(),
        Order::GreaterOrEqual => compared.is_ge(),
    })
}
