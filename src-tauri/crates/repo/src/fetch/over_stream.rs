//! Fetching over a stream that may be lost at any time: what is much comes in stages, each kept before the next begins.
//!
//! The host is told what we have, and offers the next stretch of the history besides its branches. What came is kept
//! under refs of its own, which the last step removes, so a fetch that is begun again goes on where it was cut.

use std::collections::{BTreeMap, BTreeSet};

use git2::Oid;

use super::{Fetched, Tracking, here_prefix, news, tracked, tracking_refs, update};
use crate::cancel::{Cancel, Meter};
use crate::closure::{ClosureError, check_received};
use crate::remote::{GitRemote, RemoteError};
use crate::transport::stream::{StreamSession, Wants};
use crate::transport::{STAGES, local};

/// Where stages are kept, below the refs of the remote. They go as branches do that the remote does not have.
const ARRIVING: &str = "refs-arriving/";

/// More stages than this are no history but a host that makes them up.
const MAX_STAGES: usize = 1 << 16;

/// Tips that a host is told of; what it knows none of is sent twice, and nothing worse.
const MAX_TOLD: usize = 64;

/// Fetches, as [`super::fetch`] does.
pub(super) fn fetch(
    git: &git2::Repository,
    remote: &GitRemote,
    before: &Tracking,
    meter: &Meter<'_>,
    cancel: &Cancel,
) -> Result<Fetched, RemoteError> {
    let mut taken = BTreeSet::new();
    let mut wants = Wants::Missing;
    loop {
        let known = tracking_refs(git, remote)?;
        let mut session = StreamSession::fetch(git, remote, Some(told(git, &known)?), cancel)?;
        let refs = session.refs()?;
        let mut bring = |patterns: &[&str], tips: &[Oid]| {
            session.download(patterns, wants, meter, cancel)?;
            match check_received(git, tips, cancel) {
                Ok(()) => Ok(true),
                // The tip alone is here already, so nobody asked for what it names: a push that comes in this moment puts
                // one object after the other, and one that was cut leaves some.
                Err(ClosureError::Missing { .. }) if wants == Wants::Missing => {
                    wants = Wants::All;
                    Ok(false)
                }
                Err(cause) => Err(local::from_there(remote, cause)),
            }
        };
        let stages = stages(&refs, &taken);
        if !stages.is_empty() {
            if bring(&[STAGES], &stages.values().copied().collect::<Vec<_>>())? {
                keep(git, remote, &stages)?;
                taken.extend(stages.into_values());
            }
            continue;
        }
        let offered = tracked(remote, refs);
        let tips = news(before, &offered);
        if !tips.is_empty() && !bring(&["refs/heads/", "refs/synced/"], &tips)? {
            continue;
        }
        let mut fetched = update(git, remote, &known, &offered)?;
        // What was only on its way here is nobody's news.
        let arriving = here_prefix(remote, ARRIVING);
        fetched.refs.retain(|change| !change.name.starts_with(&arriving));
        return Ok(fetched);
    }
}

/// What the host offers to take first, by number. One that came and is offered again leads nowhere.
fn stages(refs: &BTreeMap<String, Oid>, taken: &BTreeSet<Oid>) -> BTreeMap<u16, Oid> {
    let numbered = |(name, oid): (&String, &Oid)| Some((name.strip_prefix(STAGES)?.parse().ok()?, *oid));
    let new: BTreeMap<u16, Oid> =
        refs.iter().filter_map(numbered).filter(|(_, oid)| !taken.contains(oid)).collect();
    if taken.len() + new.len() > MAX_STAGES { BTreeMap::new() } else { new }
}

fn keep(git: &git2::Repository, remote: &GitRemote, stages: &BTreeMap<u16, Oid>) -> Result<(), RemoteError> {
    for (number, oid) in stages {
        let name = format!("{}{number}", here_prefix(remote, ARRIVING));
        git.reference(&name, *oid, true, "fetch, in part").map_err(RemoteError::local)?;
    }
    Ok(())
}

/// The tips that the host is told of: first what we know of it, then our branches, then the rest.
fn told(git: &git2::Repository, known: &Tracking) -> Result<Vec<Oid>, RemoteError> {
    let mut tips: Vec<Oid> = known.values().copied().collect();
    for pattern in ["refs/heads/*", "refs/remotes/*"] {
        for reference in git.references_glob(pattern).map_err(RemoteError::local)? {
            tips.extend(reference.map_err(RemoteError::local)?.target());
        }
    }
    let mut seen = BTreeSet::new();
    tips.retain(|tip| seen.insert(*tip));
    tips.truncate(MAX_TOLD);
    Ok(tips)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_stage_is_passed_over_and_none_is_taken_twice() {
        let oid = |digit: &str| Oid::from_str(&digit.repeat(40)).unwrap();
        let refs =
            [("refs/heads/a", "1"), ("refs/stages/0", "2"), ("refs/stages/x", "3"), ("refs/stages/7", "4")];
        let refs: BTreeMap<String, Oid> = refs.map(|(name, at)| (name.to_owned(), oid(at))).into();
        assert_eq!(stages(&refs, &BTreeSet::new()), [(0, oid("2")), (7, oid("4"))].into());
        assert_eq!(stages(&refs, &[oid("2")].into()), [(7, oid("4"))].into());
        assert_eq!(stages(&refs, &[oid("2"), oid("4")].into()), BTreeMap::new());
    }
}
