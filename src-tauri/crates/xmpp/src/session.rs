//! The session: one task that keeps an account online until told to stop.

mod conversation;
mod devices;
mod friends;
mod line;
mod pause;
mod requests;
mod slot;
mod task;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::account::{Account, DeviceTag, FullJid, Secret, Trust};
use crate::courier::{self, Courier, Dispatch, Listener};
use crate::hints::{Counter, DeviceState, ReceivedState, Sealer};
use crate::ibb::{self, Admission, Bytestream, Bytestreams, OpenError, Opening};
use crate::login::{LoginFault, Mechanism};
use crate::socks5::{self, Socks5};
use crate::upload::Uploads;

pub use friends::Friends;

/// Events that may wait for the engine, before the session waits too.
const EVENT_DEPTH: usize = 256;

/// What the session tells the engine.
#[derive(Debug, Clone)]
pub enum SessionEvent {
    /// The connection's state changed.
    State(ConnectionState),
    /// A login succeeded with this mechanism, the strongest so far: to be kept as [`Account::strongest`].
    Proven(Mechanism),
    /// A new session, with nothing carried over: everything that waits for an answer has failed. The engine
    /// compares states; presence, the other devices' states and the own one are already on their way.
    FreshSession {
        /// The address the server gave us.
        bound: FullJid,
    },
    /// Another device of the account came online or left.
    PeerPresence {
        /// The client.
        jid: FullJid,
        /// The device behind it.
        device: DeviceTag,
        /// Whether it is there now.
        online: bool,
    },
    /// The account holds a state of this very device with a higher counter than the one published now: the counter
    /// was lost, or its clock ran backwards. The engine continues above `held`, or the others take everything
    /// from here for a replay.
    CounterBehind {
        /// The counter that the account holds.
        held: Counter,
    },
    /// Another device's state: pushed, or fetched at login. Replays are left to the caller's counters.
    Hint(ReceivedState),
}

/// Where the connection is.
#[derive(Debug, Clone)]
pub enum ConnectionState {
    /// Not wanted.
    Off,
    /// Looking for the server's address.
    Resolving,
    /// Reaching it.
    Connecting,
    /// Starting encryption.
    Tls,
    /// Proving the password and opening the session.
    Login,
    /// Connected.
    Online {
        /// The address the server gave us.
        bound: FullJid,
        /// Whether an interrupted session went on with nothing lost.
        resumed: bool,
    },
    /// Interrupted; being resumed, with nothing lost so far.
    Suspended,
    /// Waits for [`Session::set_password`]: the server refused the one it has.
    NeedsPassword {
        /// What the server said.
        fault: LoginFault,
    },
    /// Waits for [`Session::set_trust`]: a person must decide about the certificate
    /// ([`crate::login::LoginCause::Untrusted`] has its fingerprint).
    NeedsTrust {
        /// What is wrong with it.
        fault: LoginFault,
    },
    /// Waits for a person: the server cannot do what is needed.
    ServerLacks {
        /// What.
        fault: LoginFault,
    },
    /// Waits for the next try.
    Retrying {
        /// What failed.
        fault: LoginFault,
        /// When the next try starts, if the network does not change before.
        at: SystemTime,
    },
}

/// How long the session waits for what; tests shorten them.
#[derive(Debug, Clone)]
pub struct Timeouts {
    /// Each step of a login.
    pub step: Duration,
    /// Silence after which the server is asked whether it is there.
    pub read: Duration,
    /// Silence after the question, until the connection counts as dead.
    pub response: Duration,
    /// An answer to a request.
    pub reply: Duration,
    /// The acknowledgement asked for after a resumed session, before the session counts as deaf.
    pub deaf: Duration,
    /// First pause between tries.
    pub first_pause: Duration,
    /// Longest pause between tries.
    pub longest_pause: Duration,
    /// Any answer while blocks of a stream are under way.
    pub stall: Duration,
    /// Silence on a stream until the other client is asked whether it still has it.
    pub quiet: Duration,
    /// Time online after which the pauses start small again.
    pub settled: Duration,
}

