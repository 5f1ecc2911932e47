//! git-annex: its assistant on both sides, each the other's remote on a local path.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Instant;

use super::contestant::{Contestant, Pair, QUIET, Restart, two_folders};
use crate::failure::{Failure, Result};
use crate::process::{self, Running, logged};
use crate::warden::Warden;

/// The newest release.
pub struct GitAnnex {
    /// The folder that holds `git-annex`.
    pub dir: PathBuf,
}

impl GitAnnex {
    fn git<S: AsRef<OsStr>>(&self, home: &Path, at: &Path, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = process::program("git", args);
        let mut path = self.dir.clone().into_os_string();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        command.current_dir(at).env("PATH", path).env("HOME", home).env("GIT_CONFIG_NOSYSTEM", "1");
        for who in ["GIT_AUTHOR", "GIT_COMMITTER"] {
            command.env(format!("{who}_NAME"), "bench").env(format!("{who}_EMAIL"), "bench@localhost");
        }
        command
    }
}

impl Contestant for GitAnnex {
    fn name(&self) -> &'static str {
        "git-annex"
    }

    fn about(&self) -> String {
        let mut version = process::program(self.dir.join("git-annex"), ["version", "--raw"]);
        format!("{}, assistants, directly", process::output(&mut version).unwrap_or_default().trim())
    }

    fn start(&self, folder: &Path, warden: &Warden) -> Result<Box<dyn Pair>> {
        let (here, there) = two_folders(folder)?;
        for (name, at, other) in [("a", &here, &there), ("b", &there, &here)] {
            let git = |args: &[&str]| process::output(&mut self.git(folder, at, args)).map(drop);
            git(&["init", "--quiet", "--initial-branch=master"])?;
            git(&["annex", "init", "--quiet", name])?;
            // Its assistant leaves unlocked files as pointers (10.20261026): locked ones can be read when they arrive.
            git(&["config", "annex.addunlocked", "false"])?;
            git(&["config", "annex.assistant.allowunlocked", "true"])?;
            process::output(&mut self.git(
                folder,
                at,
                ["remote".as_ref(), "add".as_ref(), "other".as_ref(), other.as_os_str()],
            ))?;
        }
        let mut running = Vec::new();
        for at in [&here, &there] {
            // --foreground writes to the terminal, and does not fork away from its process group.
            let mut assistant = self.git(folder, at, ["annex", "assistant", "--foreground"]);
            logged(&mut assistant, &at.with_extension("log"))?;
            running.push(Running::start(&mut assistant, warden)?);
        }
        thread::sleep(QUIET);
        Ok(Box::new(Assistants { here, there, running }))
    }
}

struct Assistants {
    here: PathBuf,
    there: PathBuf,
    running: Vec<Running>,
}

impl Pair for Assistants {
    fn here(&self) -> &Path {
        &self.here
    }

    fn there(&self) -> &Path {
        &self.there
    }

    fn groups(&self) -> Vec<u32> {
        self.running.first().map(Running::id).into_iter().collect()
    }

    fn settle(&mut self, _: Instant) -> Result<()> {
        thread::sleep(QUIET);
        Ok(())
    }

    fn fill(&mut self, _: &dyn Fn(&Path) -> Result<()>, _: Instant) -> Result<()> {
        Err(Failure::new("git-annex needs about 15 ms a file, so filling it takes half an hour"))
    }

    fn restart(&mut self, _: &Warden, _: Instant) -> Result<Restart> {
        Err(Failure::new("git-annex's assistant does not tell when it has looked at everything"))
    }
}
