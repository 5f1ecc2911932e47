//! Git remotes: what the configuration says of them, what kind they are, and why one may not answer.

use std::path::PathBuf;

use git2::Oid;

use crate::cancel::Cancel;

/// A git remote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitRemote {
    /// Its name in the configuration.
    pub name: String,
    /// Its URL as configured, `pushurl` and `insteadOf` aside.
    pub url: String,
    /// How it is reached.
    pub kind: RemoteKind,
}

/// How a git remote is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RemoteKind {
    /// A directory of this machine: read and written directly.
    LocalPath(PathBuf),
    /// Over ssh, by git's own programs.
    Ssh(SshUrl),
    /// A scheme that [`crate::transport::register`] knows.
    Stream {
        /// The scheme, such as `xmpp`.
        scheme: String,
    },
    /// Anything else that git itself can reach.
    Other,
}

/// Where an ssh URL leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshUrl {
    /// `USER@HOST` or `HOST`.
    pub host: String,
    /// Only from `ssh://` URLs.
    pub port: Option<u16>,
    /// The path on the server: absolute, or `/~/…`.
    pub path: String,
}

/// Why a git remote could not be used.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// No such directory or host, or it refused or cut the connection: it may be back later.
    #[error("{name} does not answer: {said}")]
    Unreachable {
        /// The remote.
        name: String,
        /// What was said, in one line.
        said: String,
    },
    /// It does not let us in: a person has to act.
    #[error("{name} does not let us in: {said}")]
    Auth {
        /// The remote.
        name: String,
        /// What was said, in one line.
        said: String,
    },
    /// There is something, but no git repository.
    #[error("{name} is not a git repository")]
    NotRepository {
        /// The remote.
        name: String,
    },
    /// It cannot be written to.
    #[error("{name} cannot be written to: {said}")]
    ReadOnly {
        /// The remote.
        name: String,
        /// What was said, in one line.
        said: String,
    },
    /// Its disk is full.
    #[error("{name} has no room left")]
    Full {
        /// The remote.
        name: String,
    },
    /// Objects are missing or broken there.
    #[error("{name} is damaged: {said}")]
    Corrupt {
        /// The remote.
        name: String,
        /// What was said, in one line.
        said: String,
    },
    /// It sent objects that could write outside a folder, or that git would not have made. None was taken.
    #[error("{name} sent something that is refused: {said}")]
    Hostile {
        /// The remote.
        name: String,
        /// What it was.
        said: String,
    },
    /// The caller's [`Cancel`] ended it.
    #[error("cancelled")]
    Cancelled,
    /// Our own repository failed.
    #[error("the local repository failed")]
    Local(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Git failed in a way that is not known here.
    #[error("{name}: {said}")]
    Other {
        /// The remote.
        name: String,
        /// What was said, in one line.
        said: String,
    },
}

/// When trying again makes sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// After a while, by itself.
    Later,
    /// Once a person has acted.
    AfterPerson,
    /// Not at all.
    Never,
}

impl RemoteError {
    /// When trying again makes sense.
    pub fn retry(&self) -> Retry {
        match self {
            RemoteError::Unreachable { .. } | RemoteError::Other { .. } => Retry::Later,
            RemoteError::Cancelled => Retry::Never,
            _ => Retry::AfterPerson,
        }
    }
}

impl GitRemote {
    /// Tells the kind from the URL. A relative path is taken from `git`'s work tree, as git does.
    pub fn new(git: &git2::Repository, name: &str, url: &str) -> GitRemote {
        let _ = (git, name, url);
        todo!()
    }

    /// The remote of that name in the configuration; None when there is none or it has no URL
    /// (as special remotes have not).
    pub fn find(git: &git2::Repository, name: &str) -> Result<Option<GitRemote>, git2::Error> {
        let _ = (git, name);
        todo!()
    }

    /// All git remotes in the configuration.
    pub fn list(git: &git2::Repository) -> Result<Vec<GitRemote>, git2::Error> {
        let _ = git;
        todo!()
    }

    /// Adds a remote to the configuration, or gives the existing one of that name this URL.
    pub fn add(git: &git2::Repository, name: &str, url: &str) -> Result<GitRemote, git2::Error> {
        let _ = (git, name, url);
        todo!()
    }

    /// Removes the remote with its configuration and remote-tracking refs; false when there was none.
    pub fn remove(git: &git2::Repository, name: &str) -> Result<bool, git2::Error> {
        let _ = (git, name);
        todo!()
    }

    /// The refs that the remote has now, HEAD and peeled tags left out; by name.
    pub fn ls(&self, git: &git2::Repository, cancel: &Cancel) -> Result<Vec<(String, Oid)>, RemoteError> {
        let _ = (git, cancel);
        todo!()
    }
}
