//! What a client says.

use super::{LineError, escape_file, join, key, nothing, number, shown, split, unescape_file, uuids};
use crate::key::Key;
use crate::uuid::RepoUuid;

/// A line from the client. `DATA`, `VALID`, `SUCCESS` and their like, which both sides say during a
/// transfer, are [`super::Reply`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// `AUTH UUID TOKEN`: I am this repository, and this is my proof. Not over p2pstdio.
    Auth(RepoUuid, Vec<u8>),
    /// `VERSION N`: speak this version of the protocol, or the newest that you know.
    Version(u32),
    /// `BYPASS UUID…` (version 2): do not ask these on my behalf.
    Bypass(Vec<RepoUuid>),
    /// `CHECKPRESENT KEY`: is the content present there now?
    CheckPresent(Key),
    /// `LOCKCONTENT KEY`: keep it from being dropped until I say otherwise or leave.
    LockContent(Key),
    /// `UNLOCKCONTENT`: it may be dropped. Takes no parameter, and has no reply.
    UnlockContent,
    /// `REMOVE KEY`: drop it.
    Remove(Key),
    /// `REMOVE-BEFORE N KEY` (version 3): drop it, unless your clock has passed this time.
    RemoveBefore(u64, Key),
    /// `GETTIMESTAMP` (version 3): what does your clock show?
    GetTimestamp,
    /// `GET OFFSET FILE KEY`: send it from this byte on. The name is for people to see.
    Get {
        /// Where to start, in bytes.
        offset: u64,
        /// The name; may be empty.
        file: Vec<u8>,
        /// The content.
        key: Key,
    },
    /// `PUT FILE KEY`: I have it for you. The name is for people to see.
    Put {
        /// The name; may be empty.
        file: Vec<u8>,
        /// The content.
        key: Key,
    },
    /// `DATA-PRESENT` (version 4): the content of my `PUT` is there already, by another way.
    DataPresent,
    /// `NOTIFYCHANGE`: tell me when your refs change. Not over git-annex-shell.
    NotifyChange,
    /// `CONNECT SERVICE`: run `git-upload-pack` or `git-receive-pack`. Not over git-annex-shell.
    Connect(Vec<u8>),
    /// `ERROR MSG`: this cannot go on.
    Error(Vec<u8>),
}

impl Request {
    /// Reads a line without its newline.
    ///
    /// # Errors
    /// [`LineError`] by what the reader can do about it.
    pub fn parse(line: &[u8]) -> Result<Request, LineError> {
        let (word, rest) = split(line)?;
        let request = match word {
            "AUTH" => cut(rest).and_then(|(uuid, token)| {
                Some(Request::Auth(RepoUuid::parse_bytes(uuid).ok()?, token.to_vec()))
            }),
            "VERSION" => number(rest).map(Request::Version),
            "BYPASS" => uuids(rest).map(Request::Bypass),
            "CHECKPRESENT" => key(rest).map(Request::CheckPresent),
            "LOCKCONTENT" => key(rest).map(Request::LockContent),
            "UNLOCKCONTENT" => nothing(rest).map(|()| Request::UnlockContent),
            "REMOVE" => key(rest).map(Request::Remove),
            "REMOVE-BEFORE" => {
                cut(rest).and_then(|(time, rest)| Some(Request::RemoveBefore(number(time)?, key(rest)?)))
            }
            "GETTIMESTAMP" => nothing(rest).map(|()| Request::GetTimestamp),
            "GET" => cut(rest).and_then(|(offset, rest)| {
                let (file, key) = file_and_key(rest)?;
                Some(Request::Get { offset: number(offset)?, file, key })
            }),
            "PUT" => file_and_key(rest).map(|(file, key)| Request::Put { file, key }),
            "DATA-PRESENT" => nothing(rest).map(|()| Request::DataPresent),
            "NOTIFYCHANGE" => nothing(rest).map(|()| Request::NotifyChange),
            "CONNECT" => Some(Request::Connect(rest.to_vec())),
            "ERROR" => Some(Request::Error(rest.to_vec())),
            _ => return Err(LineError::Unknown(shown(word))),
        };
        request.ok_or_else(|| LineError::BadParameters(shown(word)))
    }

