//! Fetch and push over byte streams that were handed in: libgit2's own smart protocol on top of them.
//!
//! libgit2 chooses transports by URL, from a table of the whole process. One entry of ours is put there, once; which
//! opener is meant is looked up in our own table, by the remote's true URL.

// Registering is `unsafe` in git2 since it must not run while another transport is made: see `register_once`.
#![allow(unsafe_code)]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::sync::OnceLock;

use git2::transport::{Service as GitService, SmartSubtransport, SmartSubtransportStream, Transport};
use git2::{Direction, FetchOptions, Oid, PushOptions, RemoteCallbacks};

use super::{Asked, Service, Stream};
use crate::cancel::{ActOnCancel, Cancel, Meter};
use crate::push::stages::{STAGE, stages};
use crate::push::{PushSpec, RefOutcome};
use crate::remote::{GitRemote, RemoteError};

/// Never seen outside this file: URLs are rewritten to it for libgit2.
const SCHEME: &str = "tributary-stream";

fn register_once() -> Result<(), git2::Error> {
    static REGISTERED: OnceLock<Result<(), i32>> = OnceLock::new();
    let registered = REGISTERED.get_or_init(|| {
        // SAFETY: git2 asks that no transport is made by another thread at the same time, because libgit2's table
        // has no lock. The `OnceLock` lets one thread in. Transports are only made here and in `Session::new`, always
        // after this call; everything else in this crate that fetches or pushes starts git's programs or works on
        // the object databases.
        unsafe { git2::transport::register(SCHEME, |remote| Transport::smart(remote, false, Tunnel)) }
            .map_err(|cause| cause.raw_code())
    });
    registered.map_err(|_| git2::Error::from_str("the stream transport could not be registered"))
}

/// Opens streams when libgit2 asks for them.
struct Tunnel;

impl SmartSubtransport for Tunnel {
    fn action(&self, url: &str, action: GitService) -> Result<Box<dyn SmartSubtransportStream>, git2::Error> {
        let service = match action {
            GitService::UploadPackLs | GitService::UploadPack => Service::UploadPack,
            GitService::ReceivePackLs | GitService::ReceivePack => Service::ReceivePack,
        };
        let hidden = url.strip_prefix(SCHEME).and_then(|rest| rest.strip_prefix("://"));
        let url = hidden
            .and_then(|hex| hex::decode(hex).ok())
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .ok_or_else(|| git2::Error::from_str("not a URL of this transport"))?;
        let (cancel, has) = CONNECTING.take().unzip();
        match super::open(&url, &Asked { service, has: has.flatten() }) {
            Ok(stream) => {
                let tie = cancel.map(|cancel: Cancel| cancel.does(stream.cut.clone()));
                Ok(Box::new(Tied { stream, _tie: tie }))
            }
            Err(cause) => Err(git2::Error::from_str(&format!("{UNOPENED}{}", noted(cause)))),
        }
    }

    fn close(&self) -> Result<(), git2::Error> {
        Ok(())
    }
}

/// Marks an error as one of the opener.
const UNOPENED: &str = "unable to connect: ";

thread_local! {
    /// The token of the connection that this thread is making, and what we have: libgit2 asks for the stream on the same
    /// thread, and passes nothing on to it but the URL.
    static CONNECTING: RefCell<Option<(Cancel, Option<Vec<Oid>>)>> = const { RefCell::new(None) };
    /// Why the other side will not: libgit2 keeps the words of an error and forgets what kind it was.
    static REFUSAL: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Passes an error on to libgit2, in words that it can keep.
fn noted(cause: io::Error) -> io::Error {
    let said: String = cause.to_string().chars().filter(|c| !c.is_control()).take(300).collect();
    if cause.kind() == io::ErrorKind::PermissionDenied {
        REFUSAL.set(Some(said.clone()));
    }
    io::Error::new(cause.kind(), said)
}

/// A stream that ends with the token of who asked for it.
struct Tied {
    stream: Stream,
    _tie: Option<ActOnCancel>,
}

impl Read for Tied {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        // It waits for an answer: what was said has to leave now. libgit2 itself never flushes.
        self.stream.writer.flush().map_err(noted)?;
        self.stream.reader.read(buf).map_err(noted)
    }
}

impl Write for Tied {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.stream.writer.write(buf).map_err(noted)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.writer.flush()
    }
}

