//! Programs that a test starts: short ones with their output, servers in a process group of their own.

use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, kill_process_group, pidfd_open};

use crate::deadline::{Deadline, within};

/// How much of a log a failing test shows.
const LOG_TAIL: usize = 8_000;

/// A server, in its own process group, which is killed as a whole when this value goes: also when the test panics.
///
/// What it writes goes to its log file; a panicking test prints the end of it.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command`, whose output is appended to the file `log`. Standard input is what the command says, or empty.
    ///
    /// # Panics
    ///
    /// When the program cannot be started or the log not opened.
    #[track_caller]
    pub fn spawn(name: &str, mut command: Command, log: &Path) -> Self {
        Self::spawn_with_input(name, command.stdin(Stdio::null()), log)
    }

    /// As [`spawn`](Self::spawn), with the standard input that `command` has.
    #[track_caller]
    pub fn spawn_with_input(name: &str, command: &mut Command, log: &Path) -> Self {
        let open = || -> io::Result<(File, File)> {
            let out = File::options().create(true).append(true).open(log)?;
            let err = out.try_clone()?;
            Ok((out, err))
        };
        let (out, err) =
            open().unwrap_or_else(|cause| panic!("cannot open the log {}: {cause}", log.display()));
        let child = command
            .stdout(out)
            .stderr(err)
            .process_group(0)
            .spawn()
            .unwrap_or_else(|cause| panic!("cannot start {name} ({command:?}): {cause}"));
        Process { name: name.to_owned(), child, log: log.to_owned() }
    }

    /// The process id, which is the id of its group too.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The writing end of the program's standard input, when it was started with a piped one.
    pub fn stdin(&mut self) -> Option<std::process::ChildStdin> {
        self.child.stdin.take()
    }

    /// Sends a signal to the program alone.
    ///
    /// A program that has ended already is left in peace.
    pub fn signal(&mut self, signal: Signal) {
        if self.exited().is_none() {
            // It may end between the look and the signal; it is not reaped, so the id is still its own.
            let _ = kill_process(self.group(), signal);
        }
    }

    /// The exit status, when the program has ended.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child can be waited for")
    }

    /// Waits up to `limit` for the program's end.
    pub fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        wait_within(&mut self.child, limit)
    }

    /// Kills the whole group, as `kill -9` does, and reaps the program.
    pub fn kill(&mut self) {
        // The group outlives its leader while any member is left, so it is killed even when the leader is gone; with
        // nobody in it this is an error that means nothing.
        let _ = kill_process_group(self.group(), Signal::KILL);
        let _ = self.child.wait();
    }

    /// Asks the program to end (SIGTERM), waits up to `limit`, then kills the whole group. Gives the exit status when
    /// it ended by itself.
    pub fn stop(&mut self, limit: Duration) -> Option<ExitStatus> {
        self.signal(Signal::TERM);
        let status = self.wait(limit);
        self.kill();
        status
    }

    /// What the program has written so far.
    pub fn log(&self) -> String {
        fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    fn group(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let log = self.log();
            eprintln!("--- {} ({}):\n{}", self.name, self.log.display(), tail(&log, LOG_TAIL));
        }
    }
}

/// The end of a log, at most so many bytes, from the start of a line.
pub(crate) fn tail(log: &str, most: usize) -> &str {
    let mut from = log.len().saturating_sub(most);
    while !log.is_char_boundary(from) {
        from += 1;
    }
    match (from, log[from..].find('\n')) {
        (0, _) | (_, None) => &log[from..],
        (_, Some(line)) => &log[from + line + 1..],
    }
}

/// Waits up to `limit` for a child's end; the kernel tells when, so nothing is lost by looking too late.
fn wait_within(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    let deadline = Deadline::after(limit);
    let handle = pidfd_open(Pid::from_child(child), PidfdFlags::empty()).ok();
    within(limit, || {
        if let Some(handle) = &handle {
            let mut ends = [PollFd::new(handle, PollFlags::IN)];
            let left = Timespec::try_from(deadline.left()).expect("a test's limit fits a time value");
            // An interrupted wait is repeated by the loop around it.
            let _ = poll(&mut ends, Some(&left));
        }
        child.try_wait().expect("a child can be waited for")
    })
}

/// Runs a program that is expected to end within `limit`, and gives its exit status and output.
///
/// Its output goes through files, so a child that it leaves behind does not keep the test waiting.
///
/// # Panics
///
/// When the program cannot be started, or runs longer: it is then killed with its group.
#[track_caller]
pub fn run_within(mut command: Command, limit: Duration) -> Finished {
    let what = format!("{command:?}");
    let files = || -> io::Result<_> { Ok((tempfile::tempfile()?, tempfile::tempfile()?)) };
    let (out, err) = files().expect("a temporary file can be made");
    let copy = |file: &File| file.try_clone().expect("a file handle can be doubled");
    let mut child = command
        .stdin(Stdio::null())
        .stdout(copy(&out))
        .stderr(copy(&err))
        .process_group(0)
        .spawn()
        .unwrap_or_else(|cause| panic!("cannot start {what}: {cause}"));
    let status = wait_within(&mut child, limit);
    if status.is_none() {
        let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
    }
    let ended = child.wait().expect("a child can be waited for");
    let output = Output { status: ended, stdout: read_back(out), stderr: read_back(err) };
    let finished = Finished { what, output };
    assert!(status.is_some(), "took longer than {:.1} s and was killed: {finished}", limit.as_secs_f64());
    finished
}

