//! Caches that are handed around by hand.

use core::fmt;
use core::marker::PhantomData;
use core::ptr::NonNull;

use strata_core::lock::RawLock;
use strata_core::{Exhausted, Source};

use crate::block_pool::BlockPool;
use crate::blocks::Blocks;
use crate::cache::Cache;
use crate::system::{SystemLock, SystemSource};

/// Two magazines of a [`BlockPool`], for one thread at a time: what a thread has by itself with
/// feature `std`, for where there is none (an interrupt-driven executor, a core of its own, a
/// program without `std`), and for who wants to save the look-up.
///
/// Dropping it empties its magazines.
///
/// ```
/// use core::alloc::Layout;
/// use strata_pool::{BlockPool, ThreadCache};
///
/// let pool = BlockPool::new(Layout::new::<[u64; 8]>())?;
/// let cache = ThreadCache::new(&pool);
/// let block = cache.allocate().unwrap();
/// // SAFETY: 1. from the cache's pool, used no more.
/// unsafe { cache.deallocate(block) };
/// # Ok::<(), strata_core::ConfigError>(())
/// ```
pub struct ThreadCache<'p, S: Source<Address = NonNull<u8>> = SystemSource, L: RawLock = SystemLock>
{
    pub(crate) pool: &'p BlockPool<S, L>,
    /// In the pool's table, and this one's alone. `None` where there was no memory for one.
    cache: Option<NonNull<Cache>>,
    /// One thread at a time.
    not_sync: PhantomData<core::cell::Cell<()>>,
}

// SAFETY: the cache belongs to whoever has this, on whichever thread; the pool may be shared.
unsafe impl<S: Source<Address = NonNull<u8>> + Send, L: RawLock + Sync> Send
    for ThreadCache<'_, S, L>
{
}

impl<'p, S: Source<Address = NonNull<u8>>, L: RawLock> ThreadCache<'p, S, L> {
    /// A cache for blocks of `pool`. Where the pool has no memory for it each block goes to the
    /// chunks.
    pub fn new(pool: &'p BlockPool<S, L>) -> Self {
        let cache = if pool.most_rounds > 0 { pool.claim_cache() } else { None };
        Self { pool, cache, not_sync: PhantomData }
    }

    /// Takes a block: as [`BlockPool::allocate`].
    ///
    /// # Errors
    ///
    /// As there.
    #[inline]
    pub fn allocate(&self) -> Result<NonNull<u8>, Exhausted> {
        match self.cache {
            // SAFETY: claimed, in a pool that is borrowed.
            Some(cache) => self.pool.take(unsafe { cache.as_ref() }),
            None => self.pool.take_direct().ok_or(Exhausted),
        }
    }

    /// Puts a block back: as [`BlockPool::deallocate`].
    ///
    /// # Safety
    ///
    /// 1. `block` came from this cache's pool, was not put back since, and is used no more.
    #[inline]
    pub unsafe fn deallocate(&self, block: NonNull<u8>) {
        match self.cache {
            // SAFETY: claimed, in a pool that is borrowed. 1. the caller's.
            Some(cache) => unsafe { self.pool.put(cache.as_ref(), block) },
            None => self.pool.put_blocks(&[block.as_ptr()]),
        }
    }

    /// Empties the magazines into the chunks.
    pub fn flush(&self) {
        if let Some(cache) = self.cache {
            // SAFETY: claimed, in a pool that is borrowed.
            self.pool.empty_cache(unsafe { cache.as_ref() });
        }
    }
}

impl<S: Source<Address = NonNull<u8>>, L: RawLock> Drop for ThreadCache<'_, S, L> {
    fn drop(&mut self) {
        if let Some(cache) = self.cache {
            // SAFETY: claimed, in a pool that is borrowed.
            let cache = unsafe { cache.as_ref() };
            self.pool.strip(cache);
            cache.leave();
        }
    }
}

// SAFETY: 1. and 2. the pool's blocks, through a cache of it.
unsafe impl<S: Source<Address = NonNull<u8>>, L: RawLock> Blocks for ThreadCache<'_, S, L> {
    #[inline]
    fn take_block(&self) -> Option<NonNull<u8>> {
        self.allocate().ok()
    }

    #[inline]
    unsafe fn put_block(&self, block: NonNull<u8>) {
        // SAFETY: 1. the caller's.
        unsafe { self.deallocate(block) }
    }
}

impl<S: Source<Address = NonNull<u8>>, L: RawLock> fmt::Debug for ThreadCache<'_, S, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadCache").field("pool", self.pool).finish_non_exhaustive()
    }
}
