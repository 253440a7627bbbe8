//! The pool of values that threads share.

use core::alloc::Layout;
use core::fmt;
use core::marker::PhantomData;
use core::ptr::NonNull;

use strata_core::lock::RawLock;
use strata_core::sync::Ordering;
use strata_core::{ConfigError, Exhausted, Source};

use crate::block_pool::BlockPool;
use crate::blocks::{Blocks, BlocksOf, KeepsPinned};
use crate::config::Config;
use crate::error::PoolFull;
use crate::explicit::ThreadCache;
use crate::pool_box::PoolBox;
use crate::store::Shape;
use crate::system::{SystemLock, SystemSource};

/// Values of one type in blocks of their own, shared between threads. [`BlockPool`] says how.
///
/// A value may be dropped by another thread than the one that made it, at no more cost.
///
/// ```
/// use strata_pool::Pool;
///
/// let pool = Pool::<[u8; 1500]>::new()?;
/// std::thread::scope(|scope| {
///     let packet = pool.alloc([0; 1500]).unwrap();
///     scope.spawn(move || drop(packet)); // the block serves that thread next
/// });
/// # Ok::<(), strata_core::ConfigError>(())
/// ```
pub struct Pool<T, S: Source<Address = NonNull<u8>> = SystemSource, L: RawLock = SystemLock> {
    blocks: BlockPool<S, L>,
    value: PhantomData<fn() -> T>,
}

impl<T> Pool<T> {
    strata_core::const_unless_loom! {
        /// A pool with memory of the system. Gets none before the first value.
        ///
        /// # Errors
        ///
        /// [`ConfigError`] where a value is 2 GiB long or more.
        pub fn new() -> Result<Self, ConfigError> {
            Self::with_source(SystemSource::new(), Config::new())
        }
    }

    strata_core::const_unless_loom! {
        /// A pool with memory of the system, and bounds.
        ///
        /// # Errors
        ///
        /// As for [`Pool::new`], and for a capacity of zero.
        pub fn with_config(config: Config) -> Result<Self, ConfigError> {
            Self::with_source(SystemSource::new(), config)
        }
    }

    /// A pool of `capacity` values that are all backed by memory now: it never calls the system
    /// again.
    ///
    /// ```
    /// use strata_pool::Pool;
    /// let pool = Pool::<u64>::fixed(100)?;
    /// assert_eq!(pool.stats().capacity, 100);
    /// # Ok::<(), strata_pool::FixedError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`FixedError`](crate::FixedError): a capacity of zero, or no memory.
    pub fn fixed(capacity: usize) -> Result<Self, crate::FixedError> {
        let pool = Self::with_config(Config::new().capacity(capacity).keep_empty(usize::MAX))?;
        pool.prefill(capacity)?;
        pool.seal();
        Ok(pool)
    }
}

impl<T, S: Source<Address = NonNull<u8>>, L: RawLock> Pool<T, S, L> {
    strata_core::const_unless_loom! {
        /// A pool with memory of `source`.
        ///
        /// # Errors
        ///
        /// As for [`BlockPool::with_source`].
        pub fn with_source(source: S, config: Config) -> Result<Self, ConfigError> {
            match Shape::of_pool(Layout::new::<T>(), &config) {
                Ok(shape) => {
                    let blocks = BlockPool::of_shape(shape, source, config);
                    Ok(Self { blocks, value: PhantomData })
                }
                Err(error) => {
                    // Nothing with a destructor can be dropped in a constant.
                    core::mem::forget(source);
                    Err(error)
                }
            }
        }
    }

    /// Puts a value into a block. O(1), and now and then O(a magazine).
    ///
    /// # Errors
    ///
    /// [`PoolFull`] with the value, where [`BlockPool::allocate`] has none.
    #[inline(always)]
    pub fn alloc(&self, value: T) -> Result<PoolBox<'_, T, Self>, PoolFull<T>> {
        PoolBox::new_in(value, self).map_err(PoolFull)
    }

    /// Puts what `make` answers into a block; where there is none `make` is not called.
    ///
    /// # Errors
    ///
    /// [`Exhausted`] where [`BlockPool::allocate`] has no block.
    #[inline(always)]
    pub fn alloc_with(&self, make: impl FnOnce() -> T) -> Result<PoolBox<'_, T, Self>, Exhausted> {
        PoolBox::new_with(make, self).ok_or(Exhausted)
    }

    /// A cache for this pool's blocks, see [`ThreadCache`].
    pub fn thread_cache(&self) -> PoolCache<'_, T, S, L> {
        PoolCache { pool: self, cache: ThreadCache::new(&self.blocks) }
    }

    /// The untyped pool under this one.
    #[inline]
    pub fn blocks(&self) -> &BlockPool<S, L> {
        &self.blocks
    }
}

