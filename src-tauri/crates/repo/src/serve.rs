//! Serving: another computer's git reads from, or pushes to, one of our folders, over a stream of bytes.
//!
//! Git's own programs do the work; what they are given and told is ours. The guest chooses neither program, path,
//! configuration nor environment. It sees the folder's branch, git-annex's and what is left for both (`synced/…`), and
//! nothing else. A push is read before git sees it (`gate`): it may move those branches forward and do nothing more.
//! What it brings waits in quarantine until it is complete and passed git's own checks.
//!
//! Commands and capabilities: `gitprotocol-pack(5)`, git 2.47.

mod gate;
mod offer;

use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc;

use git2::Oid;
use rustix::process::{Pid, Resource, Rlimit, prlimit};

pub use self::gate::Refusal;
use self::gate::{Gate, GateError, Wish};
use crate::cancel::Cancel;
use crate::fetch::HARMLESS_FAULTS;
use crate::refs;
use crate::transport::{Asked, Service, process};

/// What a guest may cost at most.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of a push, as they come.
    pub pack: u64,
    /// Memory of each of git's processes, bytes: a few bytes of a push can claim to become very many.
    pub memory: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { pack: 2 << 30, memory: 1 << 30 }
    }
}

/// What came of serving.
#[derive(Debug, PartialEq, Eq)]
pub struct Served {
    /// Exit code of git's program; -1 when it was killed.
    pub status: i32,
    /// The refs that the guest moved, and where they are now.
    pub moved: Vec<(String, Oid)>,
}

/// Why somebody was not served. A stream that merely broke is [`Served`]: git's program says so by its status.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The guest wants what it may not.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The folder's branch cannot be told, or git does not start.
    #[error("the repository cannot be served")]
    Local(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Serves a guest until both sides are done. `reader` is what it says, `writer` is where the answers go; when the
/// writer fails or the reader ends, git's program ends by itself and leaves nothing behind. The reader is left to a
/// thread of its own, which ends when the reader does. A guest that says what it has is offered what is much in stages.
///
/// # Errors
/// See [`ServeError`].
pub fn serve(
    git: &git2::Repository,
    asked: impl Into<Asked>,
    limits: Limits,
    reader: impl Read + Send + 'static,
    mut writer: impl Write,
    cancel: &Cancel,
) -> Result<Served, ServeError> {
    let branch = refs::head(git).map_err(local)?.name;
    let branch = branch.strip_prefix("refs/heads/").unwrap_or(&branch).to_owned();
    let Asked { service, has } = asked.into();
    let shown = [format!("refs/heads/{branch}"), ANNEX.into(), SYNCED.into(), LEFT.into()];
    let stages = match (service, &has) {
        (Service::UploadPack, Some(has)) => offer::stages(git, &shown, has).map_err(local)?,
        _ => Vec::new(),
    };
    let also = (!stages.is_empty()).then_some(offer::SETTING);
    let mut command = command(git.commondir(), service, &shown, limits, also);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let (mut child, kill) = process::spawn(&mut command, cancel).map_err(local)?;
    // Nothing has been read yet, so nothing can have been claimed yet.
    let memory = Rlimit { current: Some(limits.memory), maximum: Some(limits.memory) };
    prlimit(Some(Pid::from_child(&child)), Resource::Data, memory).map_err(local)?;

    let stdin = child.stdin.take().expect("it is piped");
    let mut stdout = child.stdout.take().expect("it is piped");
    let gate = match service {
        Service::ReceivePack => Some(Gate::new(git, &branch).map_err(local)?),
        Service::UploadPack => None,
    };
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || listen(gate, &tell, reader, stdin));
    // Where either fails the other end is gone, which carrying on finds as well.
    if stages.is_empty() || offer::announce(&stages, &mut stdout, &mut writer).is_ok() {
        carry(&mut stdout, &mut writer);
    }
    // Git does not wait for ever to say more to a guest that is gone.
    drop(stdout);
    let status = process::wait(&mut child, kill).map_err(local)?.code().unwrap_or(-1);
    // The gate speaks before git hears anything, so by now it has spoken if it ever will.
    let wishes = told.try_recv().unwrap_or_else(|_| Ok(Vec::new()))?;
    let mut moved = Vec::new();
    for Wish { name, new } in wishes {
        if refs::target(git, &name).map_err(local)? == Some(new) {
            moved.push((name, new));
        }
    }
    Ok(Served { status, moved })
}

