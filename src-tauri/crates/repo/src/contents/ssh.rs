//! Contents of a git remote over ssh: `git-annex-shell` started there, and the P2P protocol spoken to it
//! (`annex-format` 9.3).

use std::ops::{Deref, DerefMut};
use std::process::{Child, Command, Stdio};

use tributary_formats::uuid::RepoUuid;

use super::ContentsError;
use super::p2p::P2p;
use crate::cancel::{Cancel, KillOnCancel, no_meter};
use crate::remote::{RemoteError, SshUrl};
use crate::transport::process;
use crate::transport::ssh::{Ssh, quoted};

/// What `git-annex-shell` says of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Discovered {
    /// It holds contents under this UUID.
    Annexed(RepoUuid),
    /// `git-annex-shell` is there, the repository has no UUID.
    NoUuid,
    /// There is no `git-annex-shell`: git only; the caller sets `annex-ignore`.
    NoShell,
}

/// A P2P connection over ssh. Dropping it ends the server in good order.
pub struct SshContents {
    /// Taken when dropped: the server ends when its input does, and only then can be waited for.
    p2p: Option<P2p>,
    child: Child,
    kill: Option<KillOnCancel>,
}

/// A UUID that no repository has: the last of all (RFC 9562, section 5.10).
const NOBODY: &str = "ffffffff-ffff-ffff-ffff-ffffffffffff";

/// Asks the server which repository is at the path. Honours GIT_SSH, GIT_SSH_COMMAND and core.sshCommand.
///
/// Nothing is initialised there. `configlist`, which is made for this question, does that to a repository without a UUID
/// as soon as a git-annex branch was pushed to it; `GIT_ANNEX_SHELL_READONLY` would prevent it, but cannot be set through
/// a forced command. So a connection for contents is asked for, to a repository that does not exist: git-annex-shell
/// refuses it before it does anything, and says which repository it found. Source: git-annex 10.20230126 and 10.20261026,
/// tried.
pub fn discover(git: &git2::Repository, url: &SshUrl, cancel: &Cancel) -> Result<Discovered, ContentsError> {
    let mut command = ssh_command(git, url, &p2pstdio(url, NOBODY, NOBODY));
    let ended = process::run(&mut command, &no_meter, cancel).map_err(from_process)?;
    if let Some(found) = found_instead(&ended.stderr) {
        return match found.strip_prefix("UUID ") {
            None => Ok(Discovered::NoUuid),
            Some(uuid) => RepoUuid::parse(uuid)
                .map(Discovered::Annexed)
                .map_err(|cause| ContentsError::Protocol { said: format!("annex.uuid: {cause}") }),
        };
    }
    let missing = ["git-annex-shell: not found", "git-annex-shell: command not found"];
    if ended.code == Some(NOT_FOUND) || missing.iter().any(|words| ended.stderr.contains(words)) {
        return Ok(Discovered::NoShell);
    }
    Err(from_process(process::classify(&url.host, &ended.stderr)))
}

/// What git-annex-shell found in place of the repository that does not exist: `UUID …`, or that it is not initialised.
fn found_instead(stderr: &str) -> Option<&str> {
    stderr.lines().find_map(|line| {
        let (_, refused) = line.split_once("expected repository UUID ")?;
        Some(refused.strip_prefix(NOBODY)?.strip_prefix(" but found ")?.trim())
    })
}

/// A shell's exit code for a command it does not find.
const NOT_FOUND: i32 = 127;

impl SshContents {
    /// Starts `git-annex-shell p2pstdio` there. Cancelling the token kills the connection.
    pub fn connect(
        git: &git2::Repository,
        url: &SshUrl,
        here: &RepoUuid,
        expected: &RepoUuid,
        cancel: &Cancel,
    ) -> Result<SshContents, ContentsError> {
        let mut command = ssh_command(git, url, &p2pstdio(url, here.as_str(), expected.as_str()));
        // What it says on stderr is for the log of whoever started us: a pipe that nobody reads would fill up.
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let (mut child, kill) = process::spawn(&mut command, cancel).map_err(ContentsError::Local)?;
        let reader = child.stdout.take().expect("it is piped");
        let writer = child.stdin.take().expect("it is piped");
        let p2p = P2p::connect(Box::new(reader), Box::new(writer), expected);
        // From here on the drop of the value ends the child, also when connecting failed.
        let mut contents = SshContents { p2p: None, child, kill: Some(kill) };
        match p2p {
            Ok(p2p) => contents.p2p = Some(p2p),
            Err(_) if cancel.is_cancelled() => return Err(ContentsError::Cancelled),
            Err(cause) => return Err(cause),
        }
        Ok(contents)
    }
}

impl Drop for SshContents {
    fn drop(&mut self) {
        // Its input ends, and so does the server; a lock that it held is released then. One that hangs is killed by
        // the token.
        drop(self.p2p.take());
        if let Some(kill) = self.kill.take() {
            let _ = process::wait(&mut self.child, kill);
        }
    }
}

impl Deref for SshContents {
    type Target = P2p;

    fn deref(&self) -> &P2p {
        self.p2p.as_ref().expect("it is there until the drop")
    }
}

impl DerefMut for SshContents {
    fn deref_mut(&mut self) -> &mut P2p {
        self.p2p.as_mut().expect("it is there until the drop")
    }
}

fn ssh_command(git: &git2::Repository, url: &SshUrl, remote_command: &str) -> Command {
    let mut command = Ssh::of(git).command();
    if let Some(port) = url.port {
        command.arg("-p").arg(port.to_string());
    }
    command.arg(&url.host).arg(remote_command);
    process::ask_nothing(&mut command, git);
    command
}

/// The command that serves contents to `here` if the repository is the one expected.
fn p2pstdio(url: &SshUrl, here: &str, expected: &str) -> String {
    let (path, here, expected) = (quoted(&url.path), quoted(here), quoted(expected));
    format!("git-annex-shell 'p2pstdio' {path} {here} --uuid {expected}")
}

fn from_process(cause: RemoteError) -> ContentsError {
    match cause {
        RemoteError::Cancelled => ContentsError::Cancelled,
        RemoteError::Auth { said, .. } => ContentsError::Auth { said },
        RemoteError::NotRepository { .. } => ContentsError::NoContents,
        RemoteError::Full { .. } => ContentsError::Full,
        RemoteError::ReadOnly { said, .. } => ContentsError::Refused { said },
        RemoteError::Local(cause) => ContentsError::Local(std::io::Error::other(cause)),
        RemoteError::Unreachable { said, .. }
        | RemoteError::Corrupt { said, .. }
        | RemoteError::Hostile { said, .. }
        | RemoteError::Other { said, .. } => ContentsError::Unreachable { said },
    }
}
