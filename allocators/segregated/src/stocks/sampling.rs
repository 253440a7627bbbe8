//! What a thread's words hold for the profiler: how far it is to the next sample.
//!
//! A request subtracts its bytes from `left`, and goes another way where that falls below zero: two
//! instructions. A free does nothing. That a sampled block was freed shows when it is to be handed out
//! again, or leaves the stock: sampled blocks lie at low addresses, and the test for the null at the bottom
//! of a stock is one for a low address instead.

use core::cell::Cell;

use strata_core::sync::Ordering;

use crate::profile::{self, RATE, SESSION, gap};

/// Bytes that a thread requests before it looks whether there is a profile now; more where requests are large,
/// so that few of them look.
const LOOK: isize = 256 << 10;
const LOOKS: usize = 64;

/// Zero at first, all of it, as `by_address` promises: the first request of a thread looks.
#[derive(Debug)]
pub(crate) struct Sampling {
    /// Bytes up to the next sample.
    left: Cell<isize>,
    /// The profile that `left` belongs to.
    session: Cell<usize>,
    /// Where the random numbers are; zero before the first.
    random: Cell<u64>,
    /// The end of the thread's stack; zero where nobody asked, one where nobody knows.
    top: Cell<usize>,
}

impl Sampling {
    pub(crate) const fn new() -> Self {
        Self { left: Cell::new(0), session: Cell::new(0), random: Cell::new(0), top: Cell::new(0) }
    }

    /// Counts a request. Answers whether somebody has to look.
    #[inline(always)]
    pub(crate) fn counts(&self, bytes: usize) -> bool {
        let left = self.left.get().wrapping_sub_unsigned(bytes);
        self.left.set(left);
        left < 0
    }

    /// Takes back what was counted: the request is made once more.
    pub(crate) fn uncount(&self, bytes: usize) {
        self.left.set(self.left.get().wrapping_add_unsigned(bytes));
    }

    /// Nothing is a sample, for as much as anybody requests.
    pub(crate) fn pause(&self) {
        self.left.set(isize::MAX);
    }

    /// Has the next request look whether there is a profile.
    pub(crate) fn look(&self) {
        self.left.set(0);
    }

    /// Called where [`counts`](Self::counts) said so. Answers the rate if the request is a sample. Nothing is
    /// one then before [`go_on`](Self::go_on): the profiler's own requests are not.
    pub(crate) fn is_due(&self, bytes: usize) -> Option<usize> {
        // Acquire: its partner is the Release in `profile::start`.
        let rate = RATE.load(Ordering::Acquire);
        if rate == 0 {
            let large = isize::try_from(bytes.saturating_mul(LOOKS)).unwrap_or(isize::MAX);
            self.left.set(LOOK.max(large));
            return None;
        }
        // Relaxed: written before the rate.
        let session = SESSION.load(Ordering::Relaxed);
        if self.session.replace(session) != session {
            self.left.set(self.draw(rate).saturating_sub_unsigned(bytes));
            if self.left.get() >= 0 {
                return None;
            }
        }
        self.pause();
        Some(rate)
    }

    /// Counts bytes again, up to the next sample.
    pub(crate) fn go_on(&self, rate: usize) {
        self.left.set(self.draw(rate));
    }

    /// Bytes before the next one that is sampled.
    fn draw(&self, rate: usize) -> isize {
        let mut state = match self.random.get() {
            0 => profile::seed() ^ (&raw const *self).addr() as u64,
            state => state,
        };
        let gap = gap::draw(&mut state, rate);
        self.random.set(state.max(1));
        gap
    }

    /// The end of the thread's stack, zero where it is not known.
    pub(crate) fn stack_top(&self) -> usize {
        match self.top.get() {
            0 => {
                let top = strata_os::stack::top().unwrap_or(1);
                self.top.set(top);
                top
            }
            1 => 0,
            top => top,
        }
    }
}
