//! A large file is on its way to the disk while it is still being written, so that making it durable waits for its end
//! only.

use std::fs::File;
use std::io;
use std::sync::mpsc::{self, SyncSender, TrySendError};
use std::thread::{self, JoinHandle};

/// From here on waiting for the disk takes longer than starting a thread, bytes; and as much is written between two
/// looks at what there is to flush.
const STEP: u64 = 32 << 20;

/// See the module.
pub(super) struct Writeback {
    /// Written since the flusher was last told.
    untold: u64,
    flusher: Option<Flusher>,
}

struct Flusher {
    more: SyncSender<()>,
    thread: JoinHandle<io::Result<()>>,
}

impl Writeback {
    pub(super) fn new() -> Writeback {
        Writeback { untold: 0, flusher: None }
    }

    /// Takes note of so many bytes that were written to `file`.
    pub(super) fn wrote(&mut self, file: &File, count: usize) {
        self.untold += count as u64;
        if self.untold < STEP {
            return;
        }
        if self.flusher.is_none() {
            self.flusher = Flusher::start(file);
        }
        let Some(flusher) = &self.flusher else { return };
        match flusher.more.try_send(()) {
            Ok(()) => self.untold = 0,
            // It is not done with what was there before, or failed, which the end tells.
            Err(TrySendError::Full(()) | TrySendError::Disconnected(())) => {}
        }
    }

    /// Waits for what is under way. The kernel tells of a lost write once; so whoever has the file made durable later
    /// would not hear of it.
    pub(super) fn end(self) -> io::Result<()> {
        let Some(Flusher { more, thread }) = self.flusher else { return Ok(()) };
        drop(more);
        thread.join().expect("flushing does not panic")
    }
}

impl Flusher {
    /// None where there is no thread to be had: then all is flushed at the end.
    fn start(file: &File) -> Option<Flusher> {
        let file = file.try_clone().ok()?;
        // One order may wait: it covers all that is written up to its turn.
        let (more, orders) = mpsc::sync_channel(1);
        let run = move || orders.iter().try_for_each(|()| file.sync_data());
        let thread = thread::Builder::new().name("flush".into()).spawn(run).ok()?;
        Some(Flusher { more, thread })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::fd::OwnedFd;

    use super::*;

    #[test]
    fn what_could_not_be_flushed_is_told_at_the_end() {
        // A pipe cannot be flushed.
        let (_reader, writer) = std::io::pipe().expect("a pipe");
        let pipe = File::from(OwnedFd::from(writer));
        let mut writeback = Writeback::new();
        writeback.wrote(&pipe, usize::try_from(STEP).expect("a small number"));
        writeback.end().expect_err("a pipe has no disk");
    }

    #[test]
    fn a_large_file_is_flushed_as_it_grows() {
        let mut file = tempfile::tempfile().expect("a file");
        let piece = vec![7; 1 << 20];
        let mut writeback = Writeback::new();
        for _ in 0..80 {
            file.write_all(&piece).expect("there is room");
            writeback.wrote(&file, piece.len());
        }
        assert!(writeback.flusher.is_some());
        writeback.end().expect("the disk takes it");
        assert!(Writeback::new().end().is_ok(), "nothing was large");
    }
}
