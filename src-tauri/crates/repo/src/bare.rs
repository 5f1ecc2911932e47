//! Bare repositories as transfer points: made new, given a UUID so that they hold contents, and asked for it.

use std::path::Path;

use tributary_formats::uuid::RepoUuid;

use crate::repository::{CreateError, OpenError, Repository};

/// Makes `path`, which must not exist or be empty, a bare git repository that carries names only.
pub fn create(path: &Path) -> Result<(), CreateError> {
    let _ = path;
    todo!()
}

/// Gives the bare repository at `path` a UUID, when it has none, so that it holds contents too, and opens it.
/// Its own git-annex branch names it then.
pub fn init_contents(path: &Path, description: &str) -> Result<Repository, CreateError> {
    let _ = (path, description);
    todo!()
}

/// The `annex.uuid` of a repository on a local path, bare or not; None when it carries names only.
pub fn read_remote_uuid(path: &Path) -> Result<Option<RepoUuid>, OpenError> {
    let _ = path;
    todo!()
}
