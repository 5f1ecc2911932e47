//! What a person is told about a login that failed: what is wrong, and what helps.

use super::{Distrust, Feature, LoginCause, LoginFault};

impl LoginFault {
    /// What is wrong, in one sentence without jargon.
    pub fn sentence(&self) -> String {
        match &self.cause {
            LoginCause::UnknownHost { host, .. } => format!("The server {host} was not found."),
            LoginCause::Unreachable { host, source } => {
                format!("The server {host} does not answer ({source}).")
            }
            LoginCause::Broken { source } => format!("The connection to the server broke ({source})."),
            LoginCause::TimedOut { after } => {
                format!("The server did not answer within {} seconds.", after.as_secs())
            }
            LoginCause::Untrusted { why, .. } => match why {
                Distrust::UnknownAuthority => {
                    "The server's certificate is not from an authority that this computer knows.".to_owned()
                }
                Distrust::WrongName => "The server's certificate is for another name.".to_owned(),
                Distrust::OutOfDate => "The server's certificate has expired or is not valid yet.".to_owned(),
                Distrust::NotThePinned => {
                    "The server shows another certificate than the one that was confirmed.".to_owned()
                }
                Distrust::Other => "The server's certificate cannot be checked.".to_owned(),
            },
            LoginCause::NoAuthorities { source } => {
                format!("The certificates of the authorities cannot be read ({source}).")
            }
            LoginCause::WrongPassword => "The server refused the password.".to_owned(),
            LoginCause::Refused { condition, .. } => format!("The server refused the login ({condition})."),
            LoginCause::Unproven { .. } => "The server did not prove that it knows the account.".to_owned(),
            LoginCause::Lacks(Feature::Encryption) => "The server offers no encryption.".to_owned(),
            LoginCause::Lacks(Feature::SafeLogin) => {
                "The server offers no login that keeps the password safe, or a weaker one than before."
                    .to_owned()
            }
            LoginCause::Lacks(Feature::Binding) => "The server opens no session.".to_owned(),
            LoginCause::Ended { condition } => format!("The server ended the connection ({condition})."),
        }
    }

    /// What helps, in one sentence.
    pub fn hint(&self) -> String {
        match &self.cause {
            LoginCause::UnknownHost { .. } => {
                "Check the part of the address after the @, and the network.".to_owned()
            }
            LoginCause::Unreachable { .. } | LoginCause::TimedOut { .. } => {
                "Check the network; some routers need the server's host and port given by hand.".to_owned()
            }
            LoginCause::Broken { .. } | LoginCause::Ended { .. } => "It is tried again by itself.".to_owned(),
            LoginCause::Untrusted { why: Distrust::OutOfDate, .. } => {
                "Check this computer's clock; if it is right, ask the server's operator.".to_owned()
            }
            LoginCause::Untrusted { fingerprint, .. } => format!(
                "If the operator confirms this fingerprint, it can be trusted, or the authority's file be given: \
                 {fingerprint}"
            ),
            LoginCause::NoAuthorities { .. } => {
                "Give another file, or use the system's authorities.".to_owned()
            }
            LoginCause::WrongPassword => {
                "Check address and password, and enter the password again.".to_owned()
            }
            LoginCause::Refused { temporary: true, .. } => "It is tried again by itself.".to_owned(),
            LoginCause::Refused { temporary: false, .. } => {
                "Ask the server's operator about the account.".to_owned()
            }
            LoginCause::Unproven { .. } => {
                "If it goes on, somebody may stand between you and the server; ask its operator.".to_owned()
            }
            LoginCause::Lacks(Feature::SafeLogin) => {
                "Log in again if the server was changed; else somebody may stand between you and it."
                    .to_owned()
            }
            LoginCause::Lacks(_) => "Use an account on another server.".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::Fingerprint;
    use crate::login::LoginStep;
    use std::sync::Arc;

    #[test]
    fn a_distrusted_certificate_can_be_compared() {
        let source = Arc::new(std::io::Error::other("unknown issuer"));
        let fingerprint = Fingerprint([0xab; 32]);
        let cause = LoginCause::Untrusted { why: Distrust::UnknownAuthority, fingerprint, source };
        let fault = LoginFault { step: LoginStep::Certificate, cause };
        assert!(
            fault.hint().ends_with(&["AB"; 32].join(":")),
            "a person compares it with what the operator says"
        );
    }
}
