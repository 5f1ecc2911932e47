//! Pushing: objects first, durably, then each ref by compare-and-swap.

pub(crate) mod stages;

use git2::Oid;

use crate::cancel::{Cancel, Meter};
use crate::fetch::tracking_name;
use crate::refs;
use crate::remote::{GitRemote, RemoteError, RemoteKind};
use crate::sync_branches::{push_spec_when_refused, push_specs, push_specs_to_folder};
use crate::transport::local::{self, Direct};
use crate::transport::{process, stream};

/// One ref to push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushSpec {
    /// Full name of the local ref, such as `refs/heads/master`.
    pub local: String,
    /// Full name at the remote, such as `refs/heads/synced/master`.
    pub remote: String,
    /// Whether the remote's ref may be replaced by a commit that does not contain it.
    pub force: bool,
}

/// What a push came to, ref by ref, in the order they were given. A local ref that does not exist is left out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pushed {
    /// One for each spec.
    pub refs: Vec<(PushSpec, RefOutcome)>,
}

/// What became of one ref of a push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefOutcome {
    /// The remote had it already.
    UpToDate(Oid),
    /// It is there now.
    Updated {
        /// Where the remote's ref was; None when it is new, or the transport does not tell.
        old: Option<Oid>,
        /// What was pushed.
        new: Oid,
    },
    /// The remote has commits that we lack: fetch, merge, push again.
    NeedsFetch,
    /// The branch is checked out there, in a repository with a work tree: push to `synced/BRANCH`.
    CheckedOut,
    /// A hook or rule of the remote refused it.
    Refused(String),
}

impl Pushed {
    /// Whether the remote now has what was pushed to this ref (full name at the remote).
    pub fn has(&self, remote_ref: &str) -> bool {
        self.refs.iter().any(|(spec, outcome)| {
            spec.remote == remote_ref
                && matches!(outcome, RefOutcome::UpToDate(_) | RefOutcome::Updated { .. })
        })
    }

    /// Whether some ref asks for a fetch first.
    pub fn needs_fetch(&self) -> bool {
        self.refs.iter().any(|(_, outcome)| *outcome == RefOutcome::NeedsFetch)
    }
}

/// Pushes refs. One ref that is refused does not keep the others back. Remote-tracking refs follow what was pushed.
pub fn push(
    git: &git2::Repository,
    remote: &GitRemote,
    specs: &[PushSpec],
    meter: &Meter<'_>,
    cancel: &Cancel,
) -> Result<Pushed, RemoteError> {
    let mut resolved = Vec::new();
    for spec in specs {
        if let Some(oid) = refs::target(git, &spec.local).map_err(RemoteError::local)? {
            resolved.push((spec.clone(), oid));
        }
    }
    if resolved.is_empty() {
        return Ok(Pushed::default());
    }
    let outcomes = match &remote.kind {
        RemoteKind::LocalPath(path) if !has_pre_push_hook(git) => {
            let there = local::open(remote, path)?;
            let pushed = local::push(git, remote, &there, &resolved, meter, cancel);
            match local::unless_gone(remote, &there, pushed)? {
                Direct::Done(outcomes) => outcomes,
                Direct::LeaveToGit => push_with_git(git, remote, &resolved, meter, cancel)?,
            }
        }
        RemoteKind::LocalPath(path) => {
            local::open(remote, path)?;
            push_with_git(git, remote, &resolved, meter, cancel)?
        }
        RemoteKind::Stream { .. } => stream::push(git, remote, &resolved, meter, cancel)?,
        RemoteKind::Ssh(_) | RemoteKind::Other => push_with_git(git, remote, &resolved, meter, cancel)?,
    };
    let pushed = Pushed { refs: resolved.into_iter().map(|(spec, _)| spec).zip(outcomes).collect() };
    follow(git, remote, &pushed)?;
    Ok(pushed)
}

/// Pushes all that git-annex's sync would ([`crate::sync_branches::push_specs`]); a branch that is checked out there
/// goes to `synced/BRANCH` instead. At the other end of a stream is always somebody's folder.
pub fn push_synced(
    git: &git2::Repository,
    remote: &GitRemote,
    branch: &str,
    meter: &Meter<'_>,
    cancel: &Cancel,
) -> Result<Pushed, RemoteError> {
    if matches!(remote.kind, RemoteKind::Stream { .. }) {
        return push(git, remote, &push_specs_to_folder(branch), meter, cancel);
    }
    let mut pushed = push(git, remote, &push_specs(branch), meter, cancel)?;
    if pushed.refs.iter().any(|(_, outcome)| *outcome == RefOutcome::CheckedOut) {
        let instead = push(git, remote, &[push_spec_when_refused(branch)], meter, cancel)?;
        pushed.refs.retain(|(_, outcome)| *outcome != RefOutcome::CheckedOut);
        pushed.refs.extend(instead.refs);
    }
    Ok(pushed)
}

/// Remote-tracking refs say what the remote has, as far as we know: from now on what was pushed.
fn follow(git: &git2::Repository, remote: &GitRemote, pushed: &Pushed) -> Result<(), RemoteError> {
    for (spec, outcome) in &pushed.refs {
        let (RefOutcome::UpToDate(oid) | RefOutcome::Updated { new: oid, .. }) = outcome else { continue };
        let Some(name) = tracking_name(remote, &spec.remote) else { continue };
        if refs::target(git, &name).map_err(RemoteError::local)? != Some(*oid) {
            let moved = git.reference(&name, *oid, true, "update by push");
            moved.map_err(|cause| RemoteError::not_followed(&remote.name, cause))?;
        }
    }
    Ok(())
}

