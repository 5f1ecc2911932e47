//! Logging in, step by step, and the fault that names the step.

mod attempt;
mod check;
mod sasl;
mod words;

use std::io;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use self::attempt::{LoggedIn, log_in};
pub use self::check::check;
use crate::account::{Fingerprint, FullJid};

/// The steps of a login, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LoginStep {
    /// Finding the server's address.
    NameLookup,
    /// Reaching it.
    Connect,
    /// Starting encryption.
    Tls,
    /// Believing its certificate.
    Certificate,
    /// Proving the password.
    Password,
    /// Getting a session with what the app needs of a server.
    Session,
}

/// How the password was proven, weakest first. The channel-bound forms are the stronger ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mechanism {
    /// The password itself, inside TLS.
    Plain,
    /// SCRAM-SHA-1.
    ScramSha1,
    /// SCRAM-SHA-256.
    ScramSha256,
    /// SCRAM-SHA-1 bound to the TLS channel.
    ScramSha1Plus,
    /// SCRAM-SHA-256 bound to the TLS channel.
    ScramSha256Plus,
}

/// What a server must offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Feature {
    /// Encryption (STARTTLS on the ordinary port).
    Encryption,
    /// A way to prove the password without showing it, at least as strong as last time.
    SafeLogin,
    /// Resource binding.
    Binding,
}

/// Why a login failed: the step, and its cause.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}", cause)]
pub struct LoginFault {
    /// The step that failed; those before it passed.
    pub step: LoginStep,
    /// Why.
    #[source]
    pub cause: LoginCause,
}

/// The cause of a failed login, by what can be done about it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LoginCause {
    /// No address for this name.
    #[error("the server {host} was not found")]
    UnknownHost {
        /// The name that was asked for.
        host: String,
        /// What the resolver said.
        source: Option<Arc<io::Error>>,
    },
    /// No address of the server took the connection.
    #[error("{host} does not answer")]
    Unreachable {
        /// Host and port that were tried last.
        host: String,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// The server took the connection and then ended or broke it.
    #[error("the connection broke")]
    Broken {
        /// What was read, or not read.
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// A step took longer than its time limit.
    #[error("no answer for {} seconds", after.as_secs())]
    TimedOut {
        /// The limit.
        after: Duration,
    },
    /// The certificate is not believed; `fingerprint` is what a person may confirm and pin.
    #[error("the server's certificate is not trusted")]
    Untrusted {
        /// What is wrong with it.
        why: Distrust,
        /// The certificate that the server showed.
        fingerprint: Fingerprint,
        /// What the check said.
        source: Arc<io::Error>,
    },
    /// The file or the system store of authorities cannot be used.
    #[error("the certificates of the authorities cannot be read")]
    NoAuthorities {
        /// Why.
        source: Arc<io::Error>,
    },
    /// The server said `not-authorized`: the password or the user name is wrong.
    #[error("the server refused the password")]
    WrongPassword,
    /// The server refused this account for another reason.
    #[error("the server refused the login: {condition}")]
    Refused {
        /// The server's condition, from RFC 6120 section 6.5.
        condition: String,
        /// Whether it may go away by itself.
        temporary: bool,
    },
    /// The server took the password, but could not prove that it knows it: it may be another server.
    #[error("the server did not prove that it knows the account")]
    Unproven {
        /// What was wrong with its proof.
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// The server lacks something needed.
    #[error("the server lacks something needed")]
    Lacks(Feature),
    /// The server ended the stream and said why.
    #[error("the server ended the session: {condition}")]
    Ended {
        /// The server's condition, from RFC 6120 section 4.9.
        condition: String,
    },
}

/// What is wrong with a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Distrust {
    /// No trusted authority signed it; so it is with every self-made one.
    UnknownAuthority,
    /// It is for another name than the account's domain.
    WrongName,
    /// It has expired, or is not valid yet; or this computer's clock is wrong.
    OutOfDate,
    /// It is another than the one that a person confirmed.
    NotThePinned,
    /// Something rarer.
    Other,
}

/// When another try makes sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// By itself, after a pause.
    Later,
    /// Once a person has acted: a try before that fails the same way, or gets the address banned.
    AfterPerson,
}

/// What a full test of an account found.
#[derive(Debug, Clone)]
pub struct LoginReport {
    /// The address that the test was bound to (not the device's own resource, which may be online).
    pub bound: FullJid,
    /// How the password was proven; to be kept as
    /// [`Account::strongest`](crate::account::Account::strongest).
    pub mechanism: Mechanism,
    /// Whether TLS was there from the first byte, instead of STARTTLS.
    pub direct_tls: bool,
    /// Host and port that took the connection.
    pub server: (String, u16),
    /// Whether a broken connection can be resumed (XEP-0198).
    pub resumable: bool,
    /// Whether hints can be stored (XEP-0163); without it devices that are off learn at their next sync.
    pub pep: bool,
}

impl LoginStep {
    /// All steps in their order, so that a window can tick off those before the failed one.
    pub const ALL: [LoginStep; 6] = [
        LoginStep::NameLookup,
        LoginStep::Connect,
        LoginStep::Tls,
        LoginStep::Certificate,
        LoginStep::Password,
        LoginStep::Session,
    ];

    /// A stable code for windows and `--json`: `nameLookup`, `connect`, `tls`, `certificate`, `password`, `session`.
    pub fn code(self) -> &'static str {
        match self {
            LoginStep::NameLookup => "nameLookup",
            LoginStep::Connect => "connect",
            LoginStep::Tls => "tls",
            LoginStep::Certificate => "certificate",
            LoginStep::Password => "password",
            LoginStep::Session => "session",
        }
    }
}

impl LoginFault {
    /// When another try makes sense.
    pub fn retry(&self) -> Retry {
        match &self.cause {
            LoginCause::Untrusted { .. }
            | LoginCause::NoAuthorities { .. }
            | LoginCause::WrongPassword
            | LoginCause::Refused { temporary: false, .. }
            | LoginCause::Lacks(_) => Retry::AfterPerson,
            LoginCause::UnknownHost { .. }
            | LoginCause::Unreachable { .. }
            | LoginCause::Broken { .. }
            | LoginCause::TimedOut { .. }
            | LoginCause::Refused { temporary: true, .. }
            | LoginCause::Unproven { .. }
            | LoginCause::Ended { .. } => Retry::Later,
        }
    }
}
