//! A device of an account, as the engine would run it.

use std::time::Duration;

use tokio::sync::mpsc::Receiver;
use tributary_testkit::xmpp_servers::XmppServer;
use tributary_xmpp::account::{Account, FullJid, Secret, Trust};
use tributary_xmpp::hints::{Counter, DeviceState, FolderState, ObjectId, ReceivedState, Tips};
use tributary_xmpp::session::{self, ConnectionState, Session, SessionEvent, Timeouts};

/// Generous, as the machine may be busy; nothing waits for it when all is well.
const LIMIT: Duration = Duration::from_secs(30);

/// The password of every account in these tests.
pub const PASSWORD: &str = "correct horse";

/// A device that is started, and all that it was told.
pub struct Device {
    pub account: Account,
    pub session: Session,
    events: Receiver<SessionEvent>,
    seen: Vec<SessionEvent>,
}

/// Alice's account at a server, as a new device, by the port where TLS is asked for.
pub fn alice(server: &dyn XmppServer) -> Account {
    user(server, "alice")
}

/// Somebody's account at a server, as [`alice`].
pub fn user(server: &dyn XmppServer, name: &str) -> Account {
    let jid = format!("{name}@{}", server.domain()).parse().expect("a proper address");
    let server_place = Some(("127.0.0.1".to_owned(), server.starttls_port()));
    Account { server: server_place, trust: Trust::CaFile(server.ca().to_owned()), ..Account::new(jid) }
}

/// Time limits for a server that is near: only the tries are quicker than in the product.
pub fn quick() -> Timeouts {
    Timeouts {
        first_pause: Duration::from_millis(200),
        step: Duration::from_secs(10),
        quiet: Duration::from_secs(5),
        ..Timeouts::default()
    }
}

pub fn secret() -> Secret {
    Secret::new(PASSWORD.to_owned())
}

/// A state with one folder whose branches are at objects made of `byte`.
pub fn state(seq: u64, repository: &str, byte: u8) -> DeviceState {
    let repository = tributary_formats::uuid::RepoUuid::parse(repository).expect("a proper UUID");
    DeviceState {
        counter: Counter { epoch: 1, seq },
        folders: vec![FolderState { repository, tips: tips(byte) }],
    }
}

pub fn tips(byte: u8) -> Tips {
    Tips { branch: ObjectId::from_bytes(&[byte; 20]), annex: ObjectId::from_bytes(&[byte ^ 0xff; 20]) }
}

/// The account, but reached through another port of this machine.
pub fn through(account: Account, port: u16) -> Account {
    Account { server: Some(("127.0.0.1".to_owned(), port)), ..account }
}

impl Device {
    pub fn start(account: Account) -> Device {
        Device::start_with(account, secret(), quick())
    }

    pub fn start_with(account: Account, secret: Secret, timeouts: Timeouts) -> Device {
        // Shows what happened when RUST_LOG asks for it; only the first device of a process can.
        let filter = tracing_subscriber::EnvFilter::from_default_env();
        let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
        let (session, events) = session::start(account.clone(), secret, timeouts);
        Device { account, session, events, seen: Vec::new() }
    }

    /// Waits for an event.
    ///
    /// # Panics
    ///
    /// When it does not come, with all that came instead.
    pub async fn until<T>(&mut self, what: &str, mut matches: impl FnMut(&SessionEvent) -> Option<T>) -> T {
        let wait = async {
            loop {
                let event = self.events.recv().await.expect("the session runs");
                let found = matches(&event);
                self.seen.push(event);
                if let Some(found) = found {
                    return found;
                }
            }
        };
        match tokio::time::timeout(LIMIT, wait).await {
            Ok(found) => found,
            Err(_) => panic!("waited in vain: {what}; came: {:#?}", self.seen),
        }
    }

    pub async fn online(&mut self) -> (FullJid, bool) {
        self.until("the device is online", |event| match event {
            SessionEvent::State(ConnectionState::Online { bound, resumed }) => {
                Some((bound.clone(), *resumed))
            }
            _ => None,
        })
        .await
    }

    pub async fn state(
        &mut self,
        what: &str,
        mut matches: impl FnMut(&ConnectionState) -> bool,
    ) -> ConnectionState {
        self.until(what, |event| match event {
            SessionEvent::State(state) if matches(state) => Some(state.clone()),
            _ => None,
        })
        .await
    }

    /// Waits for the state that `from` published with this counter or a later one, unless it came already.
    pub async fn hint(&mut self, from: &Device, seq: u64) -> ReceivedState {
        let device = from.account.device;
        let matches = move |event: &SessionEvent| match event {
            SessionEvent::Hint(hint) if hint.device == device && hint.counter.seq >= seq => {
                Some(hint.clone())
            }
            _ => None,
        };
        match self.seen.iter().rev().find_map(matches) {
            Some(hint) => hint,
            None => self.until(&format!("hint {seq} of {device}"), matches).await,
        }
    }

    /// Waits until `other` is seen to be there, or to be gone.
    pub async fn sees(&mut self, other: &Device, there: bool) {
        let tag = other.account.device;
        let presence = move |event: &SessionEvent| match event {
            SessionEvent::PeerPresence { device, online, .. } if *device == tag => Some(*online),
            _ => None,
        };
        if self.seen.iter().rev().find_map(presence) != Some(there) {
            let what = format!("{tag} is there: {there}");
            self.until(&what, |event| presence(event).filter(|online| *online == there)).await;
        }
    }

    /// All that came and was waited for so far.
    pub fn seen(&self) -> &[SessionEvent] {
        &self.seen
    }
}
