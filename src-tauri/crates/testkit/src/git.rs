//! Git repositories made by code.

use std::ffi::OsStr;
use std::path::Path;

use crate::process::Finished;
use crate::sandbox::Sandbox;

/// A git repository in a sandbox of its own: `Repo::new().with_file("a", b"1").commit()`.
#[derive(Debug)]
pub struct Repo {
    sandbox: Sandbox,
    bare: bool,
}

impl Repo {
    /// An empty repository with a work tree, on branch `master`.
    #[track_caller]
    pub fn new() -> Self {
        todo!()
    }

    /// An empty bare repository.
    #[track_caller]
    pub fn bare() -> Self {
        todo!()
    }

    /// Writes a file; its folders are made. The path may be any bytes.
    #[track_caller]
    pub fn with_file(self, path: impl AsRef<[u8]>, content: &[u8]) -> Self {
        let _ = (path, content);
        todo!()
    }

    /// Writes a file that may be executed.
    #[track_caller]
    pub fn with_executable(self, path: impl AsRef<[u8]>, content: &[u8]) -> Self {
        let _ = (path, content);
        todo!()
    }

    /// Makes a symbolic link.
    #[track_caller]
    pub fn with_link(self, path: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Self {
        let _ = (path, target);
        todo!()
    }

    /// Commits all that is in the work tree, also when nothing changed.
    #[track_caller]
    pub fn commit(self) -> Self {
        todo!()
    }

    /// The top of the work tree, or the bare repository.
    pub fn path(&self) -> &Path {
        todo!()
    }

    /// `.git`, or the bare repository.
    pub fn git_dir(&self) -> std::path::PathBuf {
        let _ = self.bare;
        todo!()
    }

    /// The environment of its git.
    pub fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// Runs `git ARGS…` in it.
    #[track_caller]
    pub fn git<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Finished {
        let _ = args.into_iter().count();
        todo!()
    }
}

impl Default for Repo {
    fn default() -> Self {
        Self::new()
    }
}
