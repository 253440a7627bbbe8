//! Free memory on its way from one place to another, which a request that finds nothing waits for.
//!
//! Spans whose idle pages are purged, frames that are, spans that retire, and new ones before they are on a
//! shelf are in nobody's table for a moment: a request that looks everywhere in that moment would fail beside free memory.

use strata_core::Exhausted;
use strata_core::sync::{AtomicUsize, Ordering, yield_now};

/// Looks before a request fails beside something on its way: the thread that moves it may have stopped for
/// good.
const PATIENCE: u32 = 10_000_000;

/// Counts what leaves a place, and what arrives at one.
///
/// Invariant: what is on its way is counted in `left` and not in `arrived`. It leaves under the lock of the
/// place where requests would have found it, and arrives under the lock of the place where they will.
#[derive(Debug)]
pub(crate) struct Transit {
    left: AtomicUsize,
    arrived: AtomicUsize,
}

impl Transit {
    #[cfg(not(strata_loom))]
    pub(crate) const fn new() -> Self {
        Self { left: AtomicUsize::new(0), arrived: AtomicUsize::new(0) }
    }

    #[cfg(strata_loom)]
    pub(crate) fn new() -> Self {
        Self { left: AtomicUsize::new(0), arrived: AtomicUsize::new(0) }
    }

    /// Something leaves the place whose lock is held.
    pub(crate) fn leave(&self) {
        // Relaxed: the place's lock orders it.
        self.left.fetch_add(1, Ordering::Relaxed);
    }

    /// Something arrives at the place whose lock is held.
    pub(crate) fn arrive(&self) {
        // Release: its partner is the Acquire in `until_arrived`, which thus sees that it had left.
        self.arrived.fetch_add(1, Ordering::Release);
    }

    /// Nothing is on its way: who moved it is gone, and the caller put it in its place.
    #[cfg(any(all(feature = "std", target_os = "linux"), test))]
    pub(crate) fn settle(&self) {
        // Relaxed, both: no other thread is there.
        self.arrived.store(self.left.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    /// Whether something is on its way; racy where others are at work.
    #[cfg(test)]
    pub(crate) fn is_under_way(&self) -> bool {
        // Relaxed, both: asked where no other thread is at work.
        self.left.load(Ordering::Relaxed) != self.arrived.load(Ordering::Relaxed)
    }

    /// Attempts until that succeeds, or fails while nothing was on its way: before it fails, an attempt has to
    /// look at all places under their locks, where things come from first.
    ///
    /// Of what was on its way, the departure precedes the attempt's look at the place it left, by that place's
    /// lock, and the arrival follows its look at the place it came to: counted in `left` afterwards, and not
    /// in `arrived` before.
    pub(crate) fn until_arrived<T>(
        &self,
        mut attempt: impl FnMut() -> Result<T, Exhausted>,
    ) -> Result<T, Exhausted> {
        let mut patience = PATIENCE;
        loop {
            // Acquire: its partner is the Release in `arrive`.
            let arrived = self.arrived.load(Ordering::Acquire);
            let done = attempt();
            // Relaxed: ordered by the locks of the places that the attempt looked at.
            if done.is_ok() || self.left.load(Ordering::Relaxed) == arrived {
                return done;
            }
            // Relaxed: the next attempt's load is what counts.
            while self.arrived.load(Ordering::Relaxed) == arrived && patience != 0 {
                patience -= 1;
                yield_now();
            }
            if patience == 0 {
                return done;
            }
            patience -= 1;
        }
    }
}