impl Drop for Tied {
    fn drop(&mut self) {
        // The last word needs no answer. A stream that is gone has no use for it.
        let _ = self.stream.writer.flush();
    }
}

/// What a download asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wants {
    /// The tips that are not here. One that is here counts as complete, as libgit2 has it.
    Missing,
    /// All tips, less what our refs reach.
    All,
}

/// A connection to one of the two services.
pub(crate) struct StreamSession<'r> {
    remote: git2::Remote<'r>,
    name: String,
}

impl<'r> StreamSession<'r> {
    /// Connects for fetching. A host that is told what we have offers what is much in stages.
    pub(crate) fn fetch(
        git: &'r git2::Repository,
        remote: &GitRemote,
        has: Option<Vec<Oid>>,
        cancel: &Cancel,
    ) -> Result<Self, RemoteError> {
        Self::connect(git, remote, Direction::Fetch, has, cancel)
    }

    fn connect(
        git: &'r git2::Repository,
        remote: &GitRemote,
        direction: Direction,
        has: Option<Vec<Oid>>,
        cancel: &Cancel,
    ) -> Result<Self, RemoteError> {
        if cancel.is_cancelled() {
            return Err(RemoteError::Cancelled);
        }
        register_once().map_err(RemoteError::local)?;
        REFUSAL.set(None);
        let url = format!("{SCHEME}://{}", hex::encode(&remote.url));
        let mut connected = git.remote_anonymous(&url).map_err(RemoteError::local)?;
        CONNECTING.set(Some((cancel.clone(), has)));
        let made = connected.connect(direction);
        CONNECTING.set(None);
        made.map_err(|cause| failed(&remote.name, cause, cancel))?;
        Ok(StreamSession { remote: connected, name: remote.name.clone() })
    }

    /// The refs of the other side.
    pub(crate) fn refs(&self) -> Result<BTreeMap<String, Oid>, RemoteError> {
        let heads = self.remote.list().map_err(|cause| failed(&self.name, cause, &Cancel::new()))?;
        let plain = heads.iter().filter(|head| head.name().starts_with("refs/"));
        Ok(plain
            .filter(|head| !head.name().ends_with("^{}"))
            .map(|head| (head.name().to_owned(), head.oid()))
            .collect())
    }

    /// Brings all objects of these refs of the other side that are missing here. No ref changes. A session downloads
    /// once.
    pub(crate) fn download(
        &mut self,
        patterns: &[&str],
        wants: Wants,
        meter: &Meter<'_>,
        cancel: &Cancel,
    ) -> Result<(), RemoteError> {
        let mut received = 0;
        let mut callbacks = RemoteCallbacks::new();
        callbacks.transfer_progress(|progress| {
            let now = progress.received_bytes() as u64;
            meter(now.saturating_sub(received));
            received = now;
            !cancel.is_cancelled()
        });
        let mut options = FetchOptions::new();
        options.remote_callbacks(callbacks).download_tags(git2::AutotagOption::None);
        if wants == Wants::All {
            // The only word by which libgit2 asks for a tip that is here: as deep as there is.
            options.depth(i32::MAX);
        }
        let refspecs: Vec<String> = patterns.iter().map(|under| format!("{under}*:{under}*")).collect();
        self.remote.download(&refspecs, Some(&mut options)).map_err(|cause| failed(&self.name, cause, cancel))
    }

    /// Pushes each of these commits, and returns which refs were refused and why. A session pushes once.
    fn push(
        &mut self,
        wanted: &[(PushSpec, Oid)],
        meter: &Meter<'_>,
        cancel: &Cancel,
    ) -> Result<BTreeMap<String, String>, RemoteError> {
        let refspec = |(spec, new): &(PushSpec, Oid)| {
            let force = if spec.force { "+" } else { "" };
            format!("{force}{new}:{}", spec.remote)
        };
        let refspecs: Vec<String> = wanted.iter().map(refspec).collect();
        let mut refusals: BTreeMap<String, String> = BTreeMap::new();
        let mut callbacks = RemoteCallbacks::new();
        callbacks.push_update_reference(|name, refusal| {
            if let Some(reason) = refusal {
                refusals.insert(name.to_owned(), reason.to_owned());
            }
            Ok(())
        });
        let mut sent = 0;
        callbacks.push_transfer_progress(|_, _, bytes| {
            meter((bytes as u64).saturating_sub(sent));
            sent = bytes as u64;
        });
        let mut options = PushOptions::new();
        options.remote_callbacks(callbacks);
        let pushed = self.remote.push(&refspecs, Some(&mut options));
        drop(options);
        pushed.map_err(|cause| failed(&self.name, cause, cancel))?;
        Ok(refusals)
    }
}

