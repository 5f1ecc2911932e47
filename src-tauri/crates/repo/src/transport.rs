//! Byte streams that somebody else provides, as transports for git: the engine registers a scheme with an opener.

pub(crate) mod local;
pub(crate) mod process;
pub(crate) mod ssh;
pub(crate) mod stream;

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::sync::{Arc, PoisonError, RwLock};

use git2::Oid;

/// Which of git's two services a stream talks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// `git upload-pack`: a fetch.
    UploadPack,
    /// `git receive-pack`: a push.
    ReceivePack,
}

/// What a stream is opened for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The service.
    pub service: Service,
    /// Tips of histories that whoever asks has complete, if it takes what is much in stages. None asks for all at once.
    pub has: Option<Vec<Oid>>,
}

impl From<Service> for Asked {
    fn from(service: Service) -> Asked {
        Asked { service, has: None }
    }
}

/// Refs that stand for commits on the way to the tips of the branches: a guest that takes much in stages is offered the
/// next of them. They are in what a host says, and in no repository.
pub(crate) const STAGES: &str = "refs/stages/";

/// Both ends of a stream to a service. Dropping it closes the stream.
pub struct Stream {
    /// What the service says.
    pub reader: Box<dyn Read + Send>,
    /// What is said to the service.
    pub writer: Box<dyn Write + Send>,
    /// Ends both from another thread, so that a reader or writer that waits gets an error. May be called twice.
    pub cut: Arc<dyn Fn() + Send + Sync>,
}

/// Opens a stream to a service of the repository that a URL names.
pub type Opener = Arc<dyn Fn(&str, &Asked) -> io::Result<Stream> + Send + Sync>;

/// The schemes and who opens their streams.
static OPENERS: RwLock<BTreeMap<String, Opener>> = RwLock::new(BTreeMap::new());

/// Makes `SCHEME::…` and `SCHEME://…` URLs fetch and push over streams from the opener, in this process.
/// A scheme that was registered before gets the new opener.
pub fn register(scheme: &str, opener: Opener) {
    // A map is whole after every operation on it, so a panic elsewhere does not spoil it.
    OPENERS.write().unwrap_or_else(PoisonError::into_inner).insert(scheme.to_owned(), opener);
}

/// The registered scheme that a URL begins with.
pub(crate) fn registered_scheme(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once(':')?;
    let is_scheme = rest.starts_with(':') || rest.starts_with("//");
    let openers = OPENERS.read().unwrap_or_else(PoisonError::into_inner);
    (is_scheme && openers.contains_key(scheme)).then(|| scheme.to_owned())
}

pub(crate) fn open(url: &str, asked: &Asked) -> io::Result<Stream> {
    let scheme = registered_scheme(url);
    let openers = OPENERS.read().unwrap_or_else(PoisonError::into_inner);
    let opener = scheme.and_then(|scheme| openers.get(&scheme).cloned());
    drop(openers);
    match opener {
        Some(opener) => opener(url, asked),
        None => Err(io::Error::new(io::ErrorKind::NotFound, "nobody opens streams for this URL")),
    }
}
