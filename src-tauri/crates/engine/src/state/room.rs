//! Room: who waits until a full disk has room again, and the word that it has.
//!
//! Whoever meets a full disk tries again after that word, and not before: a disk is full of what a person has to remove,
//! which takes minutes or days, and thousands of files may wait.

use std::error::Error;
use std::io::{self, ErrorKind};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

/// Longest that somebody waits for the word: a quota, or a disk below the folder, is not seen by whoever says it.
const LONGEST: Duration = Duration::from_secs(120);

/// What the threads of a folder know of the room on its disk.
#[derive(Debug, Default)]
pub(crate) struct Room {
    lacking: watch::Sender<bool>,
    words: watch::Sender<()>,
}

impl Room {
    /// Notes whether somebody lacks room now.
    pub(crate) fn note(&self, lacking: bool) {
        self.lacking.send_if_modified(|before| std::mem::replace(before, lacking) != lacking);
    }

    /// Whether somebody lacks room, and its changes.
    pub(crate) fn lacking(&self) -> watch::Receiver<bool> {
        self.lacking.subscribe()
    }

    /// Says that it is worth while to try again.
    pub(crate) fn try_again(&self) {
        self.words.send_replace(());
    }

    /// A rest from now on until the next such word.
    pub(crate) fn rest(&self) -> Rest {
        Rest { words: self.words.subscribe(), until: Instant::now() + LONGEST }
    }
}

/// The rest of somebody for whom the disk was full.
#[derive(Debug)]
pub(crate) struct Rest {
    words: watch::Receiver<()>,
    until: Instant,
}

impl Rest {
    /// Ends when it is worth while to try again. May be dropped and asked for anew.
    pub(crate) async fn over(&mut self) {
        // It makes no difference to whoever waits that nobody is left to say a word.
        tokio::time::timeout_at(self.until, self.words.changed()).await.ok();
    }
}

/// Whether the cause of an error is that a disk, or what one may use of it, is full.
pub(crate) fn is_full(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
        if matches!(kind, Some(ErrorKind::StorageFull | ErrorKind::QuotaExceeded)) {
            return true;
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_rest_ends_with_the_word_and_not_with_an_older_one() {
        let room = Room::default();
        room.try_again();
        let (mut rest, start) = (room.rest(), Instant::now());
        assert!(tokio::time::timeout(LONGEST / 2, rest.over()).await.is_err(), "that was before");
        room.try_again();
        rest.over().await;
        assert_eq!(start.elapsed(), LONGEST / 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_rest_without_a_word_ends_too() {
        let (room, start) = (Room::default(), Instant::now());
        room.rest().over().await;
        assert_eq!(start.elapsed(), LONGEST);
    }

    #[test]
    fn a_full_disk_is_recognised_below_other_errors() {
        #[derive(Debug, thiserror::Error)]
        #[error("it failed")]
        struct Above(#[source] io::Error);
        assert!(is_full(&Above(io::Error::from_raw_os_error(28))));
        assert!(!is_full(&Above(io::Error::from_raw_os_error(5))));
    }
}
