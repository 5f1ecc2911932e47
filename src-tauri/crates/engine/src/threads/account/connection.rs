//! How the account's connection is doing, in words for people: one state, and one problem at a time.

use tributary_status::{AccountState, Problem, ProblemAction, ProblemCode};
use tributary_xmpp::account::Account;
use tributary_xmpp::login::LoginCause;
use tributary_xmpp::session::ConnectionState;

use super::AccountThread;
use crate::folder_facts::Ask;
use crate::state::problems::problem;

/// Problems of a connection. There is one cause at a time.
const CONNECTION_PROBLEMS: [ProblemCode; 4] = [
    ProblemCode::PasswordRefused,
    ProblemCode::CertificateRefused,
    ProblemCode::ServerLacks,
    ProblemCode::ServerUnreachable,
];

impl AccountThread {
    /// Clears the problems of the connection, save one that is the cause now.
    pub(super) fn clear_all_but(&self, cause: Option<ProblemCode>) {
        CONNECTION_PROBLEMS
            .into_iter()
            .filter(|code| Some(*code) != cause)
            .for_each(|code| self.board.clear(code));
    }

    pub(super) fn connection(&self, account: &Account, state: &ConnectionState, peers: usize) {
        let sentence = state.sentence();
        let (shown, fault) = match state {
            ConnectionState::Off => (AccountState::Off, None),
            ConnectionState::Online { .. } => (AccountState::Online, None),
            ConnectionState::NeedsPassword { .. } => {
                (AccountState::NeedsYou, Some((ProblemCode::PasswordRefused, ProblemAction::EnterPassword)))
            }
            ConnectionState::NeedsTrust { .. } => (
                AccountState::NeedsYou,
                Some((ProblemCode::CertificateRefused, ProblemAction::ReviewCertificate)),
            ),
            ConnectionState::ServerLacks { .. } => {
                (AccountState::NeedsYou, Some((ProblemCode::ServerLacks, ProblemAction::TryAgain)))
            }
            _ => (AccountState::Connecting, None),
        };
        self.show(account, shown, &sentence, peers);
        if let Some((code, action)) = fault {
            let hint = match code {
                ProblemCode::PasswordRefused => {
                    "Enter the right password in the settings, or say `trib xmpp login`. Until then the folders look at \
                     their places now and then."
                }
                ProblemCode::CertificateRefused => {
                    "Ask who runs the server. It is tried again now and then, and when you log in anew."
                }
                _ => "Use an account on another server.",
            };
            self.clear_all_but(Some(code));
            self.board.raise(Problem {
                needs_you: true,
                action: Some(action),
                ..problem(code, account.jid.as_str(), sentence, hint)
            });
        } else if let ConnectionState::Retrying { fault, .. } = state {
            let code = match fault.cause {
                LoginCause::Untrusted { .. } => ProblemCode::CertificateRefused,
                _ => ProblemCode::ServerUnreachable,
            };
            let hint =
                "It is tried again by itself. Until then the folders look at their places now and then.";
            self.clear_all_but(Some(code));
            self.board.raise(problem(code, account.jid.as_str(), sentence, hint));
        }
        if shown == AccountState::Online {
            self.clear_all_but(None);
        } else if !matches!(state, ConnectionState::Suspended) {
            self.lines.down();
            self.folders.tell_all(|| Ask::Channel(false));
        }
    }

    pub(super) fn show(&self, account: &Account, state: AccountState, sentence: &str, peers: usize) {
        self.board.set_account(Some(tributary_status::Account {
            jid: account.jid.as_str().into(),
            state,
            sentence: sentence.into(),
            devices_online: u32::try_from(peers).unwrap_or(u32::MAX),
        }));
    }
}
