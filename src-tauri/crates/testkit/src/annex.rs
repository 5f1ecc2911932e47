//! The real git-annex: a peer for tests, and the judge of what we write.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::judge::Judge;
use crate::need::{find, need};
use crate::process::{Finished, run};
use crate::sandbox::Sandbox;

/// Names the folder of the newest release's `git-annex`.
const NEW: &str = "TRIBUTARY_ANNEX_NEW";

/// A release of git-annex that is installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnnexVersion {
    /// Such as `10.20230126`.
    pub name: String,
    /// The folder that holds `git-annex`.
    pub dir: PathBuf,
}

impl AnnexVersion {
    /// The date of the release, such as 20230126: what tells whether a behaviour is there.
    pub fn date(&self) -> u32 {
        let date = self.name.split(['.', '-']).nth(1).and_then(|date| date.parse().ok());
        date.unwrap_or_else(|| panic!("git-annex {} has no date", self.name))
    }

    fn of(dir: &Path) -> Self {
        let mut command = Command::new(dir.join("git-annex"));
        command.args(["version", "--raw"]);
        AnnexVersion { name: run(command).text(), dir: dir.to_owned() }
    }
}

/// Every release to test with: the newest from the folder in `TRIBUTARY_ANNEX_NEW`, then the one on `PATH`.
///
/// Empty, with the reason printed, when there is none.
///
/// # Panics
///
/// When there is none and `CI` is set, or the variable names a folder without git-annex.
#[track_caller]
pub fn annex_versions() -> Vec<AnnexVersion> {
    static FOUND: OnceLock<Vec<AnnexVersion>> = OnceLock::new();
    let found = FOUND.get_or_init(|| {
        let new = env::var_os(NEW).map(PathBuf::from);
        let dirs = env::split_paths(&env::var_os("PATH").unwrap_or_default()).collect::<Vec<_>>();
        // The newest may be on PATH too; the other one is then behind it.
        let on_path =
            dirs.into_iter().find(|dir| dir.join("git-annex").is_file() && Some(dir) != new.as_ref());
        let mut versions: Vec<AnnexVersion> =
            new.iter().chain(&on_path).map(|dir| AnnexVersion::of(dir)).collect();
        versions.dedup_by(|left, right| left.name == right.name);
        versions
    });
    if found.is_empty() {
        need("git-annex");
    }
    found.clone()
}

/// The newest of [`annex_versions`].
#[track_caller]
pub fn newest_annex() -> Option<AnnexVersion> {
    annex_versions().into_iter().max_by_key(AnnexVersion::date)
}

/// The oldest of [`annex_versions`], when there is more than one; the reason is printed when there is none.
///
/// # Panics
///
/// When there is none and `CI` is set.
#[track_caller]
pub fn older_annex() -> Option<AnnexVersion> {
    let versions = annex_versions();
    let older = versions.iter().min_by_key(|version| version.date()).filter(|_| versions.len() > 1);
    if older.is_none() {
        assert!(env::var_os("CI").is_none(), "CI has two releases of git-annex, one of them in {NEW}");
        eprintln!("skipped: a second release of git-annex is not installed");
    }
    older.cloned()
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
        assert!(find("git").is_some(), "git-annex needs git");
        let mut sandbox = Sandbox::new();
        sandbox.path_first(&version.dir);
        Annex { version: version.clone(), sandbox }
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
        let mut command = self.sandbox.command("git");
        command.current_dir(dir).args(args);
        run(command)
    }

    /// Runs `git ARGS…` in `dir`, which must succeed, and gives what it wrote to standard output.
    #[track_caller]
    pub fn git<A: AsRef<OsStr>>(&self, dir: &Path, args: impl IntoIterator<Item = A>) -> String {
        self.try_git(dir, args).text()
    }

    /// Runs `git annex ARGS…` in `dir`; whether it failed is for the caller to judge.
    #[track_caller]
    pub fn try_annex<A: AsRef<OsStr>>(&self, dir: &Path, args: impl IntoIterator<Item = A>) -> Finished {
        let mut command = self.sandbox.command("git-annex");
        command.current_dir(dir).args(args);
        run(command)
    }

    /// Runs `git annex ARGS…` in `dir`, which must succeed, and gives what it wrote to standard output.
    #[track_caller]
    pub fn annex<A: AsRef<OsStr>>(&self, dir: &Path, args: impl IntoIterator<Item = A>) -> String {
        self.try_annex(dir, args).text()
    }

    /// Makes `dir` (made when missing) a git-annex repository.
    #[track_caller]
    pub fn init(&self, dir: &Path, description: &str) {
        std::fs::create_dir_all(dir).unwrap_or_else(|cause| panic!("cannot make {}: {cause}", dir.display()));
        self.git(dir, ["init", "-q"]);
        self.annex(dir, ["init", description]);
    }

    /// Clones `url` to `dir` and makes it a git-annex repository.
    #[track_caller]
    pub fn clone(&self, url: impl AsRef<OsStr>, dir: &Path, description: &str) {
        self.git(self.sandbox.path(), [OsStr::new("clone"), OsStr::new("-q"), url.as_ref(), dir.as_os_str()]);
        self.annex(dir, ["init", description]);
    }

    /// Prepares the judgement over the repository `dir`.
    pub fn judge<'a>(&'a self, dir: &'a Path) -> Judge<'a> {
        Judge::of(self, dir)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_release_makes_a_repository() {
        for version in annex_versions() {
            assert!(version.date() > 20_200_000, "{version:?}");
            let annex = Annex::new(&version);
            let dir = annex.sandbox().join("repo");
            annex.init(&dir, "a repository");
            assert_eq!(
                annex.annex(&dir, ["version", "--raw"]),
                version.name,
                "the release that was asked for runs"
            );
            assert_eq!(annex.git(&dir, ["config", "annex.version"]), "10");
        }
    }
}
