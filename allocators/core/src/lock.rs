//! A lock for short critical sections, and the interface that lets a user choose another.

use crate::sync::{AtomicBool, Ordering, spin_hint, yield_now};

/// A lock without data, in the manner of `lock_api::RawMutex`.
///
/// # Safety
///
/// Implementors promise that
/// 1. between a return of `lock` (or of `try_lock` with true) and the next `unlock`, no other
///    such return happens;
/// 2. what a thread did before `unlock` happens before what the next holder does;
/// 3. no method allocates or panics.
pub unsafe trait RawLock {
    /// Takes the lock, waiting for it as long as necessary.
    fn lock(&self);

    /// Takes the lock if it is open; true if so. May be false on an open lock that another thread
    /// is just taking.
    fn try_lock(&self) -> bool;

    /// Opens the lock.
    ///
    /// # Safety
    ///
    /// 1. The caller holds it.
    unsafe fn unlock(&self);
}

/// A lock that waits by looking again, and lets other threads run between looks.
///
/// Not fair. Right where the holder does little and is not preempted for long; with feature `std`
/// a waiter yields to the system after a short while, without it it only tells the processor.
///
/// ```
/// use strata_core::lock::{RawLock, SpinLock};
/// static LOCK: SpinLock = SpinLock::new();
/// LOCK.lock();
/// assert!(!LOCK.try_lock());
/// // SAFETY: 1. taken two lines above.
/// unsafe { LOCK.unlock() };
/// assert!(LOCK.try_lock());
/// ```
#[derive(Debug, Default)]
pub struct SpinLock {
    taken: AtomicBool,
}

/// Looks before the first yield: about as long as a short critical section takes.
const SPINS: u32 = 64;

impl SpinLock {
    crate::const_unless_loom! {
        /// An open lock.
        pub fn new() -> Self {
            Self { taken: AtomicBool::new(false) }
        }
    }

    #[cold]
    #[inline(never)]
    fn lock_slow(&self) {
        let mut looks = 0;
        loop {
            // Relaxed: this look decides nothing; `try_lock` does.
            while self.taken.load(Ordering::Relaxed) {
                if looks < SPINS {
                    looks += 1;
                    spin_hint();
                } else {
                    yield_now();
                }
            }
            if self.try_lock() {
                return;
            }
        }
    }
}

// SAFETY: 1. only the one exchange from false to true returns success until `unlock` stores false.
// 2. the Acquire below reads what the Release in `unlock` wrote. 3. nothing here can.
unsafe impl RawLock for SpinLock {
    #[inline]
    fn lock(&self) {
        if !self.try_lock() {
            self.lock_slow();
        }
    }

    #[inline]
    fn try_lock(&self) -> bool {
        // Acquire: its partner is the Release store in `unlock`.
        self.taken.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    #[inline]
    unsafe fn unlock(&self) {
        debug_assert!(self.taken.load(Ordering::Relaxed), "unlock of an open lock");
        // Release: its partner is the Acquire in `try_lock` of the next holder.
        self.taken.store(false, Ordering::Release);
    }
}

#[cfg(all(test, strata_loom))]
mod models {
    use super::*;
    use crate::sync::{UnsafeCell, model, thread};
    use std::sync::Arc;

    struct Shared(SpinLock, UnsafeCell<u32>);
    // SAFETY: the cell is touched under the lock only: that is what the model checks.
    unsafe impl Sync for Shared {}
    // SAFETY: as above.
    unsafe impl Send for Shared {}

    fn add_one(shared: &Shared) {
        shared.0.lock();
        // SAFETY: the lock is held; loom reports it if two threads are here.
        shared.1.with_mut(|n| unsafe { *n += 1 });
        // SAFETY: 1. taken above.
        unsafe { shared.0.unlock() };
    }

    #[test]
    fn two_threads_under_the_lock_never_meet_and_see_each_other() {
        model(|| {
            let shared = Arc::new(Shared(SpinLock::new(), UnsafeCell::new(0)));
            let other = Arc::clone(&shared);
            let thread = thread::spawn(move || add_one(&other));
            add_one(&shared);
            thread.join().unwrap();
            // SAFETY: the other thread has ended.
            shared.1.with(|n| assert_eq!(unsafe { *n }, 2));
        });
    }
}
