//! Deletions made here: which are committed, which wait for a person, as a pure function.
//!
//! A dead disk or a slipped hand looks like "the user deleted all". So a batch of many deletions is held until a
//! person says what was meant; a path whose content turns up under another name was moved, not deleted. Deletions come
//! one after the other, and not all in one batch: those of the last minute count together; and while more keep coming,
//! as they do when a large folder is removed slowly, they wait until they can be counted. A single one never waits.

use std::time::{Duration, Instant};

/// More deletions than this in one batch are held.
pub const MANY: usize = 100;

/// In a folder of at least `LARGE` files, more than this share of them is held.
pub const SHARE_PERCENT: usize = 20;

/// From this many files on the share counts.
pub const LARGE: usize = 50;

/// For how long deletions that were committed count together with new ones.
pub const MEMORY: Duration = Duration::from_secs(60);

/// A deletion within this time of another one is part of a storm of them, and when none came for so long, it is over.
pub const CALM: Duration = Duration::from_secs(1);

/// Longest that deletions wait for the end of a storm: somebody may delete a file now and then all day.
pub const LONGEST: Duration = Duration::from_secs(10);

/// More deletions than this at once may be the beginning of a storm.
pub const FEW: usize = 10;

/// Fewer than these are one commit with what came with them; of more, which may be the first half of a large move, the
/// other half is waited for as long as it keeps coming.
pub const MOVE: usize = 20;

/// A storm of deletions: when the last ones came, and since when some wait for its end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Storm {
    last: Option<Instant>,
    since: Option<Instant>,
}

/// Which deletions are looked at now. The others wait; what was only moved never does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// None: a large move may be going on.
    None,
    /// All, when they are no more than this; else none.
    UpTo(usize),
    /// All.
    All,
}

/// What waits for the next batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct More {
    /// Whether anything does.
    pub any: bool,
    /// Whether more is gone.
    pub gone: bool,
}

impl Storm {
    /// Whose turn it is at the end of a batch in which, with those that wait, `gone` paths are gone.
    #[must_use]
    pub fn turn(&self, now: Instant, gone: usize, more: More) -> Turn {
        let ago = |then: Instant| now.saturating_duration_since(then);
        let calm = !more.gone && self.last.is_none_or(|last| ago(last) >= CALM);
        match self.since {
            _ if gone > MOVE && more.any => Turn::None,
            None if calm => Turn::UpTo(FEW),
            Some(since) if calm || ago(since) >= LONGEST => Turn::All,
            _ => Turn::UpTo(0),
        }
    }

    /// Takes note of how a batch ended: whether it had deletions that were committed or that wait since, and whether any
    /// wait now.
    pub fn batch_ended(&mut self, now: Instant, deletions: bool, wait: bool) {
        if deletions {
            self.last = Some(now);
        }
        self.since = wait.then(|| self.since.unwrap_or(now));
    }

    /// When those that wait are to be looked at, if nothing happens until then: batches look at them as well.
    #[must_use]
    pub fn over_at(&self, now: Instant) -> Option<Instant> {
        self.since.map(|_| now + CALM)
    }
}

/// What is known of the folder when its deletions are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batch {
    /// Paths that are gone, those that were moved left out.
    pub deletions: usize,
    /// Deletions that were committed within [`MEMORY`].
    pub recent: usize,
    /// Whether some of them are held: until a person answers, or they are there again, nobody else decides.
    pub held: bool,
    /// Files that the folder has still on record.
    pub files: usize,
    /// Whether the folder itself looks as it should: there, readable, the same one, not empty.
    pub root: Root,
}

/// How the folder itself looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Root {
    /// As it should.
    Sound,
    /// Nothing is in it any more.
    Empty,
    /// It cannot be read, or is not the folder it was.
    Gone,
}

/// What to do with a batch of deletions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Commit them.
    Commit,
    /// Ask a person; the reason says why.
    Hold(String),
}

