//! Drives that come and go, that are others than expected, that are full or read-only.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use tributary_formats::RepoUuid;
use tributary_remotes::suite::{Content, Subject};
use tributary_remotes::{
    InitialiseError, LocalSettings, Meter, PlaceError, Retry, StoreError, Upload, initialise,
};
use tributary_testkit::snapshot;

use crate::place::DirectoryPlace;

#[tokio::test]
async fn a_bare_mount_point_is_not_taken_for_the_drive() {
    let place = DirectoryPlace::new(None);
    let probed = place.remote().probe().await.expect("it is there");
    assert!(probed.marked && probed.writable && probed.free_space.is_some(), "{probed:?}");

    // The drive is taken out; its mount point stays.
    fs::rename(place.path(), place.sandbox.join("drive")).unwrap();
    fs::create_dir(place.path()).unwrap();
    let remote = place.remote_with(&LocalSettings { marked: probed.marked, ..place.local() });
    let error = remote.probe().await.expect_err("the mark is missing");
    assert!(matches!(error, PlaceError::Unreachable { .. }), "{error:?}");
    let error =
        remote.store(Content::new("a", 10).upload()).await.expect_err("nothing is written beside the drive");
    assert!(matches!(error, StoreError::Place(PlaceError::Unreachable { .. })), "{error:?}");
    assert!(snapshot(&place.path()).is_empty(), "the mount point stays empty");

    fs::remove_dir(place.path()).unwrap();
    fs::rename(place.sandbox.join("drive"), place.path()).unwrap();
    remote.store(Content::new("a", 10).upload()).await.expect("it is back");
}

#[tokio::test]
async fn another_drive_in_its_place_is_noticed() {
    let place = DirectoryPlace::new(None);
    let other = RepoUuid::parse("99999999-0000-4000-8000-000000000000").unwrap();
    let error = initialise(&other, &place.config, &place.local()).expect_err("it is somebody else's");
    assert!(matches!(&error, InitialiseError::Place(PlaceError::WrongPlace { .. })), "{error:?}");

    fs::write(place.path().join("annex-uuid"), other.as_str()).unwrap();
    let error = place.remote().probe().await.expect_err("it is another's place");
    let PlaceError::WrongPlace { found, expected, .. } = &error else { panic!("{error:?}") };
    assert_eq!((found, expected), (&other, &place.uuid));
    assert_eq!(error.retry(), Retry::OncePersonActed);
    let content = Content::new("a", 10);
    content_is_refused(&place, &content).await;

    fs::write(place.path().join("annex-uuid"), "no\tUUID").unwrap();
    let error = place.remote().probe().await.expect_err("nobody knows whose it is");
    assert!(matches!(error, PlaceError::Failed { .. }), "{error:?}");
}

async fn content_is_refused(place: &DirectoryPlace, content: &Content) {
    let before = place.visible_files();
    place.remote().store(content.upload()).await.expect_err("it is not ours");
    assert_eq!(place.visible_files(), before);
}

#[tokio::test]
async fn a_place_is_never_made_only_marked() {
    let place = DirectoryPlace::empty(None);
    fs::remove_dir(place.path()).unwrap();
    let error = initialise(&place.uuid, &place.config, &place.local()).expect_err("there is nothing");
    let InitialiseError::Place(error @ PlaceError::Unreachable { source, .. }) = &error else {
        panic!("{error:?}")
    };
    assert_eq!(error.to_string(), "usb cannot be reached");
    assert_eq!(source.to_string(), format!("the folder {} is missing", place.path().display()));
    assert!(!place.path().exists(), "it may be a drive that is not plugged in");
    fs::write(place.path(), "a file").unwrap();
    let error = initialise(&place.uuid, &place.config, &place.local()).expect_err("it is a file");
    assert!(matches!(error, InitialiseError::NotADirectory { .. }), "{error:?}");

    fs::remove_file(place.path()).unwrap();
    fs::create_dir(place.path()).unwrap();
    for _ in 0..2 {
        initialise(&place.uuid, &place.config, &place.local()).expect("the same place again is fine");
    }
    assert_eq!(fs::read_to_string(place.path().join("annex-uuid")).unwrap(), place.uuid.as_str());
}

#[tokio::test]
async fn one_that_git_annex_made_works_without_a_mark() {
    let place = DirectoryPlace::empty(None);
    let probed = place.remote().probe().await.expect("a directory is all that git-annex asks for");
    assert!(!probed.marked);
    place.remote().store(Content::new("a", 10).upload()).await.expect("it can be stored to");
}