/// Whether the person has a `pre-push` hook, which git has to run. That of git-annex is none: it keeps pushes back
/// while a special remote is unverified, which the engine sees to by itself.
fn has_pre_push_hook(git: &git2::Repository) -> bool {
    let hook = match git.config().and_then(|config| config.get_path("core.hooksPath")) {
        Ok(path) => git.workdir().unwrap_or(git.path()).join(path),
        Err(_) => git.commondir().join("hooks"),
    }
    .join("pre-push");
    local::is_executable(&hook)
        && std::fs::read(&hook)
            .is_ok_and(|text| !String::from_utf8_lossy(&text).contains("git annex pre-push"))
}

fn push_with_git(
    git: &git2::Repository,
    remote: &GitRemote,
    specs: &[(PushSpec, Oid)],
    meter: &Meter<'_>,
    cancel: &Cancel,
) -> Result<Vec<RefOutcome>, RemoteError> {
    let mut command = process::git_command(git);
    command.args(["push", "--porcelain", "--progress", "--no-follow-tags", "--recurse-submodules=no"]);
    if !has_pre_push_hook(git) {
        command.arg("--no-verify");
    }
    command.arg("--").arg(process::address(git, remote));
    for (spec, oid) in specs {
        let force = if spec.force { "+" } else { "" };
        command.arg(format!("{force}{oid}:{}", spec.remote));
    }
    process::restrict_protocols(&mut command, remote);
    let ended = process::run(&mut command, meter, cancel)?;
    let report = String::from_utf8_lossy(&ended.stdout);
    let mut outcomes = Vec::new();
    for (spec, oid) in specs {
        match outcome_in(&report, &spec.remote, *oid) {
            Some(Reported::Outcome(outcome)) => outcomes.push(outcome),
            Some(Reported::Failure) | None => return Err(process::classify(&remote.name, &ended.stderr)),
        }
    }
    Ok(outcomes)
}

enum Reported {
    Outcome(RefOutcome),
    /// The remote could not store the objects: it is about the remote and not about this ref.
    Failure,
}

/// Finds a ref in what `git push --porcelain` printed: lines of `FLAG TAB FROM:TO TAB SUMMARY (REASON)`.
/// Source: git-push(1), "OUTPUT", git 2.47.
fn outcome_in(report: &str, remote_ref: &str, new: Oid) -> Option<Reported> {
    let (flag, summary) = report.lines().find_map(|line| {
        let mut fields = line.splitn(3, '\t');
        let (flag, refs, summary) = (fields.next()?, fields.next()?, fields.next()?);
        (refs.split_once(':')?.1 == remote_ref).then_some((flag, summary))
    })?;
    let outcome = match flag {
        "=" => RefOutcome::UpToDate(new),
        "!" => return Some(refusal(summary)),
        _ => RefOutcome::Updated { old: None, new },
    };
    Some(Reported::Outcome(outcome))
}

fn refusal(summary: &str) -> Reported {
    let has = |words: &[&str]| words.iter().any(|word| summary.contains(word));
    if has(&["unpacker error", "unable to migrate", "remote failure"]) {
        return Reported::Failure;
    }
    Reported::Outcome(if has(&["currently checked out"]) {
        RefOutcome::CheckedOut
    } else if has(&[
        "[rejected]",
        "failed to update ref",
        "cannot lock ref",
        "failed to lock",
        "incorrect old value",
    ]) {
        // Somebody else pushed before, or in this moment.
        RefOutcome::NeedsFetch
    } else {
        let reason = summary.rsplit_once('(').map_or(summary, |(_, reason)| reason.trim_end_matches(')'));
        RefOutcome::Refused(reason.chars().filter(|c| !c.is_control()).take(300).collect())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_of_git_push_is_understood() {
        // As printed by git 2.47.
        let report = "To ../hub\n\
            =\tabc:refs/heads/a\t[up to date]\n\
            *\tabc:refs/heads/b\t[new branch]\n\
            !\tabc:refs/heads/c\t[rejected] (fetch first)\n\
            !\tabc:refs/heads/d\t[remote rejected] (branch is currently checked out)\n\
            !\tabc:refs/heads/e\t[remote rejected] (pre-receive hook declined)\n\
            !\tabc:refs/heads/f\t[remote rejected] (unpacker error)\n\
             \tabc:refs/heads/g\t1234567..89abcde\n\
            Done\n";
        let new = Oid::from_str(&"ab".repeat(20)).unwrap();
        let outcome = |name: &str| match outcome_in(report, &format!("refs/heads/{name}"), new) {
            Some(Reported::Outcome(outcome)) => Some(outcome),
            _ => None,
        };
        assert_eq!(outcome("a"), Some(RefOutcome::UpToDate(new)));
        assert_eq!(outcome("b"), Some(RefOutcome::Updated { old: None, new }));
        assert_eq!(outcome("c"), Some(RefOutcome::NeedsFetch));
        assert_eq!(outcome("d"), Some(RefOutcome::CheckedOut));
        assert_eq!(outcome("e"), Some(RefOutcome::Refused("pre-receive hook declined".to_owned())));
        assert_eq!(outcome("g"), Some(RefOutcome::Updated { old: None, new }));
        assert!(matches!(outcome_in(report, "refs/heads/f", new), Some(Reported::Failure)));
        assert!(outcome_in(report, "refs/heads/h", new).is_none());
    }
}
