//! git-annex's keys database: rows that let it trust an unlocked file without reading it again.
//!
//! Only one thing is written: the inode caches of a file that was renamed to another extension and keeps its key.
//! Without them git-annex would take the file in again under a new key. Format: `annex-format` 4.6.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags, params};
use tributary_formats::key::Key;
use tributary_formats::tree_path::TreePath;

use crate::lock::FileLock;
use crate::repository::Repository;
use crate::stat::FileStat;

/// How long a git-annex that is writing is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// Pause between two tries to take its lock. A lock that one waits for has no limit, and git-annex may be stopped while it
/// holds it.
const PAUSE: Duration = Duration::from_millis(10);

/// Why the rows were not written. Nothing is lost by it but one re-hash by git-annex.
#[derive(Debug, thiserror::Error)]
pub enum KeysDbError {
    /// git-annex uses the database just now.
    #[error("the keys database is in use")]
    Busy,
    /// The lock could not be taken.
    #[error("the keys database cannot be locked")]
    Lock(#[source] std::io::Error),
    /// SQLite failed, or the tables are not as they are known here.
    #[error("the keys database cannot be written")]
    Database(#[from] rusqlite::Error),
}

/// Records those files that hold the content of a key although their name has another extension than the key. The others
/// keep their key without it. Does nothing when git-annex has made no database, and costs nothing then.
///
/// # Errors
/// [`KeysDbError::Busy`] when git-annex uses the database for long. Blocks until then.
pub fn record_renamed(repo: &Repository, files: &[(TreePath, Key, FileStat)]) -> Result<(), KeysDbError> {
    if files.is_empty() || !database(repo).is_file() {
        return Ok(());
    }
    let store = repo.store();
    let mut rows = Vec::new();
    for (path, key, file) in files {
        if !key.backend().has_extension() || store.extension_of(path) == extension(key) {
            continue;
        }
        let object = store.locate(key).and_then(|object| object.symlink_metadata().ok());
        rows.extend(object.map(|object| (key.clone(), FileStat::from(&object))));
        rows.push((key.clone(), *file));
    }
    record_inodes(repo, &rows)
}

/// A key's extension, with its dots.
fn extension(key: &Key) -> &[u8] {
    &key.name()[key.digest_hex().len()..]
}

/// Records that these files hold the content of these keys.
fn record_inodes(repo: &Repository, files: &[(Key, FileStat)]) -> Result<(), KeysDbError> {
    if files.is_empty() {
        return Ok(());
    }
    let _alone = lock(&repo.annex_dir().join("keysdb.lck"))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut database = Connection::open_with_flags(database(repo), flags)?;
    database.busy_timeout(PATIENCE)?;
    // What a loss of power takes is a row, and no reason to wait for the disk.
    database.pragma_update(None, "synchronous", "NORMAL")?;
    let transaction = database.transaction()?;
    {
        // Keys are blobs, the rest is text but for the time in seconds; the pair of key and cache is unique.
        let mut insert = transaction.prepare(
            "INSERT OR IGNORE INTO content (key, inodecache, filesize, mtime) VALUES (?1, ?2, ?3, ?4)",
        )?;
        for (key, stat) in files {
            let (cache, size) = (stat.inode_cache(), stat.size.to_string());
            insert.execute(params![key.as_bytes(), cache, size, stat.mtime.0])?;
        }
    }
    transaction.commit()?;
    Ok(())
}

fn lock(path: &Path) -> Result<FileLock, KeysDbError> {
    let begun = Instant::now();
    loop {
        if let Some(lock) = FileLock::try_exclusive(path).map_err(KeysDbError::Lock)? {
            return Ok(lock);
        }
        if begun.elapsed() > PATIENCE {
            return Err(KeysDbError::Busy);
        }
        std::thread::sleep(PAUSE);
    }
}

fn database(repo: &Repository) -> PathBuf {
    repo.annex_dir().join("keysdb").join("db")
}