#[tokio::test]
async fn a_drive_that_goes_before_the_flush_is_said() {
    let place = DirectoryPlace::new(None);
    let remote = place.remote();
    remote.store(Content::new("a", 10).upload()).await.expect("it is stored");
    // Another file system comes up at the same path.
    fs::rename(place.path(), place.sandbox.join("old")).unwrap();
    fs::create_dir(place.path()).unwrap();
    initialise(&place.uuid, &place.config, &place.local()).unwrap();
    remote.store(Content::new("b", 10).upload()).await.expect("the new one takes it");
    let error = remote.flush().await.expect_err("nobody knows what became of the first");
    assert!(matches!(error, PlaceError::Unreachable { .. }), "{error:?}");
    remote.flush().await.expect("it is said once");
}

#[tokio::test]
async fn contents_have_the_permissions_that_git_annex_gives() {
    let place = DirectoryPlace::new(None);
    let content = Content::new("mode", 10);
    place.remote().store(content.upload()).await.expect("it is stored");
    let file = place.last_file(&content.key);
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o444, 0o555));
}

#[tokio::test]
async fn a_cut_upload_keeps_what_is_right_of_it_and_no_more() {
    let place = DirectoryPlace::new(None);
    let content = Content::new("resumed upload", 3_000_000);
    let tmp = place.path().join("tmp/11111111-2222-3333-4444-555555555555");
    fs::create_dir_all(&tmp).unwrap();
    let cut_off = tmp.join(content.key.to_string());
    // Half of it, whose end a power failure turned to zeros; then one that is longer than the content.
    let mut half = content.bytes[..1_500_000].to_vec();
    half[1_400_000..].fill(0);
    for left in [half, [&content.bytes[..], b"more"].concat()] {
        fs::write(&cut_off, &left).unwrap();
        let inode = fs::metadata(&cut_off).unwrap().ino();
        let stored = place.remote().store(content.upload()).await.expect("it goes on");
        assert!(!stored.already_there);
        let file = place.last_file(&content.key);
        assert_eq!(
            fs::metadata(&file).unwrap().ino(),
            inode,
            "the file that was there is the one that was finished"
        );
        assert!(fs::read(&file).unwrap() == content.bytes);
        assert!(!cut_off.exists());
        place.lose(&content.key);
    }
}

#[tokio::test]
async fn uploads_that_nobody_goes_on_with_are_cleared_away() {
    let place = DirectoryPlace::new(None);
    let tmp = place.path().join("tmp/11111111-2222-3333-4444-555555555555");
    fs::create_dir_all(&tmp).unwrap();
    for name in ["old", "new"] {
        fs::write(tmp.join(name), "part").unwrap();
    }
    let last_month = std::time::SystemTime::now() - std::time::Duration::from_secs(30 * 24 * 3600);
    fs::File::options().write(true).open(tmp.join("old")).unwrap().set_modified(last_month).unwrap();
    place.remote().store(Content::new("a", 10).upload()).await.expect("it is stored");
    assert!(!tmp.join("old").exists(), "what was left a month ago is gone");
    assert!(tmp.join("new").exists(), "what may still go on stays");
}

#[tokio::test]
async fn links_and_directories_in_the_place_of_contents_are_not_followed() {
    let place = DirectoryPlace::new(None);
    let content = Content::new("linked", 10);
    place.remote().store(content.upload()).await.expect("it is stored");
    place.lose(&content.key);
    let file = place.last_file(&content.key);
    std::os::unix::fs::symlink(content.source(), &file).unwrap();
    assert!(!place.remote().check_present(&content.key).await.unwrap(), "a link is no content");
    place.remote().retrieve(content.download()).await.expect_err("a link is no content");
    assert!(!place.remote().store(content.upload()).await.expect("it replaces the link").already_there);
    assert!(!fs::symlink_metadata(&file).unwrap().is_symlink());
}

#[tokio::test]
async fn dropping_the_future_stops_the_work() {
    let place = DirectoryPlace::new(None);
    let content = Content::new("dropped", 1_000);
    // A pipe without a writer holds the work at its first step.
    fs::remove_file(content.source()).unwrap();
    let mode = rustix::fs::Mode::from_raw_mode(0o644);
    rustix::fs::mknodat(rustix::fs::CWD, content.source(), rustix::fs::FileType::Fifo, mode, 0).unwrap();
    let meter = Meter::silent();
    let remote = place.remote();
    let mut store = Box::pin(remote.store(Upload { meter: meter.clone(), ..content.upload() }));
    std::future::poll_fn(|context| {
        assert!(store.as_mut().poll(context).is_pending(), "the work waits for the pipe");
        std::task::Poll::Ready(())
    })
    .await;
    assert!(!meter.stopped());
    drop(store);
    assert!(meter.stopped(), "the next step of the work is its last");
    fs::File::options().read(true).write(true).open(content.source()).unwrap();
}
