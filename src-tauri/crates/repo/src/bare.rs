//! Bare repositories as transfer points: made new, given a UUID so that they hold contents, and asked for it.

use std::fs;
use std::path::Path;

use git2::{ErrorCode, RepositoryInitOptions};
use tributary_formats::uuid::RepoUuid;

use crate::repository::{CreateError, OpenError, Repository, open_git};

/// Makes `path`, which must not exist or be empty, a bare git repository that carries names only.
///
/// # Errors
/// [`CreateError::AlreadyRepository`] and [`CreateError::NotEmpty`] tell what is there.
pub fn create(path: &Path) -> Result<(), CreateError> {
    let io = |source| CreateError::Io { path: path.to_owned(), source };
    fs::create_dir_all(path).map_err(io)?;
    if open_git(path).is_ok() {
        return Err(CreateError::AlreadyRepository { path: path.to_owned() });
    }
    if fs::read_dir(path).map_err(io)?.next().is_some() {
        return Err(CreateError::NotEmpty { path: path.to_owned() });
    }
    let mut options = RepositoryInitOptions::new();
    options.bare(true).initial_head("master").external_template(false).no_reinit(true);
    git2::Repository::init_opts(path, &options)?;
    Ok(())
}

/// Gives the bare repository at `path` a UUID, when it has none, so that it holds contents too, and opens it.
/// Its own git-annex branch names it then.
///
/// # Errors
/// [`CreateError::Open`] for one that cannot be used, or is not bare.
pub fn init_contents(path: &Path, description: &str) -> Result<Repository, CreateError> {
    match Repository::open_remote(path) {
        Err(OpenError::NotAnnexed { .. }) => {}
        annexed => return Ok(annexed?),
    }
    let git = open_git(path)?;
    if !git.is_bare() {
        return Err(OpenError::NotAnnexed { path: path.to_owned() }.into());
    }
    Repository::init_bare(git, description)
}

/// The `annex.uuid` of a repository on a local path, bare or not; None when it carries names only.
///
/// # Errors
/// [`OpenError::NotRepository`] when none is there, as for a drive that is not mounted.
pub fn read_remote_uuid(path: &Path) -> Result<Option<RepoUuid>, OpenError> {
    match open_git(path)?.config()?.get_string("annex.uuid") {
        Ok(uuid) => RepoUuid::parse(&uuid).map(Some).map_err(|_| OpenError::BadUuid),
        Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}