/// Decides whether a batch of deletions is committed or held.
#[must_use]
pub fn judge(batch: Batch) -> Verdict {
    let Batch { deletions, recent, held, files, root } = batch;
    if deletions == 0 {
        return Verdict::Commit;
    }
    let (deletions, files) = (deletions + recent, files + recent);
    match root {
        Root::Gone => {
            return Verdict::Hold("The folder cannot be read or was replaced by another one.".into());
        }
        Root::Empty if deletions > 1 => {
            return Verdict::Hold(format!("All {deletions} files are gone from the folder."));
        }
        _ => {}
    }
    if held || deletions > MANY || (files >= LARGE && deletions * 100 > files * SHARE_PERCENT) {
        return Verdict::Hold(format!("{deletions} of {files} files were deleted at once."));
    }
    Verdict::Commit
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: More = More { any: false, gone: false };
    const DELETIONS: More = More { any: true, gone: true };
    const CHANGES: More = More { any: true, gone: false };

    #[test]
    fn a_single_deletion_waits_for_nothing() {
        let now = Instant::now();
        let mut storm = Storm::default();
        assert_eq!(storm.turn(now, 1, NOTHING), Turn::UpTo(FEW));
        assert_eq!(storm.turn(now, 1, CHANGES), Turn::UpTo(FEW), "nor for other changes");
        storm.batch_ended(now, true, false);
        assert_eq!(storm.over_at(now), None);
        assert_eq!(storm.turn(now + CALM, 1, NOTHING), Turn::UpTo(FEW), "nor does the next one, later");
    }

    #[test]
    fn deletions_that_keep_coming_wait_for_the_end() {
        let now = Instant::now();
        let mut storm = Storm::default();
        assert_eq!(storm.turn(now, 1, DELETIONS), Turn::UpTo(0), "the first of a fast storm");
        storm.batch_ended(now, true, false);
        let next = now + CALM / 2;
        assert_eq!(storm.turn(next, 1, NOTHING), Turn::UpTo(0), "the second of a slow one");
        storm.batch_ended(next, true, true);
        assert_eq!(storm.over_at(next), Some(next + CALM));
        assert_eq!(storm.turn(next + CALM / 2, 2, NOTHING), Turn::UpTo(0));
        assert_eq!(storm.turn(next + CALM, 2, NOTHING), Turn::All);
        storm.batch_ended(next + CALM, false, false);
        assert_eq!(storm.over_at(next + CALM), None);
    }

    #[test]
    fn a_storm_without_end_is_not_waited_for() {
        let begun = Instant::now();
        let mut storm = Storm::default();
        let mut at = begun;
        while at < begun + LONGEST {
            assert_eq!(storm.turn(at, 5, DELETIONS), Turn::UpTo(0));
            storm.batch_ended(at, true, true);
            at += CALM / 2;
        }
        assert_eq!(storm.turn(at, 5, DELETIONS), Turn::All);
        assert_eq!(storm.turn(at, MOVE + 1, CHANGES), Turn::None, "a large move that goes on");
        assert_eq!(storm.turn(at, MOVE + 1, NOTHING), Turn::All);
    }

    fn held(deletions: usize, files: usize, root: Root) -> bool {
        judge(Batch { deletions, recent: 0, held: false, files, root }) != Verdict::Commit
    }

    #[test]
    fn deletions_one_after_the_other_count_together() {
        let last = Batch { deletions: 1, recent: 5, held: false, files: 1, root: Root::Empty };
        assert_ne!(judge(last), Verdict::Commit, "the folder was emptied file by file");
        let slow = Batch { deletions: 60, recent: 60, held: false, files: 9_000, root: Root::Sound };
        assert_ne!(judge(slow), Verdict::Commit, "a slow `rm -r`");
        let few = Batch { deletions: 1, recent: 3, held: false, files: 40, root: Root::Sound };
        assert_eq!(judge(few), Verdict::Commit);
    }

    #[test]
    fn what_is_held_stays_so_when_some_of_it_is_there_again() {
        let left = Batch { deletions: 1, recent: 0, held: true, files: 1000, root: Root::Sound };
        assert_ne!(judge(left), Verdict::Commit);
        assert_eq!(judge(Batch { deletions: 0, ..left }), Verdict::Commit, "all is there again");
    }

    #[test]
    fn few_deletions_are_meant() {
        assert!(!held(0, 1000, Root::Gone), "nothing is deleted");
        assert!(!held(1, 1, Root::Empty), "the only file was deleted");
        assert!(!held(49, 49, Root::Sound), "a small folder");
        assert!(!held(10, 50, Root::Sound), "20 % exactly");
        assert!(!held(100, 1000, Root::Sound));
    }

    #[test]
    fn many_deletions_are_asked_about() {
        assert!(held(11, 50, Root::Sound), "more than 20 %");
        assert!(held(101, 100_000, Root::Sound));
        assert!(held(2, 2, Root::Empty));
        assert!(held(1, 1000, Root::Gone));
    }
}
