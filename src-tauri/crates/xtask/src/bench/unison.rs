//! Unison: one process that sees both folders and compares them in rounds.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Instant;

use super::contestant::{Contestant, Pair, QUIET, Restart, copy_over, two_folders};
use crate::checkout::on_path;
use crate::failure::Result;
use crate::process::{self, Running, logged, program};
use crate::warden::Warden;

/// The installed Unison.
pub struct Unison;

impl Unison {
    /// When it is installed.
    pub fn found() -> Option<Self> {
        on_path("unison").map(|_| Unison)
    }
}

/// With its file monitor it is told of changes; Debian ships none, so it looks every second.
fn rounds() -> &'static str {
    if on_path("unison-fsmonitor").is_some() { "watch" } else { "1" }
}

impl Contestant for Unison {
    fn name(&self) -> &'static str {
        "Unison"
    }

    fn about(&self) -> String {
        let version = process::output(&mut program("unison", ["-version"])).unwrap_or_default();
        format!("{}, -repeat {}, both folders in one process", version.trim(), rounds())
    }

    fn start(&self, folder: &Path, warden: &Warden) -> Result<Box<dyn Pair>> {
        let (here, there) = two_folders(folder)?;
        let mut pair = Watching { state: folder.join("unison"), here, there, running: None };
        pair.watch(warden)?;
        thread::sleep(QUIET);
        Ok(Box::new(pair))
    }
}

struct Watching {
    state: PathBuf,
    here: PathBuf,
    there: PathBuf,
    running: Option<Running>,
}

impl Watching {
    fn command(&self, more: &[&str]) -> Result<Command> {
        let mut command = Command::new("unison");
        command.arg(&self.here).arg(&self.there).args(["-batch", "-silent", "-ui", "text"]).args(more);
        // Without this, a change of the host's name makes it forget what it knows.
        command.env("UNISON", &self.state).env("UNISONLOCALHOSTNAME", "bench");
        logged(&mut command, &self.state.with_extension("log"))?;
        Ok(command)
    }

    fn watch(&mut self, warden: &Warden) -> Result<()> {
        self.running = Some(Running::start(&mut self.command(&["-repeat", rounds()])?, warden)?);
        Ok(())
    }
}

impl Pair for Watching {
    fn here(&self) -> &Path {
        &self.here
    }

    fn there(&self) -> &Path {
        &self.there
    }

    fn groups(&self) -> Vec<u32> {
        self.running.iter().map(Running::id).collect()
    }

    fn settle(&mut self, _: Instant) -> Result<()> {
        thread::sleep(QUIET);
        Ok(())
    }

    fn fill(&mut self, write: &dyn Fn(&Path) -> Result<()>, _: &Warden, _: Instant) -> Result<()> {
        self.running = None;
        write(&self.here)?;
        copy_over(&self.here, &self.there)?;
        process::run(&mut self.command(&[])?)
    }

    fn restart(&mut self, _: &Warden, _: Instant) -> Result<Restart> {
        self.running = None;
        let mut round = self.command(&[])?;
        let begun = Instant::now();
        process::run(&mut round)?;
        Ok(Restart { took: begun.elapsed(), read: None })
    }
}
