//! Keeping a repository's object database small: repacked by git itself, under its own locks.

use std::path::Path;

use crate::cancel::Cancel;
use crate::remote::RemoteError;

/// More packs than this, and the repository is repacked.
pub const PACK_LIMIT: usize = 50;
/// More loose objects than this, and the repository is repacked.
pub const LOOSE_LIMIT: usize = 6_000;

/// How many files an object database is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObjectFiles {
    /// Packs.
    pub packs: usize,
    /// Loose objects, estimated from one of the 256 directories as git does.
    pub loose: usize,
}

impl ObjectFiles {
    /// Looks at the repository whose git directory is `git_dir`, ours or one on a local path.
    pub fn count(git_dir: &Path) -> std::io::Result<ObjectFiles> {
        let _ = git_dir;
        todo!()
    }

    /// Whether it is time to repack.
    pub fn too_many(&self) -> bool {
        self.packs > PACK_LIMIT || self.loose > LOOSE_LIMIT
    }
}

/// Repacks when it is time; false when there was nothing to do. To be called when idle. Objects that nothing names
/// are kept for git's usual two weeks, since others may be about to name them.
pub fn tidy(git_dir: &Path, cancel: &Cancel) -> Result<bool, RemoteError> {
    let _ = (git_dir, cancel);
    todo!()
}