/// What of the untyped pool is worth saying here too.
impl<T, S: Source<Address = NonNull<u8>>, L: RawLock> Pool<T, S, L> {
    /// See [`BlockPool::reserve`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn reserve(&self, values: usize) -> Result<(), Exhausted> {
        self.blocks.reserve(values)
    }

    /// See [`BlockPool::prefill`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn prefill(&self, values: usize) -> Result<(), Exhausted> {
        self.blocks.prefill(values)
    }

    /// See [`BlockPool::seal`].
    pub fn seal(&self) {
        self.blocks.seal();
    }

    /// See [`BlockPool::trim`].
    pub fn trim(&self, keep: usize) -> usize {
        self.blocks.trim(keep)
    }

    /// See [`BlockPool::decay`].
    pub fn decay(&self) -> usize {
        self.blocks.decay()
    }

    /// See [`BlockPool::flush`].
    pub fn flush(&self) {
        self.blocks.flush();
    }

    /// See [`BlockPool::stats`].
    pub fn stats(&self) -> crate::PoolStats {
        self.blocks.stats()
    }

    /// See [`BlockPool::validate`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn validate(&self) -> Result<(), crate::Broken> {
        self.blocks.validate()
    }

    /// See [`BlockPool::validate_all`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn validate_all(&mut self) -> Result<(), crate::Broken> {
        self.blocks.validate_all()
    }
}

// SAFETY: 1. and 2. the untyped pool's promises; its blocks are made for `T`.
unsafe impl<T, S: Source<Address = NonNull<u8>>, L: RawLock> Blocks for Pool<T, S, L> {
    #[inline(always)]
    fn take_block(&self) -> Option<NonNull<u8>> {
        self.blocks.take_block()
    }

    #[inline(always)]
    unsafe fn put_block(&self, block: NonNull<u8>) {
        // SAFETY: 1. the caller's.
        unsafe { self.blocks.put_block(block) }
    }
}

// SAFETY: 1. blocks are made for `T`.
unsafe impl<T, S: Source<Address = NonNull<u8>>, L: RawLock> BlocksOf<T> for Pool<T, S, L> {}

// SAFETY: 1. see `Drop` of `BlockPool`; the source, which may own memory, is not dropped either,
// and borrows none.
unsafe impl<T, S: Source<Address = NonNull<u8>> + 'static, L: RawLock> KeepsPinned
    for Pool<T, S, L>
{
    fn note_pinned(&self) {
        // Relaxed: read when the pool ends.
        self.blocks.pinned.store(true, Ordering::Relaxed);
    }
}

impl<T, S: Source<Address = NonNull<u8>>, L: RawLock> fmt::Debug for Pool<T, S, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pool").field(&self.blocks).finish()
    }
}

/// A [`ThreadCache`] of a [`Pool`]: takes values, and gives them back, without looking for the
/// thread's own cache.
///
/// ```
/// use strata_pool::Pool;
/// let pool = Pool::<u64>::new()?;
/// let cache = pool.thread_cache();
/// let near = cache.alloc(1).unwrap(); // comes back through the cache
/// let far = cache.alloc(2).unwrap().into_shared(); // may go to another thread
/// std::thread::scope(|scope| {
///     scope.spawn(move || assert_eq!(*far, 2));
/// });
/// assert_eq!(*near, 1);
/// # Ok::<(), strata_core::ConfigError>(())
/// ```
#[derive(Debug)]
pub struct PoolCache<
    'p,
    T,
    S: Source<Address = NonNull<u8>> = SystemSource,
    L: RawLock = SystemLock,
> {
    pool: &'p Pool<T, S, L>,
    cache: ThreadCache<'p, S, L>,
}

impl<'p, T, S: Source<Address = NonNull<u8>>, L: RawLock> PoolCache<'p, T, S, L> {
    /// Puts a value into a block. O(1), and now and then O(a magazine).
    ///
    /// # Errors
    ///
    /// [`PoolFull`] with the value.
    #[inline(always)]
    pub fn alloc(&self, value: T) -> Result<PoolBox<'_, T, Self>, PoolFull<T>> {
        PoolBox::new_in(value, self).map_err(PoolFull)
    }

    /// Drops a value of the pool's and puts its block into this cache.
    #[inline]
    pub fn put(&self, value: PoolBox<'p, T, Pool<T, S, L>>) {
        // SAFETY: 1. a box of this cache's pool, asserted below. 2. the box is taken apart.
        let here = |value: PoolBox<'p, T, Pool<T, S, L>>| unsafe {
            PoolBox::from_raw(value.into_raw(), self)
        };
        if core::ptr::eq(value.pool(), self.pool) {
            drop(here(value));
        }
    }

    /// Empties the magazines into the chunks.
    pub fn flush(&self) {
        self.cache.flush();
    }
}

impl<'p, T, S: Source<Address = NonNull<u8>>, L: RawLock> PoolBox<'_, T, PoolCache<'p, T, S, L>> {
    /// The same value as a box of the pool: it outlives the cache, and may go to another thread.
    pub fn into_shared(self) -> PoolBox<'p, T, Pool<T, S, L>> {
        let pool = self.pool().pool;
        // SAFETY: 1. a cache's blocks are its pool's. 2. the box is taken apart.
        unsafe { PoolBox::from_raw(self.into_raw(), pool) }
    }
}

// SAFETY: 1. and 2. the pool's blocks, through a cache of it.
unsafe impl<T, S: Source<Address = NonNull<u8>>, L: RawLock> Blocks for PoolCache<'_, T, S, L> {
    #[inline(always)]
    fn take_block(&self) -> Option<NonNull<u8>> {
        self.cache.take_block()
    }

    #[inline(always)]
    unsafe fn put_block(&self, block: NonNull<u8>) {
        // SAFETY: 1. the caller's.
        unsafe { self.cache.put_block(block) }
    }
}

// SAFETY: 1. the pool's blocks.
unsafe impl<T, S: Source<Address = NonNull<u8>>, L: RawLock> BlocksOf<T>
    for PoolCache<'_, T, S, L>
{
}
