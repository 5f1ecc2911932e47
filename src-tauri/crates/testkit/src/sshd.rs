//! A real sshd on a free port of the loopback, with keys of its own.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::deadline::within;
use crate::need::find;
use crate::port::free_port;
use crate::process::{Process, run};
use crate::sandbox::Sandbox;

/// Generous, as the machine may be busy with other tests.
const START_LIMIT: Duration = Duration::from_secs(20);

/// A server that lets in the one key it made, as the user who runs the tests.
#[derive(Debug)]
pub struct Sshd {
    dir: PathBuf,
    port: u16,
    process: Option<Process>,
}

impl Sshd {
    /// The programs it needs, for [`need_all`](crate::need_all).
    pub const NEEDS: &'static [&'static str] = &["sshd", "ssh", "ssh-keygen"];

    /// Starts a server whose files lie in `dir` (made when missing), and whose sessions find programs on `PATH` as the
    /// test does.
    ///
    /// # Panics
    ///
    /// With the log when it does not come up.
    #[track_caller]
    pub fn start(dir: &Path) -> Self {
        Self::start_with_path(dir, &[])
    }

    /// As [`start`](Self::start), with `first` at the start of the sessions' `PATH`: where `git-annex-shell` is.
    #[track_caller]
    pub fn start_with_path(dir: &Path, first: &[&Path]) -> Self {
        fs::create_dir_all(dir).unwrap_or_else(|cause| panic!("cannot make {}: {cause}", dir.display()));
        let mut sshd = Sshd { dir: dir.to_owned(), port: free_port(), process: None };
        sshd.make_keys();
        sshd.write_config(first);
        sshd.write_client();
        sshd.restart();
        sshd
    }

    fn make_keys(&self) {
        for name in ["host_key", "client_key"] {
            let mut command = Command::new("ssh-keygen");
            command.args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"]).arg(self.dir.join(name));
            run(command).ok();
        }
        fs::copy(self.dir.join("client_key.pub"), self.dir.join("authorized_keys"))
            .expect("the key was just made");
        let host = fs::read_to_string(self.dir.join("host_key.pub")).expect("the key was just made");
        self.write("known_hosts", &format!("[127.0.0.1]:{} {host}", self.port));
    }

    fn write_config(&self, first: &[&Path]) {
        let path = env::var_os("PATH").unwrap_or_default();
        let dirs = first.iter().map(|dir| dir.to_path_buf()).chain(env::split_paths(&path));
        let path = env::join_paths(dirs).expect("a folder on PATH has no colon in its name");
        let dir = self.dir.display();
        // The sessions get an environment without the person's own: a server machine has its own git configuration too.
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {dir}/host_key\nPidFile {dir}/sshd.pid\n\
             AuthorizedKeysFile {dir}/authorized_keys\nAuthenticationMethods publickey\nPermitRootLogin prohibit-password\n\
             StrictModes no\nUsePAM no\nPrintMotd no\nPrintLastLog no\nMaxStartups 100\nLogLevel VERBOSE\n\
             SetEnv \"PATH={path}\" LANG=C.UTF-8 GIT_CONFIG_NOSYSTEM=1 \"GIT_CONFIG_GLOBAL={dir}/gitconfig\"\n",
            port = self.port,
            path = path.to_string_lossy(),
        );
        self.write("sshd_config", &config);
        self.write("gitconfig", "[init]\n\tdefaultBranch = master\n");
    }

    fn write_client(&self) {
        let dir = self.dir.display();
        let config = format!(
            "Host *\n\tIdentityFile {dir}/client_key\n\tIdentitiesOnly yes\n\tUserKnownHostsFile {dir}/known_hosts\n\
             \tStrictHostKeyChecking yes\n\tBatchMode yes\n\tConnectTimeout 10\n"
        );
        self.write("ssh_config", &config);
        let ssh = find("ssh").expect("sshd's tests need ssh");
        fs::create_dir_all(self.dir.join("bin")).expect("our own folder can be written");
        self.write("bin/ssh", &format!("#!/bin/sh\nexec {} -F {dir}/ssh_config \"$@\"\n", ssh.display()));
        let executable = fs::Permissions::from_mode(0o755);
        fs::set_permissions(self.dir.join("bin/ssh"), executable).expect("our own file's mode can be set");
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.dir.join(name), text).expect("our own folder can be written");
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL of an absolute path on the server: `ssh://USER@127.0.0.1:PORT/PATH`.
    pub fn url(&self, path: &Path) -> String {
        assert!(path.is_absolute(), "{} is not absolute", path.display());
        format!("ssh://{}@127.0.0.1:{}{}", user(), self.port, path.display())
    }

    /// The value for `GIT_SSH_COMMAND` with which a client knows server and key.
    pub fn ssh_command(&self) -> String {
        format!("ssh -F {}", self.dir.join("ssh_config").display())
    }

    /// Lets all programs of a sandbox reach the server: `GIT_SSH_COMMAND`, and an `ssh` first on its `PATH` that knows
    /// server and key.
    pub fn configure(&self, sandbox: &mut Sandbox) {
        sandbox.set("GIT_SSH_COMMAND", self.ssh_command()).path_first(&self.dir.join("bin"));
    }

    /// Kills the server and its sessions. Fine when it does not run.
    pub fn kill(&mut self) {
        // A session has a process group of its own; but its connection ends with the server's side of it.
        let sessions = self.process.as_ref().map(|server| children(server.pid())).unwrap_or_default();
        self.process = None;
        for session in sessions.into_iter().filter_map(rustix::process::Pid::from_raw) {
            // A session that ended meanwhile is what was wanted.
            let _ = rustix::process::kill_process(session, rustix::process::Signal::KILL);
        }
    }

    /// Freezes the sessions in which a program runs (SIGSTOP): their connections stay, and nothing is heard of them any
    /// more. New ones are served. Gives how many there were.
    pub fn freeze_sessions(&self) -> usize {
        let sessions = self.process.as_ref().map(|server| children(server.pid())).unwrap_or_default();
        let serving = sessions.into_iter().filter(|session| runs_a_program(*session));
        let frozen = serving
            .filter_map(rustix::process::Pid::from_raw)
            .filter(|session| rustix::process::kill_process(*session, rustix::process::Signal::STOP).is_ok());
        frozen.count()
    }

    /// Starts it on the same port with the same keys, after a kill.
    ///
    /// # Panics
    ///
    /// With the log when it does not come up.
    #[track_caller]
    pub fn restart(&mut self) {
        self.kill();
        if rustix::process::geteuid().is_root() {
            // Debian's sshd insists on this folder, which its service makes at boot.
            let _ = fs::create_dir_all("/run/sshd");
        }
        // sshd starts itself again for each connection, so it wants to be called by its full path.
        let program = find("sshd").expect("a test of ssh needs sshd");
        let mut command = Command::new(program);
        command.args(["-D", "-e", "-f"]).arg(self.dir.join("sshd_config"));
        let mut server = Process::spawn("sshd", command, &self.dir.join("sshd.log"));
        let up = within(START_LIMIT, || {
            assert!(server.exited().is_none(), "sshd ended at its start");
            answers(self.port).then_some(())
        });
        assert!(up.is_some(), "sshd does not answer on port {}", self.port);
        self.process = Some(server);
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Whether an ssh server greets on that port.
fn answers(port: u16) -> bool {
    let greeting = || {
        let stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
        stream.set_read_timeout(Some(START_LIMIT)).ok()?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).ok()?;
        Some(line)
    };
    greeting().is_some_and(|line| line.starts_with("SSH-"))
}

