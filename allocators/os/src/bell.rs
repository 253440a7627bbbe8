//! A bell: one thread sleeps until another one rings.

use strata_core::sync::{AtomicU32, Ordering};

use crate::memory::sys;

const SILENT: u32 = 0;
const RUNG: u32 = 1;
/// Somebody sleeps.
const AWAITED: u32 = 2;

/// A bell in 4 bytes, for a `static`: rings before a [`wait`](Self::wait) count, several as one. Ringing one that
/// rang already costs a load. One thread waits, any may ring, also with locks held: nothing is taken.
///
/// ```
/// use strata_os::Bell;
///
/// static BELL: Bell = Bell::new();
/// let thread = std::thread::spawn(|| BELL.wait());
/// BELL.ring();
/// thread.join().unwrap();
/// assert!(!BELL.rang());
/// ```
#[derive(Debug, Default)]
pub struct Bell(AtomicU32);

impl Bell {
    /// A bell that nobody rang.
    pub const fn new() -> Self {
        Self(AtomicU32::new(SILENT))
    }

    /// Rings.
    #[inline]
    pub fn ring(&self) {
        // Relaxed: a look only. Release: its partners are the Acquires below, so that what was done before is
        // seen by who woke.
        if self.0.load(Ordering::Relaxed) != RUNG && self.0.swap(RUNG, Ordering::Release) == AWAITED
        {
            sys::wake_one(&self.0);
        }
    }

    /// Whether it rang since the last time that somebody asked or waited.
    pub fn rang(&self) -> bool {
        // Acquire: its partner is the Release in `ring`.
        self.0.compare_exchange(RUNG, SILENT, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Sleeps until it rings; not at all where it rang.
    pub fn wait(&self) {
        while !self.rang() {
            // Relaxed, both: nothing is read but the word. Awaited already: an early wake-up, or a child of a
            // fork, whose parent's thread slept.
            let before =
                self.0.compare_exchange(SILENT, AWAITED, Ordering::Relaxed, Ordering::Relaxed);
            if before.is_ok() || before == Err(AWAITED) {
                sys::wait(&self.0, AWAITED);
            }
        }
    }
}
