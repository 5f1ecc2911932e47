//! The XMPP account: tested step by step, kept, connected at each start.

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use tributary_status::{
    Failure, LoginForm, LoginReport, LoginStepReport, ProblemCode, Reply, SecretSource, StepOutcome,
};
use tributary_xmpp::account::{Account, BareJid, DeviceTag, Fingerprint, Secret, Trust, new_resource};
use tributary_xmpp::login::{self, LoginCause, LoginFault, LoginStep, Mechanism};
use tributary_xmpp::session::Timeouts;

use super::{done, fault, not_kept};
use crate::config::{AccountConfig, Config};
use crate::engine::Engine;
use crate::secrets::{Password, SecretError, SecretStore};
use crate::state::device_keys::{device_keys, take_along};
use crate::threads::account::AccountAsk;

/// Tests the account; when every step holds, keeps its password and stays logged in.
pub(super) async fn log_in(engine: &Arc<Engine>, form: LoginForm) -> Result<Reply, Failure> {
    let config = engine.configuration();
    let jid = BareJid::from_str(form.jid.trim()).map_err(|error| {
        fault(
            None,
            format!("{} is no account address: {error}.", form.jid.trim()),
            "It looks like name@server.",
        )
    })?;
    let choice = form.keyring.unwrap_or(config.settings.keyring);
    let store = SecretStore::chosen(choice, engine.home.secrets_file());
    let password = match form.password {
        SecretSource::Typed { password } => Password::new(password),
        SecretSource::Kept => {
            store.get(jid.as_str()).await.map_err(|error| not_stored(&error))?.ok_or_else(|| {
                fault(
                    Some(ProblemCode::PasswordRefused),
                    "No password is kept for this account.",
                    "Enter it.",
                )
            })?
        }
    };
    let before = config.account.as_ref().filter(|known| known.jid == jid.as_str());
    let wanted = AccountConfig {
        jid: jid.as_str().into(),
        server: form.server.filter(|text| !text.is_empty()),
        ca_file: form.ca_file.filter(|text| !text.is_empty()).map(PathBuf::from),
        pin: form.pin,
        resource: before.map_or_else(new_resource, |known| known.resource.clone()),
        strongest_mechanism: None,
    };
    let tag = config.device_tag.clone().unwrap_or_else(|| DeviceTag::random().to_string());
    let mut account = account_of(&wanted, &tag)?;
    // Typed anew, the account may have moved to another server: what it could do before does not bind it.
    account.strongest = None;
    let secret = Secret::new(password.expose().to_owned());
    let report = match login::check(&account, &secret, &Timeouts::default()).await {
        Ok(_) => report(None),
        Err(fault) => report(Some(&fault)),
    };
    if report.done {
        // The password is kept first: an account that is configured and has none would ask for it at the next start.
        store.set(jid.as_str(), &password).await.map_err(|error| not_stored(&error))?;
        if choice != config.settings.keyring {
            // Those who are paired know this device by keys that go along with the password.
            let before = SecretStore::chosen(config.settings.keyring, engine.home.secrets_file());
            if let Err(error) = take_along(&before, &store).await {
                tracing::warn!(%error, "the device's keys could not be taken from where they were kept");
            }
            engine.device.move_to(&store).await.map_err(|error| not_stored(&error))?;
        }
        let keys = device_keys(&store).await.map_err(|error| not_stored(&error))?;
        engine
            .configure(|config| {
                config.account = Some(wanted);
                config.device_tag = Some(tag);
                config.settings.keyring = choice;
            })
            .map_err(not_kept)?;
        engine.board.set_settings(engine.configuration().settings);
        engine.account.send(AccountAsk::LogIn(Box::new(account), password, keys, store)).ok();
    }
    Ok(Reply::Login { report })
}

/// Logs out and forgets the account and its password.
pub(super) async fn log_out(engine: &Arc<Engine>) -> Result<Reply, Failure> {
    let config = engine.configuration();
    let Some(account) = config.account else {
        return Err(fault(None, "There is no account.", "There is nothing to do."));
    };
    engine.account.send(AccountAsk::LogOut).ok();
    let store = SecretStore::chosen(config.settings.keyring, engine.home.secrets_file());
    let forgotten = store.forget(&account.jid).await;
    engine.configure(|config| config.account = None).map_err(not_kept)?;
    forgotten.map_err(|error| not_stored(&error))?;
    done(format!("{} is forgotten on this computer.", account.jid))
}

/// Connects the account that is configured, at a start.
pub(crate) fn connect_kept(engine: &Arc<Engine>, config: &Config) {
    let (Some(wanted), Some(tag)) = (&config.account, &config.device_tag) else { return };
    match account_of(wanted, tag) {
        Ok(account) => {
            let store = SecretStore::chosen(config.settings.keyring, engine.home.secrets_file());
            engine.account.send(AccountAsk::LogInKept(Box::new(account), store)).ok();
        }
        Err(failure) => tracing::warn!(sentence = failure.sentence, "the configured account cannot be used"),
    }
}

