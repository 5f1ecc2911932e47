//! Git's own programs as children: no questions on a terminal, a process group of their own that can be killed, and
//! their complaints told apart.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::io::Errno;
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use crate::cancel::{Cancel, KillOnCancel, Meter};
use crate::remote::{GitRemote, RemoteError, RemoteKind};
use crate::transport::ssh::Ssh;

/// What a child that ended had to say.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) success: bool,
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    /// At most [`MAX_COMPLAINT`] bytes of it: the last ones.
    pub(crate) stderr: String,
}

/// More than any complaint has; a server may send whatever it likes.
const MAX_COMPLAINT: usize = 16 << 10;
/// A listing of a few hundred thousand refs.
const MAX_OUTPUT: u64 = 64 << 20;

/// `git` working on this repository, quiet and asking nothing.
pub(crate) fn git_command(git: &git2::Repository) -> Command {
    let mut command = Command::new("git");
    command.arg("--git-dir").arg(git.path());
    command.current_dir(git.workdir().unwrap_or(git.path()));
    ask_nothing(&mut command, git);
    command
}

/// `git` working on a repository that need not be open.
pub(crate) fn git_command_at(git_dir: &Path) -> Command {
    let mut command = Command::new("git");
    command.arg("--git-dir").arg(git_dir).current_dir(git_dir).env("LC_ALL", "C").stdin(Stdio::null());
    command.process_group(0);
    command
}

/// How long a web server may send less than a byte a second before it is given up, seconds. Git's own servers say
/// something every five, also while they work.
const HTTP_SILENCE: &str = "300";

/// No questions, C locale, own process group; a server that is gone is noticed. A person's own settings are kept.
pub(crate) fn ask_nothing(command: &mut Command, git: &git2::Repository) {
    command
        .env("LC_ALL", "C")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_ASKPASS", "")
        .env("SSH_ASKPASS", "")
        .env("SSH_ASKPASS_REQUIRE", "never")
        .stdin(Stdio::null())
        .process_group(0);
    Ssh::of(git).be_used_by(command);
    let slow = std::env::var_os("GIT_HTTP_LOW_SPEED_LIMIT").is_some()
        || git.config().and_then(|config| config.get_string("http.lowSpeedLimit")).is_ok();
    if !slow {
        command.env("GIT_HTTP_LOW_SPEED_LIMIT", "1").env("GIT_HTTP_LOW_SPEED_TIME", HTTP_SILENCE);
    }
}

/// How git is told which remote is meant: by name where the configuration knows it, so that all its settings count.
pub(crate) fn address(git: &git2::Repository, remote: &GitRemote) -> String {
    let named = git.find_remote(&remote.name).is_ok_and(|known| known.url() == Ok(&*remote.url));
    if named { remote.name.clone() } else { remote.url.clone() }
}

/// A URL may come from somebody else's remote.log: protocols that run commands of its choice are off, as git has it
/// for URLs that no person typed. A local path needs the `file` protocol, which is among those.
pub(crate) fn restrict_protocols(command: &mut Command, remote: &GitRemote) {
    if !matches!(remote.kind, RemoteKind::LocalPath(_)) {
        command.env("GIT_PROTOCOL_FROM_USER", "0");
    }
}

/// Starts a child whose process group dies with the token.
pub(crate) fn spawn(command: &mut Command, cancel: &Cancel) -> std::io::Result<(Child, KillOnCancel)> {
    let child = command.spawn()?;
    let group = Pid::from_child(&child);
    Ok((child, cancel.kills(group)))
}

