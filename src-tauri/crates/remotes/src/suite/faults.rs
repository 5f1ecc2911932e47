//! What happens to a place behind our back.

use super::content::large;
use super::{Content, Subject};
use crate::partial::FinishError;
use crate::place_error::PlaceError;
use crate::remote::{CheckError, RetrieveError, StoreError};
use crate::retry::Retry;

pub(super) async fn damage_is_noticed(subject: &dyn Subject) {
    for size in [100, 3_000] {
        let content = Content::new("damaged", size);
        content.put(subject).await;
        subject.damage(&content.key);
        let error = content.get(subject).await.expect_err("it is not the content");
        let RetrieveError::Finish(FinishError::Corrupt { resumed: false, .. }) = error else {
            panic!("the fault is the place's: {error:?}");
        };
        assert_eq!(error.retry(), Retry::Never);
        assert!(!content.partial().exists(), "nothing wrong stays here");
    }
}

pub(super) async fn a_cut_content_is_not_present_and_is_stored_again(subject: &dyn Subject) {
    for size in [100, 3_000, large(subject)] {
        let content = Content::new("cut", size);
        content.put(subject).await;
        subject.cut(&content.key);
        assert!(!content.is_present(subject.remote().as_ref()).await, "half of it is not the content");
        let error = content.get(subject).await.expect_err("half of it is not the content");
        assert!(matches!(error, RetrieveError::WrongSize { .. }), "{error:?}");
        assert!(!content.put(subject).await.already_there, "it is sent again");
        content.comes_back(subject).await;
    }
}

pub(super) async fn a_lost_content_is_not_present(subject: &dyn Subject) {
    let content = Content::new("lost", 3_000);
    content.put(subject).await;
    subject.lose(&content.key);
    assert!(!content.is_present(subject.remote().as_ref()).await, "the place is asked, not the record");
    let error = content.get(subject).await.expect_err("it is not there");
    assert!(matches!(error, RetrieveError::NotPresent { .. }), "{error:?}");
    content.put(subject).await;
    content.comes_back(subject).await;
}

pub(super) async fn no_answer_is_no_no(subject: &dyn Subject) {
    let content = Content::new("unreachable", 3_000);
    content.put(subject).await;
    let remote = subject.unreachable();
    let is_away = |place: &PlaceError| {
        assert!(matches!(place, PlaceError::Unreachable { .. }), "{place:?}");
        assert_eq!(place.retry(), Retry::Later);
    };
    is_away(&remote.probe().await.expect_err("nobody answers"));
    match remote.check_present(&content.key).await {
        Err(CheckError::Place(place)) => is_away(&place),
        other => panic!("could not ask, so it is not known: {other:?}"),
    }
    match remote.store(content.upload()).await {
        Err(StoreError::Place(place)) => is_away(&place),
        other => panic!("nothing can be stored: {other:?}"),
    }
    match remote.retrieve(content.download()).await {
        Err(RetrieveError::Place(place)) => is_away(&place),
        other => panic!("nothing can be retrieved: {other:?}"),
    }
    is_away(&remote.probe().await.expect_err("the place was not made by asking for it"));
    content.comes_back(subject).await;
}
