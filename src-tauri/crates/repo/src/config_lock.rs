//! The lock of git's configuration: whoever writes to it holds it for a moment, and others have to come again.

use std::time::{Duration, Instant};

/// How long a lock that somebody else holds is waited for. One is held for milliseconds; one that is held for this long
/// was left by a program that was killed, or belongs to one that hangs.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often it is tried: a lock that is given back gives no signal.
const PAUSE: Duration = Duration::from_millis(20);

/// Writes to the configuration, again while somebody else does.
pub(crate) fn patiently<T>(mut write: impl FnMut() -> Result<T, git2::Error>) -> Result<T, git2::Error> {
    let until = Instant::now() + PATIENCE;
    loop {
        match write() {
            Err(error) if error.code() == git2::ErrorCode::Locked && Instant::now() < until => {
                std::thread::sleep(PAUSE);
            }
            done => return done,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_that_is_given_back_is_waited_for_and_one_that_is_kept_is_not_for_ever() {
        let dir = tempfile::tempdir().unwrap();
        let repo = git2::Repository::init(dir.path()).unwrap();
        let lock = dir.path().join(".git/config.lock");
        std::fs::write(&lock, "").unwrap();
        let set = || patiently(|| repo.config()?.open_level(git2::ConfigLevel::Local)?.set_str("a.b", "c"));
        assert_eq!(set().unwrap_err().code(), git2::ErrorCode::Locked);
        let given_back = std::thread::spawn(move || {
            std::thread::sleep(PAUSE * 3);
            std::fs::remove_file(lock).unwrap();
        });
        set().unwrap();
        given_back.join().unwrap();
    }
}
