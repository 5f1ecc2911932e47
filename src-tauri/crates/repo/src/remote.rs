//! Git remotes: what the configuration says of them, what kind they are, and why one may not answer.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use git2::{ErrorCode, Oid};

use crate::cancel::{Cancel, no_meter};
use crate::config_lock;
use crate::transport::stream::StreamSession;
use crate::transport::{self, local, process};

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
    pub(crate) fn local(cause: impl std::error::Error + Send + Sync + 'static) -> RemoteError {
        RemoteError::Local(Box::new(cause))
    }

    /// A tracking ref was not written. One that a push and a fetch of the same remote write at the same moment is locked
    /// for one of them, which is nobody's fault and over by the next try.
    pub(crate) fn not_followed(name: &str, cause: git2::Error) -> Self {
        match cause.code() {
            git2::ErrorCode::Locked => {
                RemoteError::Other { name: name.to_owned(), said: cause.message().to_owned() }
            }
            _ => Self::local(cause),
        }
    }

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
        let top = git.workdir().unwrap_or(git.path());
        GitRemote { name: name.to_owned(), url: url.to_owned(), kind: kind_of(url, top) }
    }

    /// The remote of that name in the configuration; None when there is none or it has no URL
    /// (as special remotes have not).
    pub fn find(git: &git2::Repository, name: &str) -> Result<Option<GitRemote>, git2::Error> {
        match git.find_remote(name) {
            Ok(remote) => {
                Ok(remote.url().ok().filter(|url| !url.is_empty()).map(|url| GitRemote::new(git, name, url)))
            }
            Err(cause) if matches!(cause.code(), ErrorCode::NotFound | ErrorCode::InvalidSpec) => Ok(None),
            Err(cause) => Err(cause),
        }
    }

    /// All git remotes in the configuration.
    pub fn list(git: &git2::Repository) -> Result<Vec<GitRemote>, git2::Error> {
        let mut remotes = Vec::new();
        for name in git.remotes()?.iter().flatten().flatten() {
            remotes.extend(GitRemote::find(git, name)?);
        }
        Ok(remotes)
    }

    /// Adds a remote to the configuration, or gives the existing one of that name this URL.
    pub fn add(git: &git2::Repository, name: &str, url: &str) -> Result<GitRemote, git2::Error> {
        let added = config_lock::patiently(git, || {
            git.remote(name, url).map(drop).inspect_err(|cause| {
                // Half of one would be taken for a whole one when it is tried again.
                if cause.code() == ErrorCode::Locked {
                    git.remote_delete(name).ok();
                }
            })
        });
        match added {
            Err(cause) if cause.code() == ErrorCode::Exists => {
                config_lock::patiently(git, || git.remote_set_url(name, url))?;
            }
            added => added?,
        }
        Ok(GitRemote::new(git, name, url))
    }

    /// Removes the remote with its configuration and remote-tracking refs; false when there was none.
    pub fn remove(git: &git2::Repository, name: &str) -> Result<bool, git2::Error> {
        match config_lock::patiently(git, || git.remote_delete(name)) {
            Ok(()) => Ok(true),
            Err(cause) if cause.code() == ErrorCode::NotFound => Ok(false),
            Err(cause) => Err(cause),
        }
    }

    /// The refs that the remote has now, HEAD and peeled tags left out; by name.
    pub fn ls(&self, git: &git2::Repository, cancel: &Cancel) -> Result<Vec<(String, Oid)>, RemoteError> {
        let refs = match &self.kind {
            RemoteKind::LocalPath(path) => local::list(self, &local::open(self, path)?)?,
            RemoteKind::Stream { .. } => StreamSession::fetch(git, self, None, cancel)?.refs()?,
            RemoteKind::Ssh(_) | RemoteKind::Other => self.ls_with_git(git, cancel)?,
        };
        Ok(refs.into_iter().collect())
    }

    fn ls_with_git(
        &self,
        git: &git2::Repository,
        cancel: &Cancel,
    ) -> Result<BTreeMap<String, Oid>, RemoteError> {
        let mut command = process::git_command(git);
        command.args(["ls-remote", "--refs", "--quiet", "--"]).arg(process::address(git, self));
        process::restrict_protocols(&mut command, self);
        let ended = process::run(&mut command, &no_meter, cancel)?;
        if !ended.success {
            return Err(process::classify(&self.name, &ended.stderr));
        }
        let listed = String::from_utf8_lossy(&ended.stdout);
        let refs = listed.lines().filter_map(|line| line.split_once('\t'));
        Ok(refs.filter_map(|(oid, name)| Some((name.to_owned(), Oid::from_str(oid).ok()?))).collect())
    }
}

