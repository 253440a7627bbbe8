//! What a shared pool does besides giving blocks: getting memory ahead, and giving it back.

use core::ptr::NonNull;

use strata_core::lock::RawLock;
use strata_core::{Exhausted, Source};

use crate::block_pool::BlockPool;

impl<S: Source<Address = NonNull<u8>>, L: RawLock> BlockPool<S, L> {
    /// Has at least `blocks` free blocks in the chunks, those in magazines not counted.
    ///
    /// # Errors
    ///
    /// [`Exhausted`] where the source has not so many, or the pool may not; what was got by then
    /// stays.
    pub fn reserve(&self, blocks: usize) -> Result<(), Exhausted> {
        self.central(|central| central.store.reserve(blocks))
    }

    /// Has `blocks` free blocks, as [`reserve`](Self::reserve), whose pages the system has backed:
    /// taking them will not fault. For users who must not wait.
    ///
    /// # Errors
    ///
    /// As for [`reserve`](Self::reserve).
    pub fn prefill(&self, blocks: usize) -> Result<(), Exhausted> {
        self.central(|central| central.store.prefill(blocks))
    }

    /// From now on the pool never calls its source: it neither grows nor gives anything back, and
    /// its pages are not purged. What is in it by now is its fixed capacity.
    pub fn seal(&self) {
        self.central(|central| {
            // A few threads shall find tables for their caches.
            // SAFETY: 1. under the lock, both.
            unsafe {
                if self.most_magazines > 0 && central.spare_magazines.is_empty() {
                    let ids = self.depot.magazines.grow(&*central.store.source);
                    central.spare_magazines = ids.unwrap_or(0..0);
                }
                if self.most_magazines > 0 && central.spare_caches.is_empty() {
                    let ids = self.cache_table.grow(&*central.store.source);
                    central.spare_caches = ids.unwrap_or(0..0);
                }
            }
            central.store.sealed = true;
        });
    }

    /// Keeps `keep` free blocks ready and gives everything else back that no block is on: the
    /// magazines of this thread, of threads that ended and of the depot are emptied, empty chunks
    /// released, and the free pages of all others purged. Answers how many bytes went.
    ///
    /// What other threads have in their magazines stays theirs; each keeps two at most. A sealed
    /// pool gives nothing back. O(blocks in the depot, and chunks).
    pub fn trim(&self, keep: usize) -> usize {
        self.flush();
        self.flush_depot(usize::MAX);
        self.central(|central| central.store.trim(keep))
    }

    /// Gives back what nobody needed since the last call: the fewest magazines that the depot had,
    /// the fewest empty chunks, the fewest idle pages. Besides, this thread's magazines and those of
    /// threads that ended are emptied. Answers how many bytes went.
    ///
    /// To be called now and then, from a timer for example: what is idle for two calls is gone. With
    /// feature `std` a pool in use does this by itself, see
    /// [`Config::decay_every`](crate::Config::decay_every). Bonwick's working set.
    pub fn decay(&self) -> usize {
        self.flush();
        self.flush_depot(self.depot.unused());
        self.central(|central| central.store.decay())
    }

    /// Empties this thread's magazines, and those that ended threads left, into the chunks. For the
    /// park hook of an executor.
    pub fn flush(&self) {
        #[cfg(all(feature = "std", not(strata_loom)))]
        {
            use strata_core::sync::Ordering;
            // Relaxed: the number says nothing about other memory.
            if let Some(cache) = crate::cache::thread::find(self.number.load(Ordering::Relaxed)) {
                // SAFETY: this thread's, in a pool that is borrowed.
                self.empty_cache(unsafe { cache.as_ref() });
            }
        }
        self.adopt();
    }

    /// Decays if it is time to.
    #[cfg(all(feature = "std", not(strata_loom)))]
    pub(crate) fn look(&self) {
        use strata_core::sync::Ordering;
        if self.interval == 0 {
            return;
        }
        let now = strata_os::clock::coarse_millis() as usize;
        // Relaxed, all: who changes the word decays, nothing else hangs on it.
        let then = self.decayed.load(Ordering::Relaxed);
        if then == 0 {
            self.decayed.store(now, Ordering::Relaxed);
            return;
        }
        if now.wrapping_sub(then) >= self.interval
            && self
                .decayed
                .compare_exchange(then, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
        {
            self.adopt();
            self.flush_depot(self.depot.unused());
            self.central(|central| central.store.decay());
        }
    }

    /// Without a clock nothing decays by itself.
    #[cfg(not(all(feature = "std", not(strata_loom))))]
    pub(crate) fn look(&self) {}
}
