//! A computer of the demonstration and the bench: a home of its own, a folder, and `trib` as a person would use it.

use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::failure::{Context, Failure, Result};
use crate::process::{self, Running, logged};
use crate::prosody::Prosody;
use crate::warden::Warden;

/// An engine is up in a fraction of a second; a machine at its limits may take longer.
const START_LIMIT: Duration = Duration::from_secs(30);

/// One computer.
#[derive(Debug)]
pub struct Node {
    name: &'static str,
    trib: PathBuf,
    base: PathBuf,
    engine: Option<Running>,
}

impl Node {
    /// A computer whose home and folder are below `base`, which is made. Nothing runs yet.
    pub fn new(trib: &Path, base: PathBuf, name: &'static str) -> Result<Self> {
        fs::create_dir_all(base.join("home")).context(|| format!("could not make {}", base.display()))?;
        Ok(Node { name, trib: trib.to_owned(), base, engine: None })
    }

    /// What people call it, also in the other's windows.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The synced folder.
    pub fn folder(&self) -> PathBuf {
        self.base.join("Sync")
    }

    /// `TRIBUTARY_HOME`.
    pub fn home(&self) -> PathBuf {
        self.base.join("home")
    }

    /// What the engine wrote to its terminal.
    pub fn log(&self) -> PathBuf {
        self.base.join("engine.log")
    }

    /// The running engine's process.
    pub fn engine(&self) -> Option<u32> {
        self.engine.as_ref().map(Running::id)
    }

    /// Starts `trib daemon` and waits until it answers.
    pub fn start(&mut self, warden: &Warden) -> Result<()> {
        let mut daemon = self.command(["daemon"]);
        self.host(&mut daemon, warden)
    }

    /// Starts a program that hosts the engine, with this computer's home, and waits until the engine answers.
    pub fn host(&mut self, command: &mut Command, warden: &Warden) -> Result<()> {
        self.settle_in(command);
        logged(command, &self.log())?;
        let mut engine = Running::start(command, warden)?;
        let ready = engine.until(START_LIMIT, || self.trib(["status", "--json"]).is_ok());
        ready.map_err(|failure| failure.hint(format!("what it said is in {}", self.log().display())))?;
        self.engine = Some(engine);
        Ok(())
    }

    /// Ends the engine.
    pub fn stop(&mut self) {
        self.engine = None;
    }

    /// Takes the engine out, to wait for its end.
    pub fn take_engine(&mut self) -> Option<Running> {
        self.engine.take()
    }

    /// Logs in to the account. The password goes through the standard input, and to a file in the home: this is no
    /// place for the person's own keyring.
    pub fn login(&self, server: &Prosody) -> Result<()> {
        let mut login = self.command(["xmpp", "login"]);
        login.arg(server.account());
        login.args(["--password-stdin", "--keyring", "file", "--server"]).arg(server.address().to_string());
        login.arg("--ca").arg(server.authority());
        let mut child = login
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context(|| "could not start trib".into())?;
        let mut stdin = child.stdin.take().expect("it was asked for just above");
        // A trib that ends before it read the password says why below.
        writeln!(stdin, "{}", server.password()).ok();
        drop(stdin);
        let output = child.wait_with_output().context(|| "could not wait for trib".into())?;
        if output.status.success() {
            return Ok(());
        }
        Err(Failure::new(format!("{} could not log in", self.name))
            .hint(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
    }

    /// Runs a command of `trib` here and gives what it says.
    pub fn trib<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Result<String> {
        process::output(&mut self.command(arguments))
    }

    /// Waits until nothing is pending, arriving, failed or held here.
    pub fn wait(&self, limit: Duration) -> Result<()> {
        let seconds = limit.as_secs().max(1).to_string();
        let folder = self.folder();
        self.trib(["wait".as_ref(), folder.as_os_str(), "--timeout".as_ref(), seconds.as_ref()]).map(drop)
    }

    fn command<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = process::program(&self.trib, arguments);
        self.settle_in(&mut command);
        command
    }

    /// This computer's home, and no settings of git from the machine.
    fn settle_in(&self, command: &mut Command) {
        command.env("TRIBUTARY_HOME", self.home());
        command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
    }
}
