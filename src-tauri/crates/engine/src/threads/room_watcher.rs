//! Room watcher: says when a disk that was full has room again.
//!
//! Waits until somebody lacks room; then asks the file system now and then how much is free, since no system tells when
//! that changes: one call, and none while all is well. Tells the conductor. Ends when told to stop.
//!
//! That room appeared need not mean that there is enough of it, and those who try again take and free some themselves; so
//! the pauses between two words grow, unless there is more room than was ever tried in vain.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::StatVfs;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::folder_facts::{Fact, FactSender};
use crate::state::room::Room;

/// Pause between two looks at a full disk: a person who made room looks whether it goes on.
const LOOK: Duration = Duration::from_millis(500);

/// First and longest pause between two words.
const WORD_PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// A disk that was not full for so long is no longer the one that was tried in vain.
const SETTLED: Duration = Duration::from_secs(60);

/// This much more than the least that was free is worth a try: less comes and goes with logs and the like.
const WORTH: Free = Free { bytes: 256 << 10, files: 16 };

/// The room watcher's wiring.
pub(crate) struct RoomWatcher {
    pub(crate) git_dir: PathBuf,
    pub(crate) room: Arc<Room>,
    pub(crate) facts: FactSender,
}

/// Runs until told to stop.
pub(crate) async fn run(watcher: RoomWatcher, stop: CancellationToken) {
    let mut lacking = watcher.room.lacking();
    let mut gauge = Gauge::new(Instant::now());
    loop {
        let lacks = lacking.wait_for(|lacking| *lacking);
        if !matches!(stop.run_until_cancelled(lacks).await, Some(Ok(_))) {
            return;
        }
        gauge.lacks(Instant::now());
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                full = lacking.wait_for(|lacking| !*lacking) => {
                    if full.is_err() {
                        return;
                    }
                    break;
                }
                () = tokio::time::sleep(LOOK) => {}
            }
            let Some(free) = watcher.free().await else { continue };
            if gauge.is_worth_a_word(free, Instant::now()) {
                tracing::debug!(
                    bytes = free.bytes,
                    files = free.files,
                    "a disk that was full is tried again"
                );
                watcher.facts.send(Fact::Room).ok();
            }
        }
        gauge.healed(Instant::now());
    }
}

impl RoomWatcher {
    /// What is free now; a disk that cannot be asked has gone, which others notice.
    async fn free(&self) -> Option<Free> {
        let git_dir = self.git_dir.clone();
        let asked = tokio::task::spawn_blocking(move || rustix::fs::statvfs(&git_dir)).await;
        asked.expect("asking does not panic").ok().map(Free::from)
    }
}

/// What is free on a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Free {
    /// Bytes, for those who are not root.
    bytes: u64,
    /// Files that can be made; none where the file system does not count them.
    files: u64,
}

impl Free {
    fn is_worth_more_than(self, other: Self) -> bool {
        self.bytes >= other.bytes.saturating_add(WORTH.bytes)
            || self.files >= other.files.saturating_add(WORTH.files)
    }
}

impl From<StatVfs> for Free {
    fn from(asked: StatVfs) -> Self {
        Self { bytes: asked.f_bavail.saturating_mul(asked.f_frsize), files: asked.f_favail }
    }
}

/// When room is worth a word.
#[derive(Debug)]
struct Gauge {
    /// The least that was free since somebody lacks room.
    least: Option<Free>,
    /// The most that was free at a word, and did not do.
    tried: Option<Free>,
    said: Instant,
    pause: Duration,
    /// Whether no word was said since then. Room may have been made before the first look, so one follows in any case.
    first: bool,
    healed: Option<Instant>,
}

impl Gauge {
    fn new(now: Instant) -> Self {
        Self { least: None, tried: None, said: now, pause: WORD_PAUSE.0, first: true, healed: None }
    }

    /// Somebody lacks room, from now on.
    fn lacks(&mut self, now: Instant) {
        (self.least, self.first) = (None, true);
        if self.healed.take().is_none_or(|healed| now - healed >= SETTLED) {
            (self.tried, self.said, self.pause) = (None, now, WORD_PAUSE.0);
        }
    }

    /// Nobody lacks room any more.
    fn healed(&mut self, now: Instant) {
        self.healed = Some(now);
    }

