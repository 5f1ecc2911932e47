//! The lock of git's configuration: whoever writes to it holds it for a moment, and others have to come again.

use std::time::{Duration, Instant};

use crate::stale_locks;

/// How long a lock that somebody else holds is waited for. One is held for milliseconds; one that is held for this long
/// was left by a program that was killed, or belongs to one that hangs. It is longer than such a lock has to be old.
const PATIENCE: Duration = Duration::from_millis(2_500);

/// How often it is tried: a lock that is given back gives no signal.
const PAUSE: Duration = Duration::from_millis(20);

/// Writes to the repository's configuration, again while somebody else does. A lock that is in the way because a program
/// was killed is removed.
pub(crate) fn patiently<T>(
    git: &git2::Repository,
    mut write: impl FnMut() -> Result<T, git2::Error>,
) -> Result<T, git2::Error> {
    let until = Instant::now() + PATIENCE;
    loop {
        match write() {
            Err(error) if error.code() == git2::ErrorCode::Locked && Instant::now() < until => {
                std::thread::sleep(PAUSE);
            }
            Err(error) if error.code() == git2::ErrorCode::Locked => {
                // Not found out before: that looks through the open files of all processes.
                let removed = stale_locks::clear(git.commondir(), stale_locks::OURS);
                return if removed.is_empty() { Err(error) } else { write() };
            }
            done => return done,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use super::*;

    fn set(git: &git2::Repository) -> Result<(), git2::Error> {
        patiently(git, || git.config()?.open_level(git2::ConfigLevel::Local)?.set_str("a.b", "c"))
    }

    #[test]
    fn a_lock_that_is_given_back_is_waited_for_and_one_that_is_kept_is_not_for_ever() {
        let dir = tempfile::tempdir().unwrap();
        let git = git2::Repository::init(dir.path()).unwrap();
        let lock = dir.path().join(".git/config.lock");
        let held = File::create(&lock).unwrap();
        assert_eq!(set(&git).unwrap_err().code(), git2::ErrorCode::Locked);
        assert!(lock.exists(), "who holds it goes on holding it");
        let given_back = std::thread::spawn(move || {
            std::thread::sleep(PAUSE * 3);
            fs::remove_file(lock).unwrap();
            drop(held);
        });
        set(&git).unwrap();
        given_back.join().unwrap();
    }

    #[test]
    fn a_lock_that_a_killed_program_left_locks_nobody_out() {
        let dir = tempfile::tempdir().unwrap();
        let git = git2::Repository::init(dir.path()).unwrap();
        let lock = dir.path().join(".git/config.lock");
        fs::write(&lock, "").unwrap();
        set(&git).unwrap();
        assert!(!lock.exists());
    }
}
