//! Stopping blocking work from another thread: a flag that loops look at, and child processes that are killed.
//!
//! Time limits are the caller's: it watches the [`Meter`], and cancels when nothing moved for too long.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::process::{Pid, Signal, kill_process_group};

/// Called with the number of bytes that moved since the last call; what a resumed transfer finds in place already
/// counts as moved at its start. May be called often: it must be cheap. A call with 0 is a sign of life.
pub type Meter<'a> = dyn Fn(u64) + Sync + 'a;

/// A meter for callers that do not look.
pub fn no_meter(_bytes: u64) {}

/// A token that ends blocking work early. Clones are the same token.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    cancelled: AtomicBool,
    groups: Mutex<Vec<Pid>>,
    acts: Mutex<Vec<Act>>,
}

/// What is done when a token is cancelled.
#[derive(Clone)]
struct Act(Arc<dyn Fn() + Send + Sync>);

impl std::fmt::Debug for Act {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Act")
    }
}

/// While it lives, a cancelled token does what it was tied to.
#[derive(Debug)]
pub(crate) struct ActOnCancel {
    cancel: Cancel,
    act: Act,
}

/// While it lives, a cancelled token kills the process group.
#[derive(Debug)]
pub(crate) struct KillOnCancel {
    cancel: Cancel,
    group: Pid,
}

impl Cancel {
    /// A token that nobody has cancelled.
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends the work: loops stop at their next look, child processes are killed with all they started.
    pub fn cancel(&self) {
        self.0.cancelled.store(true, Ordering::SeqCst);
        for group in self.groups().iter() {
            // It may have ended by itself in this moment; its id cannot be another's before it is waited for.
            let _ = kill_process_group(*group, Signal::KILL);
        }
        // Not under the lock: what is done may take a while.
        let acts = self.acts().clone();
        acts.iter().for_each(|Act(act)| act());
    }

    /// Whether [`Cancel::cancel`] was called.
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::SeqCst)
    }

    /// Ties a process group to the token. To be dropped before the group's leader is waited for.
    pub(crate) fn kills(&self, group: Pid) -> KillOnCancel {
        self.groups().push(group);
        if self.is_cancelled() {
            let _ = kill_process_group(group, Signal::KILL);
        }
        KillOnCancel { cancel: self.clone(), group }
    }

    /// Ties something to the token that ends what it cannot end by itself. It may be done twice.
    pub(crate) fn does(&self, act: Arc<dyn Fn() + Send + Sync>) -> ActOnCancel {
        let act = Act(act);
        self.acts().push(act.clone());
        if self.is_cancelled() {
            act.0();
        }
        ActOnCancel { cancel: self.clone(), act }
    }

    fn acts(&self) -> std::sync::MutexGuard<'_, Vec<Act>> {
        // As below.
        self.0.acts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn groups(&self) -> std::sync::MutexGuard<'_, Vec<Pid>> {
        // The list is whole after every operation on it, so a panic elsewhere does not spoil it.
        self.0.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ActOnCancel {
    fn drop(&mut self) {
        self.cancel.acts().retain(|act| !Arc::ptr_eq(&act.0, &self.act.0));
    }
}

impl Drop for KillOnCancel {
    fn drop(&mut self) {
        self.cancel.groups().retain(|group| *group != self.group);
    }
}
