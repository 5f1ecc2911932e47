//! The session: one task that keeps an account online until told to stop.

use std::time::{Duration, SystemTime};

use tokio::sync::mpsc;

use crate::account::{Account, DeviceTag, FullJid, Secret, Trust};
use crate::hints::{DeviceState, ReceivedState};
use crate::login::{LoginFault, Mechanism};

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
    /// Time online after which the pauses start small again.
    pub settled: Duration,
}

/// A handle on the session's task. Dropping it stops the task.
#[derive(Debug)]
pub struct Session {
    _todo: (),
}

/// Starts the session of an account. The receiver must be read: a slow reader holds up the session, not memory.
pub fn start(
    account: Account,
    secret: Secret,
    timeouts: Timeouts,
) -> (Session, mpsc::Receiver<SessionEvent>) {
    let _ = (account, secret, timeouts);
    todo!()
}

impl Session {
    /// Publishes the device's state to the account's other devices: now, or when online again; bursts are
    /// thinned and the newest state always goes out in the end.
    pub fn publish(&self, state: DeviceState) {
        let _ = state;
        todo!()
    }

    /// Tells that the system's network changed: a pause ends now, a connection that stands is probed.
    pub fn network_changed(&self) {
        todo!()
    }

    /// Gives a new password; a session that waits for one goes on.
    pub fn set_password(&self, secret: Secret) {
        let _ = secret;
        todo!()
    }

    /// Changes whose certificates are believed; a session that waits for it goes on.
    pub fn set_trust(&self, trust: Trust) {
        let _ = trust;
        todo!()
    }

    /// The connection's state now.
    pub fn state(&self) -> ConnectionState {
        todo!()
    }

    /// Says goodbye to the server and ends the task.
    pub async fn stop(self) {
        todo!()
    }
}

impl ConnectionState {
    /// What a person is told, in one sentence.
    pub fn sentence(&self) -> String {
        todo!()
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
            settled: Duration::from_secs(30),
        }
    }
}
