//! All stocks around a `fork`: see `fork.rs`.

use core::ptr;

use strata_core::sync::Ordering;
use strata_os::thread;

use super::life::{REGISTRY, Registry, THREADS};
use super::passed;
use super::peak::ALL;
use super::thread::Thread;

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

/// In the child of a fork: stocks of other threads are lost. Answers the bytes that this thread's
/// slot and the stocks of ended threads count as kept, or `None` where no other thread had stocks.
pub(crate) fn forget_others() -> Option<usize> {
    let me = thread::id();
    REGISTRY.with(|registry| {
        let (mut at, mut kept) = (registry.threads, ptr::null_mut::<Thread>());
        let (mut slots, mut mine, mut others) = (0, 0, 0);
        let mut bytes = registry.count_left();
        // SAFETY: members of the registry are there, and their links change under its lock only; of those
        // that are not this thread's, nothing else is looked at.
        while let Some(thread) = unsafe { at.as_mut() } {
            let next = thread.next;
            if thread.owner == me {
                (thread.prev, thread.next) = (ptr::null_mut(), kept);
                // SAFETY: null, or the one that was kept before.
                if let Some(kept) = unsafe { kept.as_mut() } {
                    kept.prev = at;
                }
                kept = at;
                slots += thread.stocks().slot.len();
                bytes += thread.bytes;
                mine += 1;
            } else {
                others += 1;
            }
            at = next;
        }
        registry.threads = kept;
        // With `checked`, threads have no stocks that would tell of them.
        if others == 0 && !cfg!(feature = "checked") {
            return None;
        }
        // Relaxed: nobody else is here.
        THREADS.store(mine, Ordering::Relaxed);
        ALL.set(bytes);
        #[cfg(feature = "stats")]
        super::life::requested::keep_others();
        Some(slots + registry.left_bytes)
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
