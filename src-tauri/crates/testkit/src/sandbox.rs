//! A place where programs run without the machine's own configuration: own home, own git configuration, own runtime
//! folder, one locale.

use std::collections::BTreeMap;
use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// Set to anything, it keeps the folders of failed tests, and their place is printed.
const KEEP: &str = "TRIBUTARY_KEEP";

/// What passes from the environment of the test itself: where programs are, and what a person debugging asked for.
const PASSED: [&str; 5] = ["PATH", "RUST_LOG", "TRIBUTARY_LOG", "RUST_BACKTRACE", "LLVM_PROFILE_FILE"];

/// A folder with an environment in which all programs of one test run. Removed with everything in it at the end.
#[derive(Debug)]
pub struct Sandbox {
    path: PathBuf,
    env: BTreeMap<OsString, OsString>,
    owned: Option<TempDir>,
}

impl Sandbox {
    /// Makes a fresh one in the folder for temporary files.
    ///
    /// # Panics
    ///
    /// When the folder cannot be made.
    #[track_caller]
    pub fn new() -> Self {
        let dir = tempfile::Builder::new()
            .prefix("tributary-test-")
            .tempdir()
            .expect("a temporary folder can be made");
        // Tests compare paths with what programs say, and those resolve symbolic links.
        let path = dir.path().canonicalize().expect("the folder was just made");
        let mut sandbox = Self::at(&path);
        sandbox.owned = Some(dir);
        sandbox
    }

    /// Makes one in `path`, which stays when this value goes: for the machine of a node that is started again.
    ///
    /// # Panics
    ///
    /// When the folders in it cannot be made.
    #[track_caller]
    pub fn at(path: &Path) -> Self {
        let home = path.join("home");
        let runtime = path.join("run");
        let temporary = path.join("tmp");
        for dir in [&home, &runtime, &temporary] {
            fs::create_dir_all(dir).unwrap_or_else(|cause| panic!("cannot make {}: {cause}", dir.display()));
        }
        // D-Bus and others refuse a runtime folder that somebody else can enter.
        fs::set_permissions(&runtime, fs::Permissions::from_mode(0o700))
            .expect("our own folder's mode can be set");

        let git_config = path.join("gitconfig");
        if !git_config.exists() {
            fs::write(&git_config, GIT_CONFIG).expect("a file in our own folder can be written");
        }

        let passed = PASSED.iter().filter_map(|name| Some((OsString::from(name), env::var_os(name)?)));
        let own = [
            ("HOME", home.clone()),
            ("XDG_CONFIG_HOME", home.join(".config")),
            ("XDG_DATA_HOME", home.join(".local/share")),
            ("XDG_STATE_HOME", home.join(".local/state")),
            ("XDG_CACHE_HOME", home.join(".cache")),
            ("XDG_RUNTIME_DIR", runtime),
            ("TMPDIR", temporary),
            ("GIT_CONFIG_GLOBAL", git_config),
        ]
        .map(|(name, value)| (OsString::from(name), value.into_os_string()));
        let fixed = [
            ("GIT_CONFIG_NOSYSTEM", "1"),
            // A question on a terminal would hang the test.
            ("GIT_TERMINAL_PROMPT", "0"),
            ("LANG", "C.UTF-8"),
            ("LC_ALL", "C.UTF-8"),
            ("TZ", "UTC"),
            // No program finds the bus of the person who runs the tests.
            ("DBUS_SESSION_BUS_ADDRESS", "disabled:"),
        ]
        .map(|(name, value)| (OsString::from(name), OsString::from(value)));
        Sandbox { path: path.to_owned(), env: passed.chain(own).chain(fixed).collect(), owned: None }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of `name` in the folder.
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path.join(name)
    }

    /// Makes a folder `name` in it, and its parents.
    ///
    /// # Panics
    ///
    /// When that fails.
    #[track_caller]
    pub fn dir(&self, name: impl AsRef<Path>) -> PathBuf {
        let dir = self.join(name);
        fs::create_dir_all(&dir).unwrap_or_else(|cause| panic!("cannot make {}: {cause}", dir.display()));
        dir
    }

    /// The home folder of the programs.
    pub fn home(&self) -> PathBuf {
        self.join("home")
    }

