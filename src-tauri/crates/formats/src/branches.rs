//! Names of branches and wording of commits that git-annex gives a meaning to.

/// The branch of logs.
pub const ANNEX_BRANCH: &str = "git-annex";
/// Its full name.
pub const ANNEX_REF: &str = "refs/heads/git-annex";
/// Where others leave the git-annex branch for a repository.
pub const SYNCED_ANNEX_REF: &str = "refs/heads/synced/git-annex";
/// What starts the name of a branch in which others leave commits.
pub const SYNCED_PREFIX: &str = "synced/";

/// First commit of the git-annex branch, with an empty tree.
pub const BRANCH_CREATED: &str = "branch created";
/// A change of the git-annex branch.
pub const BRANCH_UPDATE: &str = "update";
/// A merge that resolved conflicts.
pub const CONFLICT_FIX: &str = "git-annex automatic merge conflict fix";
/// The commit on top of an adjusted branch.
pub const ADJUSTED_COMMIT: &str = "git-annex adjusted branch";

/// The branch in which others leave commits for `branch`: `synced/master`.
pub fn synced(branch: &str) -> String {
    format!("{SYNCED_PREFIX}{branch}")
}

/// The branch that `synced/BRANCH` is for.
pub fn unsynced(branch: &str) -> Option<&str> {
    branch.strip_prefix(SYNCED_PREFIX).filter(|rest| !rest.is_empty())
}

/// The message of a merge of git-annex branches: `merging A B into git-annex`.
pub fn branch_merge(refs: &[&str]) -> String {
    format!("merging {} into git-annex", refs.join(" "))
}

/// The message of a commit of the folder's files, as `git annex sync` writes it.
pub fn commit_in(description: &str) -> String {
    format!("git-annex in {}", description.replace(['\n', '\r'], " "))
}

/// An adjusted branch's parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdjustedBranch<'a> {
    /// The branch it is made from: `master`.
    pub basis: &'a str,
    /// How it was adjusted: `unlocked`.
    pub adjustment: &'a str,
}

/// Takes a branch's short name apart if it is an adjusted one: `adjusted/master(unlocked)`.
pub fn adjusted(branch: &str) -> Option<AdjustedBranch<'_>> {
    let (basis, adjustment) = branch.strip_prefix("adjusted/")?.strip_suffix(')')?.rsplit_once('(')?;
    let named = !basis.is_empty() && !adjustment.is_empty();
    named.then_some(AdjustedBranch { basis, adjustment })
}

/// Whether a full ref name is a git-annex branch that is to be merged into ours: any ref named
/// `git-annex` but our own (`refs/remotes/*/git-annex`, `refs/heads/synced/git-annex`,
/// `refs/synced/*/git-annex`).
pub fn is_foreign_annex_ref(name: &str) -> bool {
    name != ANNEX_REF && name.ends_with("/git-annex") && name.starts_with("refs/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert_eq!(synced("master"), "synced/master");
        assert_eq!(unsynced("synced/a/b"), Some("a/b"));
        assert_eq!((unsynced("master"), unsynced("synced/")), (None, None));
        let expected = AdjustedBranch { basis: "f(x)", adjustment: "hidemissing-unlocked" };
        assert_eq!(adjusted("adjusted/f(x)(hidemissing-unlocked)"), Some(expected));
        for plain in ["master", "adjusted/master", "adjusted/()", "adjusted/a()"] {
            assert_eq!(adjusted(plain), None, "{plain}");
        }
    }

    #[test]
    fn which_refs_are_merged() {
        for name in [
            "refs/remotes/hub/git-annex",
            "refs/remotes/hub/synced/git-annex",
            "refs/heads/synced/git-annex",
            "refs/synced/UUID/git-annex",
        ] {
            assert!(is_foreign_annex_ref(name), "{name}");
        }
        for name in ["refs/heads/git-annex", "refs/heads/my-git-annex", "refs/remotes/hub/master"] {
            assert!(!is_foreign_annex_ref(name), "{name}");
        }
    }

    #[test]
    fn messages() {
        assert_eq!(branch_merge(&["a", "b"]), "merging a b into git-annex");
        assert_eq!(commit_in("my\nlaptop"), "git-annex in my laptop");
    }
}
