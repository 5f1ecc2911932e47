//! The built shell in a desktop session, and `trib` beside it, with one home.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tributary_testkit::xmpp_servers::{Prosody, XmppServer as _};
use tributary_testkit::{
    Desktop, Finished, Node, Notification, Process, Sandbox, TrayItem, eventually, run, run_within, within,
};

/// For everything that has to happen: generous, as the machine may be busy with other tests.
pub const LIMIT: Duration = Duration::from_secs(60);
/// What one command may take.
const COMMAND_LIMIT: Duration = Duration::from_secs(120);

/// The person's computer: the desktop, what runs in it, and the folder.
pub struct Computer {
    // Before the desktop, so that it ends first.
    shell: Option<Process>,
    pub desktop: Desktop,
}

impl Computer {
    /// A desktop in which nothing of ours runs yet.
    #[track_caller]
    pub fn new() -> Self {
        let computer = Computer { shell: None, desktop: Desktop::start() };
        assert!(Self::trib_program().is_file(), "build trib first: cargo build -p tributary-cli");
        computer
    }

    /// One whose desktop is dark.
    #[track_caller]
    pub fn dark() -> Self {
        let computer = Computer::new();
        let settings = computer.desktop.sandbox().dir("home/.config/gtk-3.0").join("settings.ini");
        fs::write(settings, "[Settings]\ngtk-application-prefer-dark-theme=1\n")
            .expect("our own folder can be written");
        computer
    }

    /// The shell's program.
    pub fn program() -> &'static Path {
        Path::new(env!("CARGO_BIN_EXE_tributary"))
    }

    /// cargo tells a test only of the programs of its own package; all of them are built into one folder.
    pub fn trib_program() -> PathBuf {
        Self::program().with_file_name("trib")
    }

    /// Everything that the program keeps.
    pub fn home(&self) -> PathBuf {
        self.desktop.sandbox().join("tributary")
    }

    /// The folder that is synced.
    pub fn folder(&self) -> PathBuf {
        self.desktop.sandbox().join("home/Papers")
    }

    /// A program in the session that finds the same home.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = self.desktop.command(program);
        command.env("TRIBUTARY_HOME", self.home());
        command
    }

    /// Starts the program as the session does at login: in the tray, without a window.
    #[track_caller]
    pub fn start_hidden(&mut self) -> TrayItem {
        let mut command = self.command(Self::program());
        command.arg("--hidden");
        self.shell =
            Some(Process::spawn("tributary", command, &self.desktop.sandbox().join("tributary.log")));
        self.await_engine();
        self.desktop.tray_item("Tributary", LIMIT)
    }

    /// The process of the shell that runs.
    #[track_caller]
    pub fn pid(&self) -> u32 {
        self.shell.as_ref().expect("it was started").pid()
    }

    /// Waits until the engine in the shell answers.
    #[track_caller]
    pub fn await_engine(&self) {
        let socket = self.home().join("run/socket");
        eventually(LIMIT, "the engine answers", || UnixStream::connect(&socket).ok());
    }

    /// Waits until the shell has ended by itself, and well.
    #[track_caller]
    pub fn has_ended(&mut self) {
        let shell = self.shell.as_mut().expect("it was started");
        let status = shell.wait(LIMIT).expect("the program ends when it is told to");
        assert!(status.success(), "the program ended with {status}");
    }

    /// Runs `trib ARGS…`, which must succeed.
    #[track_caller]
    pub fn trib<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Finished {
        let mut command = self.command(Self::trib_program());
        command.args(args);
        run_within(command, COMMAND_LIMIT).ok()
    }

    /// Runs `trib VERB FOLDER ARGS…`, which must succeed.
    #[track_caller]
    pub fn tell(&self, verb: &[&str], args: &[&str]) -> Finished {
        let folder = self.folder();
        let verb = verb.iter().map(OsStr::new);
        self.trib(verb.chain([folder.as_os_str()]).chain(args.iter().map(OsStr::new)))
    }

    /// What `trib status --json` says.
    #[track_caller]
    pub fn status(&self) -> Value {
        let said = self.trib(["status", "--json"]);
        serde_json::from_slice(said.stdout_bytes()).expect("it prints one JSON value")
    }

    /// Logs in to an account beside the window, with the password in a file.
    #[track_caller]
    pub fn log_in(&self, server: &Prosody, user: &str, password: &str) {
        let mut command = self.command(Self::trib_program());
        command.args(login(self.desktop.sandbox(), server, user, password));
        run_within(command, COMMAND_LIMIT).ok();
        eventually(LIMIT, "the account is online", || {
            (self.status()["account"]["state"] == "online").then_some(())
        });
    }

    /// Waits with `trib wait` until the folder is in sync.
    #[track_caller]
    pub fn settles(&self) {
        self.tell(&["wait"], &["--timeout", &LIMIT.as_secs().to_string()]);
    }

    /// Writes a file in the folder.
    #[track_caller]
    pub fn write(&self, name: &str, content: &[u8]) {
        write(&self.folder().join(name), content);
    }

    /// Waits for a notification, from number `from` on.
    #[track_caller]
    pub fn is_notified(&self, from: usize, wanted: impl Fn(&Notification) -> bool) -> Notification {
        let found = within(LIMIT, || self.desktop.notifications().into_iter().skip(from).find(&wanted));
        found.unwrap_or_else(|| panic!("not among the notifications: {:#?}", self.desktop.notifications()))
    }

    /// Keeps a picture of the screen.
    pub fn photograph(&self, name: &str) {
        self.desktop.screenshot(&shot(name));
    }
}