/// Git's own rules (`git-fetch(1)`, "GIT URLS"), and the schemes that were registered here.
fn kind_of(url: &str, top: &Path) -> RemoteKind {
    if let Some(scheme) = transport::registered_scheme(url) {
        return RemoteKind::Stream { scheme };
    }
    if let Some(path) = url.strip_prefix("file://") {
        return RemoteKind::LocalPath(PathBuf::from(percent_decoded(path)));
    }
    for scheme in ["ssh://", "git+ssh://", "ssh+git://"] {
        if let Some(rest) = url.strip_prefix(scheme) {
            return parse_ssh_url(rest).map_or(RemoteKind::Other, RemoteKind::Ssh);
        }
    }
    // A name and two colons calls a remote helper.
    if url.contains("://") || url.find("::").is_some_and(|at| !url[..at].contains('/')) {
        return RemoteKind::Other;
    }
    match url.split_once(':') {
        Some((host, path)) if !host.contains('/') && !host.is_empty() => {
            parse_scp_url(host, path).map_or(RemoteKind::Other, RemoteKind::Ssh)
        }
        _ => RemoteKind::LocalPath(top.join(url)),
    }
}

/// What follows `ssh://`: `[USER@]HOST[:PORT]/PATH`.
fn parse_ssh_url(rest: &str) -> Option<SshUrl> {
    let (authority, path) = rest.split_at(rest.find('/')?);
    let (host, port) = match authority.rsplit_once(':') {
        // Inside brackets it is part of an IPv6 address.
        Some((host, port)) if !port.ends_with(']') => (host, Some(port.parse().ok()?)),
        _ => (authority, None),
    };
    let path = String::from_utf8(percent_decoded_bytes(path)).ok()?;
    checked_host(host).map(|host| SshUrl { host, port, path })
}

/// `HOST:PATH`, where a relative path starts in the home directory.
fn parse_scp_url(host: &str, path: &str) -> Option<SshUrl> {
    let path = match path.as_bytes().first()? {
        b'/' => path.to_owned(),
        b'~' => format!("/{path}"),
        _ => format!("/~/{path}"),
    };
    checked_host(host).map(|host| SshUrl { host, port: None, path })
}

/// A host that starts with a dash would be an option to ssh: git refuses it, and so do we.
fn checked_host(host: &str) -> Option<String> {
    let name = host.rsplit_once('@').map_or(host, |(_, name)| name);
    let usable = !name.is_empty() && !name.starts_with('-') && !host.starts_with('-');
    usable.then(|| host.replace(['[', ']'], ""))
}

fn percent_decoded(text: &str) -> OsString {
    OsString::from_vec(percent_decoded_bytes(text))
}

fn percent_decoded_bytes(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let code = bytes
            .get(at + 1..at + 3)
            .filter(|_| bytes[at] == b'%')
            .and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        out.push(code.unwrap_or(bytes[at]));
        at += if code.is_some() { 3 } else { 1 };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ssh(host: &str, port: Option<u16>, path: &str) -> RemoteKind {
        RemoteKind::Ssh(SshUrl { host: host.to_owned(), port, path: path.to_owned() })
    }

    #[test]
    fn urls_are_read_as_git_reads_them() {
        let top = Path::new("/home/anna/folder");
        let local = |path: &str| RemoteKind::LocalPath(PathBuf::from(path));
        for (url, kind) in [
            ("/srv/hub.git", local("/srv/hub.git")),
            ("../hub", local("/home/anna/folder/../hub")),
            ("./a:b", local("/home/anna/folder/./a:b")),
            ("file:///srv/my%20hub", local("/srv/my hub")),
            ("nas:sync/hub", ssh("nas", None, "/~/sync/hub")),
            ("anna@nas:/srv/hub", ssh("anna@nas", None, "/srv/hub")),
            ("nas:~bob/hub", ssh("nas", None, "/~bob/hub")),
            ("ssh://anna@nas:2222/srv/hub", ssh("anna@nas", Some(2222), "/srv/hub")),
            ("ssh://nas/~/hub", ssh("nas", None, "/~/hub")),
            ("ssh://[::1]:22/hub", ssh("::1", Some(22), "/hub")),
            ("ssh://-oProxyCommand=x/hub", RemoteKind::Other),
            ("-oProxyCommand=x:hub", RemoteKind::Other),
            ("https://example.org/hub.git", RemoteKind::Other),
            ("annex::uuid?type=S3", RemoteKind::Other),
        ] {
            assert_eq!(kind_of(url, top), kind, "{url}");
        }
    }
}
