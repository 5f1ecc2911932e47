//! A node with its copy of one folder: what the journeys of several crates of tests ask of it.
//!
//! Each journey takes what it needs of this.
#![allow(dead_code, reason = "no journey needs all of it")]

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tributary_testkit::xmpp_servers::{Prosody, XmppServer};
use tributary_testkit::{
    Finished, Node, Sandbox, Snapshot, differences, eventually, run, snapshot, try_snapshot, within,
};

/// For everything that has to happen: generous, as the machine may be busy with other tests.
pub const LIMIT: Duration = Duration::from_secs(60);

/// For what must not happen: a command that is expected to give up does so after this long.
pub const SHORT: Duration = Duration::from_secs(2);

/// The account of all nodes of a journey.
pub const USER: &str = "ann";
/// Its password.
pub const PASSWORD: &str = "correct horse";

/// A server for hints between the nodes of one person.
#[track_caller]
pub fn server() -> Prosody {
    Prosody::start("localhost.example", &[(USER, PASSWORD)])
}

/// A node, and where its copy of the folder is.
pub struct Member {
    /// The node.
    pub node: Node,
    /// The top of the folder.
    pub dir: PathBuf,
}

impl Member {
    /// Starts a node whose folder will be `NAME/folder` in the sandbox. Nothing is there yet.
    #[track_caller]
    pub fn start(sandbox: &Sandbox, name: &str) -> Self {
        let home = sandbox.join(name).join("home");
        Member { node: Node::start(trib(), &home), dir: sandbox.join(name).join("folder") }
    }

    /// Makes the folder a new one.
    #[track_caller]
    pub fn add(&self) -> &Self {
        self.run(["add", self.path(), "--description", self.name()]);
        self
    }

    /// Gets the folder from a git remote, which is called `origin` here.
    #[track_caller]
    pub fn clone_from(&self, url: &Path) -> &Self {
        self.run([OsStr::new("clone"), url.as_os_str(), self.dir.as_os_str()]);
        self
    }

    /// Adds a remote: a URL, or the parameters of a special remote.
    #[track_caller]
    pub fn remote(&self, name: &str, what: &[&str]) -> &Self {
        self.run(["remote", "add", self.path(), name].iter().chain(what));
        self
    }

    /// Adds the `directory` special remote `store` at a path.
    #[track_caller]
    pub fn store(&self, directory: &Path) -> &Self {
        let directory = format!("directory={}", text(directory));
        self.remote("store", &["type=directory", &directory, "encryption=none"])
    }

    /// Logs in, so that hints travel.
    #[track_caller]
    pub fn log_in(&self, server: &Prosody) -> &Self {
        login(&self.node, server, PASSWORD, server.ca()).ok();
        self
    }

    /// Runs `trib ARGS…`, which must succeed.
    #[track_caller]
    pub fn run<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Finished {
        self.node.trib(args).ok()
    }

    /// Waits with `trib wait` until the folder is in sync with the places that answer.
    #[track_caller]
    pub fn wait(&self) -> &Self {
        self.node.wait(&self.dir, LIMIT);
        self
    }

    /// Looks everywhere now.
    #[track_caller]
    pub fn sync(&self) -> &Self {
        self.run(["sync", self.path()]);
        self
    }

    /// The folder's status.
    #[track_caller]
    pub fn status(&self) -> Value {
        self.node.folder(&self.dir)
    }

    /// The problems of the folder with this code.
    #[track_caller]
    pub fn problems(&self, code: &str) -> Vec<Value> {
        let status = self.status();
        let problems = status["problems"].as_array().expect("a status lists its problems");
        problems.iter().filter(|problem| problem["code"] == code).cloned().collect()
    }

    /// Waits for the one problem with this code, which must say what happened and what to do.
    ///
    /// # Panics
    ///
    /// When there is none in time, or more than one, or it says nothing.
    #[track_caller]
    pub fn one_problem(&self, code: &str) -> Value {
        let found = within(LIMIT, || Some(self.problems(code)).filter(|found| !found.is_empty()));
        let Some(found) = found else { panic!("no problem {code}: {:#}", self.status()) };
        assert_eq!(found.len(), 1, "one problem per cause: {found:#?}");
        for field in ["sentence", "hint"] {
            assert!(
                !found[0][field].as_str().unwrap_or_default().is_empty(),
                "a {field} helps: {:#}",
                found[0]
            );
        }
        found.into_iter().next().expect("one is there")
    }

