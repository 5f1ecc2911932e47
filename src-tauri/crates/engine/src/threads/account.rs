//! Account: keeps the person's XMPP account online, and carries hints between it and the folders.
//!
//! Waits for the session's events, for folders that have news, and for people who log in or out; publishes how the
//! connection is doing. A hint is never data: it makes a folder look, and losing, doubling or forging one costs a look.
//! Ends when told to stop.

mod connection;
mod counters;
mod password;
mod sealed;
mod strangers;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tributary_status::{AccountState, ProblemCode};
use tributary_xmpp::account::{Account, FullJid, Secret};
use tributary_xmpp::device::DeviceKeys;
use tributary_xmpp::hints::{self, FolderState, ReceivedState};
use tributary_xmpp::session::{self, ConnectionState, Session, SessionEvent};

use crate::folder_facts::Ask;
use crate::secrets::{Password, SecretStore};
use crate::state::board::Board;
use crate::state::folders::Folders;
use crate::state::line::{Line, Lines};
use crate::state::own_device::OwnDevice;
use crate::state::peers::Peers;
use crate::threads::account::counters::Counters;
use crate::threads::account::sealed::Latest;
use crate::threads::account::strangers::Strangers;
use crate::tunnel::{Door, NoticeCall, Tunnels};

/// First and longest pause before the keyring is asked again.
const KEYRING_PAUSE: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(60));

/// Pause before a server whose certificate was refused, or that lacked something, is asked again: whoever runs it may
/// have mended that meanwhile. A password is never tried again by itself.
const SERVER_PAUSE: Duration = Duration::from_secs(600);

/// How long the end waits for the server to take a goodbye: a system that shuts down does not wait for long.
const GOODBYE: Duration = Duration::from_millis(300);

/// What the account thread is told.
pub(crate) enum AccountAsk {
    /// Stay logged in as this account, on a device with these keys; what else is secret is in the store.
    LogIn(Box<Account>, Password, Arc<DeviceKeys>, SecretStore),
    /// Stay logged in as this account; its password is in the store.
    LogInKept(Box<Account>, SecretStore),
    /// Leave, and forget the account.
    LogOut,
    /// A folder has news at a place.
    Announce(PathBuf, FolderState),
    /// A folder is gone.
    FolderGone(PathBuf),
    /// The system's network changed.
    NetworkChanged,
    /// A person wants what waits to be tried now.
    TryNow,
}

/// The account thread's wiring.
pub(crate) struct AccountThread {
    pub(crate) asks: mpsc::UnboundedReceiver<AccountAsk>,
    pub(crate) folders: Folders,
    pub(crate) board: Arc<Board>,
    /// Who is paired.
    pub(crate) peers: Peers,
    /// This device's secrets.
    pub(crate) device: OwnDevice,
    /// Where others find the session.
    pub(crate) lines: Lines,
    /// Where the counters are kept.
    pub(crate) state_file: PathBuf,
    pub(crate) tunnels: Tunnels,
    /// Where what paired devices say is taken in.
    pub(crate) notices: mpsc::Sender<NoticeCall>,
    /// Tells which login mechanism was proven, so that a weaker one is refused from now on.
    pub(crate) proven: mpsc::UnboundedSender<String>,
}

struct Online {
    account: Box<Account>,
    session: Session,
    events: mpsc::Receiver<SessionEvent>,
    /// When a server that was found wanting is asked again.
    ask_again: Option<Instant>,
}

impl Online {
    /// The session, for others.
    fn line(&self, bound: &FullJid) -> Line {
        Line {
            account: self.account.jid.clone(),
            address: bound.clone(),
            tag: self.account.device,
            courier: self.session.courier(),
        }
    }

    /// Tries to connect now, if it is not under way or done.
    fn try_now(&mut self) {
        self.ask_again = None;
        if let ConnectionState::Retrying { .. }
        | ConnectionState::NeedsTrust { .. }
        | ConnectionState::ServerLacks { .. } = self.session.state()
        {
            self.session.network_changed();
        }
    }
}

