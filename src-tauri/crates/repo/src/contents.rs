//! Contents of keys in git remotes: on a local path, and over git-annex's P2P protocol.

mod incoming;
pub mod local;
pub mod p2p;
pub mod ssh;

use tributary_formats::key::Key;
use tributary_formats::uuid::RepoUuid;

/// How storing a content ended well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stored {
    /// The content was sent, and verified there.
    Sent,
    /// It was there before.
    AlreadyThere,
}

/// Why the content of a key was not moved, checked or removed.
#[derive(Debug, thiserror::Error)]
pub enum ContentsError {
    /// Nobody answered, or the connection was cut: what is present there stays unknown.
    #[error("the remote does not answer: {said}")]
    Unreachable {
        /// What was said, in one line.
        said: String,
    },
    /// The repository there is another one than it was.
    #[error("the repository has the UUID {found}, not {expected}")]
    OtherRepository {
        /// Who we thought it is.
        expected: RepoUuid,
        /// Who it says it is.
        found: String,
    },
    /// The remote answered: it does not have the key.
    #[error("{key} is not present there")]
    NotPresent {
        /// The key asked for.
        key: Key,
    },
    /// What arrived is not the key's content. It was thrown away.
    #[error("the content of {key} arrived damaged")]
    Corrupt {
        /// The key asked for.
        key: Key,
    },
    /// Our own file changed or vanished while it was sent.
    #[error("the content of {key} changed while it was sent")]
    SourceChanged {
        /// The key sent.
        key: Key,
    },
    /// The remote refused: read-only, locked, or it could not verify what it got.
    #[error("the remote refused: {said}")]
    Refused {
        /// What was said, in one line.
        said: String,
    },
    /// It does not let us in: a person has to act.
    #[error("the remote does not let us in: {said}")]
    Auth {
        /// What was said, in one line.
        said: String,
    },
    /// Somebody else is storing the same content there: look again soon.
    #[error("{key} is just being stored there by somebody else")]
    Busy {
        /// The key.
        key: Key,
    },
    /// No room: here for a retrieve, there for a store.
    #[error("no room left")]
    Full,
    /// The remote cannot hold contents: it has no git-annex, or no `git-annex-shell`.
    #[error("the remote holds no contents")]
    NoContents,
    /// It said something that the protocol does not allow.
    #[error("the remote broke the protocol: {said}")]
    Protocol {
        /// What was said, in one line.
        said: String,
    },
    /// The caller's [`crate::cancel::Cancel`] ended it.
    #[error("cancelled")]
    Cancelled,
    /// Our own files failed.
    #[error("a local file cannot be read or written")]
    Local(#[source] std::io::Error),
    /// The git-annex branch of the remote on a local path could not be written.
    #[error("the git-annex branch of the remote cannot be written")]
    Record(#[from] crate::annex_branch::UpdateError),
}
