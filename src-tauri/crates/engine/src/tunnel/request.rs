//! What a guest asks for, in the first frame. For git: lines `git 1`, the service as git calls it, the UUID of the
//! repository that it means, and the UUID of its own repository of the same folder. To say something itself: the line
//! `notice 1`. Lines that follow are skipped, for later.

use tributary_formats::uuid::RepoUuid;
use tributary_repo::transport::Service;

/// The first line. The number grows with a change that older versions cannot pass over.
const PROTOCOL: &str = "git 1";
/// The first line of a notice.
const NOTICE: &str = "notice 1";

/// Why a guest calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Call {
    /// Git wants something.
    Git(Request),
    /// The other engine itself has something to say.
    Notice,
}

/// What a guest asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    /// The service.
    pub(super) service: Service,
    /// The repository that it asks for: the host's.
    pub(super) repository: RepoUuid,
    /// The guest's own.
    pub(super) own: RepoUuid,
}

impl Call {
    /// The first frame of a notice.
    pub(super) fn notice() -> Vec<u8> {
        format!("{NOTICE}\n").into_bytes()
    }

    /// Reads why somebody calls; `None` for what no version says.
    pub(super) fn decode(bytes: &[u8]) -> Option<Call> {
        match std::str::from_utf8(bytes).ok()?.lines().next()? {
            NOTICE => Some(Self::Notice),
            _ => Request::decode(bytes).map(Self::Git),
        }
    }
}

impl Request {
    pub(super) fn encode(&self) -> Vec<u8> {
        let service = match self.service {
            Service::UploadPack => "upload-pack",
            Service::ReceivePack => "receive-pack",
        };
        format!("{PROTOCOL}\n{service}\n{}\n{}\n", self.repository, self.own).into_bytes()
    }

    /// Reads a request; `None` for what no version says.
    pub(super) fn decode(bytes: &[u8]) -> Option<Request> {
        let mut lines = std::str::from_utf8(bytes).ok()?.lines();
        if lines.next()? != PROTOCOL {
            return None;
        }
        let service = match lines.next()? {
            "upload-pack" => Service::UploadPack,
            "receive-pack" => Service::ReceivePack,
            _ => return None,
        };
        let mut uuid = || RepoUuid::parse(lines.next()?).ok();
        Some(Request { service, repository: uuid()?, own: uuid()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_calls_wants_git_or_says_something() {
        let uuid = |text| RepoUuid::parse(text).unwrap();
        let request = Request { service: Service::UploadPack, repository: uuid("one"), own: uuid("two") };
        assert_eq!(Call::decode(&request.encode()), Some(Call::Git(request)));
        let later = [Call::notice(), b"something new\n".to_vec()].concat();
        assert_eq!(Call::decode(&later), Some(Call::Notice));
        for text in ["", "notice", "notice 2\n", "notice 1 \n"] {
            assert_eq!(Call::decode(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn requests_come_back_and_nonsense_is_none() {
        let uuid = |text| RepoUuid::parse(text).unwrap();
        for service in [Service::UploadPack, Service::ReceivePack] {
            let request = Request { service, repository: uuid("one"), own: uuid("two") };
            assert_eq!(Request::decode(&request.encode()), Some(request.clone()));
            let later = [request.encode(), b"something new\n".to_vec()].concat();
            assert_eq!(Request::decode(&later), Some(request));
        }
        for text in [
            "",
            "git 2\nupload-pack\none\ntwo\n",
            "git 1\nsh\none\ntwo\n",
            "git 1\nupload-pack --exec=x\none\ntwo\n",
            "git 1\nupload-pack\n\ntwo\n",
            "git 1\nupload-pack\none\n",
            "git 1\nupload-pack\n../one x\ntwo\n",
            "\u{0}",
        ] {
            assert_eq!(Request::decode(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(Request::decode(b"git 1\nupload-pack\n\xff\n\xff\n"), None);
    }
}
