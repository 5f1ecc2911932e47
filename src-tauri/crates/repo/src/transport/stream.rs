//! Fetch and push over byte streams that were handed in: libgit2's own smart protocol on top of them.
//!
//! libgit2 chooses transports by URL, from a table of the whole process. One entry of ours is put there, once; which
//! opener is meant is looked up in our own table, by the remote's true URL.

// Registering is `unsafe` in git2 since it must not run while another transport is made: see `register_once`.
#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::sync::OnceLock;

use git2::transport::{Service as GitService, SmartSubtransport, SmartSubtransportStream, Transport};
use git2::{Direction, FetchOptions, Oid, PushOptions, RemoteCallbacks};

use super::{Service, Stream};
use crate::cancel::{Cancel, Meter};
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
        match super::open(&url, service) {
            Ok(stream) => Ok(Box::new(stream)),
            Err(cause) => Err(git2::Error::from_str(&format!("{UNOPENED}{cause}"))),
        }
    }

    fn close(&self) -> Result<(), git2::Error> {
        Ok(())
    }
}

/// Marks an error as one of the opener.
const UNOPENED: &str = "unable to connect: ";

impl Read for Stream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buf)
    }
}

impl Write for Stream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        // libgit2 never flushes, and waits for an answer next.
        self.writer.write_all(buf)?;
        self.writer.flush()?;
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// A connection to one of the two services.
pub(crate) struct StreamSession<'r> {
    remote: git2::Remote<'r>,
    name: String,
}

impl<'r> StreamSession<'r> {
    /// Connects for fetching.
    pub(crate) fn fetch(
        git: &'r git2::Repository,
        remote: &GitRemote,
        cancel: &Cancel,
    ) -> Result<Self, RemoteError> {
        Self::connect(git, remote, Direction::Fetch, cancel)
    }

    fn connect(
        git: &'r git2::Repository,
        remote: &GitRemote,
        direction: Direction,
        cancel: &Cancel,
    ) -> Result<Self, RemoteError> {
        if cancel.is_cancelled() {
            return Err(RemoteError::Cancelled);
        }
        register_once().map_err(RemoteError::local)?;
        let url = format!("{SCHEME}://{}", hex::encode(&remote.url));
        let mut connected = git.remote_anonymous(&url).map_err(RemoteError::local)?;
        connected.connect(direction).map_err(|cause| failed(&remote.name, cause, cancel))?;
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

    /// Brings all objects of the other side's branches that are missing here. No ref changes.
    pub(crate) fn download(&mut self, meter: &Meter<'_>, cancel: &Cancel) -> Result<(), RemoteError> {
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
        let all = ["refs/heads/*:refs/heads/*", "refs/synced/*:refs/synced/*"];
        self.remote.download(&all, Some(&mut options)).map_err(|cause| failed(&self.name, cause, cancel))
    }
}

/// Pushes each spec with the commit that its local ref points to.
pub(crate) fn push(
    git: &git2::Repository,
    remote: &GitRemote,
    specs: &[(PushSpec, Oid)],
    meter: &Meter<'_>,
    cancel: &Cancel,
) -> Result<Vec<RefOutcome>, RemoteError> {
    let mut session = StreamSession::connect(git, remote, Direction::Push, cancel)?;
    let there = session.refs()?;
    let prospects: Vec<RefOutcome> =
        specs.iter().map(|(spec, new)| prospect(git, spec, there.get(&spec.remote), *new)).collect();
    let wanted: Vec<String> = specs
        .iter()
        .zip(&prospects)
        .filter(|(_, prospect)| matches!(prospect, RefOutcome::Updated { .. }))
        .map(|((spec, _), _)| {
            let force = if spec.force { "+" } else { "" };
            format!("{force}{}:{}", spec.local, spec.remote)
        })
        .collect();
    if wanted.is_empty() {
        return Ok(prospects);
    }
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
    let pushed = session.remote.push(&wanted, Some(&mut options));
    drop(options);
    pushed.map_err(|cause| failed(&remote.name, cause, cancel))?;
    let outcome = |(spec, prospect): (&(PushSpec, Oid), RefOutcome)| match refusals.get(&spec.0.remote) {
        Some(reason) => refused(reason),
        None => prospect,
    };
    Ok(specs.iter().zip(prospects).map(outcome).collect())
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
