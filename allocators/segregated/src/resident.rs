//! How much of a heap's memory has contents, and the most that ever had.
//!
//! A program's peak is what it is charged for. Memory that is new from the system and lifts the heap
//! above its **high mark** is paid for with memory that lies idle elsewhere; below the mark nothing
//! of the kind happens, so that a program that goes round in the memory it once had neither purges
//! nor faults.

use strata_core::sync::Ordering;
use strata_core::sync::unexplored::AtomicUsize;

/// New memory that a request took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Grown {
    /// Bytes of it.
    pub(crate) bytes: usize,
    /// Those above the high mark: to be made up for.
    pub(crate) excess: usize,
    /// The heap is within an eighth of its high mark, or above.
    pub(crate) near: bool,
}

#[derive(Debug)]
pub(crate) struct Resident {
    /// Bytes with contents in frames; of own chunks nothing is known.
    now: AtomicUsize,
    /// The most that `now` was when somebody looked.
    high: AtomicUsize,
}

impl Resident {
    pub(crate) const fn new() -> Self {
        Self { now: AtomicUsize::new(0), high: AtomicUsize::new(0) }
    }

    /// Counts `bytes` that get contents.
    pub(crate) fn grow(&self, bytes: usize) -> Grown {
        if bytes == 0 {
            return Grown::default();
        }
        // Relaxed, all in here: sums that order nothing, and are right when nobody is counting.
        let now = self.now.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let high = self.high.load(Ordering::Relaxed);
        Grown { bytes, excess: now.saturating_sub(high).min(bytes), near: now >= high - high / 8 }
    }

    /// Counts `bytes` whose contents were given back.
    pub(crate) fn shrink(&self, bytes: usize) {
        // What a page wider than a frame keeps is not always known, and then not counted.
        let less = |now: usize| Some(now.saturating_sub(bytes));
        let _ = self.now.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }

    /// Lifts the high mark to what there is now.
    pub(crate) fn mark(&self) {
        let now = self.now.load(Ordering::Relaxed);
        if now > self.high.load(Ordering::Relaxed) {
            self.high.store(now, Ordering::Relaxed);
        }
    }

    /// The high mark.
    pub(crate) fn high(&self) -> usize {
        self.high.load(Ordering::Relaxed)
    }
}
