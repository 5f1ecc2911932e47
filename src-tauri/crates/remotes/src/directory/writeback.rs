//! A large content is on its way to the disk while it is still being written, so that the flush at the end of its batch
//! waits for the last of it only.

use std::fs::File;
use std::io;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

/// Written between two flushes, bytes. Less is flushed faster than it is worth another thread's time.
const STEP: u64 = 32 << 20;

/// See the module. Used by work on a thread of the runtime's.
#[derive(Debug, Default)]
pub(super) struct Writeback {
    /// Written since the last flush began.
    new: u64,
    flush: Option<JoinHandle<io::Result<()>>>,
}

impl Writeback {
    /// Takes note of so many bytes that were written to `file`.
    ///
    /// # Errors
    ///
    /// What a flush that has ended meanwhile says: the bytes before are lost.
    pub(super) fn wrote(&mut self, file: &File, count: usize) -> io::Result<()> {
        self.new += count as u64;
        if self.new < STEP || self.flush.as_ref().is_some_and(|flush| !flush.is_finished()) {
            return Ok(());
        }
        self.wait()?;
        self.new = 0;
        let file = file.try_clone()?;
        self.flush = Some(tokio::task::spawn_blocking(move || file.sync_data()));
        Ok(())
    }

    /// Waits for the flush under way. The kernel tells of a lost write once, so the flush of the batch would not hear of
    /// it.
    ///
    /// # Errors
    ///
    /// What the flush says.
    pub(super) fn wait(&mut self) -> io::Result<()> {
        let Some(flush) = self.flush.take() else { return Ok(()) };
        Handle::current().block_on(flush).map_err(io::Error::other)?
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::OwnedFd;

    use super::*;

    #[tokio::test]
    async fn what_could_not_be_flushed_is_told() {
        let told = tokio::task::spawn_blocking(|| {
            // A pipe cannot be flushed.
            let (_reader, writer) = io::pipe().expect("a pipe");
            let pipe = File::from(OwnedFd::from(writer));
            let mut writeback = Writeback::default();
            let step = usize::try_from(STEP).expect("a small number");
            writeback.wrote(&pipe, step - 1).expect("too little to be flushed");
            assert!(writeback.flush.is_none());
            writeback.wrote(&pipe, 1).expect("it has only begun");
            assert!(writeback.flush.is_some());
            writeback.wait()
        });
        told.await.expect("no panic").expect_err("a pipe has no disk");
    }
}
