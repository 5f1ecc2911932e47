//! Which branches are merged from a remote and pushed to it: git-annex's `synced/` scheme (`annex-format` 6.1).

use git2::Oid;

use crate::push::PushSpec;
use crate::refs::{self, RefError};

/// The branch that git-annex keeps its records in.
const ANNEX: &str = "git-annex";

/// The commits that others left for our branch (short name, such as `master`): at `REMOTE/BRANCH`,
/// `REMOTE/synced/BRANCH` and `refs/synced/…` of that remote; with no remote, at our own `synced/BRANCH` and
/// `refs/synced/UUID/BRANCH`, where others push to us. Without doubles; those that our branch contains are left out.
pub fn merge_candidates(
    git: &git2::Repository,
    remote: Option<&str>,
    branch: &str,
) -> Result<Vec<Oid>, RefError> {
    let (exact, pushed_by_assistants) = match remote {
        Some(remote) => {
            let prefix = format!("refs/remotes/{remote}");
            let names = [format!("{prefix}/{branch}"), format!("{prefix}/synced/{branch}")];
            (names.to_vec(), format!("{prefix}/refs-synced/"))
        }
        None => (vec![format!("refs/heads/synced/{branch}")], "refs/synced/".to_owned()),
    };
    let mut found = Vec::new();
    for name in exact {
        found.extend(refs::target(git, &name)?);
    }
    found.extend(left_by_assistants(git, &pushed_by_assistants, branch)?);

    let ours = refs::target(git, &format!("refs/heads/{branch}"))?;
    let contained = |tip: Oid| {
        ours.is_some_and(|ours| ours == tip || git.graph_descendant_of(ours, tip).unwrap_or(false))
    };
    let mut candidates: Vec<Oid> = Vec::new();
    for tip in found {
        if !candidates.contains(&tip) && !contained(tip) {
            candidates.push(tip);
        }
    }
    Ok(candidates)
}

/// The branch to check out of a remote that was fetched: `master` or `main`, else the first by name that is no
/// git-annex's; None when it has none.
pub fn branch_at(git: &git2::Repository, remote: &str) -> Result<Option<String>, RefError> {
    let prefix = format!("refs/remotes/{remote}/");
    let refused = |source| RefError::Refused { name: prefix.clone(), source };
    let mut names = std::collections::BTreeSet::new();
    for reference in git.references_glob(&format!("{prefix}*")).map_err(refused)? {
        let reference = reference.map_err(refused)?;
        let Some(short) = reference.name().ok().and_then(|name| name.strip_prefix(&prefix)) else { continue };
        let short = short.strip_prefix("synced/").unwrap_or(short);
        if short != ANNEX
            && short != "HEAD"
            && !short.starts_with("refs-synced/")
            && !short.starts_with("refs-arriving/")
            && !short.starts_with("adjusted/")
        {
            names.insert(short.to_owned());
        }
    }
    let usual = ["master", "main"].into_iter().find(|name| names.contains(*name)).map(str::to_owned);
    Ok(usual.or_else(|| names.into_iter().next()))
}

/// The refs `PREFIX UUID/BRANCH`, which git-annex's assistant pushes to when all else failed.
fn left_by_assistants(git: &git2::Repository, prefix: &str, branch: &str) -> Result<Vec<Oid>, RefError> {
    let refused = |source| RefError::Refused { name: prefix.to_owned(), source };
    let mut tips = Vec::new();
    for reference in git.references_glob(&format!("{prefix}*")).map_err(refused)? {
        let reference = reference.map_err(refused)?;
        let Ok(name) = reference.name() else { continue };
        let rest = name.strip_prefix(prefix).and_then(|rest| rest.split_once('/'));
        if rest.is_some_and(|(_, short)| short == branch) {
            tips.extend(reference.target());
        }
    }
    Ok(tips)
}

/// What is pushed to a remote first: the branch, `synced/git-annex` (forced, as git-annex does: both sides hold a
/// union merge of it soon), then `git-annex` itself, which may be refused without harm.
pub fn push_specs(branch: &str) -> Vec<PushSpec> {
    vec![
        spec(branch, branch, false),
        spec(ANNEX, &format!("synced/{ANNEX}"), true),
        spec(ANNEX, ANNEX, false),
    ]
}

/// What is pushed when the remote refused the branch because it is checked out there: `BRANCH:synced/BRANCH`.
pub fn push_spec_when_refused(branch: &str) -> PushSpec {
    spec(branch, &format!("synced/{branch}"), false)
}

/// What is pushed straight into somebody's folder, where the branch is always checked out. Nothing is forced: what a third
/// one left there and nobody merged yet would be gone.
pub fn push_specs_to_folder(branch: &str) -> Vec<PushSpec> {
    vec![push_spec_when_refused(branch), spec(ANNEX, ANNEX, false)]
}

/// Takes note of what a remote pushed to this repository, as full names of our refs and commits, in its remote-tracking
/// refs: it has that. Returns what it has of our branch and of git-annex's, as far as we know.
pub fn note_pushed_by(
    git: &git2::Repository,
    remote: &str,
    moved: &[(String, Oid)],
) -> Result<(Option<Oid>, Option<Oid>), RefError> {
    let head = refs::head(git)?.name;
    let branch = head.strip_prefix("refs/heads/").unwrap_or(&head);
    let at = |name: &str| format!("refs/remotes/{remote}/{name}");
    for (name, commit) in moved {
        let short = name.strip_prefix("refs/heads/").unwrap_or(name);
        // What it left for us under `synced/` is its own branch.
        let own = short.strip_prefix("synced/").unwrap_or(short);
        if own == branch || own == ANNEX {
            let name = at(own);
            let known = git.reference(&name, *commit, true, "pushed here by it");
            known.map_err(|source| RefError::Refused { name, source })?;
        }
    }
    Ok((refs::target(git, &at(branch))?, refs::target(git, &at(ANNEX))?))
}

fn spec(local: &str, remote: &str, force: bool) -> PushSpec {
    PushSpec { local: format!("refs/heads/{local}"), remote: format!("refs/heads/{remote}"), force }
}