/// Pushes each spec with the commit that its local ref points to; in stages, when it is much.
pub(crate) fn push(
    git: &git2::Repository,
    remote: &GitRemote,
    specs: &[(PushSpec, Oid)],
    meter: &Meter<'_>,
    cancel: &Cancel,
) -> Result<Vec<RefOutcome>, RemoteError> {
    let mut session = StreamSession::connect(git, remote, Direction::Push, None, cancel)?;
    let mut there = session.refs()?;
    for stage in early_stages(git, specs, &there)? {
        let refused = session.push(std::slice::from_ref(&stage), meter, cancel)?;
        session = StreamSession::connect(git, remote, Direction::Push, None, cancel)?;
        there = session.refs()?;
        if !refused.is_empty() {
            // Somebody else pushed meanwhile: what follows says so.
            break;
        }
    }
    let prospects: Vec<RefOutcome> =
        specs.iter().map(|(spec, new)| prospect(git, spec, there.get(&spec.remote), *new)).collect();
    let wanted: Vec<(PushSpec, Oid)> = specs
        .iter()
        .zip(&prospects)
        .filter(|(_, prospect)| matches!(prospect, RefOutcome::Updated { .. }))
        .map(|(wanted, _)| wanted.clone())
        .collect();
    if wanted.is_empty() {
        return Ok(prospects);
    }
    let refusals = session.push(&wanted, meter, cancel)?;
    let outcome = |(spec, prospect): (&(PushSpec, Oid), RefOutcome)| match refusals.get(&spec.0.remote) {
        Some(reason) => refused(reason),
        None => prospect,
    };
    Ok(specs.iter().zip(prospects).map(outcome).collect())
}

/// What has to be there before the rest is small enough for one go.
fn early_stages(
    git: &git2::Repository,
    specs: &[(PushSpec, Oid)],
    there: &BTreeMap<String, Oid>,
) -> Result<Vec<(PushSpec, Oid)>, RemoteError> {
    let has: Vec<Oid> = there.values().copied().collect();
    let mut early = Vec::new();
    for (spec, new) in specs {
        let prospect = prospect(git, spec, there.get(&spec.remote), *new);
        // What replaces a branch there does not lead from one stage to the next.
        if !spec.force && matches!(prospect, RefOutcome::Updated { .. }) {
            let mut stages = stages(git, *new, &has, STAGE).map_err(RemoteError::local)?;
            stages.pop();
            early.extend(stages.into_iter().map(|stage| (spec.clone(), stage)));
        }
    }
    Ok(early)
}

/// What the push of a ref will come to unless the other side refuses.
fn prospect(git: &git2::Repository, spec: &PushSpec, old: Option<&Oid>, new: Oid) -> RefOutcome {
    match old {
        Some(old) if *old == new => RefOutcome::UpToDate(new),
        Some(old) if !spec.force && !git.graph_descendant_of(new, *old).unwrap_or(false) => {
            RefOutcome::NeedsFetch
        }
        old => RefOutcome::Updated { old: old.copied(), new },
    }
}

fn refused(reason: &str) -> RefOutcome {
    if reason.contains("currently checked out") {
        RefOutcome::CheckedOut
    } else if reason.contains("failed to update ref") || reason.contains("incorrect old value") {
        RefOutcome::NeedsFetch
    } else {
        RefOutcome::Refused(reason.chars().filter(|c| !c.is_control()).take(300).collect())
    }
}

fn failed(name: &str, cause: git2::Error, cancel: &Cancel) -> RemoteError {
    if cancel.is_cancelled() {
        return RemoteError::Cancelled;
    }
    if let Some(said) = REFUSAL.take() {
        return RemoteError::Auth { name: name.to_owned(), said };
    }
    match cause.class() {
        git2::ErrorClass::Net | git2::ErrorClass::Os => RemoteError::Unreachable {
            name: name.to_owned(),
            said: cause.message().chars().filter(|c| !c.is_control()).take(300).collect(),
        },
        git2::ErrorClass::Indexer | git2::ErrorClass::Zlib => {
            RemoteError::Corrupt { name: name.to_owned(), said: cause.message().to_owned() }
        }
        _ => super::process::classify(name, cause.message()),
    }
}
