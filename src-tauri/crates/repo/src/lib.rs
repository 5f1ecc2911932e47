//! The repository on disk: commits, merges, push and fetch, the git-annex branch, the object store.
