//! The account's password, as it is kept.

use std::sync::Arc;

use tributary_status::{AccountState, Problem, ProblemAction, ProblemCode};
use tributary_xmpp::account::Account;
use tributary_xmpp::device::DeviceKeys;

use super::AccountThread;
use crate::secrets::{Password, SecretError, SecretStore};
use crate::state::device_keys::device_keys;
use crate::state::problems::problem;

impl AccountThread {
    /// The account's password and this device's keys, as they are kept.
    pub(super) async fn kept_password(
        &self,
        account: &Account,
        store: &SecretStore,
    ) -> Option<(Password, Arc<DeviceKeys>)> {
        let kept = match store.get(account.jid.as_str()).await {
            Ok(Some(password)) => device_keys(store).await.map(|keys| Some((password, keys))),
            Ok(None) => Ok(None),
            Err(error) => Err(error),
        };
        match kept {
            Ok(Some(kept)) => {
                self.board.clear(ProblemCode::KeyringUnavailable);
                Some(kept)
            }
            Ok(None) => {
                let sentence =
                    format!("The password of {} is not kept on this computer.", account.jid.as_str());
                self.show(account, AccountState::NeedsYou, &sentence, 0);
                self.board.raise(Problem {
                    needs_you: true,
                    action: Some(ProblemAction::EnterPassword),
                    ..problem(
                        ProblemCode::PasswordRefused,
                        "account",
                        sentence,
                        "Enter it once more in the settings, or say `trib xmpp login`.",
                    )
                });
                None
            }
            Err(error) => {
                let sentence = format!("The account's password cannot be read: {error}.");
                let hint = match error {
                    SecretError::Locked | SecretError::Silent => {
                        "Unlock your keyring; the account connects by itself."
                    }
                    _ => "Start a keyring (GNOME Keyring, KWallet), or log in with `--keyring file`.",
                };
                self.show(account, AccountState::Connecting, "Waiting for the keyring.", 0);
                self.board.raise(problem(ProblemCode::KeyringUnavailable, "keyring", sentence, hint));
                None
            }
        }
    }
}
