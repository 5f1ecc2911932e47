//! A real sshd on a free port of the loopback, with keys of its own.

use std::path::Path;

use crate::process::Process;
use crate::sandbox::Sandbox;

/// A server that lets in the one key it made, as the user who runs the tests.
#[derive(Debug)]
pub struct Sshd {
    port: u16,
    process: Option<Process>,
}

impl Sshd {
    /// Starts a server whose files lie in `dir` (made when missing), and whose sessions find programs on `PATH` as the
    /// test does.
    ///
    /// # Panics
    ///
    /// With the log when it does not come up.
    #[track_caller]
    pub fn start(dir: &Path) -> Self {
        let _ = dir;
        todo!()
    }

    /// As [`start`](Self::start), with `first` at the start of the sessions' `PATH`: where `git-annex-shell` is.
    #[track_caller]
    pub fn start_with_path(dir: &Path, first: &[&Path]) -> Self {
        let _ = (dir, first);
        todo!()
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL of an absolute path on the server: `ssh://USER@127.0.0.1:PORT/PATH`.
    pub fn url(&self, path: &Path) -> String {
        let _ = path;
        todo!()
    }

    /// The value for `GIT_SSH_COMMAND` with which a client knows server and key.
    pub fn ssh_command(&self) -> String {
        todo!()
    }

    /// Lets all programs of a sandbox reach the server: `GIT_SSH_COMMAND`, and an `ssh` on its `PATH` that knows server
    /// and key.
    pub fn configure(&self, sandbox: &mut Sandbox) {
        let _ = sandbox;
        todo!()
    }

    /// Kills the server and its sessions.
    pub fn kill(&mut self) {
        let _ = self.process.take();
    }

    /// Starts it again on the same port with the same keys.
    #[track_caller]
    pub fn restart(&mut self) {
        todo!()
    }
}