/// A handle on the session's task. Dropping it stops the task.
#[derive(Debug)]
pub struct Session {
    login: watch::Sender<Login>,
    publish: watch::Sender<Option<DeviceState>>,
    sealer: watch::Sender<Option<Sealer>>,
    friends: watch::Sender<Friends>,
    network: Arc<Notify>,
    bytestreams: Bytestreams,
    socks5: Socks5,
    uploads: Uploads,
    courier: Courier,
    state: watch::Receiver<ConnectionState>,
    stop: DropGuard,
    task: JoinHandle<()>,
}

/// What a try to log in is made with.
#[derive(Debug, Clone)]
pub(crate) struct Login {
    pub(crate) account: Account,
    secret: Secret,
}

/// The task's ends of what the engine wishes. All of them coalesce: nobody waits, nothing piles up.
struct Wishes {
    login: watch::Sender<Login>,
    publish: watch::Receiver<Option<DeviceState>>,
    sealer: watch::Receiver<Option<Sealer>>,
    friends: watch::Receiver<Friends>,
    network: Arc<Notify>,
    openings: mpsc::Receiver<Opening>,
    admission: Admission,
    asks: mpsc::Receiver<socks5::Ask>,
    door: socks5::Door,
    here: watch::Sender<socks5::Whereabouts>,
    outbox: mpsc::Receiver<Dispatch>,
    listener: Listener,
    /// Rung by the handles of streams when they have work for the session.
    bell: Arc<Notify>,
    stop: CancellationToken,
}

/// Starts the session of an account, on the present runtime. The receiver must be read: a slow reader holds up the
/// session, and dropping it ends the session.
pub fn start(
    account: Account,
    secret: Secret,
    timeouts: Timeouts,
) -> (Session, mpsc::Receiver<SessionEvent>) {
    let (events, received) = mpsc::channel(EVENT_DEPTH);
    let (login, _) = watch::channel(Login { account, secret });
    let (publish, to_publish) = watch::channel(None);
    let (sealer, to_seal) = watch::channel(None);
    let (friends, paired) = watch::channel(Friends::default());
    let (state_now, state) = watch::channel(ConnectionState::Off);
    let network = Arc::new(Notify::new());
    let stop = CancellationToken::new();
    let (bytestreams, openings) = ibb::streams();
    let (here, is_here) = watch::channel(socks5::Whereabouts::default());
    let (socks5, asks) = socks5::socks5(is_here);
    let uploads = Uploads::new(socks5.services(), login.subscribe());
    let (courier, outbox) = courier::courier();
    let wishes = Wishes {
        login: login.clone(),
        publish: to_publish,
        sealer: to_seal,
        friends: paired,
        network: network.clone(),
        openings,
        admission: bytestreams.admission(),
        asks,
        door: socks5.door(),
        here,
        outbox,
        listener: courier.listener(),
        bell: Arc::new(Notify::new()),
        stop: stop.clone(),
    };
    let task = tokio::spawn(task::run(wishes, timeouts, events, state_now));
    (
        Session {
            login,
            publish,
            sealer,
            friends,
            network,
            bytestreams,
            socks5,
            uploads,
            courier,
            state,
            stop: stop.drop_guard(),
            task,
        },
        received,
    )
}

impl Session {
    /// Publishes the device's state to the account's other devices: now, or when online again; bursts are
    /// thinned and the newest state always goes out in the end.
    pub fn publish(&self, state: DeviceState) {
        self.publish.send_replace(Some(state));
    }

    /// Seals what is published from now on for the paired devices that have the folders' keys, besides the marks for
    /// those that never paired. A key that changed (somebody was removed) counts from the next [`publish`](Self::publish)
    /// on.
    pub fn seal_hints(&self, sealer: Sealer) {
        self.sealer.send_replace(Some(sealer));
    }

    /// Names the paired devices of other accounts: their states are asked for and believed, their presence is asked for
    /// and ours is given to them. Own devices need not be named. A device that is left out is forgotten at once.
    pub fn set_friends(&self, friends: Friends) {
        self.friends.send_replace(friends);
    }

