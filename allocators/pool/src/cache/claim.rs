//! The caches of a pool: which there are, and how a thread gets one.

use core::ptr::NonNull;

use strata_core::Source;
use strata_core::lock::RawLock;
use strata_core::sync::Ordering;

use super::{Cache, FREE, OWNED};
use crate::block_pool::BlockPool;

impl<S: Source<Address = NonNull<u8>>, L: RawLock> BlockPool<S, L> {
    /// All caches that were ever made.
    pub(crate) fn caches(&self) -> impl Iterator<Item = &Cache> {
        // Acquire: its partner is the Release in `claim_cache`, before which they were written.
        let count = self.cache_count.load(Ordering::Acquire) as u32;
        // SAFETY: 1. counted, so from `grow`; written before, and there as long as the pool.
        (0..count).map(|id| unsafe { self.cache_table.get(id).cast::<Cache>().as_ref() })
    }

    /// A cache for the caller alone, with magazines: one that was left, or a new one. `None` where
    /// there is no memory for it, or may not be.
    pub(crate) fn claim_cache(&self) -> Option<NonNull<Cache>> {
        let left = self.caches().find(|cache| cache.claim()).map(NonNull::from);
        let cache = left.or_else(|| self.new_cache())?;
        // SAFETY: claimed, in a pool that is borrowed.
        let claimed = unsafe { cache.as_ref() };
        if claimed.magazines().is_some() || self.equip(claimed) {
            return Some(cache);
        }
        claimed.leave();
        None
    }

    fn new_cache(&self) -> Option<NonNull<Cache>> {
        self.central(|central| {
            if central.spare_caches.is_empty() {
                if central.store.sealed {
                    return None;
                }
                // SAFETY: 1. under the lock.
                let ids = unsafe { self.cache_table.grow(&*central.store.source) };
                central.spare_caches = ids.ok()?;
            }
            let id = central.spare_caches.next()?;
            // SAFETY: 1. fresh from `grow`.
            let cache = unsafe { self.cache_table.get(id) }.cast::<Cache>();
            // SAFETY: nobody else has the item yet, which is as long as a cache.
            unsafe { cache.write(Cache::new(OWNED)) };
            // Release: its partner is the Acquire in `caches`. Numbers are given in order, under the
            // lock.
            self.cache_count.store(id as usize + 1, Ordering::Release);
            Some(cache)
        })
    }
}

impl Cache {
    /// Makes a free cache the caller's; false where it is not free.
    pub(crate) fn claim(&self) -> bool {
        // Acquire: its partner is the Release in `leave`, behind which the owner before changed the
        // cache and its magazines.
        let claimed =
            self.owner.compare_exchange(FREE, OWNED, Ordering::Acquire, Ordering::Relaxed);
        claimed.is_ok()
    }

    /// Leaves the cache with what is in it to whoever claims it.
    pub(crate) fn leave(&self) {
        // Release: its partner is the Acquire in `claim`.
        self.owner.store(FREE, Ordering::Release);
    }
}
