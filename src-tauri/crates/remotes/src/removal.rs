//! The proof that a copy may be removed: enough others exist, as the repositories that hold them said just now.
//!
//! Source: git-annex `doc/copies.mdwn` and observed behaviour, 10.20261026: to remove a copy from a remote, numcopies
//! other copies must be verified, and mincopies of those locked or trusted; a special remote cannot lock.

use std::collections::BTreeMap;
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
        let (numcopies, mincopies) = (numcopies.max(1), mincopies.max(1));
        let mut best: BTreeMap<RepoUuid, VerifiedCopy> = BTreeMap::new();
        for copy in copies {
            if copy.key != *key || copy.uuid == *from {
                continue;
            }
            // Of several proofs for one repository the one that lasts counts.
            let lasts = |copy: &VerifiedCopy| copy.held.is_some() || copy.trusted;
            if best.get(&copy.uuid).is_none_or(|have| !lasts(have) && lasts(&copy)) {
                best.insert(copy.uuid.clone(), copy);
            }
        }
        let copies: Vec<VerifiedCopy> = best.into_values().collect();
        let count = |counts: &dyn Fn(&VerifiedCopy) -> bool| {
            u32::try_from(copies.iter().filter(|copy| counts(copy)).count()).unwrap_or(u32::MAX)
        };
        let verified = count(&|_| true);
        let safe = count(&|copy| copy.held.is_some() || copy.trusted);
        if verified < numcopies || safe < mincopies {
            return Err(TooFewCopies { key: key.clone(), verified, numcopies, safe, mincopies });
        }
        Ok(SafeDropProof { key: key.clone(), from: from.clone(), copies })
    }

    /// As [`SafeDropProof::check`], for the copy of our own repository, whose content lock the caller holds: verified
    /// copies are enough then, none of them has to be locked (git-annex `doc/copies.mdwn`).
    ///
    /// # Errors
    ///
    /// [`TooFewCopies`]; numcopies of 0 counts as 1.
    pub fn check_here(
        key: &Key,
        here: &RepoUuid,
        numcopies: u32,
        copies: Vec<VerifiedCopy>,
    ) -> Result<Self, TooFewCopies> {
        let numcopies = numcopies.max(1);
        let mut others: BTreeMap<RepoUuid, VerifiedCopy> = BTreeMap::new();
        for copy in copies {
            if copy.key == *key && copy.uuid != *here {
                others.insert(copy.uuid.clone(), copy);
            }
        }
        let verified = u32::try_from(others.len()).unwrap_or(u32::MAX);
        if verified < numcopies {
            return Err(TooFewCopies { key: key.clone(), verified, numcopies, safe: verified, mincopies: 1 });
        }
        Ok(SafeDropProof { key: key.clone(), from: here.clone(), copies: others.into_values().collect() })
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    struct Lock(RepoUuid, Key);

    impl HeldCopy for Lock {
        fn uuid(&self) -> &RepoUuid {
            &self.0
        }
        fn key(&self) -> &Key {
            &self.1
        }
    }

    fn key(name: char) -> Key {
        Key::parse(format!("WORM-s1-m1--{name}").as_bytes()).expect("a key")
    }

    fn uuid(number: u8) -> RepoUuid {
        RepoUuid::parse(&format!("uuid-{number}")).expect("a UUID")
    }

    /// A copy: where, of which key, and how it was verified (0 asked, 1 locked, 2 trusted).
    fn copy(at: u8, of: char, how: u8) -> VerifiedCopy {
        match how {
            1 => VerifiedCopy::held(Lock(uuid(at), key(of))),
            2 => VerifiedCopy::trusted(&key(of), &uuid(at)),
            _ => VerifiedCopy { key: key(of), uuid: uuid(at), held: None, trusted: false },
        }
    }

    proptest! {
        /// Whatever is claimed, a proof means that enough other repositories have the content.
        #[test]
        fn a_proof_means_enough_copies(
            claims in prop::collection::vec((0u8..6, prop::char::range('a', 'b'), 0u8..3), 0..12),
            numcopies in 0u32..5,
            mincopies in 0u32..5,
        ) {
            let others = |wanted: &dyn Fn(u8) -> bool| {
                let counted = claims.iter().filter(|(at, of, how)| *at != 0 && *of == 'a' && wanted(*how));
                counted.map(|(at, ..)| *at).collect::<std::collections::BTreeSet<_>>().len() as u32
            };
            let enough = others(&|_| true) >= numcopies.max(1) && others(&|how| how > 0) >= mincopies.max(1);
            let copies = claims.iter().map(|(at, of, how)| copy(*at, *of, *how)).collect();
            let proof = SafeDropProof::check(&key('a'), &uuid(0), numcopies, mincopies, copies);
            prop_assert_eq!(proof.is_ok(), enough);
        }
    }

    #[test]
    fn the_locks_live_as_long_as_the_proof() {
        use std::sync::Arc;
        struct Counted(Lock, #[allow(dead_code)] Arc<()>);
        impl HeldCopy for Counted {
            fn uuid(&self) -> &RepoUuid {
                &self.0.0
            }
            fn key(&self) -> &Key {
                &self.0.1
            }
        }
        let alive = Arc::new(());
        let held = VerifiedCopy::held(Counted(Lock(uuid(1), key('a')), Arc::clone(&alive)));
        let proof =
            SafeDropProof::check(&key('a'), &uuid(0), 1, 1, vec![held]).expect("one locked copy is enough");
        assert_eq!(Arc::strong_count(&alive), 2);
        drop(proof);
        assert_eq!(Arc::strong_count(&alive), 1, "the lock went with the proof");
    }
}
