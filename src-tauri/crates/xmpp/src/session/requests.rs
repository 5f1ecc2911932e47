//! Requests that wait for their answer. The library matches nothing and limits nothing: a peer may never answer,
//! and an answer that cannot be parsed is dropped before we see it.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::account::DeviceTag;

/// What a request was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// What the account can.
    Info,
    /// Which nodes it has.
    Items,
    /// A device's state.
    Fetch(DeviceTag),
    /// Publishing the own state.
    Publish,
    /// Setting the own node right.
    Configure,
    /// Deleting a node that was left behind.
    Delete,
    /// Who sees whose presence.
    Roster,
}

/// The requests of a session.
#[derive(Debug)]
pub(crate) struct Requests {
    waiting: HashMap<String, (Purpose, Instant)>,
    limit: Duration,
    /// Random, so that nobody who does not see the stream can guess an id.
    prefix: String,
    made: u64,
}

impl Requests {
    /// No requests; each will wait for `limit`.
    pub(crate) fn new(limit: Duration) -> Requests {
        let prefix = hex::encode(rand::random::<[u8; 8]>());
        Requests { waiting: HashMap::new(), limit, prefix, made: 0 }
    }

    /// Notes a request and gives its id.
    pub(crate) fn add(&mut self, purpose: Purpose, now: Instant) -> String {
        self.made += 1;
        let id = format!("{}-{}", self.prefix, self.made);
        self.waiting.insert(id.clone(), (purpose, now + self.limit));
        id
    }

    /// What a request was for, without taking it.
    pub(crate) fn purpose(&self, id: &str) -> Option<Purpose> {
        self.waiting.get(id).map(|(purpose, _)| *purpose)
    }

    /// What the answered request was for; `None` when nobody asked, or not any more.
    pub(crate) fn take(&mut self, id: &str) -> Option<Purpose> {
        self.waiting.remove(id).map(|(purpose, _)| purpose)
    }

    /// Takes those that waited too long.
    pub(crate) fn expired(&mut self, now: Instant) -> Vec<Purpose> {
        self.waiting.extract_if(|_, (_, until)| *until <= now).map(|(_, (purpose, _))| purpose).collect()
    }

    /// When the next one will have waited too long.
    pub(crate) fn next_expiry(&self) -> Option<Instant> {
        self.waiting.values().map(|(_, until)| *until).min()
    }

    /// Gives all of them their full time again, after an interruption that lost nothing.
    pub(crate) fn extend(&mut self, now: Instant) {
        let until = now + self.limit;
        self.waiting.values_mut().for_each(|(_, at)| *at = until);
    }

    /// A new session answers nothing that the old one was asked.
    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(30);

    #[test]
    fn an_answer_is_taken_once() {
        let mut requests = Requests::new(LIMIT);
        let id = requests.add(Purpose::Info, Instant::now());
        assert_eq!(requests.take("x"), None);
        assert_eq!(requests.take(&id), Some(Purpose::Info));
        assert_eq!(requests.take(&id), None, "a doubled answer is none");
    }

    #[test]
    fn waiting_ends_unless_it_was_interrupted() {
        let now = Instant::now();
        let mut requests = Requests::new(LIMIT);
        requests.add(Purpose::Publish, now);
        assert_eq!(requests.next_expiry(), Some(now + LIMIT));
        requests.extend(now + LIMIT);
        assert_eq!(requests.expired(now + LIMIT), []);
        assert_eq!(requests.expired(now + LIMIT * 2), [Purpose::Publish]);
        assert_eq!(requests.next_expiry(), None);
    }

    #[test]
    fn ids_cannot_be_guessed() {
        let id = |requests: &mut Requests| requests.add(Purpose::Info, Instant::now());
        assert_ne!(id(&mut Requests::new(LIMIT)), id(&mut Requests::new(LIMIT)));
    }
}
