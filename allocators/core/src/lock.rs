//! A lock for short critical sections, and the interface that lets a user choose another.

use crate::sync::{AtomicBool, Ordering, UnsafeCell, spin_hint, yield_now};

/// A lock without data, in the manner of `lock_api::RawMutex`.
///
/// # Safety
///
/// Implementors promise that
/// 1. between a return of `lock` (or of `try_lock` with true) and the next `unlock`, no other
///    such return happens;
/// 2. what a thread did before `unlock` happens before what the next holder does;
/// 3. no method allocates or panics.
pub unsafe trait RawLock: Sized {
    /// An open lock, to start with.
    #[cfg(not(strata_loom))]
    const OPEN: Self;

    /// An open lock: no model's atomic can be made in a constant.
    #[cfg(strata_loom)]
    fn open() -> Self;

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

/// A value that is reached under a lock only.
///
/// ```
/// use strata_core::lock::{Guarded, SpinLock};
/// static COUNT: Guarded<u32, SpinLock> = Guarded::new(SpinLock::new(), 0);
/// COUNT.with(|count| *count += 1);
/// assert_eq!(COUNT.with(|count| *count), 1);
/// ```
// The lock stands before the value, whatever that is: on the cache line where a long one begins.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Guarded<T, L> {
    lock: L,
    value: UnsafeCell<T>,
}

// SAFETY: `value` is reached by the holder of `lock` alone, one thread at a time.
unsafe impl<T: Send, L: RawLock + Sync> Sync for Guarded<T, L> {}
// SAFETY: nothing here belongs to a thread, if `T` and `L` do not.
unsafe impl<T: Send, L: Send> Send for Guarded<T, L> {}

impl<T, L> Guarded<T, L> {
    /// Where the value lies in it.
    pub const VALUE: usize = core::mem::offset_of!(Self, value);

    crate::const_unless_loom! {
        /// `value` behind `lock`, which is open.
        pub fn new(lock: L, value: T) -> Self {
            Self { lock, value: UnsafeCell::new(value) }
        }
    }

    /// The value: nobody else has the lock.
    pub fn get_mut(&mut self) -> &mut T {
        // SAFETY: `&mut self` is the only way to it while it lives.
        self.value.with_mut(|value| unsafe { &mut *value })
    }
}

impl<T, L: RawLock> Guarded<T, L> {
    /// Calls `work` with the value under the lock. `work` must not come here again: it would wait
    /// for itself. Where `work` unwinds, the lock stays taken.
    #[inline]
    pub fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        self.lock.lock();
        // SAFETY: taken above.
        unsafe { self.finish(work) }
    }

    /// [`with`](Self::with), unless the lock is taken; `None` then.
    #[inline]
    pub fn try_with<R>(&self, work: impl FnOnce(&mut T) -> R) -> Option<R> {
        // SAFETY: taken by `try_lock`.
        self.lock.try_lock().then(|| unsafe { self.finish(work) })
    }

    /// [`with`](Self::with), and calls `contended` before it waits where the lock is taken.
    #[inline]
    pub fn with_watched<R>(&self, contended: impl FnOnce(), work: impl FnOnce(&mut T) -> R) -> R {
        if !self.lock.try_lock() {
            contended();
            self.lock.lock();
        }
        // SAFETY: taken above.
        unsafe { self.finish(work) }
    }

    /// Takes the lock for longer than a call: around a `fork`, say, whose child must find the value
    /// whole. Whoever asks for the value meanwhile waits.
    pub fn hold(&self) {
        self.lock.lock();
    }

    /// Opens what [`hold`](Self::hold) took.
    ///
    /// # Safety
    ///
    /// 1. The caller's thread holds it by `hold`, or is the one thread of a child of the process whose
    ///    thread did.
    pub unsafe fn let_go(&self) {
        // SAFETY: 1. held.
        unsafe { self.lock.unlock() };
    }

    /// Works and unlocks.
    ///
    /// # Safety
    ///
    /// 1. The caller holds the lock.
    #[inline]
    unsafe fn finish<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        // SAFETY: the lock is held (1.), so nobody else has a reference.
        let result = self.value.with_mut(|value| work(unsafe { &mut *value }));
        // SAFETY: 1. held.
        unsafe { self.lock.unlock() };
        result
    }
}

#[cfg(all(test, strata_loom))]
mod models {
    use super::*;
    use crate::sync::{model, thread};
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
