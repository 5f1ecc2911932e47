mod files;

use std::collections::BTreeSet;
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, ReadHalf, WriteHalf, duplex};
use tokio::sync::mpsc::UnboundedReceiver;
use tributary_repo::cancel::{Cancel, no_meter};
use tributary_repo::push::{RefOutcome, push_synced};
use tributary_repo::remote::{GitRemote, RemoteError};
use tributary_repo::transport::Stream;
use tributary_repo::{Repository, fetch};
use tributary_testkit::Repo;
use tributary_xmpp::channel::{self, Binding, Carrier, Frame, Party};
use tributary_xmpp::pairing::Right;

use super::bridge::{self, Ends, Pads};
use super::carried::Carried;
use super::door::Inside;
use super::guest::Guest;
use super::host::receive;
use super::request::Request;
use super::*;
use crate::state::peers::Contact;
use crate::state::repositories::Repositories;

/// Alice's device has a folder, Bob's is paired with it.
struct Scene {
    tunnels: Tunnels,
    peers: Peers,
    alice: Arc<DeviceKeys>,
    bob: Arc<DeviceKeys>,
    /// How Bob knows Alice's device.
    host: Peer,
    door: Door,
    pushed: Mutex<UnboundedReceiver<Pushed>>,
    seen: Seen,
    repo: Repo,
    /// How long the way rests after each little piece, when it is slow.
    pause: Mutex<Option<Duration>>,
    _dir: tempfile::TempDir,
}

/// Every byte that went over the wire.
type Seen = Arc<Mutex<Vec<u8>>>;

const LIMIT: Duration = Duration::from_secs(30);

fn uuid(text: &str) -> RepoUuid {
    RepoUuid::parse(text).unwrap()
}

fn peer(keys: &DeviceKeys, address: &str, share: Share) -> Peer {
    Peer {
        keys: keys.public(),
        tag: DeviceTag::random(),
        name: "a computer".into(),
        address: address.parse().unwrap(),
        account: "alice@p.example".parse().unwrap(),
        since: 1_795_400_000,
        introduced_by: None,
        contacts: BTreeSet::new(),
        shares: vec![share],
    }
}

const ALICE: &str = "alice@p.example/trib-1";
const BOB: &str = "bob@e.example/trib-2";

impl Scene {
    fn new(right: Right, patience: Patience) -> Arc<Scene> {
        let dir = tempfile::tempdir().unwrap();
        let repo = Repo::new().with_file("secret-name", b"secret words").commit();
        repo.git(["config", "annex.uuid", "alices"]).ok();
        repo.git(["config", "annex.version", "10"]).ok();
        repo.git(["branch", "git-annex"]).ok();
        let peers = Peers::load(&dir.path().join("peers.json")).unwrap();
        peers.log_in(Some("alice@p.example".parse().unwrap()));
        let (alice, bob) = (Arc::new(DeviceKeys::generate()), Arc::new(DeviceKeys::generate()));
        let share = Share { ours: uuid("alices"), theirs: None, they_may: right, we_may: Right::Edit };
        peers.admit(peer(&bob, BOB, share)).unwrap();
        let share =
            Share { ours: uuid("bobs"), theirs: Some(uuid("alices")), they_may: right, we_may: right };
        let host = peer(&alice, ALICE, share);
        let (tell, pushed) = tokio::sync::mpsc::unbounded_channel();
        let repositories = Repositories::new(repo.path().to_owned());
        let door = Door::new(move |found| {
            let tell = tell.clone();
            let pushed = move |pushed| drop(tell.send(pushed));
            let repositories = repositories.clone();
            (found.as_str() == "alices").then(|| Inside {
                repositories,
                cancel: Cancel::new(),
                pushed: Box::new(pushed),
            })
        });
        let tunnels = Tunnels::new(peers.clone(), patience, dir.path().to_owned(), CancellationToken::new());
        let (pushed, seen, pause) = (Mutex::new(pushed), Seen::default(), Mutex::default());
        Arc::new(Scene { tunnels, peers, alice, bob, host, door, pushed, seen, repo, pause, _dir: dir })
    }

    fn bobs_device(&self) -> Peer {
        self.peers.get(self.bob.public().id()).unwrap()
    }

    /// Bob's device comes: both ends of what carries the tunnel.
    fn come(self: &Arc<Self>) -> (Tapped, tokio::task::JoinHandle<()>) {
        let (near, far) = match *self.pause.lock().unwrap() {
            Some(pause) => files::slow(pause),
            None => duplex(64 * 1024),
        };
        let this = self.clone();
        let hosting = tokio::spawn(async move {
            let (far, bound) = (Carried::over(BOB.parse().unwrap(), "t1", far), ALICE.parse().unwrap());
            let served =
                receive(&this.tunnels, far, bound, &this.alice, &this.bobs_device(), &this.door).await;
            drop(served);
        });
        (Tapped { stream: near, seen: self.seen.clone() }, hosting)
    }

