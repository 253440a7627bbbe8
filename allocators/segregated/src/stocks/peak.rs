//! What the stocks of all threads hold, and when they give it back for the heap's peak.
//!
//! Blocks in stocks pin pages. Where the heap comes near its high mark and takes new memory, they are
//! flushed, some at a time, so that the peak is that of what the program has: those of the thread that
//! takes it, then those that ended threads left, and then other threads' when they come by.

use strata_core::sync::Ordering;
use strata_core::sync::unexplored::AtomicUsize;

/// The new memory between two trims of a thread, as a part of the high mark, and the least of it.
const STEPS: usize = 32;
const LEAST_STEP: usize = 8 << 10;

/// The stocks of the process heap.
pub(super) static ALL: All = All::new();

/// Relaxed, all in here: sums and marks that order nothing, right when nobody is counting.
#[derive(Debug)]
pub(super) struct All {
    /// Bytes of blocks that stocks may hold beyond their first bounds.
    bytes: AtomicUsize,
    /// Bytes of new memory near the high mark after which a thread trims its stocks.
    step: AtomicUsize,
    /// The high mark when it last rose between two trims, and the new memory before trims since.
    rose: AtomicUsize,
    in_vain: AtomicUsize,
    /// Bytes that a thread would have trimmed and did not have: other threads' turn.
    owed: AtomicUsize,
}

impl All {
    const fn new() -> Self {
        Self {
            bytes: AtomicUsize::new(0),
            step: AtomicUsize::new(0),
            rose: AtomicUsize::new(0),
            in_vain: AtomicUsize::new(0),
            owed: AtomicUsize::new(0),
        }
    }

    /// Bytes of blocks that stocks may hold beyond their first bounds.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// What the shares of all threads come to, counted anew.
    pub(super) fn set(&self, bytes: usize) {
        self.bytes.store(bytes, Ordering::Relaxed);
    }

    /// Counts that a thread's share of [`All::bytes`] is another one.
    pub(super) fn count(&self, before: usize, after: usize) {
        // Adding a difference that wrapped is subtracting.
        self.bytes.fetch_add(after.wrapping_sub(before), Ordering::Relaxed);
    }

    /// Leaves `bytes` for other threads to trim, unless they are few: the newest wish alone, for a peak
    /// that rose since is what matters.
    pub(super) fn owe(&self, bytes: usize) {
        let owed = if bytes < LEAST_STEP { 0 } else { bytes };
        self.owed.store(owed, Ordering::Relaxed);
    }

    /// What other threads are to trim, for the one that asks first.
    pub(super) fn take_owed(&self) -> usize {
        match self.owed.load(Ordering::Relaxed) {
            0 => 0,
            _ => self.owed.swap(0, Ordering::Relaxed),
        }
    }

    /// Whether a thread that took `new` bytes of new memory near the high mark `high` since its last
    /// trim should trim its stocks.
    pub(super) fn wants_trim(&self, new: usize, high: usize) -> bool {
        let step = self.step.load(Ordering::Relaxed);
        if new < step {
            return false;
        }
        if high - high / 128 >= self.rose.load(Ordering::Relaxed) {
            self.rose.store(high, Ordering::Relaxed);
            self.in_vain.store(0, Ordering::Relaxed);
            self.step.store((high / STEPS).max(LEAST_STEP), Ordering::Relaxed);
        } else if self.in_vain.fetch_add(new, Ordering::Relaxed) + new > high {
            // Trims before no higher peak cost time and save nothing: a program that goes round in
            // the memory that it has is left alone after a while.
            self.step.store(step.saturating_mul(2), Ordering::Relaxed);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    #[test]
    fn what_is_owed_goes_to_one_thread_and_comes_to_an_end() {
        let all = All::new();
        all.owe(MIB);
        let mut owed = all.take_owed();
        assert_eq!((owed, all.take_owed()), (MIB, 0));
        // Threads that have nothing to trim leave half, each.
        let mut turns = 0;
        while owed != 0 {
            all.owe(owed / 2);
            owed = all.take_owed();
            turns += 1;
        }
        assert!(turns < 10);
    }

    #[test]
    fn trims_come_with_a_growing_peak_and_cease_below_a_steady_one() {
        let all = All::new();
        let mut high = MIB;
        for _ in 0..100 {
            high += high / 100;
            assert!(all.wants_trim(LEAST_STEP.max(high / STEPS), high));
            assert!(!all.wants_trim(1, high), "not for so little");
        }
        let trims = (0..100_000).filter(|_| all.wants_trim(LEAST_STEP.max(high / STEPS), high));
        assert!(trims.count() < 300, "each was in vain");
        high += high / 50;
        assert!(all.wants_trim(high, high), "the peak has risen: much new memory is looked at");
        assert!(all.wants_trim(LEAST_STEP.max(high / STEPS), high), "and little again");
    }
}
