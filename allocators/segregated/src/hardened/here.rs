//! What one thread has of the measures: part of its words, and so zero at first.

use core::cell::Cell;

use super::quarantine::Waiting;
use super::{sampled, seal};

#[derive(Debug)]
pub(crate) struct Here {
    /// The state of the generator; zero until it is seeded.
    random: Cell<u64>,
    /// Requests until the next one that is sampled.
    countdown: Cell<u32>,
    pub(super) waiting: Waiting,
}

impl Here {
    pub(crate) const fn new() -> Self {
        Self { random: Cell::new(0), countdown: Cell::new(0), waiting: Waiting::new() }
    }

    /// 64 bits: wyrand (Wang Yi). Nobody learns them who does not know the state.
    #[inline(always)]
    pub(crate) fn random(&self) -> u64 {
        let mut state = self.random.get();
        if state == 0 {
            state = self.seed();
        }
        self.step(state)
    }

    /// [`random`](Self::random) where it was called before: nothing is drawn, and so nothing called.
    #[inline(always)]
    pub(super) fn random_again(&self) -> u64 {
        self.step(self.random.get())
    }

    #[inline(always)]
    fn step(&self, state: u64) -> u64 {
        let state = state.wrapping_add(0xA076_1D64_78BD_642F);
        self.random.set(state);
        let product = u128::from(state) * u128::from(state ^ 0xE703_7ED1_A0B4_28DB);
        product as u64 ^ (product >> 64) as u64
    }

    #[cold]
    #[inline(never)]
    fn seed(&self) -> u64 {
        (strata_os::random::bits() ^ seal::key()) | 1
    }

    /// A number below `end`, which is not zero.
    pub(super) fn below(&self, end: usize) -> usize {
        ((u128::from(self.random()) * end as u128) >> 64) as usize
    }

    /// Counts a request. Answers whether it is a sample.
    #[inline(always)]
    pub(super) fn is_sample(&self) -> bool {
        let left = self.countdown.get();
        self.countdown.set(left.wrapping_sub(1));
        left == 0 && self.draw_gap()
    }

    /// Draws how many requests pass until the next sample. The first request of a thread is none.
    #[cold]
    #[inline(never)]
    fn draw_gap(&self) -> bool {
        let is_first = self.random.get() == 0;
        self.countdown.set(1 + self.below(2 * sampled::RATE) as u32);
        !is_first
    }
}