    /// Waits until no problem with this code is left.
    #[track_caller]
    pub fn no_problem(&self, code: &str) {
        eventually(LIMIT, &format!("the problem {code} is solved"), || {
            self.problems(code).is_empty().then_some(())
        });
    }

    /// Writes a file of the folder; its folders are made.
    #[track_caller]
    pub fn write(&self, file: &str, content: impl AsRef<[u8]>) -> &Self {
        let path = self.dir.join(file);
        let parent = path.parent().expect("a file of the folder has a parent");
        let written = fs::create_dir_all(parent).and_then(|()| fs::write(&path, content));
        written.unwrap_or_else(|cause| panic!("cannot write {}: {cause}", path.display()));
        self
    }

    /// Removes a file of the folder.
    #[track_caller]
    pub fn delete(&self, file: &str) -> &Self {
        let path = self.dir.join(file);
        fs::remove_file(&path).unwrap_or_else(|cause| panic!("cannot remove {}: {cause}", path.display()));
        self
    }

    /// The content of a file of the folder; `None` when it is not there.
    #[track_caller]
    pub fn read(&self, file: &str) -> Option<String> {
        let path = self.dir.join(file);
        match fs::read(&path) {
            Ok(content) => Some(String::from_utf8_lossy(&content).into_owned()),
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => None,
            Err(cause) => panic!("cannot read {}: {cause}", path.display()),
        }
    }

    /// What is in the folder.
    #[track_caller]
    pub fn files(&self) -> Snapshot {
        snapshot(&self.dir)
    }

    /// Whether the folder holds exactly `files`, now. While it is changed it may not even be readable.
    fn holds(&self, files: &Snapshot) -> Option<()> {
        try_snapshot(&self.dir).is_ok_and(|found| found == *files).then_some(())
    }

    /// Waits until the folder holds exactly `files`.
    ///
    /// # Panics
    ///
    /// With the differences and the status.
    #[track_caller]
    pub fn awaits(&self, files: &Snapshot) -> &Self {
        let same = within(LIMIT, || self.holds(files));
        assert!(
            same.is_some(),
            "{} does not hold what it should:\n{}{:#}",
            self.name(),
            differences(files, &self.files()),
            self.status()
        );
        self
    }

    /// As [`awaits`](Self::awaits), looking everywhere again and again: for nodes that nobody tells.
    #[track_caller]
    pub fn fetches(&self, files: &Snapshot) -> &Self {
        within(LIMIT, || {
            self.sync();
            within(SHORT, || self.holds(files))
        });
        self.awaits(files)
    }

    /// Runs `git ARGS…` in the folder, which must succeed, and gives what it prints.
    #[track_caller]
    pub fn git(&self, args: &[&str]) -> String {
        git(self.node.machine(), &self.dir, args)
    }

    /// The folder's path as an argument.
    pub fn path(&self) -> &str {
        text(&self.dir)
    }

    /// The node's name.
    pub fn name(&self) -> &str {
        let place = self.dir.parent().and_then(Path::file_name).and_then(OsStr::to_str);
        place.expect("a member's folder lies in its own place")
    }
}

/// The `trib` under test.
pub fn trib() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_trib"))
}

/// Makes a bare repository that nobody has pushed to.
#[track_caller]
pub fn bare(sandbox: &Sandbox, name: &str) -> PathBuf {
    let dir = sandbox.dir(name);
    git(sandbox, &dir, &["init", "-q", "--bare"]);
    dir
}

/// Runs `git ARGS…` in `dir`, which must succeed, and gives what it prints.
#[track_caller]
pub fn git(machine: &Sandbox, dir: &Path, args: &[&str]) -> String {
    let mut command = machine.command("git");
    command.current_dir(dir).args(args);
    run(command).text()
}

/// `trib xmpp login` with this password and authority; whether it failed is for the caller to judge.
#[track_caller]
pub fn login(node: &Node, server: &Prosody, password: &str, ca: &Path) -> Finished {
    let jid = format!("{USER}@{}", server.domain());
    let at = format!("127.0.0.1:{}", server.starttls_port());
    let say = format!("printf %s '{password}'");
    let args = ["xmpp", "login", &jid, "--server", &at, "--ca", text(ca), "--keyring", "file"];
    node.trib(args.into_iter().chain(["--password-command", &say]))
}

/// A path of the tests as text.
pub fn text(path: &Path) -> &str {
    path.to_str().expect("the tests' own paths are UTF-8")
}
