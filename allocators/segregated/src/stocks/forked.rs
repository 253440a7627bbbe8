//! All stocks around a `fork`: see `fork.rs`.

use core::ptr;

use strata_core::sync::Ordering;

use super::life::{REGISTRY, Registry, THREADS};
use super::peak::ALL;
use super::{STOCKS, passed};

/// Takes the locks of the registry and of what is passed on.
pub(crate) fn hold() {
    REGISTRY.hold();
    passed::hold();
}

/// Notes what a child could not ask other threads for. The caller's thread is let through the locks.
pub(crate) fn note_others() {
    #[cfg(feature = "stats")]
    super::life::requested::note_others();
}

/// Opens them.
///
/// # Safety
///
/// 1. This thread took them by [`hold`], or is that thread in a child of its process.
pub(crate) unsafe fn let_go() {
    // SAFETY: 1. the caller's.
    unsafe {
        passed::let_go();
        REGISTRY.let_go();
    }
}

/// In the child of a fork: stocks of other threads are lost. Answers the bytes in this thread's run
/// slot, or `None` where no other thread had stocks.
pub(crate) fn forget_others() -> Option<usize> {
    STOCKS.with(|stocks| {
        REGISTRY.with(|registry| {
            let mine = stocks.state.thread.get();
            let mut slots = 0;
            let mut bytes = registry.count_left();
            // SAFETY: null, or this thread's own, which is in the registry whose lock is held.
            let others = match unsafe { mine.as_mut() } {
                Some(thread) => {
                    let others = registry.threads != mine || !thread.next.is_null();
                    (thread.prev, thread.next) = (ptr::null_mut(), ptr::null_mut());
                    slots = if thread.run.is_null() { 0 } else { thread.run_len };
                    bytes += thread.bytes;
                    others
                }
                None => !registry.threads.is_null(),
            };
            registry.threads = mine;
            // With `checked`, threads have no stocks that would tell of them.
            if !others && !cfg!(feature = "checked") {
                return None;
            }
            // Relaxed: nobody else is here.
            THREADS.store(usize::from(!mine.is_null()), Ordering::Relaxed);
            ALL.set(bytes);
            #[cfg(feature = "stats")]
            super::life::requested::keep_others();
            Some(slots)
        })
    })
}

impl Registry {
    /// Counts anew what ended threads left. Answers the bytes that those stocks may hold.
    fn count_left(&mut self) -> usize {
        (self.left_bytes, self.left_own) = (0, 0);
        let mut bytes = 0;
        let mut left = self.left;
        // SAFETY: members of the registry are there, and change under its lock only.
        while let Some(thread) = unsafe { left.as_ref() } {
            self.left_bytes += thread.left_bytes();
            self.left_own += thread.own_bytes();
            bytes += thread.bytes;
            left = thread.next;
        }
        bytes
    }
}
