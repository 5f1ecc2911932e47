//! The real git-annex, as a peer and as the judge of what we write.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::process::Finished;
use crate::sandbox::Sandbox;

/// A release of git-annex that is installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnnexVersion {
    /// Such as `10.20230126`.
    pub name: String,
    /// The folder that holds `git-annex`.
    pub dir: PathBuf,
}

/// Every release to test with: the newest from the folder in `TRIBUTARY_ANNEX_NEW`, and the one on `PATH`.
///
/// Empty, with the reason printed, when there is none.
///
/// # Panics
///
/// When there is none and `CI` is set.
#[track_caller]
pub fn annex_versions() -> Vec<AnnexVersion> {
    todo!()
}

/// The newest of [`annex_versions`].
#[track_caller]
pub fn newest_annex() -> Option<AnnexVersion> {
    todo!()
}

/// A machine with one release of git-annex.
#[derive(Debug)]
pub struct Annex {
    version: AnnexVersion,
    sandbox: Sandbox,
}

impl Annex {
    /// A machine of its own with that release.
    #[track_caller]
    pub fn new(version: &AnnexVersion) -> Self {
        let _ = version;
        todo!()
    }

    /// The release.
    pub fn version(&self) -> &AnnexVersion {
        &self.version
    }

    /// Its folder and environment; repositories may be made in it.
    pub fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// As [`sandbox`](Self::sandbox), to be changed.
    pub fn sandbox_mut(&mut self) -> &mut Sandbox {
        &mut self.sandbox
    }

    /// Runs `git ARGS…` in `dir`; whether it failed is for the caller to judge.
    #[track_caller]
    pub fn try_git<A: AsRef<OsStr>>(&self, dir: &Path, args: impl IntoIterator<Item = A>) -> Finished {
        let _ = (dir, args.into_iter().count());
        todo!()
    }

    /// Runs `git ARGS…` in `dir`, which must succeed, and gives what it wrote to standard output.
    #[track_caller]
    pub fn git<A: AsRef<OsStr>>(&self, dir: &Path, args: impl IntoIterator<Item = A>) -> String {
        self.try_git(dir, args).text()
    }

    /// Runs `git annex ARGS…` in `dir`; whether it failed is for the caller to judge.
    #[track_caller]
    pub fn try_annex<A: AsRef<OsStr>>(&self, dir: &Path, args: impl IntoIterator<Item = A>) -> Finished {
        let _ = (dir, args.into_iter().count());
        todo!()
    }

    /// Runs `git annex ARGS…` in `dir`, which must succeed, and gives what it wrote to standard output.
    #[track_caller]
    pub fn annex<A: AsRef<OsStr>>(&self, dir: &Path, args: impl IntoIterator<Item = A>) -> String {
        self.try_annex(dir, args).text()
    }

    /// Makes `dir` a git-annex repository (git repository and `git annex init`).
    #[track_caller]
    pub fn init(&self, dir: &Path, description: &str) {
        let _ = (dir, description);
        todo!()
    }

    /// Clones `url` to `dir` and makes it a git-annex repository.
    #[track_caller]
    pub fn clone(&self, url: impl AsRef<OsStr>, dir: &Path, description: &str) {
        let _ = (url.as_ref(), dir, description);
        todo!()
    }

    /// Prepares the judgement over the repository `dir`.
    pub fn judge<'a>(&'a self, dir: &'a Path) -> Judge<'a> {
        Judge { annex: self, dir, remotes: Vec::new(), get: false }
    }
}

/// What git and git-annex have to accept; see [`Judge::check`].
#[derive(Debug)]
pub struct Judge<'a> {
    annex: &'a Annex,
    dir: &'a Path,
    remotes: Vec<String>,
    get: bool,
}

impl Judge<'_> {
    /// Also downloads and verifies every content from the remote NAME (`fsck --from`).
    pub fn from(mut self, remote: &str) -> Self {
        self.remotes.push(remote.to_owned());
        self
    }

    /// Also gets every content (`get .`): for a clone that is to have all.
    pub fn get(mut self) -> Self {
        self.get = true;
        self
    }

    /// Runs `git fsck --strict`, `git annex fsck`, `fsck --from` each remote, `whereis`, `get .` and `status --short`;
    /// the last must print nothing.
    ///
    /// # Panics
    ///
    /// With every verdict when one is not clean.
    #[track_caller]
    pub fn check(self) {
        let _ = (self.annex, self.dir, self.remotes, self.get);
        todo!()
    }
}
