//! The proof that a copy may be removed: enough others exist, as the repositories that hold them said just now.
//!
//! Source: git-annex `doc/copies.mdwn` and observed behaviour, 10.20261026: to remove a copy from a remote, numcopies
//! other copies must be verified, and mincopies of those locked or trusted; a special remote cannot lock.

use std::fmt;

use tributary_formats::{Key, RepoUuid};

use crate::remote::{CheckError, SpecialRemote};

/// A copy that cannot be dropped while this value lives: the guard of a content lock.
pub trait HeldCopy: Send + Sync {
    /// The repository that holds it.
    fn uuid(&self) -> &RepoUuid;
    /// Its key.
    fn key(&self) -> &Key;
}

/// A copy that was verified to exist. Made by asking, and nowhere else.
pub struct VerifiedCopy {
    key: Key,
    uuid: RepoUuid,
    held: Option<Box<dyn HeldCopy>>,
    trusted: bool,
}

impl VerifiedCopy {
    /// Asks a special remote now; `None` when it does not have the content.
    ///
    /// # Errors
    ///
    /// When it cannot be asked.
    pub async fn ask(remote: &dyn SpecialRemote, key: &Key) -> Result<Option<Self>, CheckError> {
        let present = remote.check_present(key).await?;
        let copy =
            || VerifiedCopy { key: key.clone(), uuid: remote.uuid().clone(), held: None, trusted: false };
        Ok(present.then(copy))
    }

    /// A copy under a lock, which is kept until the proof is used.
    pub fn held(guard: impl HeldCopy + 'static) -> Self {
        VerifiedCopy {
            key: guard.key().clone(),
            uuid: guard.uuid().clone(),
            held: Some(Box::new(guard)),
            trusted: false,
        }
    }

    /// A copy of which a trusted repository's location log says that it is present. The caller has read both logs.
    pub fn trusted(key: &Key, uuid: &RepoUuid) -> Self {
        VerifiedCopy { key: key.clone(), uuid: uuid.clone(), held: None, trusted: true }
    }

    /// The repository that holds it.
    pub fn uuid(&self) -> &RepoUuid {
        &self.uuid
    }
}

impl fmt::Debug for VerifiedCopy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedCopy")
            .field("key", &self.key)
            .field("uuid", &self.uuid)
            .field("held", &self.held.is_some())
            .field("trusted", &self.trusted)
            .finish()
    }
}

/// The proof that the copy of one key at one remote may be removed. Holds the locks that it rests on.
#[derive(Debug)]
pub struct SafeDropProof {
    key: Key,
    from: RepoUuid,
    copies: Vec<VerifiedCopy>,
}

/// Why a copy may not be removed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "dropping {key} is not safe: {verified} of {numcopies} other copies are verified, {safe} of {mincopies} of them \
     locked or trusted"
)]
pub struct TooFewCopies {
    /// The key.
    pub key: Key,
    /// Copies verified at other repositories.
    pub verified: u32,
    /// Copies that numcopies asks for.
    pub numcopies: u32,
    /// Copies locked, or trusted.
    pub safe: u32,
    /// Copies that mincopies asks for.
    pub mincopies: u32,
}

impl SafeDropProof {
    /// Checks that enough copies remain when the one at `from` goes. Copies of other keys, at `from` itself, and further
    /// ones at the same repository do not count.
    ///
    /// # Errors
    ///
    /// [`TooFewCopies`], whatever was asked for: numcopies and mincopies of 0 count as 1.
    pub fn check(
        key: &Key,
        from: &RepoUuid,
        numcopies: u32,
        mincopies: u32,
        copies: Vec<VerifiedCopy>,
    ) -> Result<Self, TooFewCopies> {
        let _ = (key, from, numcopies, mincopies, copies);
        todo!()
    }

    /// The key.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// The repository whose copy may go.
    pub fn from(&self) -> &RepoUuid {
        &self.from
    }

    /// The copies that remain.
    pub fn copies(&self) -> &[VerifiedCopy] {
        &self.copies
    }
}
