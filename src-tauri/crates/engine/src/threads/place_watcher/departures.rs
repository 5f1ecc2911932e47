//! The system's word that the directory of a place was moved, deleted or unmounted.

use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::io::Errno;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Read at a time, bytes; an event without a name takes 16.
const EVENTS: usize = 1024;

/// Watches the directories of places, and nothing in them: what goes on there wakes nobody.
#[derive(Debug, Clone)]
pub(super) struct Departures(Option<Arc<AsyncFd<OwnedFd>>>);

impl Departures {
    /// Watches nothing yet. Where the system has no such watches left, a place that goes is noticed by a later look.
    pub(super) fn new() -> Departures {
        #[expect(
            deprecated,
            reason = "unsound only for types that lend their descriptor out; an OwnedFd keeps its own"
        )]
        let made = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)
            .map_err(std::io::Error::from)
            .and_then(|inotify| AsyncFd::with_interest(inotify, Interest::READABLE));
        Departures(
            made.inspect_err(|error| tracing::info!(%error, "places are not watched")).ok().map(Arc::new),
        )
    }

    /// Watches the directory that is at `path` now. Blocks as any access to it does.
    pub(super) fn watch(&self, path: &Path) {
        let Some(inotify) = &self.0 else { return };
        let gone = WatchFlags::MOVE_SELF | WatchFlags::DELETE_SELF | WatchFlags::ONLYDIR;
        if let Err(error) = inotify::add_watch(inotify.get_ref(), path, gone) {
            tracing::debug!(%error, path = %path.display(), "a place is not watched");
        }
    }

    /// Ends when one of them was moved, deleted or unmounted.
    pub(super) async fn next(&self) {
        let Some(inotify) = &self.0 else { return std::future::pending().await };
        let Ok(mut ready) = inotify.readable().await else { return std::future::pending().await };
        let mut room = [MaybeUninit::uninit(); EVENTS];
        let mut events = inotify::Reader::new(inotify.get_ref(), &mut room);
        // Which one it was, the next look finds out.
        while let Ok(_) | Err(Errno::INTR) = events.next() {}
        ready.clear_ready();
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_directory_that_goes_is_told_and_what_happens_in_it_is_not() {
        let dir = tempfile::tempdir().expect("a folder");
        let (place, moved) = (dir.path().join("place"), dir.path().join("moved"));
        fs::create_dir(&place).expect("made");
        let departures = Departures::new();
        departures.watch(&place);
        fs::write(place.join("file"), "content").expect("written");
        fs::remove_file(place.join("file")).expect("removed");
        let quiet = tokio::time::timeout(Duration::from_millis(50), departures.next()).await;
        assert!(quiet.is_err(), "only files in it changed");
        fs::rename(&place, &moved).expect("moved");
        departures.next().await;
        fs::remove_dir(&moved).expect("removed");
        departures.next().await;
    }
}