/// The processes that `pid` started and that still run.
fn children(pid: impl std::fmt::Display) -> Vec<i32> {
    let listed = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    listed.split_whitespace().filter_map(|child| child.parse().ok()).collect()
}

/// Whether a session got beyond the server's own processes, some of which are there before anybody is let in.
fn runs_a_program(session: i32) -> bool {
    children(session).into_iter().any(|child| {
        let name = fs::read_to_string(format!("/proc/{child}/comm")).unwrap_or_default();
        // One that has just ended has no name.
        !name.is_empty() && !name.starts_with("sshd") || runs_a_program(child)
    })
}

/// The name of the user who runs the tests.
fn user() -> String {
    let mut command = Command::new("id");
    command.arg("-un");
    run(command).text()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Repo, need_all};

    #[test]
    fn git_clones_and_pushes_through_it_also_after_a_restart() {
        if !need_all(Sshd::NEEDS) {
            return;
        }
        let mut sandbox = Sandbox::new();
        let mut sshd = Sshd::start(&sandbox.join("sshd"));
        sshd.configure(&mut sandbox);
        let served = Repo::new().with_file("a", b"1").commit();
        let git = |args: &[&str]| {
            let mut command = sandbox.command("git");
            command.args(args);
            run(command)
        };
        git(&["clone", "-q", &sshd.url(served.path()), "clone"]).ok();
        assert_eq!(fs::read(sandbox.join("clone/a")).expect("the clone has the file"), b"1");

        sshd.kill();
        assert!(!git(&["-C", "clone", "fetch"]).success(), "a server that was killed answers nobody");
        sshd.restart();
        git(&["-C", "clone", "push", "-q", "origin", "HEAD:refs/heads/new"]).ok();
        assert_eq!(served.git(["rev-parse", "new"]).text(), served.git(["rev-parse", "master"]).text());

        let mut shell = sandbox.command("ssh");
        shell.args(["-p", &sshd.port().to_string(), "127.0.0.1", "echo $LANG"]);
        assert_eq!(run(shell).text(), "C.UTF-8", "the ssh on the sandbox's PATH knows server and key");
    }
}
