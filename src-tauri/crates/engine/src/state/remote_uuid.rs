//! Which repository a git remote is: its UUID is learned when it is added, and looked at again whenever that is cheap.
//!
//! A repository may get its UUID later (`git annex init` on the server, `trib remote add --contents` on another
//! computer): from then on it holds contents too. And another drive may come under the path of one that we know: that
//! one is neither read nor written, or two folders would become one.

use std::collections::BTreeSet;
use std::error::Error;

use tributary_formats::logs::uuid_log::UuidLog;
use tributary_formats::uuid::RepoUuid;
use tributary_repo::annex_branch::ReadError;
use tributary_repo::cancel::Cancel;
use tributary_repo::contents::ContentsError;
use tributary_repo::contents::ssh::{self, Discovered};
use tributary_repo::remote::{GitRemote, RemoteKind};
use tributary_repo::repository::OpenError;
use tributary_repo::{Repository, bare};

/// Why it is not known which repository a remote is.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    /// None can be opened at that path.
    #[error(transparent)]
    Path(#[from] OpenError),
    /// The server does not say.
    #[error(transparent)]
    Server(#[from] ContentsError),
    /// The answer cannot be kept.
    #[error("the configuration cannot be written")]
    Configuration(#[source] Box<dyn Error + Send + Sync>),
}

/// Another repository is where a known one was.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Exchanged {
    /// One with contents of its own.
    #[error("the repository there has the UUID {found}, not {expected}")]
    Another {
        /// The one we know.
        expected: RepoUuid,
        /// The one that is there.
        found: RepoUuid,
    },
    /// One that holds no contents.
    #[error("the repository there has no UUID; the one that was there had {expected}")]
    Nameless {
        /// The one we know.
        expected: RepoUuid,
    },
}

/// Asks a git remote which repository it is and keeps the answer in the configuration. One without a UUID carries names
/// only, and is never initialised here. True when it is one that we did not know it was.
///
/// # Errors
/// When it does not answer.
pub(crate) fn learn(repo: &Repository, remote: &GitRemote, cancel: &Cancel) -> Result<bool, AskError> {
    let setting = |key: &str| format!("remote.{}.{key}", remote.name);
    let not_kept = |error| AskError::Configuration(Box::new(error));
    let found = match &remote.kind {
        RemoteKind::LocalPath(path) => bare::read_remote_uuid(path)?,
        RemoteKind::Ssh(url) => match ssh::discover(repo.git(), url, cancel)? {
            Discovered::Annexed(uuid) => Some(uuid),
            Discovered::NoUuid => None,
            Discovered::NoShell => {
                repo.git_config_set(&setting("annex-ignore"), "true").map_err(not_kept)?;
                None
            }
        },
        RemoteKind::Stream { .. } | RemoteKind::Other => None,
    };
    let Some(uuid) = found else { return Ok(false) };
    if uuid == *repo.uuid() {
        // A copy of this very repository, made with `cp`: its contents cannot be told from ours.
        tracing::warn!(remote = remote.name, "a remote has the UUID of this repository; only names go there");
        return Ok(false);
    }
    let key = setting("annex-uuid");
    if repo.git_config_get(&key).as_deref() == Some(uuid.as_str()) {
        return Ok(false);
    }
    repo.git_config_set(&key, uuid.as_str()).map_err(not_kept)?;
    Ok(true)
}

/// Whether the repository at a path is still the one that we know. One over the network is asked when contents move.
///
/// # Errors
/// [`Exchanged`] when it is another one. A path that cannot be opened is no answer: whoever goes there finds out.
pub(crate) fn check(remote: &GitRemote, known: Option<&RepoUuid>) -> Result<(), Exchanged> {
    let (RemoteKind::LocalPath(path), Some(expected)) = (&remote.kind, known) else { return Ok(()) };
    let expected = expected.clone();
    match bare::read_remote_uuid(path) {
        Ok(Some(found)) if found != expected => Err(Exchanged::Another { expected, found }),
        Ok(None) => Err(Exchanged::Nameless { expected }),
        Ok(Some(_)) | Err(_) => Ok(()),
    }
}

/// The repositories of the folder, as uuid.log lists them. One that gets its UUID adds itself.
///
/// # Errors
/// When the git-annex branch cannot be read.
pub(crate) fn on_record(repo: &Repository) -> Result<BTreeSet<RepoUuid>, ReadError> {
    let log = UuidLog::parse(&repo.annex_branch().read(b"uuid.log")?);
    Ok(log.iter().map(|(uuid, _)| uuid.clone()).collect())
}

/// Whether it is worth asking a remote of which no UUID is known: a path always, since that is one small file; a server
/// when somebody new came on record since `before`.
pub(crate) fn worth_asking(
    remote: &GitRemote,
    before: &BTreeSet<RepoUuid>,
    now: &BTreeSet<RepoUuid>,
) -> bool {
    match remote.kind {
        RemoteKind::LocalPath(_) => true,
        RemoteKind::Ssh(_) => !now.is_subset(before),
        RemoteKind::Stream { .. } | RemoteKind::Other => false,
    }
}
