//! Running other programs: to their end, with a limit of time, or beside us.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::failure::{Context, Failure, Result};
use crate::warden::Warden;

/// How long a program may take to end after it was asked to.
const GRACE: Duration = Duration::from_secs(10);

/// Between two looks at something that gives no signal, as another program's end.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// The command line as a person would type it, for messages.
pub fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

/// A program with its arguments.
pub fn program<S: AsRef<OsStr>>(name: impl AsRef<OsStr>, args: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(name);
    command.args(args);
    command
}

/// Runs a program to its end in front of the person: it shares our terminal, so it may ask for a password.
pub fn run(command: &mut Command) -> Result<()> {
    let line = shown(command);
    let status = command.status().context(|| format!("could not start `{line}`"))?;
    judge(&line, status)
}

/// Runs a program to its end and gives what it wrote to standard output; what it wrote to standard error is part of
/// the failure.
pub fn output(command: &mut Command) -> Result<String> {
    let line = shown(command);
    let output = command.stdin(Stdio::null()).output().context(|| format!("could not start `{line}`"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let failure = judge(&line, output.status).err().unwrap_or_else(|| Failure::new(line));
    Err(if said.trim().is_empty() { failure } else { failure.hint(said.trim().replace('\n', "\n  ")) })
}

/// Whether a program can be started and says that all is well, as `node --version` does.
pub fn answers_with(name: &str, args: &[&str]) -> bool {
    let mut command = program(name, args);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Runs a program to its end; past `limit`, the program and all that it started are ended.
pub fn run_within(command: &mut Command, limit: Duration, warden: &Warden) -> Result<()> {
    let line = shown(command);
    let begun = Instant::now();
    let mut running = Running::start(command.stdin(Stdio::null()), warden)?;
    loop {
        if let Some(status) = running.ended()? {
            return judge(&line, status);
        }
        if begun.elapsed() > limit {
            drop(running);
            return Err(Failure::new(format!("`{line}` was ended: it took more than {} s", limit.as_secs())));
        }
        thread::sleep(LOOK_AGAIN);
    }
}

fn judge(line: &str, status: ExitStatus) -> Result<()> {
    if status.success() { Ok(()) } else { Err(Failure::new(format!("`{line}` failed ({status})"))) }
}

/// A program that runs beside us with everything that it starts: one process group, ended when this is dropped, and
/// by the [`Warden`] should we be killed before.
#[derive(Debug)]
pub struct Running {
    line: String,
    child: Child,
    warden: Warden,
}

impl Running {
    /// Starts a program in a process group of its own.
    pub fn start(command: &mut Command, warden: &Warden) -> Result<Self> {
        let line = shown(command);
        let child = command.process_group(0).spawn().context(|| format!("could not start `{line}`"))?;
        warden.watch(child.id())?;
        Ok(Running { line, child, warden: warden.clone() })
    }

    /// The id of the program, which is also that of its process group.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().context(|| format!("could not look after `{}`", self.line))
    }

    /// Waits until the person ends the program, or it ends by itself.
    pub fn wait(mut self) -> Result<()> {
        let status = self.child.wait().context(|| format!("could not wait for `{}`", self.line))?;
        judge(&self.line, status)
    }

    /// Waits until `ready` says so, and fails when the program ends before or `limit` has passed.
    pub fn until(&mut self, limit: Duration, mut ready: impl FnMut() -> bool) -> Result<()> {
        let begun = Instant::now();
        while !ready() {
            if let Some(status) = self.ended()? {
                return Err(Failure::new(format!("`{}` ended at once ({status})", self.line)));
            }
            if begun.elapsed() > limit {
                let waited = limit.as_secs();
                return Err(Failure::new(format!("`{}` was not ready after {waited} s", self.line)));
            }
            thread::sleep(LOOK_AGAIN);
        }
        Ok(())
    }

    /// Asks the group to end, and kills what has not after the time of grace.
    fn end(&mut self) {
        let group = self.child.id();
        if matches!(self.child.try_wait(), Ok(None)) {
            signal_group("TERM", group);
            let asked = Instant::now();
            while asked.elapsed() < GRACE && matches!(self.child.try_wait(), Ok(None)) {
                thread::sleep(LOOK_AGAIN);
            }
        }
        // What it started may still be there, and is in the way of the next.
        signal_group("KILL", group);
        // It has ended or was killed: the wait cannot be long, and leaves no zombie.
        self.child.wait().ok();
        self.warden.forget(group);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

/// Sends a signal to a process group, through the shell: the standard library has no call for it. False when the group
/// is gone.
pub fn signal_group(signal: &str, group: u32) -> bool {
    let mut command = program("sh", ["-c", "kill -s \"$1\" -- \"-$2\"", "sh", signal, &group.to_string()]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Waits until `seen` gives a value, looking again every `pause`; `None` after `limit`.
pub fn poll<T>(limit: Duration, pause: Duration, mut seen: impl FnMut() -> Option<T>) -> Option<T> {
    let begun = Instant::now();
    loop {
        if let Some(value) = seen() {
            return Some(value);
        }
        if begun.elapsed() > limit {
            return None;
        }
        thread::sleep(pause);
    }
}

/// The command with its output in a file, so that it does not run through what the person reads.
pub fn logged(command: &mut Command, log: &Path) -> Result<()> {
    let file = std::fs::File::create(log).context(|| format!("could not write {}", log.display()))?;
    let again = file.try_clone().context(|| format!("could not write {}", log.display()))?;
    command.stdin(Stdio::null()).stdout(file).stderr(again);
    Ok(())
}
