//! The suite, whole and with several sizes of chunks.

use crate::place::DirectoryPlace;

#[tokio::test]
async fn whole() {
    tributary_remotes::suite::run(&DirectoryPlace::new(None)).await;
}

#[tokio::test]
async fn in_small_chunks() {
    tributary_remotes::suite::run(&DirectoryPlace::new(Some("1KiB"))).await;
}

#[tokio::test]
async fn in_chunks_of_an_odd_size() {
    tributary_remotes::suite::run(&DirectoryPlace::new(Some("100kb"))).await;
}

#[tokio::test]
async fn in_large_chunks() {
    tributary_remotes::suite::run(&DirectoryPlace::new(Some("1MiB"))).await;
}
