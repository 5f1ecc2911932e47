//! The object store: contents of keys under `GITDIR/annex/objects`, and the places where they are made.
//!
//! A content has its final name only when it is complete and verified. Nothing is synced file by file: a batch ends
//! with one [`ObjectStore::sync`]. Format: `annex-format` 4.1, git-annex repository version 10.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;
use tributary_formats::backend::Backend;
use tributary_formats::data_size::parse_data_size;
use tributary_formats::extension::ExtensionRule;
use tributary_formats::key::Key;
use tributary_formats::tree_path::TreePath;

use crate::lock::ExclusiveContentLock;
use crate::object_batch::FEW;
use crate::place_in_tree::WorkTree;
use crate::repository::Repository;

pub(crate) mod frozen;
mod ingest;
pub(crate) mod other_tmp;
mod verify;
mod writeback;

pub use ingest::{IngestError, Ingested};
pub use verify::Verdict;

use frozen::Sharing;

/// What git-annex leaves free when `annex.diskreserve` is not set, or cannot be read: bytes.
const DEFAULT_RESERVE: u64 = 100_000_000;

/// The contents of one repository. Cheap to clone, and can be used from many threads at once.
#[derive(Debug, Clone)]
pub struct ObjectStore {
    annex_dir: PathBuf,
    /// New objects go into the lower-case hash directories: bare repositories, and where links are missing.
    lower: bool,
    sharing: Sharing,
    extensions: ExtensionRule,
    /// `annex.diskreserve`, bytes.
    reserve: u64,
}

impl ObjectStore {
    pub(crate) fn of(repo: &Repository) -> ObjectStore {
        let number = |name| repo.git_config_get(name).and_then(|value| value.trim().parse().ok());
        let default = ExtensionRule::default();
        ObjectStore {
            annex_dir: repo.annex_dir(),
            lower: repo.is_bare() || repo.git_config_bool("annex.crippledfilesystem").unwrap_or(false),
            sharing: Sharing::parse(repo.git_config_get("core.sharedrepository").as_deref()),
            extensions: ExtensionRule {
                max_length: number("annex.maxextensionlength").unwrap_or(default.max_length),
                max_count: number("annex.maxextensions").unwrap_or(default.max_count),
            },
            reserve: repo
                .git_config_get("annex.diskreserve")
                .and_then(|size| parse_data_size(&size))
                .unwrap_or(DEFAULT_RESERVE),
        }
    }

    /// The extension that a key for the file gets, with its dots.
    pub(crate) fn extension_of(&self, path: &TreePath) -> Vec<u8> {
        self.extensions.extension_of(path.file_name())
    }

    /// Where the content of `key` is, in either hash directory; None when it is not here. What does not have the size
    /// that the key tells is not its content: a loss of power can leave such.
    pub fn locate(&self, key: &Key) -> Option<PathBuf> {
        self.places(key).find(|place| is_whole(place, key).unwrap_or(false))
    }

