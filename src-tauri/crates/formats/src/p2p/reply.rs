//! What a server answers, and what both sides say during a transfer.

use super::{LineError, join, nothing, number, shown, split, uuids};
use crate::uuid::RepoUuid;

/// A line from the server, or of either side during a transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// `AUTH-SUCCESS UUID`: you are let in, and I am this repository.
    AuthSuccess(RepoUuid),
    /// `AUTH-FAILURE`: you are not.
    AuthFailure,
    /// `VERSION N`: this is what we speak.
    Version(u32),
    /// `SUCCESS`: done, or yes.
    Success,
    /// `SUCCESS-PLUS UUID…` (version 2): done here and in these.
    SuccessPlus(Vec<RepoUuid>),
    /// `FAILURE`: not done, or no.
    Failure,
    /// `FAILURE-PLUS UUID…` (version 2): not done, but done in these.
    FailurePlus(Vec<RepoUuid>),
    /// `ALREADY-HAVE`: no need to send it.
    AlreadyHave,
    /// `ALREADY-HAVE-PLUS UUID…` (version 2): it is here and in these.
    AlreadyHavePlus(Vec<RepoUuid>),
    /// `PUT-FROM OFFSET`: send it from this byte on.
    PutFrom(u64),
    /// `DATA N`: exactly this many raw bytes follow the newline.
    Data(u64),
    /// `VALID` (version 1): what I sent was the content to its end.
    Valid,
    /// `INVALID` (version 1): it changed while I sent it.
    Invalid,
    /// `TIMESTAMP N` (version 3): what my clock shows, in seconds since some moment.
    Timestamp(u64),
    /// `CHANGED ID…`: these commits are new.
    Changed(Vec<String>),
    /// `CONNECTDONE CODE`: the service ended so.
    ConnectDone(i32),
    /// `ERROR MSG`: this cannot go on.
    Error(Vec<u8>),
}

impl Reply {
    /// Reads a line without its newline.
    ///
    /// # Errors
    /// [`LineError`] by what the reader can do about it.
    pub fn parse(line: &[u8]) -> Result<Reply, LineError> {
        let (word, rest) = split(line)?;
        let plain = |reply| nothing(rest).map(|()| reply);
        let reply = match word {
            "AUTH-SUCCESS" => RepoUuid::parse_bytes(rest).ok().map(Reply::AuthSuccess),
            "AUTH-FAILURE" => plain(Reply::AuthFailure),
            "VERSION" => number(rest).map(Reply::Version),
            "SUCCESS" => plain(Reply::Success),
            "SUCCESS-PLUS" => uuids(rest).map(Reply::SuccessPlus),
            "FAILURE" => plain(Reply::Failure),
            "FAILURE-PLUS" => uuids(rest).map(Reply::FailurePlus),
            "ALREADY-HAVE" => plain(Reply::AlreadyHave),
            "ALREADY-HAVE-PLUS" => uuids(rest).map(Reply::AlreadyHavePlus),
            "PUT-FROM" => number(rest).map(Reply::PutFrom),
            "DATA" => number(rest).map(Reply::Data),
            "VALID" => plain(Reply::Valid),
            "INVALID" => plain(Reply::Invalid),
            "TIMESTAMP" => number(rest).map(Reply::Timestamp),
            "CHANGED" => changed(rest).map(Reply::Changed),
            "CONNECTDONE" => exit_code(rest).map(Reply::ConnectDone),
            "ERROR" => Some(Reply::Error(rest.to_vec())),
            _ => return Err(LineError::Unknown(shown(word))),
        };
        reply.ok_or_else(|| LineError::BadParameters(shown(word)))
    }

    /// The line, with its newline.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut line = match self {
            Reply::AuthSuccess(uuid) => format!("AUTH-SUCCESS {uuid}").into_bytes(),
            Reply::AuthFailure => b"AUTH-FAILURE".to_vec(),
            Reply::Version(version) => format!("VERSION {version}").into_bytes(),
            Reply::Success => b"SUCCESS".to_vec(),
            Reply::SuccessPlus(uuids) => join("SUCCESS-PLUS", uuids),
            Reply::Failure => b"FAILURE".to_vec(),
            Reply::FailurePlus(uuids) => join("FAILURE-PLUS", uuids),
            Reply::AlreadyHave => b"ALREADY-HAVE".to_vec(),
            Reply::AlreadyHavePlus(uuids) => join("ALREADY-HAVE-PLUS", uuids),
            Reply::PutFrom(offset) => format!("PUT-FROM {offset}").into_bytes(),
            Reply::Data(len) => format!("DATA {len}").into_bytes(),
            Reply::Valid => b"VALID".to_vec(),
            Reply::Invalid => b"INVALID".to_vec(),
            Reply::Timestamp(time) => format!("TIMESTAMP {time}").into_bytes(),
            Reply::Changed(ids) => format!("CHANGED {}", ids.join(" ")).into_bytes(),
            Reply::ConnectDone(code) => format!("CONNECTDONE {code}").into_bytes(),
            Reply::Error(message) => [b"ERROR ", &message[..]].concat(),
        };
        super::file::one_line(&mut line);
        line
    }
}

/// Ids of commits, in hex: not names of refs, whatever the protocol's page says.
fn changed(rest: &[u8]) -> Option<Vec<String>> {
    let ids = std::str::from_utf8(rest).ok()?.split(' ').filter(|id| !id.is_empty());
    let ids: Vec<_> = ids.map(str::to_owned).collect();
    let is_id = |id: &String| id.len() <= 64 && id.bytes().all(|b| b.is_ascii_hexdigit());
    (!ids.is_empty() && ids.iter().all(is_id)).then_some(ids)
}

fn exit_code(rest: &[u8]) -> Option<i32> {
    let digits = rest.strip_prefix(b"-").unwrap_or(rest);
    number::<u32>(digits)?;
    std::str::from_utf8(rest).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        for line in [
            "AUTH-SUCCESS 51851c86-80d0-4da4-8153-b03795e18344",
            "AUTH-FAILURE",
            "VERSION 1",
            "SUCCESS",
            "SUCCESS-PLUS a b",
            "FAILURE",
            "FAILURE-PLUS a",
            "ALREADY-HAVE",
            "ALREADY-HAVE-PLUS a",
            "PUT-FROM 60000",
            "DATA 40000",
            "VALID",
            "INVALID",
            "TIMESTAMP 4131",
            "CHANGED bf2b59f5803c45f698b31c7d5ee14aff8aef49c8 00ff",
            "CONNECTDONE -1",
            "ERROR expected UNLOCKCONTENT",
        ] {
            let reply = Reply::parse(line.as_bytes()).unwrap_or_else(|e| panic!("{line}: {e}"));
            assert_eq!(String::from_utf8(reply.to_bytes()).unwrap(), format!("{line}\n"));
        }
    }

    #[test]
    fn refused() {
        for bad in [
            "SUCCESS yes",
            "DATA",
            "DATA -1",
            "DATA 99999999999999999999",
            "PUT-FROM x",
            "CHANGED",
            "CHANGED refs/heads/x",
            "CONNECTDONE",
            "CONNECTDONE +1",
            "AUTH-SUCCESS",
            "SUCCESS-PLUS a/b",
        ] {
            let error = Reply::parse(bad.as_bytes()).unwrap_err();
            assert!(matches!(error, LineError::BadParameters(_)), "{bad}: {error:?}");
        }
        assert_eq!(Reply::parse(b"GET 0 f SHA1--a"), Err(LineError::Unknown("GET".into())));
        assert_eq!(Reply::parse(b"\xff"), Err(LineError::Malformed));
    }
}
