//! The contents of a git remote, however it is reached.

use std::path::Path;

use tributary_formats::key::Key;
use tributary_repo::cancel::{Cancel, Meter};
use tributary_repo::contents::ContentsError;
use tributary_repo::contents::local::LocalContents;
use tributary_repo::contents::ssh::SshContents;
use tributary_repo::remote::RemoteKind;

use crate::state::places::{PlaceRow, Reach};
use crate::state::repositories::Repositories;
use crate::threads::fetcher::unix_now;

/// A connection to them.
pub(super) enum GitContents {
    Local(Box<LocalContents>),
    Ssh(Box<SshContents>),
}

impl GitContents {
    /// Connects to a place's.
    pub(super) fn connect(
        place: &PlaceRow,
        repositories: &Repositories,
        cancel: &Cancel,
    ) -> Result<Self, ContentsError> {
        let (Reach::Git(remote), Some(uuid)) = (&place.reach, &place.uuid) else {
            return Err(ContentsError::NoContents);
        };
        match &remote.kind {
            RemoteKind::LocalPath(path) => Ok(Self::Local(Box::new(LocalContents::open(path, uuid)?))),
            RemoteKind::Ssh(url) => {
                let opened = repositories
                    .with(|repo| SshContents::connect(repo.git(), url, repo.uuid(), uuid, cancel));
                match opened {
                    Ok(connected) => Ok(Self::Ssh(Box::new(connected?))),
                    Err(error) => Err(ContentsError::Local(std::io::Error::other(error.to_string()))),
                }
            }
            RemoteKind::Stream { .. } | RemoteKind::Other => Err(ContentsError::NoContents),
        }
    }

    /// Stores a content there.
    pub(super) fn store(
        &mut self,
        key: &Key,
        source: &Path,
        name: &[u8],
        meter: &Meter<'_>,
        cancel: &Cancel,
    ) -> Result<(), ContentsError> {
        match self {
            Self::Local(there) => there.store(key, source, meter, cancel).map(drop),
            Self::Ssh(there) => there.store(key, source, name, meter, cancel).map(drop),
        }
    }

    /// Fetches a content from there into `tmp`.
    pub(super) fn retrieve(
        &mut self,
        key: &Key,
        tmp: &Path,
        name: &[u8],
        meter: &Meter<'_>,
        cancel: &Cancel,
    ) -> Result<(), ContentsError> {
        match self {
            Self::Local(there) => there.retrieve(key, tmp, meter, cancel),
            Self::Ssh(there) => there.retrieve(key, tmp, name, meter, cancel),
        }
    }

    /// Makes what was stored durable and known there. A server does that by itself.
    pub(super) fn finish(&mut self) -> Result<(), ContentsError> {
        match self {
            Self::Local(there) => there.record(unix_now()),
            Self::Ssh(_) => Ok(()),
        }
    }
}
