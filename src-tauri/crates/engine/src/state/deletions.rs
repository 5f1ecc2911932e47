//! Deletions made here: which are committed, which wait for a person, as a pure function.
//!
//! A dead disk or a slipped hand looks like "the user deleted all". So a batch of many deletions is held until a
//! person says what was meant; a path whose content turns up under another name was moved, not deleted. Deletions come
//! one after the other, and not all in one batch: those of the last minute count together.

use std::time::Duration;

/// More deletions than this in one batch are held.
pub const MANY: usize = 100;

/// In a folder of at least `LARGE` files, more than this share of them is held.
pub const SHARE_PERCENT: usize = 20;

/// From this many files on the share counts.
pub const LARGE: usize = 50;

/// For how long deletions that were committed count together with new ones.
pub const MEMORY: Duration = Duration::from_secs(60);

/// What is known of the folder when its deletions are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batch {
    /// Paths that are gone, those that were moved left out.
    pub deletions: usize,
    /// Deletions that were committed within [`MEMORY`].
    pub recent: usize,
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
    let Batch { deletions, recent, files, root } = batch;
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
    if deletions > MANY || (files >= LARGE && deletions * 100 > files * SHARE_PERCENT) {
        return Verdict::Hold(format!("{deletions} of {files} files were deleted at once."));
    }
    Verdict::Commit
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(deletions: usize, files: usize, root: Root) -> bool {
        judge(Batch { deletions, recent: 0, files, root }) != Verdict::Commit
    }

    #[test]
    fn deletions_one_after_the_other_count_together() {
        let last = Batch { deletions: 1, recent: 5, files: 1, root: Root::Empty };
        assert_ne!(judge(last), Verdict::Commit, "the folder was emptied file by file");
        let slow = Batch { deletions: 60, recent: 60, files: 9_000, root: Root::Sound };
        assert_ne!(judge(slow), Verdict::Commit, "a slow `rm -r`");
        let few = Batch { deletions: 1, recent: 3, files: 40, root: Root::Sound };
        assert_eq!(judge(few), Verdict::Commit);
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
