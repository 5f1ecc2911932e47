//! Git's index of the work tree, read and written by our own code, with the true stat data of the files.
//!
//! libgit2's index is not used because it looks at the work tree when it writes (and, since it runs no filters, would
//! take every unlocked file for modified). Format: git's `Documentation/gitformat-index.txt`, versions 2 to 4.

mod format;
mod lock_file;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use self::lock_file::LockFile;
use crate::stat::FileStat;
use crate::tree::{EntryMode, TreeEntry};

/// The stat data of an entry, as git keeps it: everything cut to 32 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct IndexStat {
    /// Last change of anything: seconds and nanoseconds.
    pub ctime: (u32, u32),
    /// Last change of the content: seconds and nanoseconds.
    pub mtime: (u32, u32),
    /// Device.
    pub dev: u32,
    /// Inode number.
    pub ino: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Size of the file in the work tree in bytes, not of the blob.
    pub size: u32,
}

/// What the index holds of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexEntry {
    /// The version that is staged.
    pub entry: TreeEntry,
    /// The file in the work tree when it held exactly that version; all zero when that is not known.
    pub stat: IndexStat,
    /// The file is not in the work tree, or an older version stands there, on purpose: git must not look.
    pub skip_worktree: bool,
    /// `git add -N`: the path is announced, its content is not staged.
    pub intent_to_add: bool,
    /// `git update-index --assume-unchanged`.
    pub assume_valid: bool,
}

/// The three sides of a path that a merge by hand left in conflict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct IndexConflict {
    /// The version both sides started from.
    pub base: Option<TreeEntry>,
    /// The version of the branch that was merged into.
    pub ours: Option<TreeEntry>,
    /// The version of the branch that was merged.
    pub theirs: Option<TreeEntry>,
}

/// Git's index in memory, with the edits since it was read.
#[derive(Debug)]
pub struct WorkIndex {
    path: PathBuf,
    work_dir: Option<PathBuf>,
    entries: Entries,
    version: u32,
    /// The file that `entries` was read from or written to; None when there was none.
    file: Option<FileId>,
    /// Paths edited since then, and what they became.
    edits: BTreeMap<Box<[u8]>, Option<IndexEntry>>,
    writes: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Entries {
    staged: BTreeMap<Box<[u8]>, IndexEntry>,
    conflicts: BTreeMap<Box<[u8]>, IndexConflict>,
}

/// Tells one state of the index file from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileId {
    ino: u64,
    size: u64,
    mtime: (i64, u32),
}

