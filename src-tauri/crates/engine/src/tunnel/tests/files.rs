//! What is much goes as a file when the way is slow; whatever fails of that, it arrives all the same.

use async_trait::async_trait;
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _};
use tributary_testkit::Repo;
use tributary_xmpp::upload::{Place, Sealed, UploadError};

use super::*;
use crate::tunnel::carried::Way;
use crate::tunnel::files::Depot;

/// Both ends of a way that takes little at a time.
pub(super) fn slow(pause: Duration) -> (DuplexStream, DuplexStream) {
    let ((near, inner), (other, far)) = (duplex(4096), duplex(4096));
    let ((from_near, to_near), (from_far, to_far)) = (tokio::io::split(inner), tokio::io::split(other));
    tokio::spawn(pump(from_near, to_far, pause));
    tokio::spawn(pump(from_far, to_near, pause));
    (near, far)
}

async fn pump(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, pause: Duration) {
    let mut piece = vec![0; 4096];
    while let Ok(length @ 1..) = from.read(&mut piece).await {
        // How slow the way is, is what is tested.
        tokio::time::sleep(pause).await;
        if to.write_all(&piece[..length]).await.is_err() {
            return;
        }
    }
    to.shutdown().await.ok();
}

/// What goes wrong at the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Nothing,
    /// It takes no file.
    Full,
    /// The file is gone when it is asked for.
    Gone,
    /// What it gives is not what it got.
    Altered,
}

/// A server that keeps one file.
struct OneFile {
    fault: Fault,
    kept: Mutex<Vec<u8>>,
    puts: Mutex<usize>,
}

#[async_trait]
impl Depot for OneFile {
    async fn largest(&self) -> Option<u64> {
        Some(100 << 20)
    }

    async fn put(&self, file: &mut Sealed, moved: &watch::Sender<u64>) -> Result<Place, UploadError> {
        *self.puts.lock().unwrap() += 1;
        if self.fault == Fault::Full {
            return Err(UploadError::Answer(413));
        }
        let mut bytes = Vec::new();
        file.reader().await?.read_to_end(&mut bytes).await?;
        moved.send_replace(bytes.len() as u64);
        *self.kept.lock().unwrap() = bytes;
        Ok(file.place("https://upload.example/a").unwrap())
    }

    async fn fetch(
        &self,
        place: &Place,
        mut into: File,
        moved: &watch::Sender<u64>,
    ) -> Result<Sealed, UploadError> {
        let mut bytes = self.kept.lock().unwrap().clone();
        match self.fault {
            Fault::Gone => return Err(UploadError::Answer(404)),
            Fault::Altered => bytes[100_000] ^= 1,
            Fault::Nothing | Fault::Full => {}
        }
        into.write_all(&bytes).await?;
        into.rewind().await?;
        moved.send_replace(bytes.len() as u64);
        Sealed::check(into, place).await
    }
}

/// Much that cannot be made smaller.
fn noise() -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.take(3_500_000 / 8).flatten().collect()
}

