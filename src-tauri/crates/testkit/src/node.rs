//! One Tributary node: a machine of its own, with its own `trib daemon`.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::deadline::Deadline;
use crate::engine_socket;
use crate::process::{Finished, Process, run_within, tail};
use crate::sandbox::Sandbox;

/// A daemon that has not opened its socket by then has failed; generous, as the machine may be busy with other tests.
const START_LIMIT: Duration = Duration::from_secs(30);
/// How long an orderly end may take: what is under way is put into a state from which it goes on.
const STOP_LIMIT: Duration = Duration::from_secs(30);
/// How much of its log a node shows when its test fails, bytes: the way of a few changes through the engine.
const LOG_SHOWN: usize = 32_000;
/// No command but `wait` and `clone` takes long; this is far above what any should need.
const COMMAND_LIMIT: Duration = Duration::from_secs(120);

/// A node: a `TRIBUTARY_HOME`, an environment, and the daemon that runs there.
///
/// The daemon is killed when this value goes; a panicking test prints the end of its log.
#[derive(Debug)]
pub struct Node {
    trib: PathBuf,
    home: PathBuf,
    machine: Sandbox,
    daemon: Option<Process>,
}

/// How a node is set up before its daemon starts; made by [`Node::builder`].
#[derive(Debug)]
pub struct NodeBuilder {
    trib: PathBuf,
    home: PathBuf,
    machine: Sandbox,
}

impl NodeBuilder {
    /// Sets an environment variable of the daemon and of every command.
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.machine.set(name, value);
        self
    }

    /// Puts a folder at the start of the node's `PATH`.
    pub fn path_first(mut self, dir: &Path) -> Self {
        self.machine.path_first(dir);
        self
    }

    /// Lets `change` adjust the environment: `builder.adjust(|machine| sshd.configure(machine))`.
    pub fn adjust(mut self, change: impl FnOnce(&mut Sandbox)) -> Self {
        change(&mut self.machine);
        self
    }

    /// The node, with no daemon running yet.
    pub fn stopped(self) -> Node {
        let NodeBuilder { trib, home, machine } = self;
        Node { trib, home, machine, daemon: None }
    }

    /// The node, with its daemon up and its socket open.
    ///
    /// # Panics
    ///
    /// With the log when the daemon does not come up.
    #[track_caller]
    pub fn start(self) -> Node {
        let mut node = self.stopped();
        node.start_daemon();
        node
    }
}

impl Node {
    /// Starts a node whose `TRIBUTARY_HOME` is `home` (made when missing), with the program `trib`.
    ///
    /// The rest of its machine (home folder, git configuration, log) lies beside it, in `home` + `.machine`, and stays
    /// when the node is started again in the same place.
    ///
    /// # Panics
    ///
    /// With the log when the daemon does not come up.
    #[track_caller]
    pub fn start(trib: &Path, home: &Path) -> Self {
        Self::builder(trib, home).start()
    }

    /// Prepares a node; see [`start`](Self::start).
    ///
    /// # Panics
    ///
    /// When its folders cannot be made.
    #[track_caller]
    pub fn builder(trib: &Path, home: &Path) -> NodeBuilder {
        fs::create_dir_all(home).unwrap_or_else(|cause| panic!("cannot make {}: {cause}", home.display()));
        let mut beside = home.as_os_str().to_owned();
        beside.push(".machine");
        let mut machine = Sandbox::at(Path::new(&beside));
        machine.set("TRIBUTARY_HOME", home);
        NodeBuilder { trib: trib.to_owned(), home: home.to_owned(), machine }
    }

    /// Its `TRIBUTARY_HOME`.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// The environment of its programs.
    pub fn machine(&self) -> &Sandbox {
        &self.machine
    }

    /// As [`machine`](Self::machine), to be changed; the daemon sees it when it is started again.
    pub fn machine_mut(&mut self) -> &mut Sandbox {
        &mut self.machine
    }

    /// The socket on which the daemon answers.
    pub fn socket(&self) -> PathBuf {
        self.home.join("run/socket")
    }