/// Where the picture of that name is kept.
pub fn shot(name: &str) -> PathBuf {
    let target = Computer::program().ancestors().nth(2).expect("cargo builds into target/debug");
    target.join("shots").join(format!("{name}.png"))
}

/// What both computers reach: a bare repository for the names, and a folder for the contents.
pub struct Point {
    /// The bare repository.
    pub names: String,
    /// The folder of the `directory` special remote.
    pub store: PathBuf,
}

impl Point {
    /// An empty one.
    #[track_caller]
    pub fn make(sandbox: &Sandbox) -> Self {
        let names = sandbox.dir("drive").join("names.git");
        let mut command = sandbox.command("git");
        command.args(["init", "-q", "--bare"]).arg(&names);
        run(command).ok();
        let names = names.to_str().expect("a temporary folder's name is UTF-8").to_owned();
        Point { names, store: sandbox.dir("drive/store") }
    }

    /// The parameter that names the folder for the contents.
    pub fn directory(&self) -> String {
        format!("directory={}", self.store.display())
    }
}

/// The other computer of the same person, without a desktop.
pub struct Other {
    pub node: Node,
    pub folder: PathBuf,
    pub sandbox: Sandbox,
}

impl Other {
    /// One with nothing on it.
    #[track_caller]
    pub fn start() -> Self {
        let sandbox = Sandbox::new();
        let node = Node::start(&Computer::trib_program(), &sandbox.join("tributary"));
        Other { node, folder: sandbox.join("Papers"), sandbox }
    }

    /// Runs `trib VERB FOLDER ARGS…`, which must succeed.
    #[track_caller]
    pub fn tell(&self, verb: &[&str], args: &[&str]) {
        let verb = verb.iter().map(OsStr::new);
        let args = verb.chain([self.folder.as_os_str()]).chain(args.iter().map(OsStr::new));
        self.node.trib(args).ok();
    }

    /// Writes a file, and waits until it lies where the first computer can get it.
    #[track_caller]
    pub fn write(&self, name: &str, content: &[u8]) {
        write(&self.folder.join(name), content);
        self.node.wait(&self.folder, LIMIT);
    }

    /// Logs in to an account whose password is kept in a file: this computer has no keyring.
    #[track_caller]
    pub fn log_in(&self, server: &Prosody, user: &str, password: &str) {
        let args = login(&self.sandbox, server, user, password);
        run_within(self.node.command(args), COMMAND_LIMIT).ok();
    }
}

/// The arguments of `trib` that log in to an account.
pub fn login(sandbox: &Sandbox, server: &Prosody, user: &str, password: &str) -> Vec<String> {
    let secret = sandbox.join("password");
    fs::write(&secret, password).expect("our own folder can be written");
    let jid = format!("{user}@{}", server.domain());
    let address = format!("127.0.0.1:{}", server.starttls_port());
    let print = format!("cat '{}'", secret.display());
    let ca = server.ca().to_str().expect("a temporary folder's name is UTF-8");
    let login = ["xmpp", "login", &jid, "--password-command", &print, "--keyring", "file"];
    login.into_iter().chain(["--server", &address, "--ca", ca]).map(String::from).collect()
}

fn write(path: &Path, content: &[u8]) {
    fs::create_dir_all(path.parent().expect("a file is in a folder")).expect("a folder can be made");
    fs::write(path, content).expect("a file can be written");
}
