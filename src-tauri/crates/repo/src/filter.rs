//! Our own `filter.annex.process`: lets plain `git add` and `git status` be right where git-annex is not installed.
//!
//! Protocol: git's long-running filter process, version 2 (gitattributes(5), "Long Running Filter Process").

use std::io::{Read, Write};

use crate::repository::Repository;

/// Why the filter ended before git hung up.
#[derive(Debug, thiserror::Error)]
pub enum FilterError {
    /// Git does not speak the protocol as it is known here.
    #[error("unexpected request from git: {0}")]
    Protocol(String),
    /// The pipe broke.
    #[error("the pipe to git broke")]
    Io(#[from] std::io::Error),
}

/// Serves git until it hangs up: `clean` takes content into the annex and answers the pointer, where the rules say so;
/// `smudge` gives the pointer back unchanged, which the engine, or `git annex`, fills.
pub fn filter_process(
    repo: &Repository,
    from_git: &mut dyn Read,
    to_git: &mut dyn Write,
) -> Result<(), FilterError> {
    let _ = (repo, from_git, to_git);
    todo!()
}
