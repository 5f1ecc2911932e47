//! The local socket's lines: one JSON value a line, UTF-8, ended by `\n`.
//!
//! The client sends `Request`s, the engine answers each with one `Response::Reply` of the same `id`; after
//! `subscribe` it also sends `Response::Event` lines until the client hangs up.

use serde::{Deserialize, Serialize};

use crate::{Command, NumberedEvent, Reply};

/// Longest line that either side accepts, bytes. A snapshot of many folders fits; garbage does not fill memory.
pub const MAX_LINE: usize = 16 * 1024 * 1024;

/// What a client says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Request {
    /// A wish.
    Command {
        /// Chosen by the client, repeated in the answer.
        id: u64,
        /// The wish.
        command: Command,
    },
    /// Send me events from now on.
    Subscribe {
        /// Chosen by the client, repeated in the answer.
        id: u64,
    },
    /// Connect me with git on a paired device. Only as the first request; behind a good answer the connection is git's,
    /// byte for byte, in both directions.
    Tunnel {
        /// Chosen by the client, repeated in the answer.
        id: u64,
        /// `xmpp::ACCOUNT/REPOSITORY`.
        url: String,
        /// To push there; to fetch from there when it is false.
        push: bool,
    },
}

/// What the engine says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Response {
    /// The answer to the request of this `id`.
    Reply {
        /// The request's.
        id: u64,
        /// The answer.
        reply: Reply,
    },
    /// Something happened.
    Event {
        /// What, with its number.
        event: NumberedEvent,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_one_line_of_json() {
        let request = Request::Command { id: 7, command: Command::Status { folder: None } };
        let text = serde_json::to_string(&request).expect("plain data");
        assert!(!text.contains('\n'), "a line must hold the whole request");
        assert_eq!(serde_json::from_str::<Request>(&text).expect("its own text"), request);
    }

    #[test]
    fn a_password_is_in_no_debug_text() {
        let form = crate::LoginForm {
            jid: "ann@example.org".into(),
            password: crate::SecretSource::Typed { password: "hunter2".into() },
            server: None,
            ca_file: None,
            pin: None,
            keyring: None,
        };
        let text = format!("{:?} {:?}", Command::Login(form.clone()), form.password);
        assert!(!text.contains("hunter2"), "debug text reaches the log");
    }
}
