//! The direction to the other side: numbers, and what is under way.

use std::time::Duration;

use tokio::time::Instant;

use super::window::Window;

/// One direction of a stream.
#[derive(Debug)]
pub(crate) struct Outgoing {
    window: Window,
    /// Blocks under way, empty ones too.
    blocks: usize,
    next: u16,
    /// An answer came, or the first block left: the time from which silence counts.
    moved: Instant,
}

/// A block that left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sent {
    bytes: usize,
    at: Instant,
}

impl Sent {
    /// It was under way during an interruption, which says nothing about the way.
    pub(crate) fn left_again(&mut self, now: Instant) {
        self.at = now;
    }
}

impl Outgoing {
    /// A direction on which nothing was sent.
    pub(crate) fn new(block_size: u16, now: Instant) -> Outgoing {
        Outgoing { window: Window::new(block_size), blocks: 0, next: 0, moved: now }
    }

    /// How many of `waiting` bytes may leave now as a block. A block that is not full waits for more, unless somebody
    /// waits for it to leave or nothing else is under way.
    pub(crate) fn may_send(&self, waiting: usize, hurry: bool) -> Option<usize> {
        let piece = self.window.next_piece()?;
        let worth = waiting >= piece || (waiting > 0 && (hurry || self.window.is_idle()));
        worth.then(|| piece.min(waiting))
    }

    /// A block leaves; gives its number, which wraps after 65,535.
    pub(crate) fn send(&mut self, bytes: usize, now: Instant) -> (u16, Sent) {
        if self.all_taken() {
            self.moved = now;
        }
        self.blocks += 1;
        self.window.sent(bytes);
        let seq = self.next;
        self.next = self.next.wrapping_add(1);
        (seq, Sent { bytes, at: now })
    }

    /// The other side took a block.
    pub(crate) fn answered(&mut self, sent: Sent, now: Instant) {
        self.blocks = self.blocks.saturating_sub(1);
        self.window.answered(sent.bytes, now.saturating_duration_since(sent.at));
        self.moved = now;
    }

    /// Whether everything that left was taken.
    pub(crate) fn all_taken(&self) -> bool {
        self.blocks == 0
    }

    /// When silence has lasted too long, if an answer is due.
    pub(crate) fn stalls_at(&self, limit: Duration) -> Option<Instant> {
        (!self.all_taken()).then(|| self.moved + limit)
    }

    /// An interruption is over: it is nobody's silence.
    pub(crate) fn resumed(&mut self, now: Instant) {
        self.moved = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_writes_are_gathered_unless_somebody_waits() {
        let now = Instant::now();
        let mut out = Outgoing::new(4096, now);
        assert_eq!(out.may_send(0, true), None);
        assert_eq!(
            out.may_send(10, false),
            Some(10),
            "nothing is under way, so nothing is worth waiting for"
        );
        let (seq, sent) = out.send(10, now);
        assert_eq!(seq, 0);
        assert_eq!(out.may_send(10, false), None, "more may come until the answer does");
        assert_eq!(out.may_send(10, true), Some(10), "somebody waits");
        assert_eq!(out.may_send(5000, false), Some(4096));
        out.answered(sent, now);
        assert_eq!(out.may_send(10, false), Some(10));
    }

    #[test]
    fn silence_counts_while_an_answer_is_due() {
        let (now, limit) = (Instant::now(), Duration::from_secs(60));
        let mut out = Outgoing::new(4096, now);
        assert_eq!(out.stalls_at(limit), None, "who sends nothing waits for nothing");
        let later = now + Duration::from_secs(100);
        let (_, sent) = out.send(10, later);
        assert_eq!(out.stalls_at(limit), Some(later + limit));
        out.resumed(later + limit);
        assert_eq!(out.stalls_at(limit), Some(later + limit * 2));
        out.answered(sent, later + limit);
        assert_eq!(out.stalls_at(limit), None);
        assert!(out.all_taken());
    }

    #[test]
    fn numbers_wrap() {
        let now = Instant::now();
        let mut out = Outgoing::new(4096, now);
        for _ in 0..=u16::MAX {
            let (_, sent) = out.send(1, now);
            out.answered(sent, now);
        }
        assert_eq!(out.send(1, now).0, 0);
    }
}
