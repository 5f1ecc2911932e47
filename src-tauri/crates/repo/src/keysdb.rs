//! git-annex's keys database: rows that let it trust an unlocked file without reading it again.
//!
//! Only one thing is written: the inode caches of a file that was renamed to another extension and keeps its key.
//! Without them git-annex would take the file in again under a new key. Format: `annex-format` 4.6.

use std::path::PathBuf;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, params};
use tributary_formats::key::Key;

use crate::lock::FileLock;
use crate::repository::Repository;
use crate::stat::FileStat;

/// How long a git-annex that is writing is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

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

/// Records that these files hold the content of these keys. Does nothing when git-annex has made no database.
pub fn record_inodes(repo: &Repository, files: &[(Key, FileStat)]) -> Result<(), KeysDbError> {
    let path = database(repo);
    if files.is_empty() || !path.is_file() {
        return Ok(());
    }
    let lock = FileLock::try_exclusive(&repo.annex_dir().join("keysdb.lck")).map_err(KeysDbError::Lock)?;
    let _alone = lock.ok_or(KeysDbError::Busy)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut database = Connection::open_with_flags(path, flags)?;
    database.busy_timeout(PATIENCE)?;
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

fn database(repo: &Repository) -> PathBuf {
    repo.annex_dir().join("keysdb").join("db")
}
