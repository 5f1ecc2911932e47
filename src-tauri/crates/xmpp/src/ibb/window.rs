//! How much of a stream may be under way, and in what pieces: as much as the way takes in about three seconds.
//!
//! A fast way wants much under way, or each block waits for the one before. A way with a rate limit carries no more
//! for it: there all that is under way only stands in front of hints and answers. The time to an answer tells which
//! it is.

use std::time::Duration;

/// An answer this soon: there is room for more.
const SOON: Duration = Duration::from_secs(1);
/// An answer this late: too much stands in the queue.
const LATE: Duration = Duration::from_secs(3);
/// The smallest piece that the window counts in.
const PIECE: usize = 4096;
/// Two pieces are under way at the start.
const START: usize = 2 * PIECE;
/// The most that is under way, in bytes of the stream. The other side holds as much for a reader who is busy.
pub(crate) const MOST: usize = 1024 * 1024;
/// So many pieces fill the window, before they get larger: answers then come often enough to steer by.
const PIECES: usize = 8;

/// The window of one direction of a stream. Takes the time as a value.
#[derive(Debug)]
pub(crate) struct Window {
    allowed: usize,
    under_way: usize,
    /// The most that was under way since nothing was.
    peak: usize,
    block_size: usize,
}

impl Window {
    /// The window of a stream with blocks of at most `block_size` bytes.
    pub(crate) fn new(block_size: u16) -> Window {
        Window { allowed: START, under_way: 0, peak: 0, block_size: usize::from(block_size) }
    }

    /// The largest piece that may leave now; `None` when nothing may.
    pub(crate) fn next_piece(&self) -> Option<usize> {
        let piece = (self.allowed / PIECES).next_multiple_of(PIECE).clamp(PIECE, MOST).min(self.block_size);
        // One piece may always be under way.
        (self.under_way == 0 || self.under_way + piece <= self.allowed).then_some(piece)
    }

    /// A piece left.
    pub(crate) fn sent(&mut self, bytes: usize) {
        if self.is_idle() {
            self.peak = 0;
        }
        self.under_way += bytes;
        self.peak = self.peak.max(self.under_way);
    }

    /// A piece was answered, so long after it left.
    pub(crate) fn answered(&mut self, bytes: usize, after: Duration) {
        // Who has little to say learns nothing about the way.
        let filled = self.peak * 2 >= self.allowed;
        self.under_way = self.under_way.saturating_sub(bytes);
        if after > LATE {
            self.allowed = self.allowed.saturating_sub(bytes).max(PIECE);
        } else if after <= SOON && filled {
            self.allowed = (self.allowed + bytes).min(MOST);
        }
    }

    /// Whether nothing is under way.
    pub(crate) fn is_idle(&self) -> bool {
        self.under_way == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fills the window, then has everything answered.
    fn round(window: &mut Window, after: Duration) -> usize {
        let mut pieces = Vec::new();
        while let Some(piece) = window.next_piece() {
            window.sent(piece);
            pieces.push(piece);
        }
        pieces.iter().for_each(|piece| window.answered(*piece, after));
        pieces.iter().sum()
    }

    #[test]
    fn a_fast_way_is_filled_with_large_blocks() {
        let mut window = Window::new(16384);
        assert_eq!(round(&mut window, Duration::from_millis(50)), START);
        let rounds: Vec<usize> = (0..10).map(|_| round(&mut window, Duration::from_millis(50))).collect();
        assert!(rounds.is_sorted() && rounds[9] <= MOST && rounds[9] > MOST - 16384, "{rounds:?}");
        assert_eq!(window.next_piece(), Some(16384));
    }

    #[test]
    fn a_slow_way_is_not_stuffed() {
        let mut window = Window::new(16384);
        for _ in 0..10 {
            round(&mut window, Duration::from_millis(50));
        }
        for _ in 0..20 {
            round(&mut window, Duration::from_secs(10));
        }
        assert_eq!(round(&mut window, Duration::from_secs(2)), PIECE, "one piece, so that it still moves");
        assert_eq!(round(&mut window, Duration::from_secs(2)), PIECE, "neither soon nor late: it stays");
    }

    #[test]
    fn who_says_little_learns_nothing() {
        let mut window = Window::new(16384);
        round(&mut window, Duration::from_millis(1));
        let allowed = window.allowed;
        for _ in 0..1000 {
            window.sent(10);
            window.answered(10, Duration::from_millis(1));
        }
        assert_eq!(window.allowed, allowed);
        assert!(window.is_idle());
    }

    #[test]
    fn small_blocks_of_others_are_kept() {
        let mut window = Window::new(100);
        assert_eq!(window.next_piece(), Some(100));
        assert!(round(&mut window, Duration::ZERO) <= START);
    }
}
