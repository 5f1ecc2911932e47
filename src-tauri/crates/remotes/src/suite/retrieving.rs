//! Retrieving: resuming, absence, what cannot be verified, stopping.

use std::fs;

use tributary_formats::Key;

use super::content::large;
use super::{Content, Subject};
use crate::partial::{FinishError, Unverifiable};
use crate::remote::{Download, RetrieveError};

pub(super) async fn resumes_from_nothing_a_third_and_all(subject: &dyn Subject) {
    for size in [1, 3_000, large(subject)] {
        let content = Content::new("resumed", size);
        content.put(subject).await;
        for here in [0, size / 3, size - 1, size] {
            fs::write(content.partial(), &content.bytes[..here]).expect("it can be written");
            let download = content.download();
            let meter = download.meter.clone();
            let file = subject.remote().retrieve(download).await.expect("it goes on");
            assert!(
                fs::read(file.path()).expect("it is here") == content.bytes,
                "{here} of {size} were here"
            );
            assert_eq!(meter.bytes_done(), size as u64, "the meter counts what was here too");
        }
        fs::write(content.partial(), [&content.bytes[..], b"x"].concat()).expect("it can be written");
        content.get(subject).await.expect("what is too long is begun anew");
    }
}

pub(super) async fn a_bad_start_is_noticed(subject: &dyn Subject) {
    let content = Content::new("bad start", 3_000);
    content.put(subject).await;
    fs::write(content.partial(), vec![b'x'; 1_000]).expect("it can be written");
    let error = content.get(subject).await.expect_err("the start is wrong");
    let RetrieveError::Finish(FinishError::Corrupt { resumed: true, .. }) = error else {
        panic!("the fault may be ours: {error:?}");
    };
    content.comes_back(subject).await;
}

pub(super) async fn what_is_not_there_is_said_to_be_absent(subject: &dyn Subject) {
    let content = Content::new("never stored", 1_000);
    assert!(!content.is_present(subject.remote().as_ref()).await);
    let error = content.get(subject).await.expect_err("it is not there");
    assert!(matches!(error, RetrieveError::NotPresent { .. }), "{error:?}");
}

pub(super) async fn unverifiable_contents_are_the_callers_choice(subject: &dyn Subject) {
    for text in
        ["WORM-s3000-m1577934245--a,32b/f.dat", "URL-s3000--http://127.0.0.1:8765/www/f.txt?x=a b&c=%20:1"]
    {
        let key = Key::parse(text.as_bytes()).expect("a key");
        let content = Content::with_key(key.clone(), Content::new(text, 3_000).bytes);
        let stored = content.put(subject).await;
        assert!(key.backend().is_stable() || stored.chunks.is_none(), "what may change is never chunked");
        let error = content.get(subject).await.expect_err("it cannot be verified");
        assert!(matches!(error, RetrieveError::Finish(FinishError::Unverifiable { .. })), "{error:?}");
        let download = Download { unverifiable: Unverifiable::Accept, ..content.download() };
        let file = subject.remote().retrieve(download).await.expect("the caller accepts it");
        assert!(!file.by_hash());
        assert!(fs::read(file.path()).expect("it is here") == content.bytes);
    }
}

pub(super) async fn stops_when_told_to(subject: &dyn Subject) {
    let content = Content::new("stopped", 3_000);
    content.put(subject).await;
    let download = content.download();
    download.meter.stop();
    let error = subject.remote().retrieve(download).await.expect_err("it was stopped");
    assert!(matches!(error, RetrieveError::Stopped { .. }), "{error:?}");
    content.get(subject).await.expect("the next try goes on");
}