    /// Tells that the system's network changed: a pause ends now, and a connection that stands is resumed over
    /// the new network, because the old one may be gone without a word.
    pub fn network_changed(&self) {
        self.network.notify_one();
    }

    /// Gives a new password, typed by a person; a session that waits for one goes on. What the server offered
    /// before counts no more, see [`Account::strongest`].
    pub fn set_password(&self, secret: Secret) {
        self.login.send_modify(|login| {
            login.secret = secret;
            login.account.strongest = None;
        });
    }

    /// Changes whose certificates are believed; a session that waits for it goes on.
    pub fn set_trust(&self, trust: Trust) {
        self.login.send_modify(|login| login.account.trust = trust);
    }

    /// The connection's state now.
    pub fn state(&self) -> ConnectionState {
        self.state.borrow().clone()
    }

    /// Opens a stream of bytes to another client, through the server. Bare: see [`crate::channel`].
    ///
    /// # Errors
    /// When there is none, see [`OpenError`].
    pub async fn open_bytestream(&self, peer: &FullJid) -> Result<Bytestream, OpenError> {
        self.bytestreams.open(peer).await
    }

    /// A handle that opens and accepts streams from other tasks.
    pub fn bytestreams(&self) -> Bytestreams {
        self.bytestreams.clone()
    }

    /// A handle that opens and accepts streams beside the session, from other tasks.
    pub fn socks5(&self) -> Socks5 {
        self.socks5.clone()
    }

    /// A handle that leaves files at the account's server, and fetches them, from other tasks.
    pub fn uploads(&self) -> Uploads {
        self.uploads.clone()
    }

    /// A handle that carries the packets of pairings.
    pub fn courier(&self) -> Courier {
        self.courier.clone()
    }

    /// Says goodbye to the server and ends the task.
    pub async fn stop(self) {
        drop(self.stop);
        // A task that panicked has ended too; the panic was reported when it happened.
        let _ = self.task.await;
    }
}

impl ConnectionState {
    /// What a person is told, in one sentence.
    pub fn sentence(&self) -> String {
        match self {
            ConnectionState::Off => "Not connected.".to_owned(),
            ConnectionState::Resolving => "Looking for the server.".to_owned(),
            ConnectionState::Connecting => "Connecting to the server.".to_owned(),
            ConnectionState::Tls => "Starting encryption.".to_owned(),
            ConnectionState::Login => "Logging in.".to_owned(),
            ConnectionState::Online { .. } => "Connected.".to_owned(),
            ConnectionState::Suspended => "The connection was interrupted; it is being resumed.".to_owned(),
            ConnectionState::NeedsPassword { fault }
            | ConnectionState::NeedsTrust { fault }
            | ConnectionState::ServerLacks { fault }
            | ConnectionState::Retrying { fault, .. } => fault.sentence(),
        }
    }

    /// What failed, in the states that follow a failure.
    pub fn fault(&self) -> Option<&LoginFault> {
        match self {
            ConnectionState::NeedsPassword { fault }
            | ConnectionState::NeedsTrust { fault }
            | ConnectionState::ServerLacks { fault }
            | ConnectionState::Retrying { fault, .. } => Some(fault),
            _ => None,
        }
    }
}

impl Default for Timeouts {
    fn default() -> Timeouts {
        Timeouts {
            step: Duration::from_secs(30),
            read: Duration::from_secs(60),
            response: Duration::from_secs(20),
            reply: Duration::from_secs(30),
            deaf: Duration::from_secs(5),
            first_pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(300),
            stall: Duration::from_secs(120),
            quiet: Duration::from_secs(30),
            settled: Duration::from_secs(30),
        }
    }
}

impl Timeouts {
    /// The part that tokio-xmpp keeps watch over.
    pub(crate) fn stream(&self) -> tokio_xmpp::xmlstream::Timeouts {
        tokio_xmpp::xmlstream::Timeouts { read_timeout: self.read, response_timeout: self.response }
    }
}
