//! Files that a loss of power left torn.
//!
//! A file of the folder is not made durable when it is placed, and what a person's programs write mostly is not either:
//! what counts is durable in the object store, and waiting for the disk once more would cost everybody much. So after a
//! loss of power a file can stand under its name with only the beginning of its content, or nothing of it. That is no
//! edit: it is placed again.
//!
//! Torn is what, after the machine was started anew, is a true beginning of the version that belongs there. Where that
//! version was placed before, it also has to be the same file (inode), not changed later than that version. So nothing
//! that somebody wrote is lost: it is all in what is placed instead.

use std::fs::File;
use std::io::{self, Read};

use tributary_formats::tree_path::TreePath;
use tributary_repo::index::{IndexEntry, IndexStat};
use tributary_repo::stat::FileStat;
use tributary_repo::tree::{self, Content};

use super::{Desk, DeskError, Result};
use crate::state::ledger::{Reason, Standing};

/// Compared at a time, bytes.
const PIECE: usize = 64 << 10;

impl Desk {
    /// Notes a torn file as one that is to be placed; false when the file at `path` is none.
    ///
    /// # Errors
    /// When the repository or the ledger cannot be read. A file that cannot be read is not torn.
    pub fn place_torn_again(&mut self, path: &TreePath, stat: &FileStat) -> Result<bool> {
        if !self.boot.is_new() || !stat.is_file() {
            return Ok(false);
        }
        let Some(staged) = self.index.get(path.as_bytes()).copied() else { return Ok(false) };
        let before = self.ledger.standing(path)?;
        let arriving = before.as_ref().is_none_or(|row| row.reason == Reason::Arriving);
        if !arriving || !(staged.skip_worktree || may_be_of(&staged.stat, stat)) {
            return Ok(false);
        }
        let content = tree::content_of(self.repo.git(), staged.entry)?;
        let (key, whole): (_, Option<(u64, Box<dyn Read>)>) = match content {
            Content::Annexed { key, locked: false } => {
                let object = self.repo.store().open_object(&key).ok();
                let whole = object.and_then(|file| Some((file.metadata().ok()?.len(), Box::new(file) as _)));
                (Some(key), whole)
            }
            Content::Git { size } => {
                let blob = self.repo.git().find_blob(staged.entry.oid);
                let blob = blob.map_err(|error| DeskError::Git(error.to_string()))?.content().to_vec();
                (None, Some((size, Box::new(io::Cursor::new(blob)))))
            }
            Content::Annexed { locked: true, .. } | Content::Link | Content::Submodule => (None, None),
        };
        let Some((size, whole)) = whole else { return Ok(false) };
        let torn = stat.size < size
            && self.work.open_file(path).and_then(|file| begins(file, stat.size, whole)).unwrap_or(false);
        if torn {
            tracing::warn!(path = %path.to_string_lossy(), "a file was torn by a loss of power");
            self.ledger.note_standing(&[Standing {
                path: path.clone(),
                key,
                known: Some(*stat),
                reason: Reason::Arriving,
                leaves: None,
            }])?;
            self.index.set(path.as_bytes(), IndexEntry::not_placed(staged.entry));
        }
        Ok(torn)
    }

    /// All that was found in the folder after its opening is taken in: what is torn from now on, a loss of power did not do.
    pub fn note_whole(&mut self) {
        self.boot.note();
    }
}

/// Whether the file may be what is left of the version that was placed with stat data `placed`.
fn may_be_of(placed: &IndexStat, now: &FileStat) -> bool {
    let now = IndexStat::from(now);
    now.ino == placed.ino && now.mtime <= placed.mtime
}

