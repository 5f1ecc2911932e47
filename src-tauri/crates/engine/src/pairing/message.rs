//! Pairing in the words of people: one sentence for each ending, and what to do.

use tributary_status::{Failure, ProblemCode};
use tributary_xmpp::courier::CourierError;
use tributary_xmpp::pairing::PairingError;

use crate::secrets::SecretError;

/// Why a pairing did not come to be.
pub(crate) fn not_paired(error: PairingError) -> Failure {
    let hint = match error {
        PairingError::LinkDamaged | PairingError::CodeMalformed => "Nothing was tried with it.",
        PairingError::LinkNewer => "Nothing was set up.",
        PairingError::Busy | PairingError::Vanished => "Say the same again.",
        PairingError::Declined => "Nothing was set up, here or there.",
        PairingError::TooLarge => "Remove places of the folder that are not used.",
        _ => "Ask there for a new invitation. Nothing was set up, here or there.",
    };
    let sentence = error.to_string();
    Failure { code: Some(ProblemCode::PairingFailed), sentence: capital(&sentence), hint: hint.into() }
}

/// Why nothing could be said to the other computer.
pub(crate) fn not_carried(error: CourierError) -> Failure {
    let hint = match error {
        CourierError::Offline => "It goes on by itself when the account is online again; then try once more.",
        CourierError::NotThere | CourierError::Silent => {
            "Let Tributary run there, with the account online, and try again."
        }
    };
    Failure {
        code: Some(ProblemCode::PairingFailed),
        sentence: capital(&error.to_string()),
        hint: hint.into(),
    }
}

/// Why the device's secrets cannot be used.
pub(crate) fn no_secrets(error: &SecretError) -> Failure {
    Failure {
        code: Some(ProblemCode::KeyringUnavailable),
        sentence: format!("This computer's keys cannot be read or kept: {error}."),
        hint: "Unlock your keyring and try again.".into(),
    }
}

/// There is nobody to pair through.
pub(crate) fn no_account() -> Failure {
    Failure {
        code: None,
        sentence: "Pairing needs an account that is online.".into(),
        hint: "Set an account up, or wait until it is connected.".into(),
    }
}

/// Causes begin in lower case, sentences do not, and end.
fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}
