//! Git's lock files that a killed process left: the ref or index they guard would stay locked for good.
//!
//! Git holds a lock for moments. One that is old and that no process of this machine has open is nobody's; a process of
//! another machine (the repository is on a share) shows itself only by how young its lock is.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Age from which a lock in our own repository may be nobody's.
pub const OURS: Duration = Duration::from_secs(2);

/// The same for a repository that other machines write to as well.
pub const SHARED: Duration = Duration::from_secs(10);

/// Locks directly in the git directory.
const TOP: [&str; 5] = ["index.lock", "HEAD.lock", "packed-refs.lock", "config.lock", "shallow.lock"];

/// A file, whatever its name: device and inode.
type Identity = (u64, u64);

/// Removes the repository's locks that are at least this old and that nobody has open. Returns those it removed. What
/// cannot be read or removed is left as it was.
pub fn clear(git_dir: &Path, age: Duration) -> Vec<PathBuf> {
    let mut old = Vec::new();
    for name in TOP {
        note_if_old(git_dir.join(name), age, &mut old);
    }
    collect(&git_dir.join("refs"), age, &mut old);
    if old.is_empty() {
        return Vec::new();
    }
    let open = open_files();
    let mut removed = Vec::new();
    for (path, identity) in old {
        // The name may be another lock's by now: only the very file that was old goes.
        let same = path.symlink_metadata().is_ok_and(|meta| (meta.dev(), meta.ino()) == identity);
        if same && !open.contains(&identity) && fs::remove_file(&path).is_ok() {
            tracing::warn!(lock = %path.display(), "a lock that a killed process left was removed");
            removed.push(path);
        }
    }
    removed
}

fn collect(dir: &Path, age: Duration, old: &mut Vec<(PathBuf, Identity)>) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => collect(&path, age, old),
            // No ref's name may end so; git check-ref-format(1).
            Ok(kind) if kind.is_file() && path.extension().is_some_and(|end| end == "lock") => {
                note_if_old(path, age, old);
            }
            _ => {}
        }
    }
}

fn note_if_old(path: PathBuf, age: Duration, old: &mut Vec<(PathBuf, Identity)>) {
    let Ok(meta) = path.symlink_metadata() else { return };
    let is_old = meta.modified().ok().and_then(|at| at.elapsed().ok()).is_some_and(|since| since >= age);
    if meta.is_file() && is_old {
        old.push((path, (meta.dev(), meta.ino())));
    }
}

/// Every file that a process has open, as far as we may look.
fn open_files() -> std::collections::HashSet<Identity> {
    let mut open = std::collections::HashSet::new();
    let Ok(processes) = fs::read_dir("/proc") else { return open };
    for process in processes.flatten() {
        if !process.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit) {
            continue;
        }
        let Ok(files) = fs::read_dir(process.path().join("fd")) else { continue };
        for file in files.flatten() {
            if let Ok(meta) = file.path().metadata() {
                open.insert((meta.dev(), meta.ino()));
            }
        }
    }
    open
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn only_old_locks_that_nobody_has_open_go() {
        let dir = tempfile::tempdir().unwrap();
        let heads = dir.path().join("refs/heads");
        fs::create_dir_all(&heads).unwrap();
        let left = heads.join("master.lock");
        File::create(&left).unwrap();
        let held_path = dir.path().join("index.lock");
        let held = File::create(&held_path).unwrap();
        fs::write(heads.join("master"), "a ref").unwrap();
        assert!(clear(dir.path(), Duration::from_secs(3600)).is_empty(), "all are young");
        assert_eq!(clear(dir.path(), Duration::ZERO), [left]);
        drop(held);
        assert_eq!(clear(dir.path(), Duration::ZERO), [held_path]);
        assert!(heads.join("master").exists());
    }
}