/// Why the index could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// Another git holds `index.lock`: try again soon.
    #[error("the git index is locked by another program")]
    Locked,
    /// The file is not an index, or broken.
    #[error("the git index is broken: {0}")]
    Broken(&'static str),
    /// It uses something that cannot be read here.
    #[error("the git index has the extension {0}, which is not supported")]
    Unsupported(String),
    /// The file could not be read or written.
    #[error("the git index cannot be read or written")]
    Io(#[from] std::io::Error),
}

impl From<&FileStat> for IndexStat {
    fn from(stat: &FileStat) -> Self {
        // Cutting to the low 32 bits is what git does with each of these.
        IndexStat {
            ctime: (stat.ctime.0 as u32, stat.ctime.1),
            mtime: (stat.mtime.0 as u32, stat.mtime.1),
            dev: stat.dev as u32,
            ino: stat.ino as u32,
            uid: stat.uid,
            gid: stat.gid,
            size: cut_size(stat.size),
        }
    }
}

/// A size of zero means "not known" to git, so multiples of 4 GiB become something else (since git 2.43).
fn cut_size(size: u64) -> u32 {
    match size as u32 {
        0 if size != 0 => 0x8000_0000,
        cut => cut,
    }
}

impl IndexEntry {
    /// An entry whose file stands in the work tree as `stat` says.
    pub fn placed(entry: TreeEntry, stat: &FileStat) -> IndexEntry {
        IndexEntry { stat: stat.into(), skip_worktree: false, ..IndexEntry::not_placed(entry) }
    }

    /// An entry whose file is not (yet) in the work tree, or stands there in another version.
    pub fn not_placed(entry: TreeEntry) -> IndexEntry {
        IndexEntry {
            entry,
            stat: IndexStat::default(),
            skip_worktree: true,
            intent_to_add: false,
            assume_valid: false,
        }
    }

    /// Whether the file with this stat data is the version of the entry, as far as stat data tells.
    /// Never for an entry that is not placed.
    pub fn matches(&self, stat: &FileStat) -> bool {
        let kind = match self.entry.mode {
            EntryMode::File => stat.is_file() && !stat.is_executable(),
            EntryMode::Executable => stat.is_file() && stat.is_executable(),
            EntryMode::Link => stat.is_link(),
            EntryMode::Submodule => stat.is_dir(),
        };
        // The device is left out: its number changes from one mount to the next.
        let now = IndexStat { dev: self.stat.dev, ..stat.into() };
        kind && self.is_placed() && self.stat == now
    }

    fn is_placed(&self) -> bool {
        !self.skip_worktree && !self.intent_to_add && self.stat != IndexStat::default()
    }
}

impl WorkIndex {
    /// Reads the repository's index; a missing file is an empty index.
    ///
    /// An index that is split or sparse is first made whole, by git.
    pub fn open(git: &git2::Repository) -> Result<WorkIndex, IndexError> {
        let mut index = WorkIndex {
            path: git.path().join("index"),
            work_dir: git.workdir().map(Path::to_owned),
            entries: Entries::default(),
            version: 2,
            file: None,
            edits: BTreeMap::new(),
            writes: 0,
        };
        match index.read() {
            Err(IndexError::Unsupported(extension)) if matches!(&*extension, "link" | "sdir") => {
                make_whole(git)?;
                index.read()?;
            }
            read => read?,
        }
        Ok(index)
    }

    /// The entry of a path; None when it has none or is in conflict.
    pub fn get(&self, path: &[u8]) -> Option<&IndexEntry> {
        self.entries.staged.get(path)
    }

    /// How many paths have an entry.
    pub fn len(&self) -> usize {
        self.entries.staged.len()
    }

    /// Whether no path has an entry.
    pub fn is_empty(&self) -> bool {
        self.entries.staged.is_empty()
    }

    /// All paths with their entries, in bytewise order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &IndexEntry)> {
        self.entries.staged.iter().map(|(path, entry)| (&**path, entry))
    }

    /// The paths below a directory, which is given without a final slash.
    pub fn under<'a>(&'a self, dir: &[u8]) -> impl Iterator<Item = (&'a [u8], &'a IndexEntry)> {
        let (first, end) = below(dir);
        self.entries.staged.range(first..end).map(|(path, entry)| (&**path, entry))
    }

    /// The paths that a merge by hand left in conflict.
    pub fn conflicts(&self) -> impl Iterator<Item = (&[u8], &IndexConflict)> {
        self.entries.conflicts.iter().map(|(path, conflict)| (&**path, conflict))
    }

    /// Sets a path's entry. Entries that cannot stand beside it (a file where it needs a directory, or files below
    /// it) and a conflict of that path go.
    pub fn set(&mut self, path: &[u8], entry: IndexEntry) {
        for (at, _) in path.iter().enumerate().filter(|(_, byte)| **byte == b'/') {
            self.remove(&path[..at]);
        }
        self.remove_under(path);
        self.entries.conflicts.remove(path);
        self.entries.staged.insert(path.into(), entry);
        self.edits.insert(path.into(), Some(entry));
    }

    /// Removes a path's entry and its conflict; false when it had neither.
    pub fn remove(&mut self, path: &[u8]) -> bool {
        let staged = self.entries.staged.remove(path).is_some();
        let conflict = self.entries.conflicts.remove(path).is_some();
        if staged || conflict {
            self.edits.insert(path.into(), None);
        }
        staged || conflict
    }

    /// Removes all entries below a directory; returns how many there were.
    pub fn remove_under(&mut self, dir: &[u8]) -> usize {
        let (first, end) = below(dir);
        let staged = self.entries.staged.range(first.clone()..end.clone()).map(|(path, _)| path.clone());
        let conflicts = self.entries.conflicts.range(first..end).map(|(path, _)| path.clone());
        let paths: Vec<_> = staged.chain(conflicts).collect();
        paths.iter().filter(|path| self.remove(path)).count()
    }

    /// Whether something was edited since the last [`WorkIndex::write`].
    pub fn is_edited(&self) -> bool {
        !self.edits.is_empty()
    }

    /// How many [`WorkIndex::write`]s succeeded: when it grew, the file held everything in between.
    pub fn writes(&self) -> u64 {
        self.writes
    }

    /// Whether somebody else wrote the index since it was read or written here.
    pub fn changed_on_disk(&self) -> Result<bool, IndexError> {
        Ok(FileId::at(&self.path)? != self.file)
    }

    /// Reads the index again when somebody else wrote it, and applies our own edits on top. True when it was read.
    pub fn refresh(&mut self) -> Result<bool, IndexError> {
        if !self.changed_on_disk()? {
            return Ok(false);
        }
        self.read()?;
        for (path, edit) in std::mem::take(&mut self.edits) {
            match edit {
                Some(entry) => self.set(&path, entry),
                None => {
                    self.remove(&path);
                }
            }
        }
        Ok(true)
    }

    /// Whether git would look at files again that are known to be unchanged, since they changed in the second the
    /// index was written in, and writing it once more would spare it that.
    pub fn is_racy(&self) -> bool {
        let Some(file) = self.file else { return false };
        let now = seconds(SystemTime::now() - CLOCK_LAG);
        self.placed_seconds().any(|mtime| i64::from(mtime) >= file.mtime.0 && i64::from(mtime) < now)
    }

    /// The moment from which on the index can be written so that git need not look at a file again.
    ///
    /// Git (built without `USE_NSEC`, as it is everywhere) compares seconds only, so it does not trust an entry whose
    /// file changed in the second the index was written in, and runs the clean filter on it. Writing earlier is
    /// right, only slower for git. None when writing at once is as good.
    pub fn settles_at(&self) -> Option<SystemTime> {
        let now = seconds(SystemTime::now() - CLOCK_LAG);
        // A time in the future comes from a wrong clock, and is not waited for.
        let last =
            self.placed_seconds().map(i64::from).filter(|mtime| (now..=now + 1).contains(mtime)).max()?;
        let next = u64::try_from(last + 1).ok()?;
        Some(SystemTime::UNIX_EPOCH + Duration::from_secs(next) + CLOCK_LAG)
    }

    /// Writes the index under git's `index.lock`, when there are edits or it [is racy](WorkIndex::is_racy). If
    /// somebody else wrote it meanwhile it is read again first and our edits applied on top.
    ///
    /// # Errors
    /// [`IndexError::Locked`] when another git is at it; nothing is lost then.
    pub fn write(&mut self) -> Result<(), IndexError> {
        if !self.is_edited() && !self.is_racy() {
            self.writes += 1;
            return Ok(());
        }
        let lock = LockFile::take(&self.path)?;
        self.refresh()?;
        // Git trusts an entry whose file is older than the index. So the index gets the time before the files are
        // looked at: whoever changes one from now on makes it younger.
        let taken_at = lock.file.metadata()?.modified()?;
        self.forget_changed_files(seconds(taken_at));
        let bytes = format::serialize(&self.entries, self.version);
        lock.commit(&bytes, taken_at)?;
        self.file = FileId::at(&self.path)?;
        self.edits.clear();
        self.writes += 1;
        Ok(())
    }

    /// Marks edited entries whose file is not what was recorded any more, so that git looks at it again: the change
    /// may lie in the same second, which git could not see. (A size of 0 is git's own mark for that.)
    fn forget_changed_files(&mut self, now: i64) {
        let Some(work_dir) = &self.work_dir else { return };
        for path in self.edits.keys() {
            let Some(entry) = self.entries.staged.get_mut(path) else { continue };
            if !entry.is_placed() || i64::from(entry.stat.mtime.0) >= now {
                continue;
            }
            let file = work_dir.join(OsStr::from_bytes(path));
            let same = std::fs::symlink_metadata(file)
                .is_ok_and(|meta| IndexStat::from(&FileStat::from(&meta)) == entry.stat);
            if !same {
                entry.stat.size = 0;
            }
        }
    }

    /// Seconds of the last changes of all files that are in the work tree.
    fn placed_seconds(&self) -> impl Iterator<Item = u32> {
        let placed = self.entries.staged.values().filter(|entry| entry.is_placed());
        placed.map(|entry| entry.stat.mtime.0)
    }

    fn read(&mut self) -> Result<(), IndexError> {
        // The identity first: if the file is replaced after that, it will differ and be read again.
        let file = FileId::at(&self.path)?;
        let bytes = match std::fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
                (self.entries, self.file) = (Entries::default(), None);
                return Ok(());
            }
            Err(cause) => return Err(cause.into()),
        };
        (self.entries, self.version) = format::parse(&bytes)?;
        self.file = file;
        Ok(())
    }
}