    /// Whether the content of `key` is here. "Could not look" is an error, not a no.
    pub fn contains(&self, key: &Key) -> io::Result<bool> {
        for place in self.places(key) {
            if is_whole(&place, key)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Where the content of `key` belongs in this repository.
    pub fn object_path(&self, key: &Key) -> PathBuf {
        self.place_in(key, self.lower)
    }

    /// Opens the content of `key` for reading; `NotFound` when it is not here.
    pub fn open_object(&self, key: &Key) -> io::Result<File> {
        let object = self.locate(key).ok_or(io::ErrorKind::NotFound)?;
        OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW).open(object)
    }

    /// Takes a file of the work tree into the store: hashed while it is copied (a clone where the file system can),
    /// and proven not to have changed meanwhile. The file in the work tree is only read.
    ///
    /// # Errors
    /// See [`IngestError`]; nothing is left in the store then.
    pub fn ingest(
        &self,
        tree: &WorkTree,
        path: &TreePath,
        backend: &Backend,
    ) -> Result<Ingested, IngestError> {
        ingest::file(self, tree, path, backend)
    }

    /// Takes a stream into the store; `file_name` is for the extension of the E backends.
    /// Returns the key, its size, and whether the content was in the store before.
    pub fn ingest_stream(
        &self,
        content: &mut dyn Read,
        file_name: &[u8],
        backend: &Backend,
        executable: bool,
    ) -> Result<(Key, u64, bool), IngestError> {
        ingest::stream(self, content, file_name, backend, executable)
    }

    /// `annex/tmp/KEYFILE`: where a download of `key` grows, and is found again to be resumed.
    /// The directory exists when this returns.
    pub fn tmp_path(&self, key: &Key) -> io::Result<PathBuf> {
        self.path_in("tmp", key)
    }

    /// Moves `verified`, a file on the same file system whose content was verified to be the key's, to its final name.
    /// An object that is there already is kept, and `verified` deleted. Returns where the content is.
    pub fn place(&self, verified: &Path, key: &Key) -> io::Result<PathBuf> {
        if let Some(object) = self.locate(key) {
            fs::remove_file(verified)?;
            return Ok(object);
        }
        // Followed links would put the link's target out of the caller's control under the final name.
        let file = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW).open(verified)?;
        frozen::freeze_file(&file, false)?;
        self.move_in(key, |object| fs::rename(verified, object))
    }

    /// As [`ObjectStore::place`], for a frozen file of which is known that it is new.
    fn place_made(&self, made: NamedTempFile, key: &Key) -> io::Result<PathBuf> {
        let made = made.into_temp_path();
        let object = self.move_in(key, |object| fs::rename(&made, object))?;
        // It has another name now; nothing under the old one is ours to delete.
        made.keep().map_err(io::Error::from)?;
        Ok(object)
    }

    fn move_in(&self, key: &Key, mut name: impl FnMut(&Path) -> io::Result<()>) -> io::Result<PathBuf> {
        let object = self.object_path(key);
        let dir = object.parent().expect("an object lies in its key's directory");
        loop {
            let made = frozen::create_dirs(dir, self.sharing)?;
            // A new directory is writable, unless another thread has put the same content there already.
            let named = match made.then(|| name(&object)) {
                Some(Err(error)) if error.kind() != io::ErrorKind::PermissionDenied => Err(error),
                Some(Ok(())) => Ok(()),
                _ => frozen::with_writable(dir, || name(&object)),
            };
            match named {
                // Whoever dropped the last object there removed the directory in between.
                Err(error) if error.kind() == io::ErrorKind::NotFound && dir.symlink_metadata().is_err() => {}
                done => {
                    done?;
                    frozen::freeze_dir(dir, self.sharing)?;
                    return Ok(object);
                }
            }
        }
    }

    /// Removes the content; false when it was not there. The lock proves that nobody needs it; that enough copies
    /// are elsewhere is the caller's proof.
    pub fn remove(&self, lock: ExclusiveContentLock) -> io::Result<bool> {
        let object = lock.object().to_owned();
        let dir = object.parent().expect("an object lies in its key's directory");
        let removed = frozen::with_writable(dir, || {
            fs::remove_file(&object)?;
            lock.forget_promise();
            Ok(())
        });
        // Deletes the lock file, so that the directory is empty.
        drop(lock);
        remove_empty(dir, &self.objects_dir());
        match removed {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            removed => removed.map(|()| true),
        }
    }

    /// Reads the content and compares it with the key.
    pub fn verify(&self, key: &Key) -> io::Result<Verdict> {
        for place in self.places(key) {
            match verify::verify_file(&place, key)? {
                Verdict::Absent => {}
                verdict => return Ok(verdict),
            }
        }
        Ok(Verdict::Absent)
    }

    /// Compares any file with a key, such as a complete download.
    pub fn verify_file(&self, file: &Path, key: &Key) -> io::Result<Verdict> {
        verify::verify_file(file, key)
    }