    /// Sets a variable for the programs started from now on.
    pub fn set(&mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> &mut Self {
        self.env.insert(name.as_ref().to_owned(), value.as_ref().to_owned());
        self
    }

    /// Takes a variable away.
    pub fn unset(&mut self, name: impl AsRef<OsStr>) -> &mut Self {
        self.env.remove(name.as_ref());
        self
    }

    /// Puts a folder at the start of `PATH`: programs in it win over all others.
    pub fn path_first(&mut self, dir: &Path) -> &mut Self {
        let path = self.env.get(OsStr::new("PATH")).cloned().unwrap_or_default();
        let dirs = std::iter::once(dir.to_owned()).chain(env::split_paths(&path).filter(|old| old != dir));
        let joined = env::join_paths(dirs).expect("a folder on PATH has no colon in its name");
        self.set("PATH", joined)
    }

    /// The environment of the programs.
    pub fn env(&self) -> &BTreeMap<OsString, OsString> {
        &self.env
    }

    /// A command with exactly this environment, started in the folder. The program is looked for on this sandbox's
    /// `PATH`.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(self.resolve(program.as_ref()));
        command.env_clear().envs(&self.env).current_dir(&self.path);
        command
    }

    /// The standard library may look on the `PATH` of the test instead of the command's, so look here.
    fn resolve(&self, program: &OsStr) -> OsString {
        if program.as_encoded_bytes().contains(&b'/') {
            return program.to_owned();
        }
        let path = self.env.get(OsStr::new("PATH")).cloned().unwrap_or_default();
        env::split_paths(&path)
            .map(|dir| dir.join(program))
            .find(|candidate| candidate.is_file())
            .or_else(|| crate::need::find(program.to_str()?))
            .map_or_else(|| program.to_owned(), PathBuf::into_os_string)
    }
}

impl Default for Sandbox {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let Some(dir) = self.owned.take() else { return };
        if std::thread::panicking() && env::var_os(KEEP).is_some() {
            eprintln!("kept: {}", dir.keep().display());
            return;
        }
        // git-annex's object folders are read-only, and only the owner's write bit lets them be removed; root needs
        // none of this.
        make_writable(&self.path);
        if let Err(cause) = dir.close() {
            eprintln!("left behind: {cause}");
        }
    }
}

/// Gives the owner write permission on every folder below and including `dir`.
fn make_writable(dir: &Path) {
    let Ok(metadata) = fs::symlink_metadata(dir) else { return };
    if !metadata.is_dir() {
        return;
    }
    let mode = metadata.permissions().mode();
    if mode & 0o700 != 0o700 {
        let _ = fs::set_permissions(dir, fs::Permissions::from_mode(mode | 0o700));
    }
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        // The type comes from the listing itself: no stat for the many files.
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            make_writable(&entry.path());
        }
    }
}

/// An identity, git's old name for the first branch, and odd names shown as they are.
const GIT_CONFIG: &str = "\
[user]
\tname = Tester
\temail = tester@example.org
[init]
\tdefaultBranch = master
[core]
\tquotePath = false
[advice]
\tdetachedHead = false
";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run;

    #[test]
    fn programs_see_only_its_environment() {
        let mut sandbox = Sandbox::new();
        sandbox.set("COLOUR", "green");
        let seen = run(sandbox.command("env")).text();
        let home = format!("HOME={}", sandbox.home().display());
        assert!(seen.lines().any(|line| line == home), "{seen}");
        assert!(seen.lines().any(|line| line == "COLOUR=green"), "{seen}");
        assert!(!seen.contains("CARGO_MANIFEST_DIR"), "the test's own environment does not leak:\n{seen}");
    }

    #[test]
    fn the_first_folder_on_path_wins() {
        let mut sandbox = Sandbox::new();
        let bin = sandbox.dir("bin");
        fs::write(bin.join("env"), "#!/bin/sh\necho mine\n").expect("write");
        fs::set_permissions(bin.join("env"), fs::Permissions::from_mode(0o755)).expect("chmod");
        sandbox.path_first(&bin);
        assert_eq!(run(sandbox.command("env")).text(), "mine");
    }

    #[test]
    fn read_only_folders_are_removed_too() {
        let sandbox = Sandbox::new();
        let inner = sandbox.dir("object/KEY");
        fs::write(inner.join("KEY"), "x").expect("write");
        fs::set_permissions(&inner, fs::Permissions::from_mode(0o555)).expect("chmod");
        let path = sandbox.path().to_owned();
        drop(sandbox);
        assert!(!path.exists(), "nothing is left behind");
    }
}
