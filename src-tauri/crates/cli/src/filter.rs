//! `trib filter-process`: what git starts in a folder where git-annex is not installed.

use std::process::ExitCode;

use tributary_repo::{Repository, filter};

/// Serves git until it hangs up. Git starts filters at the top of the work tree.
pub(crate) fn run() -> ExitCode {
    let repo = match Repository::open(std::path::Path::new(".")) {
        Ok(repo) => repo,
        Err(error) => {
            eprintln!("trib: {error}");
            return ExitCode::FAILURE;
        }
    };
    match filter::filter_process(&repo, &mut std::io::stdin().lock(), &mut std::io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("trib: {error}");
            ExitCode::FAILURE
        }
    }
}