    /// Moves bad content to `annex/bad/KEYFILE`, as git-annex's fsck does; false when there was none.
    pub fn set_aside(&self, key: &Key) -> io::Result<bool> {
        let bad = self.path_in("bad", key)?;
        let mut found = false;
        for object in self.places(key) {
            let dir = object.parent().expect("an object lies in its key's directory");
            match frozen::with_writable(dir, || fs::rename(&object, &bad)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                moved => moved?,
            }
            remove_empty(dir, &self.objects_dir());
            found = true;
        }
        Ok(found)
    }

    /// Makes these contents durable: when they are few, without waiting for what others wrote to the same disk.
    pub fn make_durable<'k>(&self, keys: impl ExactSizeIterator<Item = &'k Key>) -> io::Result<()> {
        if keys.len() > FEW {
            return self.sync();
        }
        let top = self.objects_dir();
        for object in keys.filter_map(|key| self.locate(key)) {
            File::open(&object)?.sync_all()?;
            // The directories above may be new, too.
            for dir in object.ancestors().skip(1).take_while(|dir| dir.starts_with(&top)) {
                File::open(dir)?.sync_all()?;
            }
        }
        Ok(())
    }

    /// Makes everything written to the store's file system before durable (one `syncfs`).
    pub fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::syncfs(File::open(&self.annex_dir)?)?)
    }

    /// Bytes that may still be written: what the file system has free for us, less `annex.diskreserve`.
    pub fn free_space(&self) -> io::Result<u64> {
        let room = rustix::fs::statvfs(&self.annex_dir)?;
        Ok(room.f_bavail.saturating_mul(room.f_frsize).saturating_sub(self.reserve))
    }

    /// Calls `each` with every key whose content is here.
    pub fn for_each_key(&self, each: &mut dyn FnMut(Key)) -> io::Result<()> {
        for_each_below(&self.objects_dir(), &mut |first| {
            for_each_below(first, &mut |second| {
                for_each_below(second, &mut |dir| {
                    let key = dir.file_name().and_then(|name| Key::from_key_file(name.as_bytes()));
                    if let Some(key) = key
                        && self.contains(&key)?
                    {
                        each(key);
                    }
                    Ok(())
                })
            })
        })
    }

    fn objects_dir(&self) -> PathBuf {
        self.annex_dir.join("objects")
    }

    /// Where the content can be; first where it belongs.
    fn places(&self, key: &Key) -> impl Iterator<Item = PathBuf> {
        [self.lower, !self.lower].into_iter().map(|lower| self.place_in(key, lower))
    }

    fn place_in(&self, key: &Key, lower: bool) -> PathBuf {
        let path = if lower { key.object_path_lower() } else { key.object_path_mixed() };
        self.objects_dir().join(OsStr::from_bytes(&path))
    }

    fn path_in(&self, dir: &str, key: &Key) -> io::Result<PathBuf> {
        let dir = self.annex_dir.join(dir);
        if !dir.is_dir() {
            fs::create_dir_all(&dir)?;
        }
        Ok(dir.join(OsStr::from_bytes(&key.key_file())))
    }
}

/// Whether a plain file of the key's size is there.
fn is_whole(object: &Path, key: &Key) -> io::Result<bool> {
    match object.symlink_metadata() {
        Ok(meta) => Ok(meta.is_file() && key.size().is_none_or(|size| size == meta.len())),
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Ok(false),
            _ => Err(error),
        },
    }
}

/// Removes a directory and its parents up to `top`, as long as they are empty.
fn remove_empty(dir: &Path, top: &Path) {
    for dir in dir.ancestors().take_while(|dir| *dir != top) {
        // Not empty, or gone already: either ends it.
        if fs::remove_dir(dir).is_err() {
            return;
        }
    }
}

/// Calls `each` with everything in a directory; one that is not there, or no directory, is empty.
fn for_each_below(dir: &Path, each: &mut dyn FnMut(&Path) -> io::Result<()>) -> io::Result<()> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    for entry in entries {
        each(&entry?.path())?;
    }
    Ok(())
}
