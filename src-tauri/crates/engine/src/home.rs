//! Where the program keeps its own things: configuration, state, socket and log.
//!
//! `TRIBUTARY_HOME=DIR` puts all of them under DIR, so that several nodes live on one machine; without it the XDG
//! folders are used. What belongs to one synced folder lives in that folder's git directory instead, under
//! `tributary/`.

use std::ffi::OsString;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

/// The places of the program's own files. All folders are private to the person (0700).
#[derive(Debug, Clone)]
pub struct Home {
    config: PathBuf,
    state: PathBuf,
    run: PathBuf,
}

/// Why there is no home.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// Neither `TRIBUTARY_HOME` nor `HOME` says where.
    #[error("neither TRIBUTARY_HOME nor HOME is set, so there is no place for configuration and state")]
    Unknown,
    /// A folder could not be made.
    #[error("{path} could not be made")]
    Make {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Home {
    /// Finds the home from the environment and makes its folders.
    ///
    /// # Errors
    /// `Unknown` when the environment says nothing, `Make` when a folder cannot be made.
    pub fn from_environment() -> Result<Self, HomeError> {
        let var = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        Self::from_variables(var("TRIBUTARY_HOME"), var)
    }

    fn from_variables(
        own: Option<OsString>,
        var: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, HomeError> {
        let home = if let Some(dir) = own {
            let dir = std::path::absolute(PathBuf::from(dir)).map_err(|_| HomeError::Unknown)?;
            Self { config: dir.join("config"), state: dir.join("state"), run: dir.join("run") }
        } else {
            let xdg = |name: &str, fallback: &str| {
                var(name)
                    .map(PathBuf::from)
                    .filter(|path| path.is_absolute())
                    .or_else(|| Some(PathBuf::from(var("HOME")?).join(fallback)))
                    .map(|path| path.join("tributary"))
                    .ok_or(HomeError::Unknown)
            };
            let state = xdg("XDG_STATE_HOME", ".local/state")?;
            let run = var("XDG_RUNTIME_DIR")
                .map(|dir| PathBuf::from(dir).join("tributary"))
                .unwrap_or_else(|| state.join("run"));
            Self { config: xdg("XDG_CONFIG_HOME", ".config")?, state, run }
        };
        for path in [&home.config, &home.state, &home.run] {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(path)
                .map_err(|source| HomeError::Make { path: path.clone(), source })?;
        }
        Ok(home)
    }

    /// The configuration: folders, account, settings. No secret is in it.
    #[must_use]
    pub fn config_file(&self) -> PathBuf {
        self.config.join("config.json")
    }

    /// Where the account's password is kept when the person chose a file (0600).
    #[must_use]
    pub fn secrets_file(&self) -> PathBuf {
        self.config.join("secrets.json")
    }

    /// Which devices are paired with this one (0600).
    #[must_use]
    pub fn peers_file(&self) -> PathBuf {
        self.config.join("peers.json")
    }

    /// The tries to join a folder that are not settled (0600).
    #[must_use]
    pub fn joins_file(&self) -> PathBuf {
        self.config.join("joining.json")
    }

    /// What the program remembers and may lose: hint counters, window places.
    #[must_use]
    pub fn state_dir(&self) -> &Path {
        &self.state
    }

    /// The log file.
    #[must_use]
    pub fn log_file(&self) -> PathBuf {
        self.state.join("log")
    }

    /// The local socket on which the engine listens (0600).
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.run.join("socket")
    }

    /// Takes the lock that lets one engine run per home. `None` when another engine holds it.
    ///
    /// # Errors
    /// When the lock file cannot be made or locked for another reason.
    pub fn lock(&self) -> io::Result<Option<HomeLock>> {
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(self.state.join("lock"))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(HomeLock { _file: file })),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// Held while an engine runs; the system gives it back when the process ends, however it ends.
#[derive(Debug)]
pub struct HomeLock {
    _file: File,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_home_holds_everything() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::from_variables(Some(dir.path().into()), |_| None).unwrap();
        for path in [home.config_file(), home.secrets_file(), home.log_file(), home.socket()] {
            assert!(path.starts_with(dir.path()), "{path:?} must be under TRIBUTARY_HOME");
        }
    }

    #[test]
    fn second_engine_finds_the_lock_held() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::from_variables(Some(dir.path().into()), |_| None).unwrap();
        let held = home.lock().unwrap();
        assert!(held.is_some(), "nobody else runs");
        assert!(home.lock().unwrap().is_none(), "the first engine runs");
        drop(held);
        assert!(home.lock().unwrap().is_some(), "the first engine is gone");
    }

    #[test]
    fn without_any_variable_there_is_no_home() {
        assert!(matches!(Home::from_variables(None, |_| None), Err(HomeError::Unknown)));
    }
}
