//! The lock of the peers that leave theirs to the caller: the system's, which is what the others
//! with one lock (`rlsf`, dlmalloc's own global) use. It never allocates.

use std::cell::UnsafeCell;

/// A `pthread_mutex_t`, for statics: it must not move once used.
pub(super) struct Lock(UnsafeCell<libc::pthread_mutex_t>);

// SAFETY: the mutex is made to be used from any thread through a shared address.
unsafe impl Sync for Lock {}
// SAFETY: a lock is moved before its first use only, while it is a plain value; afterwards it is
// in a static.
unsafe impl Send for Lock {}

impl Lock {
    pub(super) const fn new() -> Self {
        Self(UnsafeCell::new(libc::PTHREAD_MUTEX_INITIALIZER))
    }

    #[inline]
    pub(super) fn take(&self) {
        // SAFETY: a statically initialised mutex at a lasting address. The normal kind fails only
        // where it is not one.
        unsafe { libc::pthread_mutex_lock(self.0.get()) };
    }

    /// # Safety
    ///
    /// 1. The calling thread took the lock and has not given it back.
    #[inline]
    pub(super) unsafe fn give_back(&self) {
        // SAFETY: by obligation 1 the calling thread owns the mutex.
        unsafe { libc::pthread_mutex_unlock(self.0.get()) };
    }
}

// SAFETY: the mutex is exclusive between `lock` (or a successful `try_lock`) and `unlock`.
#[cfg(feature = "talc")]
unsafe impl talc::lock_api::RawMutex for Lock {
    // The trait asks for a constant that starts a lock.
    #[allow(clippy::declare_interior_mutable_const)]
    const INIT: Self = Self::new();

    // A thread must unlock what it locked.
    type GuardMarker = talc::lock_api::GuardNoSend;

    #[inline]
    fn lock(&self) {
        self.take();
    }

    #[inline]
    fn try_lock(&self) -> bool {
        // SAFETY: as in `take`.
        unsafe { libc::pthread_mutex_trylock(self.0.get()) == 0 }
    }

    #[inline]
    unsafe fn unlock(&self) {
        // SAFETY: 1. the trait asks its caller for the same.
        unsafe { self.give_back() };
    }
}