/// Whether a file of `size` bytes is the beginning of `whole`.
fn begins(file: File, size: u64, whole: impl Read) -> io::Result<bool> {
    let (mut file, mut whole) = (file.take(size), whole.take(size));
    let (mut is, mut should) = (Vec::with_capacity(PIECE), Vec::with_capacity(PIECE));
    loop {
        (&mut file).take(PIECE as u64).read_to_end(&mut is)?;
        (&mut whole).take(PIECE as u64).read_to_end(&mut should)?;
        if is != should || is.is_empty() {
            return Ok(is == should);
        }
        is.clear();
        should.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, FileTimes, OpenOptions};
    use std::time::{Duration, SystemTime};

    use tributary_formats::backend::Backend;
    use tributary_formats::key::Key;

    use super::super::scene::{Scene, path};

    const CONTENT: &str = "all of it";

    /// A folder with `a`, which is in the store, after the machine was started anew.
    fn scene() -> (Scene, Key) {
        let mut scene = Scene::new();
        let store = scene.desk.repo.store();
        let backend = Backend::parse("SHA256").expect("a backend");
        let (key, ..) = store.ingest_stream(&mut CONTENT.as_bytes(), b"", &backend, false).expect("stored");
        scene.merge(&[("a", Some(key.clone()))]);
        scene.desk.boot.pretend_new();
        (scene, key)
    }

    /// Makes `a` shorter, as a loss of power does: with the time of its last change.
    fn tear(scene: &Scene, left: usize, later: Duration) {
        let file = scene.machine.join("folder/a");
        let file = OpenOptions::new().write(true).open(file).expect("it is there");
        let changed = file.metadata().and_then(|meta| meta.modified()).expect("a time");
        file.set_len(left as u64).expect("cut");
        file.set_times(FileTimes::new().set_modified(changed + later)).expect("times");
    }

    fn is_torn(scene: &mut Scene) -> bool {
        let stat = scene.desk.work.stat(&path("a")).expect("stat").expect("it stands there");
        let torn = scene.desk.place_torn_again(&path("a"), &stat).expect("the desk answers");
        let row = scene.desk.ledger.standing(&path("a")).expect("the ledger answers");
        assert_eq!(torn, row.is_some_and(|row| row.known == Some(stat)), "it is replaced, if it is torn");
        torn
    }

    #[test]
    fn a_placed_file_that_is_shorter_was_torn() {
        for left in [0, 3] {
            let (mut scene, _) = scene();
            scene.place("a", CONTENT);
            tear(&scene, left, Duration::ZERO);
            assert!(is_torn(&mut scene));
        }
    }

    #[test]
    fn a_file_that_is_placed_and_not_noted_yet_was_torn() {
        let (mut scene, _) = scene();
        fs::write(scene.machine.join("folder/a"), "all").expect("write");
        assert!(is_torn(&mut scene));
    }

    #[test]
    fn an_edit_is_none() {
        let (mut scene, _) = scene();
        scene.place("a", CONTENT);
        tear(&scene, 3, Duration::from_millis(10));
        assert!(!is_torn(&mut scene), "it was made shorter later");
        fs::write(scene.machine.join("folder/b"), "all").expect("write");
        fs::rename(scene.machine.join("folder/b"), scene.machine.join("folder/a")).expect("rename");
        let file = fs::File::options().write(true).open(scene.machine.join("folder/a")).expect("open");
        file.set_times(FileTimes::new().set_modified(SystemTime::UNIX_EPOCH)).expect("times");
        assert!(!is_torn(&mut scene), "it is another file");
        let (mut scene, _) = self::scene();
        fs::write(scene.machine.join("folder/a"), "ale").expect("write");
        assert!(!is_torn(&mut scene), "it is no beginning");
        fs::write(scene.machine.join("folder/a"), CONTENT).expect("write");
        assert!(!is_torn(&mut scene), "it is whole");
    }

    #[test]
    fn nothing_is_torn_while_the_machine_runs_on() {
        let (mut scene, _) = scene();
        scene.place("a", CONTENT);
        tear(&scene, 0, Duration::ZERO);
        scene.desk.note_whole();
        assert!(!is_torn(&mut scene), "the folder was whole before");
    }
}
