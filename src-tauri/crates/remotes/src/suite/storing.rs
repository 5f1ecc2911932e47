//! Storing: sizes, repetition, batches, concurrence, interruption, bad sources.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::content::large;
use super::{Content, Subject};
use crate::meter::Meter;
use crate::remote::{StoreError, Upload};

/// Around the borders of small chunks and of buffers.
const SIZES: [usize; 9] = [0, 1, 1023, 1024, 1025, 2500, 262_143, 262_144, 262_145];

pub(super) async fn whole_sizes_come_back(subject: &dyn Subject) {
    let large = large(subject);
    for size in SIZES.into_iter().filter(|size| *size < large).chain([large]) {
        let content = Content::new("size", size);
        let remote = subject.remote();
        assert!(
            !content.is_present(remote.as_ref()).await,
            "{size} bytes are not there before they are stored"
        );
        let stored = content.put(subject).await;
        assert!(!stored.already_there, "{size} bytes were sent");
        let chunked = stored.chunks.map(|set| set.chunk_size);
        assert_eq!(chunked, remote.capabilities().chunk_size, "contents are chunked when the remote is");
        assert!(content.is_present(subject.remote().as_ref()).await, "{size} bytes are there afterwards");
        content.comes_back(subject).await;
    }
}

pub(super) async fn twice_is_once(subject: &dyn Subject) {
    let content = Content::new("twice", 5000);
    content.put(subject).await;
    let files = subject.visible_files();
    assert!(content.put(subject).await.already_there, "the second time there is nothing to send");
    assert_eq!(subject.visible_files(), files);
    content.comes_back(subject).await;
}

pub(super) async fn many_at_once(subject: &dyn Subject) {
    let contents: Vec<_> =
        (0..50).map(|number| Content::new(&format!("many {number}"), number * 37)).collect();
    let remote = subject.remote();
    let stored = remote.store_many(contents.iter().map(Content::upload).collect()).await;
    for (content, stored) in contents.iter().zip(stored) {
        content.record(subject, stored.expect("each is stored"));
    }
    remote.flush().await.expect("all of them are durable");
    let present =
        remote.check_present_many(contents.iter().map(|content| content.key.clone()).collect()).await;
    assert!(present.into_iter().all(|present| present.expect("the place answers")), "all are there");
    let files = remote.retrieve_many(contents.iter().map(Content::download).collect()).await;
    assert_eq!(files.len(), contents.len(), "a result for each");
    for (content, file) in contents.iter().zip(files) {
        let file = file.expect("each comes back");
        assert_eq!(file.key(), &content.key, "in the order asked for");
        assert!(fs::read(file.path()).expect("it is here") == content.bytes);
    }
}

pub(super) async fn the_same_content_from_many_sides(subject: &dyn Subject) {
    let content = Content::new("same", large(subject));
    let remotes: Vec<_> = (0..6).map(|_| subject.remote()).collect();
    let stores = remotes.iter().map(|remote| remote.store(content.upload()));
    for stored in join_all(stores).await {
        content.record(subject, stored.expect("each of them succeeds"));
    }
    content.comes_back(subject).await;
}

pub(super) async fn an_upload_that_was_cut_off_goes_on(subject: &dyn Subject) {
    let content = Content::new("cut off", large(subject));
    let before = subject.visible_files();
    let remote = subject.remote();
    // The meter stops the transfer at its first report, which comes with the first bytes.
    let cell: Arc<std::sync::OnceLock<Meter>> = Arc::default();
    let (inner, seen) = (Arc::clone(&cell), Arc::new(AtomicU64::new(0)));
    let bytes = Arc::clone(&seen);
    let meter = Meter::new(None, move |progress| {
        bytes.store(progress.bytes_done, Ordering::Relaxed);
        inner.get().expect("it is set before the transfer begins").stop();
    });
    cell.set(meter.clone()).expect("it is set once");
    let upload = Upload { meter, ..content.upload() };
    let error = remote.store(upload).await.expect_err("it was stopped");
    assert!(matches!(error, StoreError::Stopped { .. }), "{error:?}");
    let moved = seen.load(Ordering::Relaxed);
    assert!(
        moved > 0 && moved < content.bytes.len() as u64,
        "it was stopped on the way, after {moved} bytes"
    );
    assert!(!content.is_present(subject.remote().as_ref()).await, "what is not complete is not present");
    if remote.capabilities().chunk_size.is_none() {
        assert_eq!(subject.visible_files(), before, "nothing has its final name");
    }
    assert!(!content.put(subject).await.already_there);
    content.comes_back(subject).await;
}

pub(super) async fn wrong_sources_are_refused(subject: &dyn Subject) {
    // With a hole in the middle, one byte changed at the end, too short, too long.
    let spoil: [fn(&mut Vec<u8>); 4] = [
        |bytes| bytes[2_000..3_000].fill(0),
        |bytes| *bytes.last_mut().expect("it is not empty") ^= 1,
        |bytes| bytes.truncate(4_000),
        |bytes| bytes.push(0),
    ];
    for (number, spoil) in spoil.into_iter().enumerate() {
        let content = Content::new(&format!("spoilt {number}"), 5_000);
        let mut bytes = content.bytes.clone();
        spoil(&mut bytes);
        fs::write(content.source(), &bytes).expect("it can be written");
        let error = content.try_put(subject).await.expect_err("it is not the key's content");
        assert!(matches!(error, StoreError::SourceCorrupt { .. }), "{error:?}");
        assert!(!content.is_present(subject.remote().as_ref()).await, "nothing wrong is ever present");
        fs::write(content.source(), &content.bytes).expect("it can be written");
        content.put(subject).await;
        content.comes_back(subject).await;

        fs::remove_file(content.source()).expect("it is there");
        let gone = Content::new(&format!("gone {number}"), 10);
        fs::remove_file(gone.source()).expect("it is there");
        let error = gone.try_put(subject).await.expect_err("there is nothing to store");
        assert!(matches!(error, StoreError::SourceUnreadable { .. }), "{error:?}");
    }
}

/// Waits for all futures at once, on one task.
async fn join_all<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut futures: Vec<_> = futures.map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|context| {
        for (future, output) in &mut futures {
            if output.is_none()
                && let std::task::Poll::Ready(value) = future.as_mut().poll(context)
            {
                *output = Some(value);
            }
        }
        match futures.iter().all(|(_, output)| output.is_some()) {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        }
    })
    .await;
    futures.into_iter().filter_map(|(_, output)| output).collect()
}
