//! Git repositories made by code.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use crate::process::{Finished, run};
use crate::sandbox::Sandbox;

/// A git repository in a sandbox of its own: `Repo::new().with_file("a", b"1").commit()`.
#[derive(Debug)]
pub struct Repo {
    sandbox: Sandbox,
    path: PathBuf,
    bare: bool,
}

impl Repo {
    /// An empty repository with a work tree, on branch `master`.
    #[track_caller]
    pub fn new() -> Self {
        Self::init(false)
    }

    /// An empty bare repository.
    #[track_caller]
    pub fn bare() -> Self {
        Self::init(true)
    }

    #[track_caller]
    fn init(bare: bool) -> Self {
        let sandbox = Sandbox::new();
        let path = sandbox.dir(if bare { "repo.git" } else { "repo" });
        let repo = Repo { sandbox, path, bare };
        repo.git(if bare { &["init", "-q", "--bare"][..] } else { &["init", "-q"] }).ok();
        repo
    }

    /// Writes a file; its folders are made. The path may be any bytes.
    #[track_caller]
    pub fn with_file(self, path: impl AsRef<[u8]>, content: &[u8]) -> Self {
        self.write(path.as_ref(), content, 0o644)
    }

    /// Writes a file that may be executed.
    #[track_caller]
    pub fn with_executable(self, path: impl AsRef<[u8]>, content: &[u8]) -> Self {
        self.write(path.as_ref(), content, 0o755)
    }

    #[track_caller]
    fn write(self, path: &[u8], content: &[u8], mode: u32) -> Self {
        let file = self.make_room(path);
        fs::write(&file, content).unwrap_or_else(|cause| panic!("cannot write {}: {cause}", file.display()));
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).expect("our own file's mode can be set");
        self
    }

    /// Makes a symbolic link.
    #[track_caller]
    pub fn with_link(self, path: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Self {
        let link = self.make_room(path.as_ref());
        symlink(OsStr::from_bytes(target.as_ref()), &link)
            .unwrap_or_else(|cause| panic!("cannot make the link {}: {cause}", link.display()));
        self
    }

    /// Where `path` is, its folders made.
    #[track_caller]
    fn make_room(&self, path: &[u8]) -> PathBuf {
        assert!(!self.bare, "a bare repository has no files");
        let file = self.path.join(OsStr::from_bytes(path));
        let dir = file.parent().expect("a path in the repository has a parent");
        fs::create_dir_all(dir).unwrap_or_else(|cause| panic!("cannot make {}: {cause}", dir.display()));
        file
    }

    /// Commits all that is in the work tree, also when nothing changed.
    #[track_caller]
    pub fn commit(self) -> Self {
        self.git(["add", "-A"]).ok();
        self.git(["commit", "-q", "--allow-empty", "-m", "a commit"]).ok();
        self
    }

    /// The top of the work tree, or the bare repository.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// `.git`, or the bare repository.
    pub fn git_dir(&self) -> PathBuf {
        if self.bare { self.path.clone() } else { self.path.join(".git") }
    }

    /// The environment of its git.
    pub fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// Runs `git ARGS…` in it; whether it failed is for the caller to judge.
    #[track_caller]
    pub fn git<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Finished {
        let mut command = self.sandbox.command("git");
        command.current_dir(&self.path).args(args);
        run(command)
    }
}

impl Default for Repo {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_what_was_put_in() {
        let repo = Repo::new()
            .with_file("dir/a", b"1")
            .with_executable("run", b"#!/bin/sh\n")
            .with_link("link", "dir/a")
            .with_file(b"\xff", b"no UTF-8")
            .commit();
        let listed = repo.git(["ls-tree", "-r", "-z", "HEAD"]).ok();
        let modes: Vec<_> =
            listed.stdout_bytes().split(|byte| *byte == 0).filter_map(|line| line.get(..6)).collect();
        assert_eq!(modes, [b"100644", b"120000", b"100755", b"100644"], "{}", listed.stdout());
        assert_eq!(repo.git(["log", "--format=%an"]).text(), "Tester");
    }

    #[test]
    fn a_bare_one_has_no_work_tree() {
        let repo = Repo::bare();
        assert_eq!(repo.git(["rev-parse", "--is-bare-repository"]).text(), "true");
        assert_eq!(repo.git_dir(), repo.path());
    }
}
