//! Which programs a test needs, and what happens when one is missing.

use std::env;
use std::path::{Path, PathBuf};

/// Says whether `program` (a name on `PATH`, or a path) can be started.
///
/// A missing one is reported as the reason why the test is skipped, so the test returns: `if !need("rsync") { return }`.
///
/// # Panics
///
/// Where the environment variable `CI` is set: there a missing program is a failure, never a skip.
#[track_caller]
pub fn need(program: &str) -> bool {
    if find(program).is_some() {
        return true;
    }
    skip(&format!("{program} is not installed"));
    false
}

/// A test cannot be done on this machine, for this reason.
///
/// # Panics
///
/// Where the environment variable `CI` is set: there it is a failure.
#[track_caller]
pub(crate) fn skip(why: &str) {
    assert!(env::var_os("CI").is_none(), "{why}, and CI never skips a test");
    let caller = std::panic::Location::caller();
    eprintln!("skipped: {why} ({}:{})", caller.file(), caller.line());
}

/// [`need`] for several programs; every missing one is reported.
#[track_caller]
pub fn need_all(programs: &[&str]) -> bool {
    let missing = programs.iter().filter(|program| !need(program)).count();
    missing == 0
}

/// Where `program` is: the first executable of that name on `PATH`, and in the folders of system programs, which are
/// not on everybody's `PATH` (`sshd`).
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    if program.contains('/') {
        return Some(PathBuf::from(program)).filter(|path| is_executable(path));
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from);
    env::split_paths(&path).chain(system).map(|dir| dir.join(program)).find(|path| is_executable(path))
}

fn is_executable(path: &Path) -> bool {
    path.is_file() && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_programs_by_name_and_by_path() {
        assert!(find("sh").is_some(), "every system has a shell");
        assert!(find("/bin/sh").is_some());
        assert_eq!(find("/etc/passwd"), None, "a file that is not executable is no program");
        assert_eq!(find("surely-no-such-program"), None);
    }
}
