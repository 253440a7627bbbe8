//! A lock of one byte that needs neither the heap nor the system.

use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicBool, Ordering};

/// How often a waiter looks again before it offers its processor to another thread.
const LOOKS: u32 = 64;

/// A value behind a spin lock, const-constructible for statics.
///
/// # Invariants
///
/// 1. `value` is reached only between taking `held` and giving it back.
pub(crate) struct Spin<T> {
    held: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: by invariant 1 one thread at a time reaches the value, and the lock's acquire and release
// make what one holder wrote visible to the next; `T: Send` lets the value be used by any thread.
unsafe impl<T: Send> Sync for Spin<T> {}

impl<T> Spin<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self { held: AtomicBool::new(false), value: UnsafeCell::new(value) }
    }

    /// Calls `f` with the value, alone. `f` must not panic and not lock again.
    #[inline]
    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        // Acquire: pairs with the release store below by the last holder.
        while self.held.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_err()
        {
            self.wait();
        }
        // SAFETY: invariant 1: `held` was just taken, so that no other reference exists.
        let result = f(unsafe { &mut *self.value.get() });
        // Release: pairs with the acquire exchange above by the next holder.
        self.held.store(false, Ordering::Release);
        result
    }

    #[cold]
    fn wait(&self) {
        for _ in 0..LOOKS {
            // Relaxed: only a hint that the exchange may now succeed.
            if !self.held.load(Ordering::Relaxed) {
                return;
            }
            std::hint::spin_loop();
        }
        std::thread::yield_now();
    }
}
