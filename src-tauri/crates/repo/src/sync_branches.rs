//! Which branches are merged from a remote and pushed to it: git-annex's `synced/` scheme (`annex-format` 6.1).

use git2::Oid;

use crate::push::PushSpec;
use crate::refs::RefError;

/// The commits that others left for our branch (short name, such as `master`): at `REMOTE/BRANCH`,
/// `REMOTE/synced/BRANCH` and `refs/synced/…` of that remote; with no remote, at our own `synced/BRANCH` and
/// `refs/synced/UUID/BRANCH`, where others push to us. Without doubles; those that our branch contains are left out.
pub fn merge_candidates(
    git: &git2::Repository,
    remote: Option<&str>,
    branch: &str,
) -> Result<Vec<Oid>, RefError> {
    let _ = (git, remote, branch);
    todo!()
}

/// What is pushed to a remote first: the branch, `synced/git-annex` (forced, as git-annex does: both sides hold a
/// union merge of it soon), then `git-annex` itself, which may be refused without harm.
pub fn push_specs(branch: &str) -> Vec<PushSpec> {
    let _ = branch;
    todo!()
}

/// What is pushed when the remote refused the branch because it is checked out there: `BRANCH:synced/BRANCH`.
pub fn push_spec_when_refused(branch: &str) -> PushSpec {
    let _ = branch;
    todo!()
}
