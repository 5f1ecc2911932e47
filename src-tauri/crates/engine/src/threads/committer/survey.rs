//! Survey: what became of each path of a batch, from stat data alone.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use tributary_formats::key::Key;
use tributary_formats::tree_path::TreePath;
use tributary_repo::index::IndexStat;
use tributary_repo::stat::FileStat;
use tributary_repo::tree::{self, Content};

use super::moves::Inode;
use crate::state::desk::{Desk, DeskError};

/// What became of the paths of a batch.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// Plain files that are new or not the version last known.
    pub files: Vec<(TreePath, FileStat)>,
    /// Symbolic links, likewise.
    pub links: Vec<(TreePath, FileStat)>,
    /// Paths of the index that are gone from the work tree.
    pub gone: Vec<TreePath>,
    /// Somebody still writes these.
    pub busy: Vec<TreePath>,
    /// Sockets, devices and the like.
    pub odd: Vec<TreePath>,
    /// Files that a loss of power left torn are to be placed again.
    pub torn: bool,
    /// Files that are gone, by what tells that a new name is the same file: it was moved then and need not be read.
    pub moved: HashMap<Identity, Moved>,
}

/// A file that is gone, as it is recognised under another name.
#[derive(Debug, Clone)]
pub(super) struct Moved {
    /// Its old name.
    pub from: TreePath,
    /// Its content.
    pub key: Key,
    /// When its inode was changed last: seconds and nanoseconds since 1970, in the widths of the index.
    pub changed: (u32, u32),
}

impl Moved {
    /// Whether the file at `full` can be this one: it is as old. An inode is used again as soon as it is free, and a file
    /// out of an archive may have any size and time; but its birth is later than anything that was done to the file that
    /// went. Where the file system knows of no birth, nothing can be this one.
    pub(super) fn can_be(&self, full: &Path) -> bool {
        let born = std::fs::symlink_metadata(full).and_then(|meta| meta.created());
        let changed = UNIX_EPOCH + Duration::new(self.changed.0.into(), self.changed.1);
        born.is_ok_and(|born| born <= changed)
    }
}

/// What stays when a file is renamed: device, inode, size, and when its content was changed last.
pub(super) type Identity = (u32, u32, u32, (u32, u32));

/// Who a file in the index was. Its size is that of its content: the index has none for a file that was gone, or was
/// another one, when it was written.
#[allow(clippy::cast_possible_truncation, reason = "git's index keeps 32 bits of it")]
fn identity_of_entry(stat: &IndexStat, key: &Key) -> Identity {
    (stat.dev, stat.ino, key.size().map_or(stat.size, |size| size as u32), stat.mtime)
}

/// Who a file in the work tree is, in the widths of the index.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "git's index keeps 32 bits of each"
)]
pub(super) fn identity(stat: &FileStat) -> Identity {
    (stat.dev as u32, stat.ino as u32, stat.size as u32, (stat.mtime.0 as u32, stat.mtime.1))
}

/// Device and inode number, in the widths of the index.
pub(super) fn inode(stat: &FileStat) -> Inode {
    let (dev, ino, ..) = identity(stat);
    (dev, ino)
}

/// Looks at each path. A directory counts for all that the index has below it; what is new below it is the watcher's
/// to name.
pub(super) fn survey(desk: &mut Desk, batch: Vec<TreePath>) -> Result<Survey, DeskError> {
    let mut found = Survey::default();
    for path in batch {
        if desk.placing.contains(&path) {
            desk.deferred.insert(path);
            continue;
        }
        let stat = desk.work.stat(&path).map_err(DeskError::WorkTree)?;
        match stat {
            None => gone(desk, path, &mut found)?,
            Some(stat) if stat.is_dir() => {
                // A file that became a directory. One that is not placed yet is kept beside what is in the directory.
                if desk.index.get(path.as_bytes()).is_some_and(|entry| !entry.skip_worktree) {
                    found.gone.push(path);
                }
            }
            Some(stat) => there(desk, path, stat, &mut found)?,
        }
    }
    Ok(found)
}

