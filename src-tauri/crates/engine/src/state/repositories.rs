//! Open handles of a folder's repository, for work off the desk: fetches, pushes, records.
//!
//! A handle can be sent to another thread but not shared between two, and opening one costs a millisecond that a small
//! change can do without; so idle ones are kept.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use tributary_repo::repository::OpenError;
use tributary_repo::{Repository, stale_locks};

/// Most handles that are kept while nobody uses them.
const IDLE: usize = 3;

/// The handles.
#[derive(Clone)]
pub struct Repositories(Arc<Inner>);

struct Inner {
    path: PathBuf,
    idle: Mutex<Vec<Repository>>,
}

impl Repositories {
    /// Handles of the repository at `path`; none is open yet.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self(Arc::new(Inner { path, idle: Mutex::new(Vec::new()) }))
    }

    /// Top of the work tree.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Removes git's locks in our repository that a killed process left. Called when something was refused.
    pub fn clear_locks(&self) {
        stale_locks::clear(&self.0.path.join(".git"), stale_locks::OURS);
    }

    /// Closes the handles that nobody uses, with what they keep of what they read.
    pub fn rest(&self) {
        self.0.idle.lock().expect("no holder of this lock panics").clear();
    }

    /// Does something with a handle. Blocks: to be called on a blocking thread.
    ///
    /// # Errors
    /// When the repository cannot be opened.
    pub fn with<T>(&self, act: impl FnOnce(&Repository) -> T) -> Result<T, OpenError> {
        let idle = || self.0.idle.lock().expect("no holder of this lock panics");
        let kept = idle().pop();
        let repo = match kept {
            Some(repo) => repo,
            None => Repository::open(&self.0.path)?,
        };
        let value = act(&repo);
        let mut idle = idle();
        if idle.len() < IDLE {
            idle.push(repo);
        }
        Ok(value)
    }
}
