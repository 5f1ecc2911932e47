//! A client of git-annex's P2P protocol, versions 0 to 4, over any pair of byte streams (`annex-format` 9.4).

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;

use tributary_formats::key::Key;
use tributary_formats::p2p::{MAX_LINE_LEN, MAX_VERSION, Reply, Request};
use tributary_formats::uuid::RepoUuid;

use super::incoming::{CHUNK, Incoming, check, local};
use super::{ContentsError, Stored};
use crate::cancel::{Cancel, Meter};
use crate::stat::FileStat;

/// A connection to a server of the protocol. One request at a time.
///
/// After [`ContentsError::Unreachable`], [`ContentsError::Protocol`] and [`ContentsError::Cancelled`] the connection
/// cannot be used any more ([`P2p::is_broken`]).
pub struct P2p {
    reader: BufReader<Box<dyn Read + Send>>,
    writer: Box<dyn Write + Send>,
    uuid: RepoUuid,
    version: u32,
    broken: bool,
}

/// The server keeps the content of a key while this lives. Dropping it tells the server.
pub struct RemoteContentLock<'a> {
    p2p: &'a mut P2p,
    key: Key,
}

/// From this version on, the sender of data says at the end whether they were good.
const WITH_VALIDITY: u32 = 1;

impl P2p {
    /// Begins with the server's greeting, as over `git-annex-shell p2pstdio`: it must be `expected`.
    pub fn connect(
        reader: Box<dyn Read + Send>,
        writer: Box<dyn Write + Send>,
        expected: &RepoUuid,
    ) -> Result<P2p, ContentsError> {
        let reader = BufReader::with_capacity(CHUNK, reader);
        let mut p2p = P2p { reader, writer, uuid: expected.clone(), version: 0, broken: false };
        match p2p.hear()? {
            Reply::AuthSuccess(uuid) if uuid == *expected => {}
            Reply::AuthSuccess(uuid) => {
                let (expected, found) = (expected.clone(), uuid.to_string());
                return Err(ContentsError::OtherRepository { expected, found });
            }
            other => return Err(p2p.refusal(other)),
        }
        p2p.say(&Request::Version(MAX_VERSION))?;
        match p2p.hear()? {
            Reply::Version(version) if version <= MAX_VERSION => p2p.version = version,
            Reply::Version(version) => return Err(p2p.broke(format!("VERSION {version} was not offered"))),
            // Servers from before there were versions.
            Reply::Error(_) => {}
            other => return Err(p2p.refusal(other)),
        }
        Ok(p2p)
    }

    /// The server's UUID.
    pub fn uuid(&self) -> &RepoUuid {
        &self.uuid
    }

    /// The version of the protocol that is spoken.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// Whether the connection can be used no more.
    pub fn is_broken(&self) -> bool {
        self.broken
    }

    /// Asks whether the content is there now.
    pub fn check_present(&mut self, key: &Key) -> Result<bool, ContentsError> {
        self.say(&Request::CheckPresent(key.clone()))?;
        match self.hear()? {
            Reply::Success | Reply::SuccessPlus(_) => Ok(true),
            Reply::Failure | Reply::FailurePlus(_) => Ok(false),
            other => Err(self.refusal(other)),
        }
    }

    /// Sends `source`, which holds the content of `key`, from where the server wants it. `file_name` is shown there.
    /// What the server has already counts as moved.
    pub fn store(
        &mut self,
        key: &Key,
        source: &Path,
        file_name: &[u8],
        meter: &Meter<'_>,
        cancel: &Cancel,
    ) -> Result<Stored, ContentsError> {
        let mut content = File::open(source).map_err(local)?;
        let before = FileStat::from(&content.metadata().map_err(local)?);
        self.say(&Request::Put { file: file_name.to_vec(), key: key.clone() })?;
        let offset = match self.hear()? {
            Reply::AlreadyHave | Reply::AlreadyHavePlus(_) => return Ok(Stored::AlreadyThere),
            Reply::PutFrom(offset) if offset <= before.size => offset,
            Reply::PutFrom(offset) => return Err(self.broke(format!("PUT-FROM {offset} is past the end"))),
            other => return Err(self.refusal(other)),
        };
        meter(offset);
        self.say_reply(&Reply::Data(before.size - offset))?;
        let sent = self.send(&mut content, offset, before.size, meter, cancel)?;
        let same = sent && FileStat::from(&content.metadata().map_err(local)?).same_content(&before);
        if self.version >= WITH_VALIDITY {
            self.say_reply(if same { &Reply::Valid } else { &Reply::Invalid })?;
        }
        match self.hear()? {
            _ if !same => Err(ContentsError::SourceChanged { key: key.clone() }),
            Reply::Success | Reply::SuccessPlus(_) => Ok(Stored::Sent),
            Reply::Failure | Reply::FailurePlus(_) => {
                Err(ContentsError::Refused { said: "it could not verify what it got".to_owned() })
            }
            other => Err(self.refusal(other)),
        }
    }