fn there(desk: &mut Desk, path: TreePath, stat: FileStat, found: &mut Survey) -> Result<(), DeskError> {
    let entry = desk.index.get(path.as_bytes());
    if entry.is_some_and(|entry| entry.matches(&stat)) {
        return Ok(());
    }
    // An old version that stands until the merged one can be placed, or be removed, is no edit.
    if let Some(standing) = desk.ledger.standing(&path)?
        && standing.known.is_some_and(|known| known.same_version(&stat))
    {
        return Ok(());
    }
    if entry.is_none() && ignored(desk, &path) {
        return Ok(());
    }
    if stat.is_link() {
        found.links.push((path, stat));
    } else if !stat.is_file() {
        found.odd.push(path);
    } else if desk.work.is_open_for_writing(&path).map_err(DeskError::WorkTree)? {
        found.busy.push(path);
    } else if desk.place_torn_again(&path, &stat)? {
        found.torn = true;
    } else {
        found.files.push((path, stat));
    }
    Ok(())
}

/// Whether `.gitignore` rules keep a new path out. A rule that cannot be read keeps nothing out.
fn ignored(desk: &Desk, path: &TreePath) -> bool {
    use std::os::unix::ffi::OsStrExt;
    let path = std::path::Path::new(std::ffi::OsStr::from_bytes(path.as_bytes()));
    desk.repo.git().is_path_ignored(path).unwrap_or(false)
}

fn gone(desk: &mut Desk, path: TreePath, found: &mut Survey) -> Result<(), DeskError> {
    let mut paths: Vec<_> =
        desk.index.under(path.as_bytes()).map(|(below, entry)| (below.to_vec(), *entry)).collect();
    if let Some(entry) = desk.index.get(path.as_bytes()) {
        paths.push((path.as_bytes().to_vec(), *entry));
    }
    for (bytes, entry) in paths {
        let Ok(path) = TreePath::new(bytes) else { continue };
        if desk.placing.contains(&path) {
            desk.deferred.insert(path);
            continue;
        }
        if entry.skip_worktree {
            // Absent because it is not placed. If an old version stood there, it is gone now: nothing is in the way.
            if let Some(mut standing) = desk.ledger.standing(&path)?
                && standing.known.take().is_some()
            {
                desk.ledger.note_standing(&[standing])?;
            }
            continue;
        }
        // A path of a removed directory may be back already.
        if desk.work.stat(&path).map_err(DeskError::WorkTree)?.is_some() {
            continue;
        }
        if let Content::Annexed { key, locked: false } = tree::content_of(desk.repo.git(), entry.entry)? {
            found.moved.insert(
                identity_of_entry(&entry.stat, &key),
                Moved { from: path.clone(), key, changed: entry.stat.ctime },
            );
        }
        found.gone.push(path);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;
    use std::time::SystemTime;

    use tributary_repo::index::IndexEntry;

    use super::*;
    use crate::state::desk::scene::{Scene, path};

    #[test]
    fn a_file_that_is_moved_while_the_index_is_written_is_recognised() {
        let mut scene = Scene::new();
        scene.commit("before", 7);
        let desk = &mut scene.desk;
        let top = desk.repo.work_dir().to_owned();
        // It has been there for longer than the second in which git does not trust the index.
        let file = std::fs::File::options().write(true).open(top.join("before")).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(10)).unwrap();
        drop(file);
        let stat = desk.work.stat(&path("before")).unwrap().unwrap();
        let entry = desk.index.get(b"before").unwrap().entry;
        desk.index.set(b"before", IndexEntry::placed(entry, &stat));

        std::fs::rename(top.join("before"), top.join("after")).unwrap();
        desk.write_index().unwrap();
        let found = survey(desk, vec![path("before"), path("after")]).unwrap();
        let [(_, there)] = &found.files[..] else { panic!("one file is new: {found:?}") };
        let moved = found.moved.get(&identity(there)).expect("it is known by who it is");
        assert_eq!(moved.from, path("before"));
        assert!(moved.can_be(&top.join("after")));
    }

    #[test]
    fn a_file_that_was_born_later_is_not_the_one_that_went() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "content").unwrap();
        let meta = std::fs::metadata(&file).unwrap();
        let went = |seconds: i64| Moved {
            from: TreePath::new("before").unwrap(),
            key: Key::parse(b"SHA256-s7--00").unwrap(),
            changed: (u32::try_from(seconds).unwrap(), u32::try_from(meta.ctime_nsec()).unwrap()),
        };
        assert!(went(meta.ctime()).can_be(&file), "it was renamed");
        assert!(!went(meta.ctime() - 1).can_be(&file), "it took the inode of one that was deleted");
    }
}
