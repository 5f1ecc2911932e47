//! Byte streams that somebody else provides, as transports for git: the engine registers a scheme with an opener.

use std::io::{self, Read, Write};
use std::sync::Arc;

/// Which of git's two services a stream talks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// `git upload-pack`: a fetch.
    UploadPack,
    /// `git receive-pack`: a push.
    ReceivePack,
}

/// Both ends of a stream to a service. Dropping it closes the stream.
pub struct Stream {
    /// What the service says.
    pub reader: Box<dyn Read + Send>,
    /// What is said to the service.
    pub writer: Box<dyn Write + Send>,
}

/// Opens a stream to a service of the repository that a URL names.
pub type Opener = Arc<dyn Fn(&str, Service) -> io::Result<Stream> + Send + Sync>;

/// Makes `SCHEME::…` and `SCHEME://…` URLs fetch and push over streams from the opener, in this process.
/// A scheme that was registered before gets the new opener.
pub fn register(scheme: &str, opener: Opener) {
    let _ = (scheme, opener);
    todo!()
}