    /// The line, with its newline.
    pub fn to_bytes(&self) -> Vec<u8> {
        let with_key = |word: &str, key: &Key| [word.as_bytes(), b" ", key.as_bytes()].concat();
        let mut line = match self {
            Request::Auth(uuid, token) => [b"AUTH ", uuid.as_str().as_bytes(), b" ", token].concat(),
            Request::Version(version) => format!("VERSION {version}").into_bytes(),
            Request::Bypass(uuids) => join("BYPASS", uuids),
            Request::CheckPresent(key) => with_key("CHECKPRESENT", key),
            Request::LockContent(key) => with_key("LOCKCONTENT", key),
            Request::UnlockContent => b"UNLOCKCONTENT".to_vec(),
            Request::Remove(key) => with_key("REMOVE", key),
            Request::RemoveBefore(time, key) => with_key(&format!("REMOVE-BEFORE {time}"), key),
            Request::GetTimestamp => b"GETTIMESTAMP".to_vec(),
            Request::Get { offset, file, key } => {
                let start = format!("GET {offset} ").into_bytes();
                [&start, &escape_file(file)[..], b" ", key.as_bytes()].concat()
            }
            Request::Put { file, key } => [b"PUT ", &escape_file(file)[..], b" ", key.as_bytes()].concat(),
            Request::DataPresent => b"DATA-PRESENT".to_vec(),
            Request::NotifyChange => b"NOTIFYCHANGE".to_vec(),
            Request::Connect(service) => [b"CONNECT ", &service[..]].concat(),
            Request::Error(message) => [b"ERROR ", &message[..]].concat(),
        };
        super::file::one_line(&mut line);
        line
    }
}

fn cut(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = rest.iter().position(|&b| b == b' ')?;
    Some((&rest[..space], &rest[space + 1..]))
}

/// The name is one word, possibly empty, in which no white space stands as it is; the key is the rest, and may hold
/// spaces.
fn file_and_key(rest: &[u8]) -> Option<(Vec<u8>, Key)> {
    let (file, rest) = cut(rest)?;
    if file.utf8_chunks().any(|chunk| chunk.valid().contains(char::is_whitespace)) {
        return None;
    }
    Some((unescape_file(file), key(rest)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        for line in [
            "AUTH 51851c86-80d0-4da4-8153-b03795e18344 token",
            "VERSION 4",
            "BYPASS",
            "BYPASS a b",
            "CHECKPRESENT SHA1-s1--a",
            "LOCKCONTENT SHA1-s1--a",
            "UNLOCKCONTENT",
            "REMOVE WORM--a b",
            "REMOVE-BEFORE 4131 SHA1-s1--a",
            "GETTIMESTAMP",
            "GET 60000 dir/a%b SHA1-s1--a",
            "GET 0  SHA1-s1--a",
            "PUT 50%% WORM--a b",
            "PUT  SHA1-s1--a",
            "DATA-PRESENT",
            "NOTIFYCHANGE",
            "CONNECT git-upload-pack",
            "ERROR something went wrong",
        ] {
            let request = Request::parse(line.as_bytes()).unwrap_or_else(|e| panic!("{line}: {e}"));
            assert_eq!(String::from_utf8(request.to_bytes()).unwrap(), format!("{line}\n"));
        }
    }

    #[test]
    fn refused() {
        for bad in [
            "CHECKPRESENT",
            "CHECKPRESENT ../../x",
            "UNLOCKCONTENT SHA1-s1--a",
            "GET x f SHA1-s1--a",
            "GET -1 f SHA1-s1--a",
            "PUT SHA1-s1--a",
            "PUT form\x0cfeed SHA1-s1--a",
            "PUT no\u{a0}break SHA1-s1--a",
            "VERSION",
            "VERSION +4",
            "AUTH x",
            "REMOVE-BEFORE SHA1-s1--a",
        ] {
            let error = Request::parse(bad.as_bytes()).unwrap_err();
            assert!(matches!(error, LineError::BadParameters(_)), "{bad}: {error:?}");
        }
        assert_eq!(Request::parse(b"checkpresent x"), Err(LineError::Unknown("checkpresent".into())));
        assert_eq!(Request::parse(b""), Err(LineError::Unknown(String::new())));
        assert_eq!(Request::parse(&[b'A'; 20_000]), Err(LineError::Malformed));
        assert_eq!(Request::parse(b"REMOVE SHA1--a\nREMOVE SHA1--b"), Err(LineError::Malformed));
    }

    #[test]
    fn a_message_cannot_hold_another_line() {
        let error = Request::Error(b"a\nREMOVE SHA1-s1--a".to_vec()).to_bytes();
        assert_eq!(error.iter().filter(|&&b| b == b'\n').count(), 1);
    }
}