    /// The daemon's process id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.daemon.as_ref().map(Process::pid)
    }

    /// CPU time that the daemon has used, its own and that of the children it waited for.
    ///
    /// # Panics
    ///
    /// When no daemon runs.
    #[track_caller]
    pub fn cpu_time(&self) -> Duration {
        let pid = self.pid().expect("a daemon runs");
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("a process that runs has a stat");
        // The name in parentheses may hold anything; user and system time are the 14th and 15th field, those of
        // children the 16th and 17th. Source: proc(5).
        let (_, fields) = stat.rsplit_once(") ").expect("the name ends with a parenthesis");
        let ticks = fields.split(' ').skip(11).take(4).map(|field| field.parse::<u64>().expect("a number"));
        Duration::from_secs_f64(ticks.sum::<u64>() as f64 / rustix::param::clock_ticks_per_second() as f64)
    }

    /// Bytes that the engine has read since it started, from files and everything else.
    ///
    /// # Panics
    ///
    /// When no daemon runs.
    #[track_caller]
    pub fn bytes_read(&self) -> u64 {
        let pid = self.pid().expect("a daemon runs");
        let io = fs::read_to_string(format!("/proc/{pid}/io")).expect("a process that runs has one");
        let read = io.lines().find_map(|line| line.strip_prefix("rchar: ")).expect("proc(5) has it");
        read.parse().expect("a number")
    }

    /// The log of all engines that have run for this node.
    pub fn log(&self) -> String {
        let log = fs::read(self.home.join("state/log"));
        log.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// What goes to the terminal of the daemon: a panic's message, above all.
    fn terminal(&self) -> PathBuf {
        self.machine.join("daemon.terminal")
    }

    /// Starts the daemon and waits until its socket answers.
    ///
    /// # Panics
    ///
    /// With the log when it does not come up, or when it runs already.
    #[track_caller]
    pub fn start_daemon(&mut self) {
        assert!(self.daemon.is_none(), "the daemon of {} runs already", self.home.display());
        let mut daemon = Process::spawn("trib daemon", self.command(["daemon"]), &self.terminal());
        let deadline = Deadline::after(START_LIMIT);
        let mut pause = Duration::from_millis(2);
        // A killed daemon leaves its socket file behind, so only a connection says that the new one is up.
        while UnixStream::connect(self.socket()).is_err() {
            if let Some(status) = daemon.exited() {
                panic!("trib daemon of {} ended at its start with {status}", self.home.display());
            }
            assert!(!deadline.passed(), "trib daemon of {} has opened no socket", self.home.display());
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(50));
        }
        self.daemon = Some(daemon);
    }

    /// Kills the daemon with all it started, as a power cut would, and without a word. Fine when none runs.
    pub fn kill(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            daemon.kill();
        }
    }

    /// Ends the daemon as a person would (SIGTERM). Fine when none runs.
    ///
    /// # Panics
    ///
    /// When it does not end, or not with exit code 0.
    #[track_caller]
    pub fn stop(&mut self) {
        let Some(mut daemon) = self.daemon.take() else { return };
        match daemon.stop(STOP_LIMIT) {
            Some(status) => {
                assert!(status.success(), "trib daemon of {} ended with {status}", self.home.display())
            }
            None => panic!("trib daemon of {} did not end on SIGTERM", self.home.display()),
        }
    }

    /// [`stop`](Self::stop), then [`start_daemon`](Self::start_daemon).
    #[track_caller]
    pub fn restart(&mut self) {
        self.stop();
        self.start_daemon();
    }

    /// Freezes the daemon (SIGSTOP): it holds its connections and answers nothing. [`thaw`](Self::thaw) ends that.
    pub fn freeze(&mut self) {
        if let Some(daemon) = &mut self.daemon {
            daemon.signal(Signal::STOP);
        }
    }

    /// Lets a frozen daemon go on.
    pub fn thaw(&mut self) {
        if let Some(daemon) = &mut self.daemon {
            daemon.signal(Signal::CONT);
        }
    }

    /// The command `trib ARGS…` in this node's environment.
    pub fn command<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Command {
        let mut command = self.machine.command(&self.trib);
        command.args(args);
        command
    }

    /// Runs `trib ARGS…`; whether it failed is for the caller to judge.
    ///
    /// # Panics
    ///
    /// When it takes more than two minutes.
    #[track_caller]
    pub fn trib<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Finished {
        run_within(self.command(args), COMMAND_LIMIT)
    }

    /// Runs `trib ARGS… --json` and gives the one value that it prints.
    ///
    /// # Panics
    ///
    /// When it fails, or standard output holds anything else.
    #[track_caller]
    pub fn json<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Value {
        let mut command = self.command(args);
        command.arg("--json");
        let finished = run_within(command, COMMAND_LIMIT).ok();
        serde_json::from_slice(finished.stdout_bytes())
            .unwrap_or_else(|cause| panic!("standard output is not one JSON value ({cause}): {finished}"))
    }

    /// Asks the daemon as other programs do, in the words of its socket, and gives its reply.
    ///
    /// # Panics
    ///
    /// When it does not answer.
    #[track_caller]
    pub fn ask(&self, command: &Value) -> Value {
        engine_socket::ask(&self.socket(), command).unwrap_or_else(|cause| panic!("{command}: {cause}"))
    }

    /// The folder `dir` as `trib status` shows it.
    ///
    /// # Panics
    ///
    /// When the command fails or does not show exactly one folder.
    #[track_caller]
    pub fn folder(&self, dir: &Path) -> Value {
        let mut status = self.json([OsStr::new("status"), dir.as_os_str()]);
        match status["folders"].as_array_mut() {
            Some(folders) if folders.len() == 1 => folders.remove(0),
            _ => panic!("trib status {} does not show one folder: {status}", dir.display()),
        }
    }

    /// Waits with `trib wait` until the folder is in sync.
    ///
    /// # Panics
    ///
    /// With the reason that `trib` gives when it is not in sync after `limit`.
    #[track_caller]
    pub fn wait(&self, dir: &Path, limit: Duration) {
        self.try_wait(dir, limit).ok();
    }

    /// As [`wait`](Self::wait); whether it failed is for the caller to judge.
    #[track_caller]
    pub fn try_wait(&self, dir: &Path, limit: Duration) -> Finished {
        let seconds = limit.as_secs().max(1).to_string();
        let args = [OsStr::new("wait"), dir.as_os_str(), OsStr::new("--timeout"), OsStr::new(&seconds)];
        // The command keeps its own time; past that it gets some more to say why.
        run_within(self.command(args), limit + COMMAND_LIMIT)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // First, so that the log is complete.
        self.kill();
        if std::thread::panicking() {
            eprintln!("--- the engine of {}:\n{}", self.home.display(), tail(&self.log(), LOG_SHOWN));
        }
    }
}