    /// Sends the bytes that were announced. False when the file ended early: then it is filled up with zeros, since
    /// the server counts, and called invalid afterwards.
    fn send(
        &mut self,
        content: &mut File,
        offset: u64,
        size: u64,
        meter: &Meter<'_>,
        cancel: &Cancel,
    ) -> Result<bool, ContentsError> {
        content.seek(SeekFrom::Start(offset)).map_err(local)?;
        let mut left = size - offset;
        let mut whole = true;
        let mut buffer = vec![0; CHUNK.min(usize::try_from(left).unwrap_or(CHUNK)).max(1)];
        while left > 0 {
            if let Err(cancelled) = check(cancel) {
                self.broken = true;
                return Err(cancelled);
            }
            let want = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let mut got = if whole { content.read(&mut buffer[..want]).unwrap_or(0) } else { 0 };
            if got == 0 {
                if self.version < WITH_VALIDITY {
                    // There is no way to call it invalid but to hang up.
                    return Err(self.unreachable("the file changed while it was sent"));
                }
                whole = false;
                buffer[..want].fill(0);
                got = want;
            }
            self.write(&buffer[..got])?;
            left -= got as u64;
            meter(got as u64);
        }
        self.flush()?;
        Ok(whole)
    }

    /// Fetches the content into `tmp`, going on where that ends when it exists; verified. What is there already counts
    /// as moved.
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
        let mut incoming = Incoming::resume(tmp, key, cancel)?;
        if key.size() == Some(incoming.len()) && incoming.len() > 0 {
            // All of it came before: there is nothing to ask for.
            meter(incoming.len());
            return incoming.finish();
        }
        self.say(&Request::Get { offset: incoming.len(), file: file_name.to_vec(), key: key.clone() })?;
        let len = match self.hear()? {
            Reply::Data(len) => len,
            Reply::Failure => return Err(ContentsError::NotPresent { key: key.clone() }),
            other => return Err(self.refusal(other)),
        };
        meter(incoming.len());
        self.receive(&mut incoming, len, meter, cancel)?;
        let valid = self.version < WITH_VALIDITY || self.validity()?;
        let whole = key.size().is_none_or(|size| size == incoming.len());
        if !valid && len == 0 {
            self.say_reply(&Reply::Failure)?;
            // That is how the server says that it has no such content (checked with both versions of git-annex).
            return Err(ContentsError::NotPresent { key: key.clone() });
        }
        if !valid || !whole {
            self.say_reply(&Reply::Failure)?;
            incoming.restart()?;
            return Err(ContentsError::Corrupt { key: key.clone() });
        }
        let verified = incoming.finish();
        self.say_reply(if verified.is_ok() { &Reply::Success } else { &Reply::Failure })?;
        verified
    }

    fn receive(
        &mut self,
        incoming: &mut Incoming,
        len: u64,
        meter: &Meter<'_>,
        cancel: &Cancel,
    ) -> Result<(), ContentsError> {
        let mut left = len;
        while left > 0 {
            let chunk = match self.reader.fill_buf() {
                Ok([]) => return Err(self.unreachable("the connection was cut")),
                Ok(chunk) => &chunk[..chunk.len().min(usize::try_from(left).unwrap_or(usize::MAX))],
                Err(cause) => return Err(self.unreachable(&cause.to_string())),
            };
            let read = chunk.len();
            let written = check(cancel).and_then(|()| incoming.write(chunk));
            if let Err(cause) = written {
                // The rest of the data is on its way, and nobody will take it.
                self.broken = true;
                return Err(cause);
            }
            self.reader.consume(read);
            left -= read as u64;
            meter(read as u64);
        }
        Ok(())
    }

    fn validity(&mut self) -> Result<bool, ContentsError> {
        match self.hear()? {
            Reply::Valid => Ok(true),
            Reply::Invalid => Ok(false),
            other => Err(self.refusal(other)),
        }
    }

    /// Has the content removed; it may be absent already. That enough copies remain is the caller's proof.
    pub fn remove(&mut self, key: &Key) -> Result<(), ContentsError> {
        self.say(&Request::Remove(key.clone()))?;
        match self.hear()? {
            Reply::Success | Reply::SuccessPlus(_) => Ok(()),
            Reply::Failure | Reply::FailurePlus(_) => {
                Err(ContentsError::Refused { said: "the content was not removed".to_owned() })
            }
            other => Err(self.refusal(other)),
        }
    }

    /// Locks the content there, so that it counts as a copy that cannot go away.
    pub fn lock_content(&mut self, key: &Key) -> Result<RemoteContentLock<'_>, ContentsError> {
        self.say(&Request::LockContent(key.clone()))?;
        match self.hear()? {
            Reply::Success => Ok(RemoteContentLock { p2p: self, key: key.clone() }),
            Reply::Failure => Err(ContentsError::NotPresent { key: key.clone() }),
            other => Err(self.refusal(other)),
        }
    }

    fn say(&mut self, request: &Request) -> Result<(), ContentsError> {
        self.write(&request.to_bytes())?;
        self.flush()
    }

    fn say_reply(&mut self, reply: &Reply) -> Result<(), ContentsError> {
        self.write(&reply.to_bytes())?;
        self.flush()
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), ContentsError> {
        if self.broken {
            return Err(ContentsError::Unreachable { said: "the connection was given up before".to_owned() });
        }
        let written = self.writer.write_all(bytes);
        written.map_err(|cause| self.unreachable(&cause.to_string()))
    }

    fn flush(&mut self) -> Result<(), ContentsError> {
        let flushed = self.writer.flush();
        flushed.map_err(|cause| self.unreachable(&cause.to_string()))
    }

    fn hear(&mut self) -> Result<Reply, ContentsError> {
        let mut line = Vec::new();
        let read = self.reader.by_ref().take(MAX_LINE_LEN as u64 + 1).read_until(b'\n', &mut line);
        match read {
            Err(cause) => return Err(self.unreachable(&cause.to_string())),
            Ok(0) => return Err(self.unreachable("the connection was closed")),
            Ok(_) => {}
        }
        if line.pop() != Some(b'\n') {
            return Err(self.broke("a line without an end".to_owned()));
        }
        Reply::parse(&line).map_err(|cause| self.broke(cause.to_string()))
    }

    /// What a reply means that is none of those hoped for.
    fn refusal(&mut self, reply: Reply) -> ContentsError {
        match reply {
            Reply::Error(message) => {
                // The server takes no further request after that.
                self.broken = true;
                ContentsError::Refused { said: shown(&String::from_utf8_lossy(&message)) }
            }
            Reply::AuthFailure => {
                self.broken = true;
                ContentsError::Refused { said: "it does not let us in".to_owned() }
            }
            Reply::Failure | Reply::FailurePlus(_) => {
                ContentsError::Refused { said: "no reason given".to_owned() }
            }
            other => {
                let line = other.to_bytes();
                self.broke(format!("unexpected {}", shown(&String::from_utf8_lossy(&line))))
            }
        }
    }

    fn broke(&mut self, said: String) -> ContentsError {
        self.broken = true;
        ContentsError::Protocol { said }
    }

    fn unreachable(&mut self, said: &str) -> ContentsError {
        self.broken = true;
        ContentsError::Unreachable { said: shown(said) }
    }
}

impl RemoteContentLock<'_> {
    /// The locked key.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// Whether the server still holds it, as far as the connection tells.
    pub fn holds(&self) -> bool {
        !self.p2p.broken
    }
}

impl Drop for RemoteContentLock<'_> {
    fn drop(&mut self) {
        // Without it the server releases the lock when the connection ends.
        let _ = self.p2p.say(&Request::UnlockContent);
    }
}

/// Words from outside, for a person: one line, not too long.
fn shown(said: &str) -> String {
    said.chars().filter(|c| !c.is_control()).take(300).collect()
}

#[cfg(test)]
mod tests;