    /// Bob's device makes the secure channel over what [`come`](Self::come) gave.
    async fn shake_hands(
        &self,
        stream: Tapped,
    ) -> (channel::Sender<WriteHalf<Tapped>>, channel::Receiver<ReadHalf<Tapped>>) {
        let party =
            |keys: &DeviceKeys, at: &str| Party { device: keys.public().id(), address: at.parse().unwrap() };
        let binding = Binding {
            carrier: Carrier::InBand,
            stream: "t1".into(),
            initiator: party(&self.bob, BOB),
            responder: party(&self.alice, ALICE),
        };
        channel::initiate(stream, &self.bob, &self.host.keys, &binding, LIMIT).await.unwrap()
    }

    async fn ask(self: &Arc<Self>, service: Service, repository: &str) -> io::Result<Stream> {
        self.ask_with(&self.bob, service, repository).await
    }

    async fn ask_with(
        self: &Arc<Self>,
        keys: &DeviceKeys,
        service: Service,
        repository: &str,
    ) -> io::Result<Stream> {
        let (stream, _hosting) = self.come();
        let patience = self.tunnels.0.patience;
        let files = self.tunnels.files_with(&ALICE.parse().unwrap());
        let guest = Guest { own: keys, bound: BOB.parse().unwrap(), peer: &self.host, patience, files };
        let request = Request { asked: service.into(), repository: uuid(repository), own: uuid("bobs") };
        let cut = CancellationToken::new();
        let stream = Carried::over(ALICE.parse().unwrap(), "t1", stream);
        let asked = guest.ask(stream, request, cut).await;
        let (stream, carried) = asked?;
        tokio::spawn(carried);
        Ok(stream)
    }

    async fn nothing_is_open(&self) {
        while !self.tunnels.now().open.is_empty() {
            tokio::task::yield_now().await;
        }
    }

    /// Lets this process's git reach Alice's folder as `SCHEME::x`.
    fn register(self: &Arc<Self>, scheme: &str) {
        let (this, runtime) = (self.clone(), Handle::current());
        let opener = move |_: &str, asked: &Asked| runtime.block_on(this.ask(asked.service, "alices"));
        transport::register(scheme, Arc::new(opener));
    }
}

/// A stream that is listened to.
struct Tapped {
    stream: DuplexStream,
    seen: Seen,
}

impl AsyncRead for Tapped {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.seen.lock().unwrap().extend_from_slice(&buf.filled()[before..]);
        read
    }
}

impl AsyncWrite for Tapped {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.seen.lock().unwrap().extend_from_slice(bytes);
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

async fn blocking<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(act).await.unwrap()
}

