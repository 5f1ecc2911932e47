//! A client of git-annex's P2P protocol, versions 0 to 4, over any pair of byte streams (`annex-format` 9.4).

use std::io::{Read, Write};
use std::path::Path;

use tributary_formats::key::Key;
use tributary_formats::uuid::RepoUuid;

use super::{ContentsError, Stored};
use crate::cancel::{Cancel, Meter};

/// A connection to a server of the protocol. One request at a time.
///
/// After [`ContentsError::Unreachable`], [`ContentsError::Protocol`] and [`ContentsError::Cancelled`] the connection
/// cannot be used any more ([`P2p::is_broken`]).
pub struct P2p {
    reader: Box<dyn Read + Send>,
    writer: Box<dyn Write + Send>,
    uuid: RepoUuid,
    broken: bool,
}

/// The server keeps the content of a key while this lives. Dropping it tells the server.
pub struct RemoteContentLock<'a> {
    p2p: &'a mut P2p,
    key: Key,
}

impl P2p {
    /// Begins with the server's greeting, as over `git-annex-shell p2pstdio`: it must be `expected`.
    pub fn connect(
        reader: Box<dyn Read + Send>,
        writer: Box<dyn Write + Send>,
        expected: &RepoUuid,
    ) -> Result<P2p, ContentsError> {
        let _ = (reader, writer, expected);
        todo!()
    }

    /// The server's UUID.
    pub fn uuid(&self) -> &RepoUuid {
        &self.uuid
    }

    /// Whether the connection can be used no more.
    pub fn is_broken(&self) -> bool {
        let _ = (&self.reader, &self.writer);
        self.broken
    }

    /// Asks whether the content is there now.
    pub fn check_present(&mut self, key: &Key) -> Result<bool, ContentsError> {
        let _ = key;
        todo!()
    }

    /// Sends `source`, which holds the content of `key`, from where the server wants it. `file_name` is shown there.
    pub fn store(
        &mut self,
        key: &Key,
        source: &Path,
        file_name: &[u8],
        meter: &Meter<'_>,
        cancel: &Cancel,
    ) -> Result<Stored, ContentsError> {
        let _ = (key, source, file_name, meter, cancel);
        todo!()
    }

    /// Fetches the content into `tmp`, going on where that ends when it exists; verified.
    ///
    /// # Errors
    /// On [`ContentsError::Corrupt`] the file is gone; on all others what arrived stays for the next try.
    pub fn retrieve(
        &mut self,
        key: &Key,
        tmp: &Path,
        file_name: &[u8],
        meter: &Meter<'_>,
        cancel: &Cancel,
    ) -> Result<(), ContentsError> {
        let _ = (key, tmp, file_name, meter, cancel);
        todo!()
    }

    /// Has the content removed; it may be absent already. That enough copies remain is the caller's proof.
    pub fn remove(&mut self, key: &Key) -> Result<(), ContentsError> {
        let _ = key;
        todo!()
    }

    /// Locks the content there, so that it counts as a copy that cannot go away.
    pub fn lock_content(&mut self, key: &Key) -> Result<RemoteContentLock<'_>, ContentsError> {
        let _ = key;
        todo!()
    }
}

impl RemoteContentLock<'_> {
    /// The locked key.
    pub fn key(&self) -> &Key {
        let _ = &self.p2p;
        &self.key
    }
}