/// Fetches and pushes much over a way with 200 kB a second: files pay from 2 MB on.
async fn carries(fault: Fault, scheme: &'static str) {
    let scene = Scene::new(Right::Edit, Patience::default());
    *scene.pause.lock().unwrap() = Some(Duration::from_millis(20));
    let server = Arc::new(OneFile { fault, kept: Mutex::default(), puts: Mutex::default() });
    scene.tunnels.now().depot = Some(server.clone());
    scene.register(scheme);
    let much = noise();
    std::fs::write(scene.repo.path().join("much"), &much).unwrap();
    scene.repo.git(["add", "much"]).ok();
    scene.repo.git(["commit", "-q", "-m", "much"]).ok();
    let repo = Repo::new();
    repo.git(["config", "annex.uuid", "bobs"]).ok();
    repo.git(["config", "annex.version", "10"]).ok();
    let fetched = with_remote(repo.path(), scheme, |repo, remote| {
        fetch::fetch(repo.git(), remote, &no_meter, &Cancel::new())
    });
    fetched.await;
    repo.git(["fsck", "--strict"]).ok();
    let tip = |repo: &Repo, name: &str| repo.git(["rev-parse", name]).ok().stdout().trim().to_owned();
    assert_eq!(tip(&repo, "alice/master"), tip(&scene.repo, "master"), "it came whole");
    let (puts, went) = (*server.puts.lock().unwrap(), scene.seen.lock().unwrap().len());
    let last = |client: &str| scene.tunnels.now().ways.last(&client.parse().unwrap());
    if fault == Fault::Nothing {
        assert!(puts == 1 && went < much.len() / 2, "{puts} files, {went} bytes in-band");
        assert_eq!(last(BOB), Some(Way::File), "who sent it says so");
        assert_eq!(last(ALICE), Some(Way::File), "and who got it");
    } else {
        assert!(puts == 1 && went > much.len(), "{puts} files, {went} bytes in-band");
        assert_eq!(last(BOB), Some(Way::InBand));
        // The other direction is not tried soon again.
        return;
    }
    let kept = server.kept.lock().unwrap().clone();
    for part in [b"PACK".as_slice(), &much[1_000_000..1_000_032], b"much"] {
        assert!(!kept.windows(part.len()).any(|window| window == part), "the server can read it");
    }

    repo.git(["reset", "-q", "--hard", "alice/master"]).ok();
    repo.git(["branch", "git-annex", "alice/git-annex"]).ok();
    let other: Vec<u8> = much.iter().rev().copied().collect();
    std::fs::write(repo.path().join("other"), other).unwrap();
    repo.git(["add", "other"]).ok();
    repo.git(["commit", "-q", "-m", "other"]).ok();
    let pushed = with_remote(repo.path(), scheme, |repo, remote| {
        push_synced(repo.git(), remote, "master", &no_meter, &Cancel::new())
    });
    let pushed = pushed.await;
    assert!(pushed.refs.iter().all(|(_, outcome)| !matches!(outcome, RefOutcome::Refused(_))), "{pushed:?}");
    assert_eq!(tip(&scene.repo, "synced/master"), tip(&repo, "HEAD"));
    scene.repo.git(["fsck", "--strict"]).ok();
    let (puts, went) = (*server.puts.lock().unwrap(), scene.seen.lock().unwrap().len() - went);
    assert!(puts == 2 && went < much.len() / 2, "{puts} files, {went} bytes in-band");
}

#[tokio::test(flavor = "multi_thread")]
async fn much_goes_as_a_file_where_the_way_is_slow() {
    carries(Fault::Nothing, "files-work").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_no_file_stops_nothing() {
    carries(Fault::Full, "files-full").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_gone_stops_nothing() {
    carries(Fault::Gone, "files-gone").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_altered_is_not_taken() {
    carries(Fault::Altered, "files-altered").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_nobody_wanted_or_that_is_none_ends_the_tunnel() {
    for (wanted, frame) in [
        (false, Frame::File(b"anything".to_vec())),
        (true, Frame::File(b"anything".to_vec())),
        (true, Frame::File(vec![0; 4096])),
    ] {
        let scene = Scene::new(Right::Edit, Patience::default());
        if wanted {
            let server = OneFile { fault: Fault::Gone, kept: Mutex::default(), puts: Mutex::default() };
            scene.tunnels.now().depot = Some(Arc::new(server));
        }
        let (stream, hosting) = scene.come();
        let (mut sender, mut receiver) = scene.shake_hands(stream).await;
        let request =
            Request { asked: Service::UploadPack.into(), repository: uuid("alices"), own: uuid("bobs") };
        sender.send(Frame::Request(request.encode())).await.unwrap();
        sender.send(frame.clone()).await.unwrap();
        let ended = async { while let Ok(Some(_)) = receiver.next().await {} };
        tokio::time::timeout(LIMIT, ended).await.expect("it does not wait for more");
        tokio::time::timeout(LIMIT, hosting).await.unwrap().unwrap();
    }
}