    /// Whether to say now that it is worth while to try again. As long as there is more room than there was, it is said
    /// again and again: what was under way when room was made fails after the first word.
    fn is_worth_a_word(&mut self, free: Free, now: Instant) -> bool {
        let least = self.least.get_or_insert(free);
        *least = Free { bytes: least.bytes.min(free.bytes), files: least.files.min(free.files) };
        let more = free.is_worth_more_than(*least);
        if self.tried.is_some_and(|tried| free.is_worth_more_than(tried)) {
            self.pause = WORD_PAUSE.0;
        }
        if !(more || self.first) || now - self.said < self.pause {
            return false;
        }
        let tried = self.tried.unwrap_or(free);
        self.tried = Some(Free { bytes: tried.bytes.max(free.bytes), files: tried.files.max(free.files) });
        (self.said, self.first) = (now, false);
        self.pause = (self.pause * 2).min(WORD_PAUSE.1);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: Free = Free { bytes: 0, files: 7 };
    const ROOM: Free = Free { bytes: 8 << 20, files: 7 };

    /// A gauge of a disk that was found full and tried once more, and the time since when it may be tried again.
    fn gauge() -> (Gauge, Instant) {
        let start = Instant::now();
        let mut gauge = Gauge::new(start);
        gauge.lacks(start);
        assert!(!gauge.is_worth_a_word(FULL, start));
        let now = start + WORD_PAUSE.0;
        assert!(gauge.is_worth_a_word(FULL, now), "room may have been made before the first look");
        (gauge, now + 2 * WORD_PAUSE.0)
    }

    #[test]
    fn room_for_bytes_or_for_files_is_worth_a_word_and_a_little_is_not() {
        for (free, worth) in [
            (ROOM, true),
            (Free { files: 7 + WORTH.files, ..FULL }, true),
            (Free { bytes: WORTH.bytes - 1, ..FULL }, false),
        ] {
            let (mut gauge, now) = gauge();
            assert_eq!(gauge.is_worth_a_word(free, now), worth, "{free:?}");
        }
    }

    #[test]
    fn a_disk_that_stays_as_full_as_it_was_is_not_tried() {
        let (mut gauge, now) = gauge();
        for seconds in 0..1_000 {
            assert!(!gauge.is_worth_a_word(FULL, now + Duration::from_secs(seconds)));
        }
    }

    #[test]
    fn who_failed_after_the_word_hears_another() {
        let (mut gauge, now) = gauge();
        assert!(gauge.is_worth_a_word(ROOM, now));
        assert!(!gauge.is_worth_a_word(ROOM, now + LOOK));
        assert!(gauge.is_worth_a_word(ROOM, now + 4 * WORD_PAUSE.0));
    }

    #[test]
    fn those_who_take_and_free_room_themselves_try_less_and_less_often() {
        let (mut gauge, now) = gauge();
        let mut words = 0;
        for half in 0..1_200 {
            let free = if half % 2 == 0 { FULL } else { ROOM };
            words += u32::from(gauge.is_worth_a_word(free, now + half * LOOK));
        }
        assert!((6..20).contains(&words), "{words} words in ten minutes");
    }

    #[test]
    fn more_room_than_ever_is_worth_a_word_at_once() {
        let (mut gauge, now) = gauge();
        for n in 0..20 {
            gauge.is_worth_a_word(if n % 2 == 0 { FULL } else { ROOM }, now + n * SETTLED);
        }
        let later = now + 19 * SETTLED + WORD_PAUSE.0;
        assert!(!gauge.is_worth_a_word(ROOM, later), "that much did not do");
        assert!(gauge.is_worth_a_word(Free { bytes: 2 * ROOM.bytes, ..ROOM }, later));
    }

    #[test]
    fn a_disk_that_is_full_again_soon_does_not_begin_anew() {
        let (mut gauge, now) = gauge();
        gauge.pause = WORD_PAUSE.1;
        gauge.healed(now);
        gauge.lacks(now + SETTLED / 2);
        assert_eq!(gauge.pause, WORD_PAUSE.1);
        gauge.healed(now + SETTLED / 2);
        gauge.lacks(now + 2 * SETTLED);
        assert_eq!(gauge.pause, WORD_PAUSE.0);
    }
}
