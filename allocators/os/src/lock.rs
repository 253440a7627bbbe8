//! A lock whose waiters sleep.

use strata_core::lock::RawLock;
use strata_core::sync::{AtomicU32, Ordering, spin_hint};

#[cfg(not(strata_loom))]
use crate::memory::sys;

/// The futex of model builds: a wait is a chance for the others, and no wake-up is needed. It shows
/// whether the lock excludes, not whether every sleeper wakes; the tests on the real system do.
#[cfg(strata_loom)]
mod sys {
    use strata_core::sync::{AtomicU32, yield_now};

    pub(super) fn wait(_word: &AtomicU32, _value: u32) {
        yield_now();
    }

    pub(super) fn wake_one(_word: &AtomicU32) {}
}

const OPEN: u32 = 0;
const TAKEN: u32 = 1;
/// Taken, and somebody may sleep.
const AWAITED: u32 = 2;

/// Looks before the first sleep: a short critical section ends sooner than a sleep.
const SPINS: u32 = if cfg!(strata_loom) { 1 } else { 100 };

/// A short lock of 4 bytes: a few looks, then a sleep on a futex. Not fair; usable before `main`
/// and in a `static`. On a system that this crate does not know, waiters yield instead.
///
/// The three states are those of Drepper's "Futexes Are Tricky".
///
/// ```
/// use strata_core::lock::RawLock;
/// use strata_os::FutexLock;
/// static LOCK: FutexLock = FutexLock::new();
/// LOCK.lock();
/// assert!(!LOCK.try_lock());
/// // SAFETY: 1. taken two lines above.
/// unsafe { LOCK.unlock() };
/// ```
#[derive(Debug, Default)]
pub struct FutexLock {
    state: AtomicU32,
}

impl FutexLock {
    strata_core::const_unless_loom! {
        /// An open lock.
        pub fn new() -> Self {
            Self { state: AtomicU32::new(OPEN) }
        }
    }

    #[cold]
    #[inline(never)]
    fn lock_slow(&self) {
        for _ in 0..SPINS {
            // Relaxed: a look only.
            if self.state.load(Ordering::Relaxed) == OPEN && self.try_lock() {
                return;
            }
            spin_hint();
        }
        // From here on this thread takes the lock as awaited: it cannot know whether it is the
        // last one that slept. Acquire: its partner is the Release swap in `unlock`.
        while self.state.swap(AWAITED, Ordering::Acquire) != OPEN {
            sys::wait(&self.state, AWAITED);
        }
    }
}

// SAFETY: 1. only a change from OPEN takes it, and only `unlock` makes it OPEN. 2. the Acquire of
// each taker reads what the Release swap in `unlock` wrote. 3. nothing here can.
unsafe impl RawLock for FutexLock {
    #[cfg(not(strata_loom))]
    const OPEN: Self = Self::new();

    #[cfg(strata_loom)]
    fn open() -> Self {
        Self::new()
    }

    #[inline]
    fn lock(&self) {
        if !self.try_lock() {
            self.lock_slow();
        }
    }

    #[inline]
    fn try_lock(&self) -> bool {
        // Acquire: its partner is the Release swap in `unlock`.
        self.state.compare_exchange(OPEN, TAKEN, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    #[inline]
    unsafe fn unlock(&self) {
        // Release: its partner is the Acquire of the next holder.
        let before = self.state.swap(OPEN, Ordering::Release);
        debug_assert_ne!(before, OPEN, "unlock of an open lock");
        if before == AWAITED {
            sys::wake_one(&self.state);
        }
    }
}

#[cfg(all(test, strata_loom))]
mod models {
    use super::*;
    use std::sync::Arc;
    use strata_core::sync::{UnsafeCell, model, thread};

    struct Shared(FutexLock, UnsafeCell<u32>);
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
    fn two_threads_under_the_futex_lock_never_meet_and_see_each_other() {
        model(|| {
            let shared = Arc::new(Shared(FutexLock::new(), UnsafeCell::new(0)));
            let other = Arc::clone(&shared);
            let thread = thread::spawn(move || add_one(&other));
            add_one(&shared);
            thread.join().unwrap();
            // SAFETY: the other thread has ended.
            shared.1.with(|n| assert_eq!(unsafe { *n }, 2));
        });
    }
}
