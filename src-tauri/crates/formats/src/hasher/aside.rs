//! Hashing on a thread of its own, so that moving a large content takes the longer of moving and hashing, not their sum.

use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread::{self, JoinHandle};

use super::State;

/// Pieces that may wait to be hashed. One is filled, one is hashed, and two make up for either being late.
const WAITING: usize = 4;

/// What the thread is given.
enum Work {
    Bytes(Vec<u8>),
    /// Somebody wants the state as it is now.
    Show(SyncSender<State>),
}

/// A state that takes its bytes on another thread, which ends with it.
pub(super) struct Aside {
    work: SyncSender<Work>,
    /// Pieces that were hashed, to be filled again.
    emptied: Receiver<Vec<u8>>,
    /// Pieces made so far.
    made: usize,
    thread: JoinHandle<State>,
}

impl Aside {
    /// Goes on from `state` on another thread. `None` when there is no thread to be had, or nothing to gain.
    pub(super) fn start(state: &State) -> Option<Aside> {
        if thread::available_parallelism().map_or(1, usize::from) < 2 {
            return None;
        }
        let (work, orders) = mpsc::sync_channel(WAITING);
        let (done, emptied) = mpsc::channel();
        let mut state = state.clone();
        let run = move || {
            for order in orders {
                match order {
                    Work::Bytes(bytes) => {
                        state.update(&bytes);
                        // Nobody fills pieces any more when the last one was given.
                        done.send(bytes).ok();
                    }
                    // Whoever asked may have gone.
                    Work::Show(to) => drop(to.send(state.clone())),
                }
            }
            state
        };
        let thread = thread::Builder::new().name("hash".into()).spawn(run).ok()?;
        Some(Aside { work, emptied, made: 0, thread })
    }

    /// Takes the next bytes.
    pub(super) fn update(&mut self, bytes: &[u8]) {
        let mut piece = if self.made < WAITING {
            self.made += 1;
            Vec::with_capacity(bytes.len())
        } else {
            self.emptied.recv().expect("hashing does not panic")
        };
        piece.clear();
        piece.extend_from_slice(bytes);
        self.work.send(Work::Bytes(piece)).expect("hashing does not panic");
    }

    /// The state after all bytes that were taken.
    pub(super) fn state(&self) -> State {
        let (to, shown) = mpsc::sync_channel(1);
        self.work.send(Work::Show(to)).expect("hashing does not panic");
        shown.recv().expect("hashing does not panic")
    }

    /// The last state. Waits for the thread.
    pub(super) fn end(self) -> State {
        drop(self.work);
        self.thread.join().expect("hashing does not panic")
    }
}
