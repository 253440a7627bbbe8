//! A strata-bench executable with an allocator whose every call takes one lock, and sleeps where it is
//! taken: `strata-bench scaling` must tell that its threads do not scale, however busy the machine.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The system's allocator behind a lock.
struct OneLock(Mutex<u64>);

impl OneLock {
    /// Runs `call` alone; now and then, where another thread was there before, after a sleep that
    /// everybody waits for.
    fn alone<R>(&self, call: impl FnOnce() -> R) -> R {
        let free = self.0.try_lock();
        let met = free.is_err();
        // Nothing in the lock panics.
        let waited = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut calls = free.unwrap_or_else(|_| waited());
        // Long enough that two threads meet.
        for _ in 0..20 {
            *calls = std::hint::black_box(*calls + 1);
        }
        if met && (*calls / 20).is_multiple_of(16) {
            std::thread::sleep(Duration::from_micros(10));
        }
        call()
    }
}

// SAFETY: both methods are the system allocator's, with the caller's own arguments.
unsafe impl GlobalAlloc for OneLock {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's obligations are those of the method called.
        self.alone(|| unsafe { System.alloc(layout) })
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's obligations are those of the method called.
        self.alone(|| unsafe { System.dealloc(block, layout) });
    }
}

strata_bench::main!("one-lock", OneLock, OneLock(Mutex::new(0)));
