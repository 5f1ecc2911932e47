//! Contents of a git remote over ssh: `git-annex-shell` started there, and the P2P protocol spoken to it
//! (`annex-format` 9.3).

use std::ops::{Deref, DerefMut};
use std::process::Child;

use tributary_formats::uuid::RepoUuid;

use super::ContentsError;
use super::p2p::P2p;
use crate::cancel::Cancel;
use crate::remote::SshUrl;

/// What `git-annex-shell configlist` says of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Discovered {
    /// It holds contents under this UUID.
    Annexed(RepoUuid),
    /// `git-annex-shell` is there, the repository has no UUID.
    NoUuid,
    /// There is no `git-annex-shell`: git only; the caller sets `annex-ignore`.
    NoShell,
}

/// A P2P connection over ssh. Dropping it ends the server in good order.
pub struct SshContents {
    p2p: P2p,
    child: Child,
}

/// Asks the server which repository is at the path. Honours GIT_SSH, GIT_SSH_COMMAND and core.sshCommand.
pub fn discover(git: &git2::Repository, url: &SshUrl, cancel: &Cancel) -> Result<Discovered, ContentsError> {
    let _ = (git, url, cancel);
    todo!()
}

impl SshContents {
    /// Starts `git-annex-shell p2pstdio` there. Cancelling the token kills the connection.
    pub fn connect(
        git: &git2::Repository,
        url: &SshUrl,
        here: &RepoUuid,
        expected: &RepoUuid,
        cancel: &Cancel,
    ) -> Result<SshContents, ContentsError> {
        let _ = (git, url, here, expected, cancel);
        todo!()
    }
}

impl Deref for SshContents {
    type Target = P2p;

    fn deref(&self) -> &P2p {
        &self.p2p
    }
}

impl DerefMut for SshContents {
    fn deref_mut(&mut self) -> &mut P2p {
        let _ = &self.child;
        &mut self.p2p
    }
}
