//! The account's password: in the desktop's keyring, or in a file (0600) where the person chose so.
//!
//! Alone in knowing `keyring`. Every call may block on a prompt of the keyring, so each runs on a blocking thread and
//! with a time limit; a locked keyring is "not yet", never a reason to ask for the password again. A secret is in no
//! log, argument or error text.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tributary_status::KeyringChoice;

use crate::config::write_private;

/// The service under which the password is kept; `secret-tool lookup service tributary username JID` shows it.
const SERVICE: &str = "tributary";

/// How long a keyring may take before the engine goes on without the secret and asks again later.
const PATIENCE: Duration = Duration::from_secs(10);

/// A password. Its text is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// Takes the text of a password.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text, for the login and for nothing else.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// Why a secret could not be read or kept.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// No Secret Service answers on the session bus, or there is no session bus.
    #[error("no keyring answers on this desktop")]
    Absent,
    /// The keyring is locked, or its prompt was dismissed.
    #[error("the keyring is locked")]
    Locked,
    /// The keyring did not answer in time.
    #[error("the keyring did not answer within {} s", PATIENCE.as_secs())]
    Silent,
    /// The keyring said something else.
    #[error("the keyring failed: {0}")]
    Other(String),
    /// The file could not be read or written.
    #[error("{path} could not be used")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// Where secrets are kept.
#[derive(Debug, Clone)]
pub enum SecretStore {
    /// The desktop's keyring.
    Keyring,
    /// A file that only the person can read.
    File(PathBuf),
}

impl SecretStore {
    /// The store that the person chose.
    #[must_use]
    pub fn chosen(choice: KeyringChoice, file: PathBuf) -> Self {
        match choice {
            KeyringChoice::System => Self::Keyring,
            KeyringChoice::File => Self::File(file),
        }
    }

    /// The password of an account, if one is kept.
    ///
    /// # Errors
    /// When the store could not be asked.
    pub async fn get(&self, account: &str) -> Result<Option<Password>, SecretError> {
        let account = account.to_owned();
        match self.clone() {
            Self::Keyring => {
                patiently(move || match entry(&account)?.get_password() {
                    Ok(text) => Ok(Some(Password(text))),
                    Err(keyring::Error::NoEntry) => Ok(None),
                    Err(error) => Err(meaning(error)),
                })
                .await
            }
            Self::File(path) => patiently(move || Ok(read_file(&path)?.remove(&account).map(Password))).await,
        }
    }

    /// Keeps the password of an account.
    ///
    /// # Errors
    /// When it could not be kept.
    pub async fn set(&self, account: &str, password: &Password) -> Result<(), SecretError> {
        let (account, password) = (account.to_owned(), password.clone());
        match self.clone() {
            Self::Keyring => {
                patiently(move || entry(&account)?.set_password(password.expose()).map_err(meaning)).await
            }
            Self::File(path) => {
                patiently(move || {
                    let mut secrets = read_file(&path)?;
                    secrets.insert(account, password.0);
                    write_file(&path, &secrets)
                })
                .await
            }
        }
    }

    /// Forgets the password of an account; one that was never kept is forgotten already.
    ///
    /// # Errors
    /// When the store could not be asked.
    pub async fn forget(&self, account: &str) -> Result<(), SecretError> {
        let account = account.to_owned();
        match self.clone() {
            Self::Keyring => {
                patiently(move || match entry(&account)?.delete_credential() {
                    Ok(()) | Err(keyring::Error::NoEntry) => Ok(()),
                    Err(error) => Err(meaning(error)),
                })
                .await
            }
            Self::File(path) => {
                patiently(move || {
                    let mut secrets = read_file(&path)?;
                    if secrets.remove(&account).is_some() { write_file(&path, &secrets) } else { Ok(()) }
                })
                .await
            }
        }
    }
}

fn entry(account: &str) -> Result<keyring::Entry, SecretError> {
    keyring::Entry::new(SERVICE, account).map_err(meaning)
}

fn meaning(error: keyring::Error) -> SecretError {
    match error {
        keyring::Error::NoDefaultStore => SecretError::Absent,
        keyring::Error::NoStorageAccess(_) => SecretError::Locked,
        // The texts of the other errors name attributes, never the secret.
        other => SecretError::Other(other.to_string()),
    }
}

async fn patiently<T: Send + 'static>(
    ask: impl FnOnce() -> Result<T, SecretError> + Send + 'static,
) -> Result<T, SecretError> {
    match tokio::time::timeout(PATIENCE, tokio::task::spawn_blocking(ask)).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(panic)) => Err(SecretError::Other(panic.to_string())),
        Err(_) => Err(SecretError::Silent),
    }
}

fn read_file(path: &Path) -> Result<BTreeMap<String, String>, SecretError> {
    let failed = |source| SecretError::File { path: path.to_owned(), source };
    match std::fs::read(path) {
        Ok(text) => serde_json::from_slice(&text).map_err(|error| failed(error.into())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(error) => Err(failed(error)),
    }
}

fn write_file(path: &Path, secrets: &BTreeMap<String, String>) -> Result<(), SecretError> {
    let text = serde_json::to_vec(secrets).expect("plain data always serialises");
    write_private(path, &text).map_err(|source| SecretError::File { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[tokio::test]
    async fn the_file_is_private_and_gives_back_what_it_got() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secrets.json");
        let store = SecretStore::File(path.clone());
        assert_eq!(store.get("ann@example.org").await.unwrap(), None);
        store.set("ann@example.org", &Password::new("hunter2".into())).await.unwrap();
        assert_eq!(store.get("ann@example.org").await.unwrap().unwrap().expose(), "hunter2");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        store.forget("ann@example.org").await.unwrap();
        assert_eq!(store.get("ann@example.org").await.unwrap(), None);
    }

    #[test]
    fn a_password_prints_nothing() {
        assert_eq!(format!("{:?}", Password::new("hunter2".into())), "Password(…)");
    }
}
