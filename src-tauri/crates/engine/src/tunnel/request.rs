//! What a guest asks for, in the first frame. For git: lines `git 1`, the service as git calls it, the UUID of the
//! repository that it means, and the UUID of its own repository of the same folder; a guest that takes what is much in
//! stages says `stages` then, and `has OID` for each tip that it has complete. To say something itself: the line
//! `notice 1`; that the two are paired no more: the line `farewell 1`. Other lines that follow are skipped, for later.

use tributary_formats::uuid::RepoUuid;
use tributary_repo::Oid;
use tributary_repo::transport::{Asked, Service};

/// The first line. The number grows with a change that older versions cannot pass over.
const PROTOCOL: &str = "git 1";
/// The first line of a notice.
const NOTICE: &str = "notice 1";
/// The first line of a farewell.
const FAREWELL: &str = "farewell 1";

/// Why a guest calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Call {
    /// Git wants something.
    Git(Request),
    /// The other engine itself has something to say.
    Notice,
    /// The other side has parted with us: we are paired no more.
    Farewell,
}

/// Tips that a guest may name: a request has few bytes.
const MAX_TIPS: usize = 64;

/// What a guest asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    /// The service, and what the guest has.
    pub(super) asked: Asked,
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

    /// The first frame of a farewell.
    pub(super) fn farewell() -> Vec<u8> {
        format!("{FAREWELL}\n").into_bytes()
    }

    /// Reads why somebody calls; `None` for what no version says.
    pub(super) fn decode(bytes: &[u8]) -> Option<Call> {
        match std::str::from_utf8(bytes).ok()?.lines().next()? {
            NOTICE => Some(Self::Notice),
            FAREWELL => Some(Self::Farewell),
            _ => Request::decode(bytes).map(Self::Git),
        }
    }
}

impl Request {
    pub(super) fn encode(&self) -> Vec<u8> {
        let service = match self.asked.service {
            Service::UploadPack => "upload-pack",
            Service::ReceivePack => "receive-pack",
        };
        let mut text = format!("{PROTOCOL}\n{service}\n{}\n{}\n", self.repository, self.own);
        if let Some(has) = &self.asked.has {
            text += "stages\n";
            has.iter().take(MAX_TIPS).for_each(|tip| text += &format!("has {tip}\n"));
        }
        text.into_bytes()
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
        let (repository, own) = (uuid()?, uuid()?);
        let mut has: Option<Vec<Oid>> = None;
        for line in lines.take(1 + MAX_TIPS) {
            if line == "stages" {
                has.get_or_insert_default();
            } else if let (Some(tip), Some(has)) = (line.strip_prefix("has "), &mut has) {
                has.push(Oid::from_str(tip).ok()?);
            }
        }
        Some(Request { asked: Asked { service, has }, repository, own })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_calls_wants_git_or_says_something() {
        let uuid = |text| RepoUuid::parse(text).unwrap();
        let request =
            Request { asked: Service::UploadPack.into(), repository: uuid("one"), own: uuid("two") };
        assert_eq!(Call::decode(&request.encode()), Some(Call::Git(request)));
        let later = [Call::notice(), b"something new\n".to_vec()].concat();
        assert_eq!(Call::decode(&later), Some(Call::Notice));
        assert_eq!(Call::decode(&Call::farewell()), Some(Call::Farewell));
        for text in ["", "notice", "notice 2\n", "notice 1 \n"] {
            assert_eq!(Call::decode(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn requests_come_back_and_nonsense_is_none() {
        let uuid = |text| RepoUuid::parse(text).unwrap();
        let tip = |digit: &str| Oid::from_str(&digit.repeat(40)).unwrap();
        for asked in [
            Service::UploadPack.into(),
            Service::ReceivePack.into(),
            Asked { service: Service::UploadPack, has: Some(vec![]) },
            Asked { service: Service::UploadPack, has: Some(vec![tip("1"), tip("a")]) },
        ] {
            let request = Request { asked, repository: uuid("one"), own: uuid("two") };
            assert_eq!(Request::decode(&request.encode()), Some(request.clone()));
            let later = [request.encode(), b"something new\n".to_vec()].concat();
            assert_eq!(Request::decode(&later), Some(request));
        }
        let all = Some(vec![tip("1"); MAX_TIPS + 7]);
        let request = Request {
            asked: Asked { service: Service::UploadPack, has: all },
            repository: uuid("o"),
            own: uuid("t"),
        };
        let encoded = request.encode();
        assert!(encoded.len() < 4096, "it fits into its frame: {}", encoded.len());
        assert_eq!(Request::decode(&encoded).unwrap().asked.has.unwrap().len(), MAX_TIPS);
        for text in [
            "git 1\nupload-pack\none\ntwo\nstages\nhas what\n",
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
