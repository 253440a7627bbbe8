//! Live blocks in the order in which they go.

use crate::trace::BlockId;
use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// A block that goes at a time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Live {
    pub(super) end: f64,
    pub(super) block: BlockId,
}

// The first to go is the greatest.
impl Ord for Live {
    fn cmp(&self, other: &Self) -> Ordering {
        other.end.total_cmp(&self.end).then_with(|| other.key().cmp(&self.key()))
    }
}

impl PartialOrd for Live {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Live {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Live {}

impl Live {
    fn key(&self) -> (u32, u64) {
        (self.block.thread.0, self.block.nth)
    }
}

/// A queue of which only the next part is in order: a heap of all live blocks would miss the cache at
/// every level of every step.
///
/// # Invariants
///
/// What is `near` goes at the horizon or before it, what is `far` later.
#[derive(Debug)]
pub(super) struct Ends {
    near: BinaryHeap<Live>,
    far: Vec<Live>,
    horizon: f64,
}

impl Ends {
    /// Which part of what is far is put in order at a time.
    const PART: usize = 8;

    /// Nothing lives.
    pub(super) fn new() -> Self {
        Self { near: BinaryHeap::new(), far: Vec::new(), horizon: f64::NEG_INFINITY }
    }

    /// One more block lives.
    pub(super) fn push(&mut self, live: Live) {
        if live.end <= self.horizon { self.near.push(live) } else { self.far.push(live) }
    }

    /// The first that goes until `now`, which lives no more; `None` where there is none.
    pub(super) fn pop_until(&mut self, now: f64) -> Option<BlockId> {
        while self.near.is_empty() && self.horizon <= now && !self.far.is_empty() {
            self.advance();
        }
        self.near.peek().filter(|live| live.end <= now)?;
        self.near.pop().map(|live| live.block)
    }

    /// Puts the next part in order. Takes time proportional to what is far.
    fn advance(&mut self) {
        let place = self.far.len() / Self::PART;
        let (_, last, _) = self.far.select_nth_unstable_by(place, |a, b| b.cmp(a));
        self.horizon = last.end;
        // The first ones up to the place, and whatever goes at the same time.
        let horizon = self.horizon;
        self.near.extend(self.far.extract_if(.., |live| live.end <= horizon));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Random;
    use crate::trace::ThreadId;

    #[test]
    fn blocks_go_in_the_order_of_one_heap() {
        let (mut ends, mut heap) = (Ends::new(), BinaryHeap::new());
        let mut random = Random::new(7);
        let mut gone = 0;
        for nth in 0..20_000 {
            let now = f64::from(nth as u32);
            // Ends in the past, many that are equal, and some that never come.
            let end = match random.between(0, 9) {
                0 => f64::INFINITY,
                1 => now - 5.0,
                _ => now + f64::from(random.between(0, 3000)),
            };
            let live = Live { end, block: BlockId { thread: ThreadId(1), nth } };
            ends.push(live);
            heap.push(live);
            while heap.peek().is_some_and(|live| live.end <= now) {
                assert_eq!(ends.pop_until(now), heap.pop().map(|live| live.block));
                gone += 1;
            }
            assert_eq!(ends.pop_until(now), None);
        }
        assert!(gone > 15_000 && !heap.is_empty());
        assert!(heap.iter().all(|live| live.end > 19_999.0));
    }
}
