//! What of the own state still has to go out: decides, sends nothing.
//!
//! Level-triggered: there is the newest state, and there is what the store holds. Whatever was lost on the way,
//! by a broken connection or a server that crashed after it said yes, is found by comparing the two.

use std::time::Duration;

use tokio::time::Instant;

use super::bucket::Bucket;
use super::{Counter, DeviceState};

/// Pause before a publish that was refused for the moment is tried again.
const REFUSED_PAUSE: Duration = Duration::from_secs(10);

/// The own state on its way out. One request is under way at most, so states cannot overtake each other.
#[derive(Debug)]
pub(crate) struct Outbox {
    newest: Option<DeviceState>,
    /// The request under way.
    sent: Option<Counter>,
    /// What the store said it holds, since the session began.
    held: Option<Counter>,
    /// The store is being read: what it says may make publishing needless.
    looking: bool,
    not_before: Option<Instant>,
    bucket: Bucket,
}

/// What to do now.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Nothing, until something happens.
    Nothing,
    /// Nothing before that moment.
    At(Instant),
    /// Publish this; the answer goes to [`Outbox::accepted`] or [`Outbox::refused`].
    Publish(DeviceState),
}

impl Outbox {
    /// An outbox with nothing in it.
    pub(crate) fn new(now: Instant) -> Outbox {
        Outbox {
            newest: None,
            sent: None,
            held: None,
            looking: false,
            not_before: None,
            bucket: Bucket::new(now),
        }
    }

    /// Takes a newer state; the one before need not go out any more.
    pub(crate) fn put(&mut self, state: DeviceState) {
        // Whatever the store holds, this is newer.
        self.looking = false;
        self.newest = Some(state);
    }

    /// The newest state.
    pub(crate) fn newest(&self) -> Option<&DeviceState> {
        self.newest.as_ref()
    }

    /// A new session: requests under way are lost, and the store is being read again.
    pub(crate) fn fresh_session(&mut self) {
        self.looking = true;
        self.sent = None;
        self.held = None;
        self.not_before = None;
    }

    /// What has to be done now.
    pub(crate) fn due(&mut self, now: Instant) -> Due {
        let Some(newest) = &self.newest else { return Due::Nothing };
        if self.looking || self.sent.is_some() || self.held == Some(newest.counter) {
            return Due::Nothing;
        }
        if let Some(at) = self.not_before.filter(|at| *at > now) {
            return Due::At(at);
        }
        match self.bucket.take(now) {
            Err(at) => Due::At(at),
            Ok(()) => {
                self.sent = Some(newest.counter);
                Due::Publish(newest.clone())
            }
        }
    }

    /// The store took the state that was under way.
    pub(crate) fn accepted(&mut self) {
        self.held = self.sent.take();
    }

    /// The store refused, or did not answer; it is tried again: `at_once` when the reason was removed.
    pub(crate) fn refused(&mut self, now: Instant, at_once: bool) {
        self.sent = None;
        self.not_before = (!at_once).then(|| now + REFUSED_PAUSE);
    }

    /// The store was read and holds this, or nothing.
    pub(crate) fn seen_in_store(&mut self, held: Option<Counter>) {
        self.looking = false;
        if self.sent.is_none() {
            self.held = held;
        }
    }

    /// Whether our counter was lost: the store holds a higher one, so the others take all that we publish for
    /// replays. Gives that counter.
    pub(crate) fn is_behind(&self, held: Counter) -> Option<Counter> {
        let newest = self.newest.as_ref()?.counter;
        (held > newest).then_some(held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(seq: u64) -> DeviceState {
        DeviceState { counter: Counter { epoch: 1, seq }, folders: Vec::new() }
    }

    #[test]
    fn newest_goes_out_in_the_end() {
        let mut now = Instant::now();
        let mut outbox = Outbox::new(now);
        let mut out = Vec::new();
        for seq in 1..=100 {
            outbox.put(state(seq));
            if let Due::Publish(state) = outbox.due(now) {
                out.push(state.counter.seq);
                outbox.accepted();
            }
        }
        assert_eq!(out.len(), 8, "a burst is held by the bucket");
        let Due::At(at) = outbox.due(now) else { panic!("the newest must not be forgotten") };
        now = at;
        assert_eq!(outbox.due(now), Due::Publish(state(100)), "those between need not go out any more");
        outbox.accepted();
        assert_eq!(outbox.due(now), Due::Nothing, "and then it is quiet");
    }

    #[test]
    fn one_at_a_time() {
        let now = Instant::now();
        let mut outbox = Outbox::new(now);
        outbox.put(state(1));
        assert_eq!(outbox.due(now), Due::Publish(state(1)));
        outbox.put(state(2));
        assert_eq!(outbox.due(now), Due::Nothing, "a later one must not overtake the one under way");
        outbox.accepted();
        assert_eq!(outbox.due(now), Due::Publish(state(2)));
    }

    #[test]
    fn a_refusal_is_tried_again_later() {
        let now = Instant::now();
        let mut outbox = Outbox::new(now);
        outbox.put(state(1));
        outbox.due(now);
        outbox.refused(now, false);
        assert_eq!(outbox.due(now), Due::At(now + REFUSED_PAUSE));
        assert_eq!(outbox.due(now + REFUSED_PAUSE), Due::Publish(state(1)));
        outbox.refused(now, true);
        assert_eq!(outbox.due(now), Due::Publish(state(1)), "configured now: no need to wait");
    }

    #[test]
    fn a_server_that_forgot_is_told_again() {
        let now = Instant::now();
        let mut outbox = Outbox::new(now);
        outbox.put(state(3));
        outbox.due(now);
        outbox.accepted();
        outbox.fresh_session();
        assert_eq!(outbox.due(now), Due::Nothing, "the store is asked first");
        outbox.seen_in_store(Some(Counter { epoch: 1, seq: 3 }));
        assert_eq!(outbox.due(now), Due::Nothing, "it has the newest");
        outbox.fresh_session();
        outbox.seen_in_store(Some(Counter { epoch: 1, seq: 2 }));
        assert_eq!(outbox.due(now), Due::Publish(state(3)), "killed after it said yes, it has lost it");
    }

    #[test]
    fn a_lost_counter_is_noticed() {
        let now = Instant::now();
        let mut outbox = Outbox::new(now);
        outbox.put(state(1));
        let ahead = Counter { epoch: 1, seq: 40 };
        assert_eq!(outbox.is_behind(ahead), Some(ahead));
        assert_eq!(outbox.is_behind(Counter { epoch: 0, seq: 99 }), None, "an older epoch is below");
    }
}