/// Runs a child to its end. Whatever it says on stderr is a sign of life.
pub(crate) fn run(command: &mut Command, meter: &Meter<'_>, cancel: &Cancel) -> Result<Ended, RemoteError> {
    let local = |cause: std::io::Error| RemoteError::Local(Box::new(cause));
    if cancel.is_cancelled() {
        return Err(RemoteError::Cancelled);
    }
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let (mut child, kill) = spawn(command, cancel).map_err(local)?;
    let stdout = child.stdout.take().expect("it is piped");
    let stderr = child.stderr.take().expect("it is piped");
    // Both have to be read at the same time, or a child that fills one pipe waits for ever.
    let (stdout, stderr) = std::thread::scope(|scope| {
        let complaints = scope.spawn(|| read_complaints(stderr, meter));
        let mut output = Vec::new();
        let read = stdout.take(MAX_OUTPUT).read_to_end(&mut output);
        let complaints = complaints.join().expect("reading does not panic");
        (read.map(|_| output), complaints)
    });
    let status = wait(&mut child, kill).map_err(local)?;
    if cancel.is_cancelled() {
        return Err(RemoteError::Cancelled);
    }
    Ok(Ended { success: status.success(), code: status.code(), stdout: stdout.map_err(local)?, stderr })
}

/// Waits for a child's end. The token can kill it until it has ended, and not after its id is free for another.
pub(crate) fn wait(child: &mut Child, kill: KillOnCancel) -> std::io::Result<ExitStatus> {
    let id = WaitId::Pid(Pid::from_child(child));
    // Without reaping, so that the id stays its own.
    while let Err(Errno::INTR) = waitid(id.clone(), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {}
    drop(kill);
    child.wait()
}

fn read_complaints(stderr: impl Read, meter: &Meter<'_>) -> String {
    let mut kept = Vec::new();
    let mut reader = BufReader::new(stderr);
    loop {
        let chunk = match reader.fill_buf() {
            Ok([]) | Err(_) => break,
            Ok(chunk) => chunk,
        };
        kept.extend_from_slice(chunk);
        let len = chunk.len();
        reader.consume(len);
        meter(0);
        if kept.len() > 2 * MAX_COMPLAINT {
            kept.drain(..kept.len() - MAX_COMPLAINT);
        }
    }
    String::from_utf8_lossy(&kept).into_owned()
}

/// Tells from git's (or ssh's, or libgit2's) words why a remote could not be used.
pub(crate) fn classify(name: &str, stderr: &str) -> RemoteError {
    let name = name.to_owned();
    let said = complaint(stderr);
    let has = |words: &[&str]| {
        let lower = stderr.to_ascii_lowercase();
        words.iter().any(|word| lower.contains(word))
    };
    if has(&["fsck error", "hasdotgit", "hasdotdot", "hasdot:", "fullpathname", "duplicateentries"]) {
        return RemoteError::Hostile { name, said };
    }
    if has(&["no space left", "disk quota exceeded", "file too large"]) {
        return RemoteError::Full { name };
    }
    if has(&["read-only file system", "insufficient permission", "unable to create temporary object"]) {
        return RemoteError::ReadOnly { name, said };
    }
    if has(AUTH) {
        return RemoteError::Auth { name, said };
    }
    if has(&["does not appear to be a git repository", "not a git repository", "repository not found"]) {
        return RemoteError::NotRepository { name };
    }
    if has(&["permission denied", "failed to create locked file", "unable to write"]) {
        return RemoteError::ReadOnly { name, said };
    }
    if has(CORRUPT) {
        return RemoteError::Corrupt { name, said };
    }
    if has(UNREACHABLE) {
        return RemoteError::Unreachable { name, said };
    }
    RemoteError::Other { name, said }
}

const AUTH: &[&str] = &[
    "permission denied (",
    "permission denied, please try again",
    "host key verification failed",
    "authentication failed",
    "could not read username",
    "could not read password",
    "terminal prompts disabled",
    "returned error: 401",
    "returned error: 403",
    "access denied",
    "dubious ownership",
    "too many authentication failures",
];

const CORRUPT: &[&str] = &[
    "missing blob",
    "missing tree",
    "missing commit",
    "bad object",
    "corrupt",
    "did not send all necessary objects",
    "unable to read tree",
    "unable to parse",
    "bad tree object",
    "unable to unpack",
    "inflate:",
];

const UNREACHABLE: &[&str] = &[
    "could not resolve",
    "connection refused",
    "timed out",
    "no route to host",
    "network is unreachable",
    "connection closed",
    "connection reset",
    "connection to",
    "broken pipe",
    "early eof",
    "hung up unexpectedly",
    "unable to access",
    "unable to connect",
    "failed to connect",
    "could not read from remote repository",
    "returned error: 5",
    "kex_exchange",
    "input/output error",
    "no such device",
    "stale file handle",
    "transport endpoint",
];

/// The line that says most: the first that git marks as an error, else the last one.
fn complaint(stderr: &str) -> String {
    let lines = || stderr.split(['\n', '\r']).map(str::trim).filter(|line| !line.is_empty());
    let marked = lines().find(|line| line.starts_with("fatal:") || line.starts_with("error:"));
    let ssh = lines().find(|line| line.starts_with("ssh:") || line.contains("Permission denied"));
    let line = ssh.or(marked).or_else(|| lines().next_back()).unwrap_or("no reason given");
    // It came from outside: no control characters, and no longer than a person reads.
    line.chars().filter(|c| !c.is_control()).take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaints_are_told_apart() {
        let kind = |stderr| match classify("hub", stderr) {
            RemoteError::Unreachable { .. } => "unreachable",
            RemoteError::Auth { .. } => "auth",
            RemoteError::NotRepository { .. } => "no repository",
            RemoteError::ReadOnly { .. } => "read-only",
            RemoteError::Full { .. } => "full",
            RemoteError::Corrupt { .. } => "corrupt",
            RemoteError::Hostile { .. } => "hostile",
            _ => "other",
        };
        // As printed by git 2.47 and OpenSSH 9.
        let seen = [
            (
                "ssh: Could not resolve hostname nas: Name or service not known\nfatal: Could not read from remote repository.",
                "unreachable",
            ),
            (
                "ssh: connect to host nas port 22: Connection refused\nfatal: Could not read from remote repository.",
                "unreachable",
            ),
            (
                "anna@nas: Permission denied (publickey).\nfatal: Could not read from remote repository.",
                "auth",
            ),
            ("Host key verification failed.\nfatal: Could not read from remote repository.", "auth"),
            ("fatal: could not read Username for 'https://h': terminal prompts disabled", "auth"),
            (
                "fatal: '/srv/x' does not appear to be a git repository\nfatal: Could not read from remote repository.",
                "no repository",
            ),
            (
                "remote: error: insufficient permission for adding an object to repository database ./objects",
                "read-only",
            ),
            ("fatal: write error: No space left on device", "full"),
            ("error: object 4b82: hasDotgit: contains '.git'\nfatal: fsck error in packed object", "hostile"),
            ("remote: fatal: bad tree object 1234", "corrupt"),
            ("fatal: the stars are wrong", "other"),
        ];
        for (stderr, expected) in seen {
            assert_eq!(kind(stderr), expected, "{stderr}");
        }
    }

    #[test]
    fn one_line_is_passed_on_and_nothing_that_could_play_tricks() {
        assert_eq!(complaint("hint: x\nfatal: a\x1b[2Jb\nmore"), "fatal: a[2Jb");
        assert_eq!(complaint("Receiving objects:  10%\rReceiving objects: 20%\r"), "Receiving objects: 20%");
        assert_eq!(complaint(""), "no reason given");
    }

    #[test]
    fn a_child_dies_with_its_token() {
        let cancel = Cancel::new();
        let started = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            let token = cancel.clone();
            let running = scope.spawn(move || {
                let meter = move |_| {
                    let _ = started.0.send(());
                };
                let mut command = Command::new("sh");
                // A grandchild holds the pipes, too: the whole group has to go.
                command.args(["-c", "echo up >&2; sleep 1000 & wait"]).process_group(0);
                run(&mut command, &meter, &token)
            });
            started.1.recv().unwrap();
            cancel.cancel();
            assert!(matches!(running.join().unwrap(), Err(RemoteError::Cancelled)));
        });
    }
}