/// The bounds of the paths below a directory: from `dir/` up to what follows the slash, which is `0`.
fn below(dir: &[u8]) -> (Box<[u8]>, Box<[u8]>) {
    ([dir, b"/"].concat().into(), [dir, b"0"].concat().into())
}

/// File systems take the time from a clock that ticks a hundred times a second on the slowest kernels, so a new file
/// may be that much older than its maker's clock says.
const CLOCK_LAG: Duration = Duration::from_millis(20);

fn seconds(time: SystemTime) -> i64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// Has git write the index as one file with an entry for every path.
fn make_whole(git: &git2::Repository) -> Result<(), IndexError> {
    let status = Command::new("git")
        .arg("--git-dir")
        .arg(git.path())
        .args(["-c", "core.splitIndex=false", "-c", "index.sparse=false"])
        .args(["update-index", "--no-split-index", "--force-write-index"])
        .current_dir(git.workdir().unwrap_or(git.path()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    if status.success() { Ok(()) } else { Err(IndexError::Locked) }
}

impl FileId {
    fn at(path: &Path) -> Result<Option<FileId>, IndexError> {
        match std::fs::metadata(path) {
            Ok(meta) => {
                let stat = FileStat::from(&meta);
                Ok(Some(FileId { ino: stat.ino, size: stat.size, mtime: stat.mtime }))
            }
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(cause.into()),
        }
    }
}
