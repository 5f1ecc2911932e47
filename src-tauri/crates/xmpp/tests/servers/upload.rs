//! Files at the account's server: left by one account, fetched by another, and nothing fetched that must not be.

use std::path::Path;

use tokio::fs::File;
use tokio::sync::watch;
use tributary_testkit::xmpp_servers::{Ejabberd, EjabberdOptions, Prosody, ProsodyOptions, XmppServer};
use tributary_testkit::{free_port, need_all};
use tributary_xmpp::session::Session;
use tributary_xmpp::upload::{MAX_FILE, Place, Sealed, Sealing, UploadError};

use crate::device::{Device, PASSWORD, user};
use crate::streams::noise;

const ACCOUNTS: [(&str, &str); 2] = [("alice", PASSWORD), ("bob", PASSWORD)];

#[tokio::test(flavor = "multi_thread")]
async fn prosody() {
    if !need_all(Prosody::NEEDS) {
        return;
    }
    let options = ProsodyOptions { upload_at: Some(free_port()), ..ProsodyOptions::default() };
    carries(&Prosody::start_with("p.test", &ACCOUNTS, options), 10 << 20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ejabberd() {
    if !need_all(Ejabberd::NEEDS) {
        return;
    }
    let options = EjabberdOptions { upload_at: Some(free_port()), ..EjabberdOptions::default() };
    carries(&Ejabberd::start_any("e.test", &ACCOUNTS, options), 100 << 20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_no_files() {
    if !need_all(Prosody::NEEDS) {
        return;
    }
    let server = Prosody::start("p.test", &ACCOUNTS);
    let mut alice = Device::start(user(&server, "alice"));
    alice.online().await;
    assert_eq!(alice.session.uploads().largest().await, None);
    let put = alice.session.uploads().put(&mut sealed(b"words").await, &watch::channel(0).0).await;
    assert!(matches!(put, Err(UploadError::Refused(_))), "{put:?}");
    alice.session.stop().await;
}

async fn carries(server: &dyn XmppServer, largest: u64) {
    let (mut alice, mut bob) = (Device::start(user(server, "alice")), Device::start(user(server, "bob")));
    tokio::join!(alice.online(), bob.online());
    let uploads = alice.session.uploads();
    assert_eq!(uploads.largest().await, Some(largest.min(MAX_FILE)), "as the server is shipped");

    let content = [b"secret words ".repeat(20_000), noise(7, 2_000_000)].concat();
    let mut file = sealed(&content).await;
    let (moved, moves) = watch::channel(0);
    let place = uploads.put(&mut file, &moved).await.expect("the server takes it");
    assert_eq!(*moves.borrow(), file.size(), "all of it was counted");
    assert_eq!(place.size(), file.size());
    assert_eq!(opened(&mut file).await, content, "whoever sealed it has it still");
    assert_eq!(opened(&mut fetch(&bob.session, &place).await.expect("it is there")).await, content);

    let kept = kept(&server.kept());
    assert!(kept.iter().any(|file| file.len() as u64 == place.size()), "it lies at the server");
    for kept in kept {
        let has = |part: &[u8]| kept.windows(part.len()).any(|window| window == part);
        assert!(!has(b"secret words"), "the server can read it");
        assert!(!has(&content[content.len() - 40..]), "the server can read it");
    }

    // One that is not what was named, and one that is not there.
    let other = uploads.put(&mut sealed(b"something else").await, &moved).await.expect("it takes it");
    let size = other.size();
    let swapped = swapped(&place, &other);
    let wrong = fetch(&bob.session, &swapped).await;
    assert!(matches!(wrong, Err(UploadError::Wrong)), "{wrong:?} of {size} bytes");
    let gone = elsewhere(&place, |link| {
        // The name of the file says nothing to prosody; what stands before it does.
        let parts: Vec<&str> = link.rsplitn(3, '/').collect();
        format!("{}/not-there/{}", parts[2], parts[0])
    });
    let gone = fetch(&bob.session, &gone).await;
    assert!(matches!(gone, Err(UploadError::Answer(status)) if status >= 400), "{gone:?}");
    // Another address of this very machine, where the server is not as far as the account knows.
    let inside = elsewhere(&place, |link| link.replacen("localhost", "127.0.0.2", 1));
    let inside = fetch(&bob.session, &inside).await;
    assert!(matches!(inside, Err(UploadError::NotAllowed(_))), "{inside:?}");
    // The right address, and a name that the certificate is not for.
    let named = elsewhere(&place, |link| link.replacen("localhost", "127.0.0.1", 1));
    let named = fetch(&bob.session, &named).await;
    assert!(matches!(named, Err(UploadError::Broken(_))), "{named:?}");
    // Where somebody listens who speaks no TLS.
    let deaf = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("the loopback can be listened at");
    let port = deaf.local_addr().expect("it listens").port();
    tokio::spawn(async move { while deaf.accept().await.is_ok() {} });
    let deaf = elsewhere(&place, |_| format!("https://localhost:{port}/a"));
    let deaf = fetch(&bob.session, &deaf).await;
    assert!(matches!(deaf, Err(UploadError::Broken(_))), "{deaf:?}");
    alice.session.stop().await;
    bob.session.stop().await;
}

async fn sealed(content: &[u8]) -> Sealed {
    let mut sealing = Sealing::new(empty());
    sealing.add(content).await.expect("the disk takes it");
    sealing.done().await.expect("the disk takes it")
}

fn empty() -> File {
    File::from_std(tempfile::tempfile().expect("a temporary file"))
}

async fn fetch(session: &Session, place: &Place) -> Result<Sealed, UploadError> {
    session.uploads().fetch(place, empty(), &watch::channel(0).0).await
}

async fn opened(file: &mut Sealed) -> Vec<u8> {
    let (mut opening, mut all) = (file.open().await.expect("it can be read"), Vec::new());
    while let Some(piece) = opening.next().await.expect("it is what was sealed") {
        all.extend(piece);
    }
    all
}

/// All files in a folder and below it.
fn kept(folder: &Path) -> Vec<Vec<u8>> {
    let entries = std::fs::read_dir(folder).expect("the server's folder can be read");
    let paths = entries.map(|entry| entry.expect("it can be read").path());
    let files = paths
        .map(|path| if path.is_dir() { kept(&path) } else { std::fs::read(&path).into_iter().collect() });
    files.flatten().collect()
}

/// The fields of a place as they are said, one of them changed.
fn changed(place: &Place, change: impl Fn(u8, Vec<u8>) -> Vec<u8>) -> Place {
    let (mut rest, mut all) = (&place.encode()[..], Vec::new());
    while let Some((head, tail)) = rest.split_first_chunk::<5>() {
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
        let field = change(head[0], tail[..length].to_vec());
        all.push(head[0]);
        all.extend(u32::try_from(field.len()).expect("it is short").to_be_bytes());
        all.extend(field);
        rest = &tail[length..];
    }
    Place::decode(&all).expect("it is a place")
}

/// The same file at another link.
fn elsewhere(place: &Place, link: impl Fn(&str) -> String) -> Place {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("a link is text");
    changed(place, |kind, field| if kind == 1 { link(&text(field)).into_bytes() } else { field })
}

/// The link of `place`, said to hold what `other` is.
fn swapped(place: &Place, other: &Place) -> Place {
    let link = std::cell::RefCell::new(Vec::new());
    changed(place, |kind, field| {
        if kind == 1 {
            link.replace(field.clone());
        }
        field
    });
    changed(other, |kind, field| if kind == 1 { link.borrow().clone() } else { field })
}