fn account_of(config: &AccountConfig, tag: &str) -> Result<Account, Failure> {
    let wrong = |what: &str, hint: &str| fault(None, format!("{what}."), hint);
    let server_hint = "Give it as HOST:PORT, such as xmpp.example.org:5222.";
    let server = match &config.server {
        None => None,
        Some(text) => {
            let (host, port) = text
                .rsplit_once(':')
                .ok_or_else(|| wrong("The server is not given as HOST:PORT", server_hint))?;
            let port = port.parse().map_err(|_| wrong("The server's port is no number", server_hint))?;
            Some((host.trim_matches(['[', ']']).to_owned(), port))
        }
    };
    let trust = match (&config.pin, &config.ca_file) {
        (Some(pin), _) => Trust::Pinned(Fingerprint::from_str(pin).map_err(|_| {
            wrong("That is no fingerprint of a certificate", "Give its SHA-256, in 64 hexadecimal digits.")
        })?),
        (None, Some(file)) => Trust::CaFile(file.clone()),
        (None, None) => Trust::SystemRoots,
    };
    Ok(Account {
        jid: BareJid::from_str(&config.jid)
            .map_err(|_| wrong("That is no account address", "It looks like name@server."))?,
        server,
        trust,
        allow_plain: false,
        strongest: config.strongest_mechanism.as_deref().and_then(Mechanism::from_name),
        device: DeviceTag::from_str(tag)
            .map_err(|_| wrong("This device's tag cannot be read", "Log in again."))?,
        resource: config.resource.clone(),
    })
}

/// The steps as a person sees them: when they hold or were not tried, and when they failed.
const STEPS: [(LoginStep, &str, &str); 6] = [
    (LoginStep::NameLookup, "Server found", "Server not found"),
    (LoginStep::Connect, "Connected", "Not reached"),
    (LoginStep::Tls, "Encrypted", "Not encrypted"),
    (LoginStep::Certificate, "Certificate", "Certificate refused"),
    (LoginStep::Password, "Password", "Password refused"),
    (LoginStep::Session, "Session", "Session refused"),
];

fn report(fault: Option<&LoginFault>) -> LoginReport {
    let steps = STEPS
        .iter()
        .map(|(step, held, failed)| {
            let (outcome, detail) = match fault {
                Some(fault) if *step == fault.step => (StepOutcome::Failed, fault.to_string()),
                Some(fault) if *step > fault.step => (StepOutcome::NotTried, String::new()),
                _ => (StepOutcome::Held, String::new()),
            };
            let label = if outcome == StepOutcome::Failed { failed } else { held };
            LoginStepReport { label: (*label).into(), outcome, detail }
        })
        .collect();
    let Some(fault) = fault else {
        return LoginReport {
            steps,
            done: true,
            sentence: "Connected.".into(),
            hint: String::new(),
            fingerprint: None,
        };
    };
    let fingerprint = match &fault.cause {
        LoginCause::Untrusted { fingerprint, .. } => {
            Some(fingerprint.to_string().replace(':', "").to_lowercase())
        }
        _ => None,
    };
    let hint = match fault.step {
        LoginStep::NameLookup => "Check the part after the @, or name the server as HOST:PORT.",
        LoginStep::Connect => "Check the network, or name the server as HOST:PORT.",
        LoginStep::Tls => "The server's encryption is not as it should be; ask who runs it.",
        LoginStep::Certificate => {
            "Ask who runs the server which certificate it has; then trust that one, or name its authority."
        }
        LoginStep::Password => "Enter the password again. Nothing else is wrong.",
        LoginStep::Session => "Use an account on another server, or ask who runs this one.",
    };
    LoginReport { steps, done: false, sentence: fault.sentence(), hint: hint.into(), fingerprint }
}

fn not_stored(error: &SecretError) -> Failure {
    let hint = match error {
        SecretError::Locked | SecretError::Silent => "Unlock your keyring and try again.",
        SecretError::Absent => {
            "Start a keyring (GNOME Keyring, KWallet), or choose a file with `--keyring file`."
        }
        SecretError::Other(_) | SecretError::File { .. } => {
            "Try again, or choose a file with `--keyring file`."
        }
    };
    fault(
        Some(ProblemCode::KeyringUnavailable),
        format!("The password could not be kept or read: {error}."),
        hint,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_step_that_failed_is_named_and_those_after_it_were_not_tried() {
        let fault = LoginFault { step: LoginStep::Password, cause: LoginCause::WrongPassword };
        let report = report(Some(&fault));
        assert!(!report.done);
        let outcomes: Vec<_> = report.steps.iter().map(|step| step.outcome).collect();
        use StepOutcome::{Failed, Held, NotTried};
        assert_eq!(outcomes, [Held, Held, Held, Held, Failed, NotTried]);
    }
}
