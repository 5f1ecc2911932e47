//! Removing, with proof.

use tributary_formats::{Key, RepoUuid};

use super::{Content, Subject};
use crate::remote::RemoveError;
use crate::removal::{HeldCopy, SafeDropProof, VerifiedCopy};

/// A locked copy in another repository.
struct Locked(RepoUuid, Key);

impl HeldCopy for Locked {
    fn uuid(&self) -> &RepoUuid {
        &self.0
    }

    fn key(&self) -> &Key {
        &self.1
    }
}

fn proof(key: &Key, from: &RepoUuid) -> SafeDropProof {
    let other = RepoUuid::parse("5a9d6a8e-0000-4000-8000-000000000000").expect("a UUID");
    let copy = VerifiedCopy::held(Locked(other, key.clone()));
    SafeDropProof::check(key, from, 1, 1, vec![copy]).expect("one locked copy is enough")
}

pub(super) async fn removes_what_the_proof_names(subject: &dyn Subject) {
    let remote = subject.remote();
    let before = subject.visible_files();
    for size in [1, 100, 3_000] {
        let content = Content::new("removed", size);
        let stored = content.put(subject).await;

        let elsewhere = RepoUuid::parse("another-remote").expect("a UUID");
        let error = remote
            .remove(proof(&content.key, &elsewhere))
            .await
            .expect_err("the proof is for another remote");
        assert!(matches!(error, RemoveError::OtherRemote { .. }), "{error:?}");
        assert!(content.is_present(remote.as_ref()).await);

        let removed = remote.remove(proof(&content.key, remote.uuid())).await.expect("it is removed");
        assert_eq!(removed.chunks, Vec::from_iter(stored.chunks), "what to take off the record");
        subject.forget(&content.key);
        assert!(!content.is_present(remote.as_ref()).await);
        assert_eq!(subject.visible_files(), before, "nothing of it is left");
        remote.remove(proof(&content.key, remote.uuid())).await.expect("what is not there is fine");
        remote.flush().await.expect("it is durable");

        content.put(subject).await;
        content.comes_back(subject).await;
        remote.remove(proof(&content.key, remote.uuid())).await.expect("it is removed");
        subject.forget(&content.key);
    }
}