/// Carries what the guest says to git, through the gate. Git hears the end of it in any case.
fn listen(
    gate: Option<Gate>,
    tell: &mpsc::Sender<Result<Vec<Wish>, Refusal>>,
    mut reader: impl Read,
    mut stdin: ChildStdin,
) {
    if let Some(gate) = gate {
        let (wishes, said) = match gate.read(&mut reader) {
            Ok((wishes, said)) => (Ok(wishes), said),
            Err(GateError::Refused(refusal)) => (Err(refusal), Vec::new()),
            Err(GateError::Broken) => return,
        };
        // Whoever served may have given up.
        if tell.send(wishes).is_err() || said.is_empty() || stdin.write_all(&said).is_err() {
            return;
        }
    }
    carry(&mut reader, &mut stdin);
}

/// Carries bytes, each as soon as it is there, until either end is gone. Not `io::copy`, which may splice, and flushes
/// nothing.
fn carry(from: &mut impl Read, to: &mut impl Write) {
    let mut buffer = vec![0; 32 << 10];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return,
            Ok(length) => {
                if to.write_all(&buffer[..length]).and_then(|()| to.flush()).is_err() {
                    return;
                }
            }
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

/// What git is told whatever the folder's and the person's own configuration say.
const ALWAYS: [&str; 25] = [
    // Nothing of ours runs because somebody pushed.
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "receive.autogc=false",
    // Forward, and nothing else. What a work tree shows is the applier's.
    "receive.denyDeletes=true",
    "receive.denyNonFastForwards=true",
    "receive.denyCurrentBranch=refuse",
    "receive.denyDeleteCurrent=refuse",
    "receive.shallowUpdate=false",
    "receive.advertisePushOptions=false",
    "receive.updateServerInfo=false",
    // Only what the branches that are shown reach.
    "uploadpack.allowTipSHA1InWant=false",
    "uploadpack.allowReachableSHA1InWant=false",
    "uploadpack.allowAnySHA1InWant=false",
    "uploadpack.allowFilter=false",
    "transfer.advertiseSID=false",
    // An object is durable before a ref names it.
    "core.fsync=committed,derived-metadata,reference",
    "receive.unpackLimit=32",
    // What is large is streamed, and little is held at a time.
    "core.bigFileThreshold=16m",
    "pack.threads=1",
    "pack.windowMemory=64m",
    "pack.deltaCacheSize=64m",
    // Strictly: what git itself only warns of could reach out of a folder, too.
    "transfer.fsckObjects=true",
    "receive.fsckObjects=true",
];

/// What `git fsck` only warns of.
const HARMFUL_FAULTS: [&str; 6] =
    ["hasDot", "hasDotdot", "hasDotgit", "fullPathname", "emptyName", "nullSha1"];

/// Git's program for a service, told everything and free to choose nothing.
fn command(
    git_dir: &Path,
    service: Service,
    shown: &[String],
    limits: Limits,
    also: Option<&str>,
) -> Command {
    let mut command = Command::new("git");
    // The last word counts.
    for setting in ALWAYS.into_iter().chain(also) {
        command.arg("-c").arg(setting);
    }
    for fault in HARMLESS_FAULTS {
        command.arg("-c").arg(format!("receive.fsck.{fault}=ignore"));
    }
    for fault in HARMFUL_FAULTS {
        command.arg("-c").arg(format!("receive.fsck.{fault}=error"));
    }
    command.arg("-c").arg(format!("receive.maxInputSize={}", limits.pack));
    // The last word counts: all is hidden, save what the guest may see. Our branch cannot be pushed to, but who pushes
    // need not send what it reaches.
    for pattern in std::iter::once("refs".to_owned()).chain(shown.iter().map(|name| format!("!{name}"))) {
        command.arg("-c").arg(format!("transfer.hideRefs={pattern}"));
    }
    match service {
        Service::UploadPack => command.args(["upload-pack", "--strict"]),
        Service::ReceivePack => command.arg("receive-pack"),
    };
    command.arg(git_dir).current_dir(git_dir).process_group(0);
    // Variables of the process that we run in would be another way to tell git what to do. Where a person's own
    // configuration is stays theirs to say.
    for (name, _) in std::env::vars_os() {
        let kept = ["GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM", "GIT_EXEC_PATH"];
        if name.to_str().is_some_and(|name| name.starts_with("GIT_") && !kept.contains(&name)) {
            command.env_remove(name);
        }
    }
    command.env("LC_ALL", "C").env("GIT_TERMINAL_PROMPT", "0").env("GIT_NO_LAZY_FETCH", "1");
    command.env("GIT_COMMITTER_NAME", "Tributary").env("GIT_COMMITTER_EMAIL", "tributary@localhost");
    command
}

/// Where git-annex keeps its records.
const ANNEX: &str = "refs/heads/git-annex";
/// Where others leave branches for us to merge.
const SYNCED: &str = "refs/heads/synced";
/// Where git-annex's assistant leaves them when all else failed.
const LEFT: &str = "refs/synced";

fn local(cause: impl std::error::Error + Send + Sync + 'static) -> ServeError {
    ServeError::Local(Box::new(cause))
}