/// Does something with Bob's repository and its remote `alice`.
async fn with_remote<T: Send + 'static>(
    path: &Path,
    scheme: &str,
    act: impl FnOnce(&Repository, &GitRemote) -> Result<T, RemoteError> + Send + 'static,
) -> T {
    let (path, url) = (path.to_owned(), format!("{scheme}::x"));
    let done = move || {
        let repo = Repository::open(&path).unwrap();
        let remote = GitRemote::add(repo.git(), "alice", &url).unwrap();
        act(&repo, &remote)
    };
    blocking(done).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_is_fetched_and_pushed_to_and_nothing_is_seen() {
    let scene = Scene::new(Right::Edit, Patience::default());
    scene.register("tunnel-edit");
    let repo = Repo::new();
    repo.git(["config", "annex.uuid", "bobs"]).ok();
    repo.git(["config", "annex.version", "10"]).ok();
    let fetched = with_remote(repo.path(), "tunnel-edit", |repo, remote| {
        fetch::fetch(repo.git(), remote, &no_meter, &Cancel::new())
    });
    let names: Vec<String> = fetched.await.refs.into_iter().map(|change| change.name).collect();
    assert_eq!(names, ["refs/remotes/alice/git-annex", "refs/remotes/alice/master"]);
    repo.git(["reset", "-q", "--hard", "alice/master"]).ok();
    repo.git(["branch", "git-annex", "alice/git-annex"]).ok();
    let repo = repo.with_file("other-name", b"other words").commit();
    let new = repo.git(["rev-parse", "HEAD"]).ok().stdout().trim().to_owned();
    let pushed = with_remote(repo.path(), "tunnel-edit", |repo, remote| {
        push_synced(repo.git(), remote, "master", &no_meter, &Cancel::new())
    });
    let pushed = pushed.await;
    assert!(pushed.refs.iter().all(|(_, outcome)| !matches!(outcome, RefOutcome::Refused(_))), "{pushed:?}");
    assert_eq!(scene.repo.git(["rev-parse", "synced/master"]).ok().stdout().trim(), new);

    let heard = blocking({
        let scene = scene.clone();
        move || scene.pushed.lock().unwrap().blocking_recv().unwrap()
    });
    let heard = heard.await;
    assert_eq!((heard.by, heard.moved.len()), (uuid("bobs"), 1), "who pushed is told, once it is there");
    let known = scene.bobs_device();
    assert!(known.contacts.contains(&Contact::Served));
    assert_eq!(known.shares[0].theirs, Some(uuid("bobs")), "which repository it has was its own to say");

    let seen = scene.seen.lock().unwrap();
    assert!(seen.len() > 1000);
    for secret in
        ["refs/", "master", "git-annex", "synced", "PACK", "secret", "name", "alices", "bobs", "pack", &new]
    {
        let found = seen.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!found, "{secret} is in clear on the wire");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_what_is_not_shared_with_them() {
    let scene = Scene::new(Right::ReadOnly, Patience::default());
    let refusal = |asked: io::Result<Stream>| match asked {
        Err(cause) if cause.kind() == io::ErrorKind::PermissionDenied => cause.to_string(),
        Err(cause) => panic!("{cause}"),
        Ok(_) => panic!("let in"),
    };
    let read_only = refusal(scene.ask(Service::ReceivePack, "alices").await);
    assert!(read_only.contains("not changed"), "{read_only}");
    let unknown = refusal(scene.ask(Service::UploadPack, "nobodys").await);
    assert!(unknown.contains("not shared"), "{unknown}");
    assert!(scene.ask(Service::UploadPack, "alices").await.is_ok(), "reading is what it may");
    let stranger = DeviceKeys::generate();
    let asked = scene.ask_with(&stranger, Service::UploadPack, "alices").await;
    assert!(asked.is_err_and(|cause| cause.kind() == io::ErrorKind::ConnectionAborted), "and others nothing");
    assert!(scene.pushed.lock().unwrap().try_recv().is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_removed_is_cut_off_at_once() {
    let scene = Scene::new(Right::Edit, Patience::default());
    let keeper = tokio::spawn(keep_to_the_book(scene.tunnels.clone()));
    let mut stream = scene.ask(Service::UploadPack, "alices").await.unwrap();
    scene.peers.remove(scene.bob.public().id()).unwrap().unwrap();
    let rest = blocking(move || {
        let mut rest = Vec::new();
        stream.reader.read_to_end(&mut rest).map_err(|cause| cause.kind())
    });
    let rest = tokio::time::timeout(LIMIT, rest).await.expect("it does not wait for its next word");
    assert_eq!(rest, Err(io::ErrorKind::ConnectionAborted));
    scene.tunnels.0.stop.cancel();
    keeper.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_says_nothing_is_given_up() {
    let short = Duration::from_millis(200);
    let scene = Scene::new(Right::Edit, Patience { handshake: short, silence: short, ..Patience::default() });
    // Before the handshake.
    let (stream, hosting) = scene.come();
    tokio::time::timeout(LIMIT, hosting).await.unwrap().unwrap();
    drop(stream);
    // After it: git has said what it has and waits for an answer.
    let mut stream = scene.ask(Service::UploadPack, "alices").await.unwrap();
    let rest = blocking(move || {
        let mut rest = Vec::new();
        stream.reader.read_to_end(&mut rest).map_err(|cause| cause.kind())
    });
    let rest = tokio::time::timeout(LIMIT, rest).await.unwrap();
    assert_eq!(rest, Err(io::ErrorKind::ConnectionAborted));
    tokio::time::timeout(LIMIT, scene.nothing_is_open()).await.expect("nothing of it is left on the list");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_without_a_word_of_gits_leaves_nothing_behind() {
    let scene = Scene::new(Right::Edit, Patience::default());
    for service in [Service::UploadPack, Service::ReceivePack] {
        // As git does when what it was to fetch is not there: it hangs up on a service that waits for its wishes.
        let Stream { mut reader, writer, .. } = scene.ask(service, "alices").await.unwrap();
        drop(writer);
        let rest = blocking(move || {
            let mut rest = Vec::new();
            reader.read_to_end(&mut rest).map(|_| rest)
        });
        let rest = tokio::time::timeout(LIMIT, rest).await.expect("git was told that nobody is there");
        assert!(String::from_utf8_lossy(&rest.unwrap()).contains("refs/heads/master"), "it had begun");
        tokio::time::timeout(LIMIT, scene.nothing_is_open())
            .await
            .expect("nothing of it is left on the list");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_said_all_hears_an_answer_that_takes_long() {
    let farewell = Duration::from_millis(20);
    let scene = Scene::new(Right::Edit, Patience { farewell, ..Patience::default() });
    let (near, far) = duplex(64 * 1024);
    let party =
        |keys: &DeviceKeys, at: &str| Party { device: keys.public().id(), address: at.parse().unwrap() };
    let binding = Binding {
        carrier: Carrier::InBand,
        stream: "t1".into(),
        initiator: party(&scene.bob, BOB),
        responder: party(&scene.alice, ALICE),
    };
    let (alice, bob) = (scene.alice.public(), scene.bob.public());
    let (guest, host) = tokio::join!(
        channel::initiate(near, &scene.bob, &alice, &binding, LIMIT),
        channel::accept(far, &scene.alice, &bob, &binding, LIMIT),
    );
    let ((mut to_host, mut from_host), (to_guest, from_guest)) = (guest.unwrap(), host.unwrap());
    let (Ends { mut reader, mut writer }, feed) = bridge::bridge();
    let cut = CancellationToken::new();
    let carried = feed.carry(from_guest, to_guest, scene.tunnels.0.patience, Pads::Never, None, &cut);
    // Git that checks a push when it has all of it, and hears no more meanwhile.
    let git = blocking(move || {
        reader.read_to_end(&mut Vec::new()).unwrap();
        drop(reader);
        std::thread::sleep(10 * farewell);
        writer.write_all(b"unpack ok").unwrap();
        writer.exit(0);
    });
    let asking = async {
        to_host.send(Frame::Data(b"a push".to_vec())).await.unwrap();
        to_host.end().await.unwrap();
        let mut heard = Vec::new();
        while let Some(frame) = from_host.next().await.unwrap() {
            heard.push(frame);
        }
        heard
    };
    let all = async { tokio::join!(carried, git, asking) };
    let (_, (), heard) = tokio::time::timeout(LIMIT, all).await.unwrap();
    assert_eq!(heard, [Frame::Data(b"unpack ok".to_vec()), Frame::Exit(0), Frame::End]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_request_is_refused_or_ended() {
    let scene = Scene::new(Right::Edit, Patience::default());
    for (frame, answered) in [
        (Frame::Request(b"git 9\nsomething\n".to_vec()), true),
        (Frame::Request(vec![0xff; 4096]), true),
        (Frame::Data(b"0000".to_vec()), false),
        (Frame::End, false),
    ] {
        let (stream, hosting) = scene.come();
        let (mut sender, mut receiver) = scene.shake_hands(stream).await;
        sender.send(frame.clone()).await.unwrap();
        let answer = tokio::time::timeout(LIMIT, receiver.next()).await.unwrap();
        let refused = matches!(answer, Ok(Some(Frame::Refused(_))));
        assert_eq!(refused, answered, "{frame:?}: {answer:?}");
        tokio::time::timeout(LIMIT, hosting).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn without_an_account_there_is_no_way() {
    let scene = Scene::new(Right::Edit, Patience::default());
    let kind = |opened: io::Result<Stream>| opened.err().map(|cause| cause.kind());
    let url = "xmpp::bob@e.example/bobs";
    assert_eq!(kind(scene.tunnels.open(url, Service::UploadPack).await), Some(io::ErrorKind::NotConnected));
    let denied = scene.tunnels.open("xmpp::nonsense", Service::UploadPack).await;
    assert_eq!(kind(denied), Some(io::ErrorKind::PermissionDenied));
    assert_eq!(scene.tunnels.is_there(url), None);
    let tag = scene.bobs_device().tag;
    let uuids = (uuid("alices"), uuid("bobs"));
    scene.peers.has_repository(scene.bob.public().id(), &uuids.0, &uuids.1).unwrap();
    scene.tunnels.presence(tag, &"mallory@p.example/trib-2".parse().unwrap(), true);
    assert_eq!(scene.tunnels.is_there(url), None, "a mark counts from its own account only");
    scene.tunnels.presence(tag, &BOB.parse().unwrap(), true);
    let came = scene.tunnels.is_there(url).unwrap();
    scene.tunnels.presence(tag, &BOB.parse().unwrap(), true);
    assert!(scene.tunnels.is_there(url).unwrap() > came, "it came anew");
    scene.tunnels.presence(tag, &BOB.parse().unwrap(), false);
    assert_eq!(scene.tunnels.is_there(url), None);
}
