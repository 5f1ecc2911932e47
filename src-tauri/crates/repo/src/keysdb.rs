//! git-annex's keys database: rows that let it trust an unlocked file without reading it again.
//!
//! Only one thing is written: the inode caches of a file that was renamed to another extension and keeps its key.
//! Without them git-annex would take the file in again under a new key. Format: `annex-format` 4.6.

use tributary_formats::key::Key;

use crate::repository::Repository;
use crate::stat::FileStat;

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
    let _ = (repo, files);
    todo!()
}
