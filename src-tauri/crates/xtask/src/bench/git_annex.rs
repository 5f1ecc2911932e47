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
        let git = |at: &Path, args: &[&OsStr]| process::output(&mut self.git(folder, at, args)).map(drop);
        // One history from the start: an assistant does not merge into a branch that has no commit yet.
        git(&here, &words("init --quiet --initial-branch=master"))?;
        git(&here, &words("commit --quiet --allow-empty --message=start"))?;
        git(
            &there,
            &[words("clone --quiet --origin=other").as_slice(), &[here.as_ref(), ".".as_ref()]].concat(),
        )?;
        git(&here, &[words("remote add other").as_slice(), &[there.as_ref()]].concat())?;
        for (name, at) in [("a", &here), ("b", &there)] {
            git(at, &[words("annex init --quiet").as_slice(), &[name.as_ref()]].concat())?;
            // Its assistant leaves unlocked files as pointers (10.20261026): locked ones can be read when they arrive.
            git(at, &words("config annex.addunlocked false"))?;
            git(at, &words("config annex.assistant.allowunlocked true"))?;
        }
        for at in [&here, &there] {
            git(at, &words("annex sync --quiet"))?;
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

fn words(line: &str) -> Vec<&OsStr> {
    line.split(' ').map(OsStr::new).collect()
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

    fn fill(&mut self, _: &dyn Fn(&Path) -> Result<()>, _: &Warden, _: Instant) -> Result<()> {
        Err(Failure::new("git-annex needs about 15 ms a file, so filling it takes half an hour"))
    }

    fn restart(&mut self, _: &Warden, _: Instant) -> Result<Restart> {
        Err(Failure::new("git-annex's assistant does not tell when it has looked at everything"))
    }
}