fn read_back(mut file: File) -> Vec<u8> {
    let mut bytes = Vec::new();
    file.rewind().and_then(|()| file.read_to_end(&mut bytes)).expect("a file that was written can be read");
    bytes
}

/// Runs a program to its end, however long it takes.
///
/// # Panics
///
/// When it cannot be started. A program that fails is for the caller to judge ([`Finished::ok`]).
#[track_caller]
pub fn run(mut command: Command) -> Finished {
    let output = command
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|cause| panic!("cannot start {command:?}: {cause}"));
    Finished { what: format!("{command:?}"), output }
}

/// What a program that ended left: its exit status and what it wrote.
#[derive(Debug)]
pub struct Finished {
    what: String,
    output: Output,
}

impl Finished {
    /// Whether it ended with exit code 0.
    pub fn success(&self) -> bool {
        self.output.status.success()
    }

    /// The exit code; `None` when a signal ended it.
    pub fn code(&self) -> Option<i32> {
        self.output.status.code()
    }

    /// Standard output, as text.
    pub fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.output.stdout).into_owned()
    }

    /// Standard output, as it is.
    pub fn stdout_bytes(&self) -> &[u8] {
        &self.output.stdout
    }

    /// Standard error, as text.
    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.output.stderr).into_owned()
    }

    /// Itself, when the program succeeded.
    ///
    /// # Panics
    ///
    /// With the command and all that it wrote when it failed.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert!(self.success(), "{self}");
        self
    }

    /// Standard output without the final newline, when the program succeeded.
    ///
    /// # Panics
    ///
    /// As [`ok`](Self::ok).
    #[track_caller]
    pub fn text(self) -> String {
        self.ok().stdout().trim_end_matches('\n').to_owned()
    }
}

impl std::fmt::Display for Finished {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Finished { what, output } = self;
        writeln!(f, "{what}\nended with {}", output.status)?;
        writeln!(f, "--- standard output:\n{}", tail(&self.stdout(), LOG_TAIL))?;
        write!(f, "--- standard error:\n{}", tail(&self.stderr(), LOG_TAIL))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eventually;

    const LIMIT: Duration = Duration::from_secs(10);

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn the_whole_group_goes_with_the_value() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let server = Process::spawn("sh", shell("sleep 1000 & echo $!; wait"), &dir.path().join("log"));
        let grandchild: i32 =
            eventually(LIMIT, "the server says its child's id", || server.log().trim().parse().ok());
        drop(server);
        let grandchild = Pid::from_raw(grandchild).expect("a process id is not zero");
        eventually(LIMIT, "the child of the killed server is gone", || {
            // A zombie that nobody reaps yet still has its entry in /proc, with state Z.
            let stat =
                fs::read_to_string(format!("/proc/{}/stat", grandchild.as_raw_nonzero())).unwrap_or_default();
            (stat.is_empty() || stat.contains(") Z ")).then_some(())
        });
    }

    #[test]
    fn a_stopped_server_gives_its_exit_code() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let script = "trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done";
        let mut server = Process::spawn("sh", shell(script), &dir.path().join("log"));
        eventually(LIMIT, "the trap is set", || server.log().contains("ready").then_some(()));
        assert_eq!(server.stop(LIMIT).and_then(|status| status.code()), Some(7));
    }

    #[test]
    fn a_failed_program_shows_all_it_wrote() {
        let finished = run(shell("echo out; echo err >&2; exit 3"));
        assert_eq!((finished.code(), finished.success()), (Some(3), false));
        let shown = finished.to_string();
        assert!(
            shown.contains("out\n") && shown.contains("err\n") && shown.contains("exit status: 3"),
            "{shown}"
        );
    }

    #[test]
    fn a_program_that_hangs_is_killed_and_named() {
        let panic = std::panic::catch_unwind(|| {
            run_within(shell("echo here; sleep 1000"), Duration::from_millis(50));
        });
        let message = panic.expect_err("a hanging program fails the test");
        let message = message.downcast_ref::<String>().expect("a formatted message");
        assert!(message.contains("sleep 1000") && message.contains("here"), "{message}");
        assert_eq!(
            run_within(shell("echo quick; sleep 1000 &"), LIMIT).text(),
            "quick",
            "what it leaves is no matter"
        );
    }

    #[test]
    fn the_tail_starts_at_a_line_and_never_inside_a_character() {
        assert_eq!(tail("short\n", LOG_TAIL), "short\n");
        let long = format!("{}\nlast line é\n", "é".repeat(LOG_TAIL));
        assert_eq!(tail(&long, LOG_TAIL), "last line é\n");
    }
}
