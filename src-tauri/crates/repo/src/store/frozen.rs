//! Permissions of the object store: contents and their directories are read-only, so that no program changes or
//! deletes them by accident; they are made writable for the moment of a change.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// One change of a frozen directory at a time in this process: else one thread would freeze it under the other.
static THAWED: Mutex<()> = Mutex::new(());

/// How often a change is tried when another process froze the directory in between.
const TRIES: usize = 5;

/// Who else may use the repository (`core.sharedRepository`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sharing {
    /// As the umask says.
    Umask,
    /// All of its group may write; directories stay writable then.
    Group,
    /// All of its group may write, and everybody may read.
    All,
}

impl Sharing {
    /// Reads the value of `core.sharedRepository`.
    pub(crate) fn parse(value: Option<&str>) -> Sharing {
        match value.unwrap_or("umask") {
            "group" | "true" | "1" | "0660" | "0664" => Sharing::Group,
            "all" | "world" | "everybody" | "2" => Sharing::All,
            _ => Sharing::Umask,
        }
    }

    fn directory_mode(self) -> u32 {
        match self {
            Sharing::Umask => 0o755,
            Sharing::Group | Sharing::All => 0o2775,
        }
    }
}

/// Makes the directories from below `objects` down to `dir`. Says whether `dir` itself was missing.
pub(crate) fn create_dirs(dir: &Path, sharing: Sharing) -> io::Result<bool> {
    match make_dir(dir, sharing) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let parent = dir.parent().ok_or(error)?;
            create_dirs(parent, sharing)?;
            make_dir(dir, sharing)
        }
        done => done,
    }
}

fn make_dir(dir: &Path, sharing: Sharing) -> io::Result<bool> {
    let mode = sharing.directory_mode();
    match fs::DirBuilder::new().mode(mode).create(dir) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
        done => done?,
    }
    if sharing != Sharing::Umask {
        // The umask took away what the group needs.
        fs::set_permissions(dir, Permissions::from_mode(mode))?;
    }
    Ok(true)
}

/// Takes the write bits from a file, and gives it the execute bits when it is to be executable.
pub(crate) fn freeze_file(file: &File, executable: bool) -> io::Result<()> {
    let mode = if executable { 0o555 } else { 0o444 };
    file.set_permissions(Permissions::from_mode(mode))
}

/// Takes the write bits from a directory.
pub(crate) fn freeze_dir(dir: &Path, sharing: Sharing) -> io::Result<()> {
    if sharing != Sharing::Umask {
        return Ok(());
    }
    fs::set_permissions(dir, Permissions::from_mode(0o555))
}

/// Does something in a directory that may be frozen, and leaves its permissions as they were, if it is still there.
pub(crate) fn with_writable<T>(dir: &Path, mut change: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    // The mutex guards no data: a panic in another thread left nothing half done but permissions.
    let _one_at_a_time = THAWED.lock().unwrap_or_else(PoisonError::into_inner);
    let mut tried = 0;
    loop {
        tried += 1;
        let before = dir.metadata()?.permissions();
        let frozen = before.mode() & 0o200 == 0;
        if frozen {
            fs::set_permissions(dir, Permissions::from_mode(before.mode() | 0o200))?;
        }
        let done = change();
        if frozen {
            match fs::set_permissions(dir, before) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        match done {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied && tried < TRIES => {}
            done => return done,
        }
    }
}