/// Runs until told to stop.
pub(crate) async fn run(mut thread: AccountThread, stop: CancellationToken) {
    let mut counters = Counters::load(&thread.state_file);
    let mut online: Option<Online> = None;
    let mut waiting: Option<(Box<Account>, SecretStore, Duration)> = None;
    let mut states: Vec<(PathBuf, FolderState)> = Vec::new();
    let mut peers = BTreeMap::new();
    let mut strangers = Strangers::default();
    let (mut paired, mut secrets) = (thread.peers.changes(), thread.device.changes());
    let mut latest = Latest::default();
    loop {
        let keyring_pause = waiting.as_ref().map(|(_, _, pause)| *pause);
        let ask_again = online.as_ref().and_then(|online| online.ask_again);
        let event = async {
            match online.as_mut() {
                Some(online) => online.events.recv().await,
                None => std::future::pending().await,
            }
        };
        let keyring = async {
            match keyring_pause {
                Some(pause) => tokio::time::sleep(pause).await,
                None => std::future::pending().await,
            }
        };
        let server = async {
            match ask_again {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = stop.cancelled() => break,
            ask = thread.asks.recv() => match ask {
                None => break,
                Some(AccountAsk::LogIn(account, password, keys, store)) => {
                    waiting = None;
                    thread.log_out(&mut online, &mut peers).await;
                    online = Some(thread.log_in(account, &password, keys, store));
                }
                Some(AccountAsk::LogInKept(account, store)) => waiting = Some((account, store, Duration::ZERO)),
                Some(AccountAsk::LogOut) => {
                    waiting = None;
                    thread.log_out(&mut online, &mut peers).await;
                    thread.board.set_account(None);
                }
                Some(AccountAsk::Announce(folder, state)) => {
                    // Those changed last come first: what does not fit falls off the end.
                    states.retain(|(known, _)| *known != folder);
                    states.insert(0, (folder.clone(), state));
                    let sent = online.as_ref().is_some_and(|online| {
                        counters.next(&thread.state_file);
                        online.session.publish(counters.state(&states));
                        true
                    });
                    thread.folders.tell(&folder, Ask::Announced(sent));
                }
                Some(AccountAsk::FolderGone(folder)) => states.retain(|(known, _)| *known != folder),
                Some(AccountAsk::NetworkChanged) => {
                    if let Some(online) = &online {
                        online.session.network_changed();
                    }
                }
                Some(AccountAsk::TryNow) => {
                    if let Some((_, _, pause)) = &mut waiting {
                        *pause = Duration::ZERO;
                    }
                    online.iter_mut().for_each(Online::try_now);
                }
            },
            // Neither sender ends before this thread does.
            Ok(()) = paired.changed() => thread.arm(online.as_ref(), &mut counters, &states, &latest).await,
            Ok(()) = secrets.changed() => thread.arm(online.as_ref(), &mut counters, &states, &latest).await,
            () = server => online.iter_mut().for_each(Online::try_now),
            event = event => match event {
                Some(event) => {
                    let Some(now) = online.as_mut() else { continue };
                    if let SessionEvent::Hint(received) = &event {
                        latest.keep(received);
                    }
                    if let SessionEvent::State(state) = &event {
                        let wanting =
                            matches!(state, ConnectionState::NeedsTrust { .. } | ConnectionState::ServerLacks { .. });
                        now.ask_again = wanting.then(|| Instant::now() + SERVER_PAUSE);
                    }
                    thread.take(event, now, &mut counters, &states, &mut peers, &mut strangers).await;
                }
                None => online = None,
            },
            () = keyring => {
                if let Some((account, store, pause)) = waiting.take() {
                    let asked = thread.kept_password(&account, &store);
                    match stop.run_until_cancelled(asked).await.flatten() {
                        Some((password, keys)) => online = Some(thread.log_in(account, &password, keys, store)),
                        None => {
                            let next = (pause * 2).clamp(KEYRING_PAUSE.0, KEYRING_PAUSE.1);
                            waiting = Some((account, store, next));
                        }
                    }
                }
            }
        }
    }
    if let Some(online) = online {
        // A server that does not take it notices by itself.
        tokio::time::timeout(GOODBYE, online.session.stop()).await.ok();
    }
}

impl AccountThread {
    fn log_in(
        &self,
        account: Box<Account>,
        password: &Password,
        keys: Arc<DeviceKeys>,
        store: SecretStore,
    ) -> Online {
        self.unlock(keys.clone(), store);
        self.board.clear(ProblemCode::PasswordRefused);
        self.show(&account, AccountState::Connecting, "Connecting.", 0);
        let secret = Secret::new(password.expose().to_owned());
        let (session, events) = session::start((*account).clone(), secret, self.tunnels.timeouts());
        self.peers.log_in(Some(account.jid.clone()));
        self.tunnels.log_in(
            session.bytestreams(),
            session.socks5(),
            session.uploads(),
            keys,
            Door::to(self.folders.clone()).hearing(self.notices.clone()),
        );
        self.seal(&session);
        Online { account, session, events, ask_again: None }
    }

    async fn log_out(&self, online: &mut Option<Online>, peers: &mut BTreeMap<String, ()>) {
        peers.clear();
        if let Some(online) = online.take() {
            self.tunnels.log_out();
            self.peers.log_in(None);
            online.session.stop().await;
            self.folders.tell_all(|| Ask::Channel(false));
        }
        self.lines.down();
        self.peers.log_in(None);
        self.clear_all_but(None);
    }

    async fn take(
        &self,
        event: SessionEvent,
        online: &Online,
        counters: &mut Counters,
        states: &[(PathBuf, FolderState)],
        peers: &mut BTreeMap<String, ()>,
        strangers: &mut Strangers,
    ) {
        match event {
            SessionEvent::State(state) => {
                if let ConnectionState::Online { bound, .. } = &state {
                    self.lines.up(online.line(bound));
                }
                self.connection(&online.account, &state, peers.len());
            }
            SessionEvent::Proven(mechanism) => {
                self.proven.send(mechanism.name().to_owned()).ok();
            }
            SessionEvent::FreshSession { bound } => {
                self.tunnels.fresh_session(bound.clone());
                peers.clear();
                self.lines.anew(online.line(&bound));
                counters.next(&self.state_file);
                online.session.publish(counters.state(states));
                self.folders.tell_all(|| Ask::Channel(true));
            }
            SessionEvent::PeerPresence { jid, device, online: there } => {
                self.tunnels.presence(device, &jid, there);
                self.seen(device, &jid, there);
                if jid.to_bare() != online.account.jid {
                    // A friend's device is none of the account's.
                } else if there {
                    peers.insert(device.to_string(), ());
                } else {
                    peers.remove(&device.to_string());
                }
                let state = online.session.state();
                self.connection(&online.account, &state, peers.len());
            }
            SessionEvent::Hint(received) => {
                if counters.is_news(&received, &self.state_file) {
                    self.hint(&received, counters, strangers).await;
                }
            }
            SessionEvent::CounterBehind { held } => {
                // Our counter was lost or set back: go on above it, or the others take us for a replay.
                counters.epoch = counters.epoch.max(held.epoch);
                if counters.epoch == held.epoch {
                    counters.seq = counters.seq.max(held.seq);
                }
                counters.next(&self.state_file);
                online.session.publish(counters.state(states));
            }
        }
    }

    async fn hint(&self, received: &ReceivedState, counters: &mut Counters, strangers: &mut Strangers) {
        let said = self.sealed_news(received, counters).await;
        let mut recognised = 0;
        for folder in self.folders.all() {
            let known = folder.known_repositories().await;
            for opened in hints::open(received, &known) {
                recognised += 1;
                if said.contains(&opened.repository) {
                    continue;
                }
                folder.tell(Ask::Hint(opened));
            }
        }
        let unknown = received.marks.len().saturating_sub(recognised);
        // What a friend has besides the folders that are shared is not ours.
        if self.peers.of_tag(received.device).is_none() && strangers.worth_a_look(received.device, unknown) {
            self.folders.tell_all(|| Ask::Sync);
        }
    }
}
