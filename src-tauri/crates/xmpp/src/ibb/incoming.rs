//! The direction from the other side: blocks in their order, none missing, and no more than can be held.

use std::collections::VecDeque;

use super::window::MOST;

/// What is held for a reader who is busy. More than any sender of ours has under way; who sends more breaks the rule.
const HOLD_MOST: usize = MOST + MOST / 4;
/// What a block costs besides its bytes and the name of its request.
const BLOCK_COST: usize = 128;

/// One direction of a stream.
#[derive(Debug)]
pub(crate) struct Incoming {
    block_size: u16,
    next: u16,
    /// Requests that are answered when their block was read, and what each holds.
    unanswered: VecDeque<(String, usize)>,
    /// How many of them were read and can be answered.
    read: usize,
    held: usize,
}

/// Why a block is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Violation {
    /// Not the next one.
    Order,
    /// Larger than agreed.
    Size,
    /// The sender does not wait for answers.
    TooMuch,
}

impl Incoming {
    /// A direction on which nothing came.
    pub(crate) fn new(block_size: u16) -> Incoming {
        Incoming { block_size, next: 0, unanswered: VecDeque::new(), read: 0, held: 0 }
    }

    /// A block came with this request. Its number wraps after 65,535.
    pub(crate) fn take(&mut self, id: &str, seq: u16, length: usize) -> Result<(), Violation> {
        if seq != self.next {
            return Err(Violation::Order);
        }
        if length > usize::from(self.block_size) {
            return Err(Violation::Size);
        }
        let cost = length + id.len() + BLOCK_COST;
        if self.held + cost > HOLD_MOST {
            return Err(Violation::TooMuch);
        }
        self.held += cost;
        self.next = self.next.wrapping_add(1);
        self.unanswered.push_back((id.to_owned(), cost));
        Ok(())
    }

    /// So many more blocks were read.
    pub(crate) fn read(&mut self, blocks: usize) {
        self.read += blocks;
    }

    /// The oldest request whose block was read and that was not answered yet.
    pub(crate) fn next_read(&mut self) -> Option<String> {
        self.read = self.read.checked_sub(1)?;
        self.answer()
    }

    /// The oldest request that was not answered, whether its block was read or not.
    pub(crate) fn answer(&mut self) -> Option<String> {
        let (id, cost) = self.unanswered.pop_front()?;
        self.held -= cost;
        Some(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_wrap() {
        let mut incoming = Incoming::new(4096);
        for at in 0..=65_536_u32 {
            assert_eq!(incoming.take("id", at as u16, 10), Ok(()));
            assert!(incoming.answer().is_some());
        }
        assert_eq!(incoming.take("id", 0, 10), Err(Violation::Order), "0 was the one after 65,535");
        assert_eq!(incoming.take("id", 1, 10), Ok(()));
    }

    #[test]
    fn missing_doubled_and_large_blocks_are_not_taken() {
        let mut incoming = Incoming::new(4096);
        assert_eq!(incoming.take("a", 1, 10), Err(Violation::Order));
        assert_eq!(incoming.take("a", 0, 4097), Err(Violation::Size));
        assert_eq!(incoming.take("a", 0, 4096), Ok(()));
        assert_eq!(incoming.take("a", 0, 4096), Err(Violation::Order));
    }

    #[test]
    fn what_is_held_is_bounded() {
        for (length, id) in [(4096, "short".to_owned()), (0, "short".to_owned()), (1, "x".repeat(100_000))] {
            let mut incoming = Incoming::new(4096);
            let taken = (0..=u16::MAX).take_while(|seq| incoming.take(&id, *seq, length).is_ok()).count();
            assert!(incoming.held <= HOLD_MOST, "{length} bytes in a request of {} letters", id.len());
            assert!(taken < 65_536 && taken * (length + id.len()) <= HOLD_MOST);
            assert_eq!(incoming.take(&id, taken as u16, length), Err(Violation::TooMuch));
            incoming.answer();
            assert_eq!(incoming.take(&id, taken as u16, length), Ok(()), "what was read makes room");
        }
    }
}
