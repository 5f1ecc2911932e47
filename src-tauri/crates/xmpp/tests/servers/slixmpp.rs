//! In-band bytestreams with a client of another make: slixmpp and its XEP-0047 plug-in, below our encryption.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tributary_testkit::need_all;
use tributary_testkit::xmpp_servers::{Ejabberd, Prosody, XmppServer};
use tributary_xmpp::account::FullJid;

use crate::device::{Device, PASSWORD, user};

const ACCOUNTS: [(&str, &str); 2] = [("alice", PASSWORD), ("bob", PASSWORD)];
const LENGTH: usize = 200_000;
const LIMIT: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread")]
async fn prosody() {
    let Some(python) = python().filter(|_| need_all(Prosody::NEEDS)) else { return };
    interoperates(&Prosody::start("p.test", &ACCOUNTS), &python).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ejabberd() {
    let Some(python) = python().filter(|_| need_all(Ejabberd::NEEDS)) else { return };
    interoperates(&Ejabberd::start("e.test", &ACCOUNTS), &python).await;
}

/// A Python that has slixmpp: the one that the newest git-annex was installed with, or the system's.
///
/// # Panics
/// When there is none where `CI` is set.
pub fn python() -> Option<PathBuf> {
    let installed = std::env::var_os("TRIBUTARY_ANNEX_NEW").map(|folder| Path::new(&folder).join("python"));
    let candidates = installed.into_iter().chain([PathBuf::from("python3")]);
    let has = |python: &PathBuf| {
        let mut import = std::process::Command::new(python);
        import
            .args(["-c", "import slixmpp"])
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    };
    let found = candidates.into_iter().find(has);
    assert!(found.is_some() || std::env::var_os("CI").is_none(), "slixmpp is not installed");
    if found.is_none() {
        eprintln!("skipped: no Python here has slixmpp");
    }
    found
}

/// The other client, and what it says.
pub struct Peer {
    lines: Lines<BufReader<ChildStdout>>,
    _child: Child,
}

impl Peer {
    pub fn start(python: &Path, server: &dyn XmppServer, name: &str, role: &[&str]) -> Peer {
        Peer::start_at(server.starttls_port(), python, server, name, role)
    }

    /// As [`start`](Self::start), through another port of this machine.
    pub fn start_at(port: u16, python: &Path, server: &dyn XmppServer, name: &str, role: &[&str]) -> Peer {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers/slixmpp_peer.py");
        let mut child = Command::new(python)
            .arg(script)
            .arg(format!("{name}@{}", server.domain()))
            .arg(PASSWORD)
            .arg(port.to_string())
            .arg(server.ca())
            .args(role)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("Python starts");
        let output = child.stdout.take().expect("its output is piped");
        Peer { lines: BufReader::new(output).lines(), _child: child }
    }

    /// The next line that begins with this word, without it.
    pub async fn says(&mut self, word: &str) -> String {
        let wait = async {
            let mut others = Vec::new();
            while let Some(line) = self.lines.next_line().await.expect("it writes text") {
                match line.strip_prefix(word) {
                    Some(rest) => return rest.trim().to_owned(),
                    None => others.push(line),
                }
            }
            panic!("it never said {word:?}, but {others:?}");
        };
        tokio::time::timeout(LIMIT, wait).await.unwrap_or_else(|_| panic!("it does not say {word:?}"))
    }
}

/// The bytes that the script sends.
fn noise(length: usize) -> Vec<u8> {
    let blocks = (0..=length as u64 / 32).flat_map(|at| Sha256::digest(at.to_be_bytes()));
    blocks.take(length).collect()
}

async fn interoperates(server: &dyn XmppServer, python: &Path) {
    let mut ours = Device::start(user(server, "alice"));
    let (at, _) = ours.online().await;
    let streams = ours.session.bytestreams();

    let mut stranger = Peer::start(python, server, "bob", &["hostile", at.as_str()]);
    for name in ["open", "data", "close", "garbage", "oversize"] {
        let answer = stranger.says(&format!("answer {name}")).await;
        assert_eq!(answer, "service-unavailable", "{name}: to a stranger nobody is here");
    }
    assert_eq!(stranger.says("answer last").await, "service-unavailable", "and it lives");

    let bob = user(server, "bob").jid;
    let mut inbox = streams.accept(move |peer: &FullJid| peer.to_bare() == bob);
    let mut theirs = Peer::start(python, server, "bob", &["send", at.as_str(), &LENGTH.to_string()]);
    let mut stream = inbox.recv().await.expect("it is opened");
    assert_eq!(stream.block_size(), 4096);
    let mut got = Vec::new();
    stream.read_to_end(&mut got).await.expect("it is closed cleanly");
    assert!(got == noise(LENGTH), "the bytes of the other client are equal");
    theirs.says("sent").await;

    let mut rude = Peer::start(python, server, "bob", &["rude", at.as_str()]);
    for (name, condition) in [
        ("gap", "unexpected-request"),
        ("doubled", "unexpected-request"),
        ("garbage", "bad-request"),
        ("oversize", "unexpected-request"),
    ] {
        let mut stream = inbox.recv().await.expect("it is opened");
        assert_eq!(stream.name(), name);
        let mut got = Vec::new();
        let end = stream.read_to_end(&mut got).await.expect_err("who breaks the rules is not heard on");
        assert_eq!(end.kind(), std::io::ErrorKind::InvalidData, "{name}");
        assert!(got.is_empty() || got == b"abc", "what came before the breach, once: {got:?}");
        assert_eq!(rude.says(&format!("breach {name}")).await, condition);
    }
    // Nobody reads this one: what is held is bounded, so it ends.
    let _unread = inbox.recv().await.expect("it is opened");
    let end = rude.says("breach endless").await;
    assert!(["unexpected-request", "item-not-found"].contains(&&*end), "{end}");

    let mut theirs = Peer::start(python, server, "bob", &["receive"]);
    let there: FullJid = theirs.says("ready").await.parse().expect("a full address");
    let mut stream = streams.open(&there).await.expect("it accepts everything");
    assert_eq!(theirs.says("block").await, "8192", "it took no more, so the offer was halved");
    stream.write_all(&noise(LENGTH)).await.expect("there is room");
    stream.shutdown().await.expect("everything is taken");
    let expected = format!("{} {LENGTH}", hex::encode(Sha256::digest(noise(LENGTH))));
    assert_eq!(theirs.says("received").await, expected, "our bytes arrive equal");
    ours.session.stop().await;
}
