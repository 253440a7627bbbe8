//! The pool of blocks that threads share.

use core::alloc::Layout;
use core::fmt;
use core::ops::Range;
use core::ptr::NonNull;

use strata_core::lock::{Guarded, RawLock};
use strata_core::span::Misuse;
use strata_core::sync::{AtomicBool, AtomicUsize, Ordering};
use strata_core::{ConfigError, Exhausted, Source};

use crate::blocks::Blocks;
use crate::cache::Cache;
use crate::config::{Config, MOST_ROUNDS};
use crate::depot::Depot;
use crate::store::segments::Segments;
use crate::store::{Shape, Store};
use crate::system::{SystemLock, SystemSource};

/// Blocks of a magazine at first.
const ROUNDS: usize = 32;
/// Bytes of the blocks in one magazine at most.
const MAGAZINE_BYTES: usize = 128 << 10;
/// Of a pool with a bound, one in so many blocks may be in one magazine.
const SHARE: usize = 16;

/// Equal blocks of one [`Layout`], shared between threads.
///
/// Each thread takes blocks from a magazine of its own and puts them back into it, whoever took
/// them: no shared word is written. Magazines go through a depot, a whole one with one exchange. The
/// depot is filled from chunks and emptied into them, the fullest chunk first, so that chunks
/// drain; see [`trim`](Self::trim) and [`decay`](Self::decay). The design is Bonwick's and Adams's
/// ("Magazines and Vmem", 2001).
///
/// Caches of threads are automatic with feature `std`, and explicit ([`ThreadCache`]) with and
/// without it. Where a thread has none, each block goes through a lock.
///
/// [`ThreadCache`]: crate::ThreadCache
///
/// ```
/// use core::alloc::Layout;
/// use strata_pool::BlockPool;
///
/// let pool = BlockPool::new(Layout::new::<[u64; 8]>())?;
/// let block = pool.allocate().unwrap();
/// // SAFETY: 1. from this pool, and used no more.
/// unsafe { pool.deallocate(block) };
/// # Ok::<(), strata_core::ConfigError>(())
/// ```
#[repr(C)]
pub struct BlockPool<S: Source<Address = NonNull<u8>> = SystemSource, L: RawLock = SystemLock> {
    // First what all threads read and hardly anybody writes, on lines that stay everybody's.
    pub(crate) shape: Shape,
    /// What threads know it by, with feature `std`; zero before the first use. Not at the beginning of a
    /// line, where a value's first word is in its block: what the two addresses have in common would
    /// make some processors hold the load of the one back for the store to the other.
    pub(crate) number: AtomicUsize,
    /// Blocks that fill a magazine, now and at most.
    pub(crate) rounds: AtomicUsize,
    pub(crate) most_rounds: usize,
    pub(crate) most_magazines: u32,
    /// Milliseconds between two decays by itself.
    pub(crate) interval: usize,
    /// A value in a block was pinned.
    pub(crate) pinned: AtomicBool,
    pub(crate) cache_table: Segments,
    /// Caches in the table.
    pub(crate) cache_count: AtomicUsize,
    /// The line of exchanges, aligned to one, and behind it one more table.
    pub(crate) depot: Depot,
    // What is written together with the chunks.
    /// Blocks in all chunks, as of a moment.
    pub(crate) capacity: AtomicUsize,
    /// Requests that got nothing.
    pub(crate) failed: AtomicUsize,
    /// When it last decayed by itself, in milliseconds.
    pub(crate) decayed: AtomicUsize,
    pub(crate) central: Guarded<Central<S>, L>,
}

/// What is under the lock.
#[derive(Debug)]
pub(crate) struct Central<S> {
    pub(crate) store: Store<S>,
    /// Magazines that were made, and numbers of more.
    pub(crate) magazines: u32,
    pub(crate) spare_magazines: Range<u32>,
    pub(crate) spare_caches: Range<u32>,
}

// SAFETY: tables and chunks are memory of the source, which no thread owns; caches are reached by
// their one owner, and magazines by theirs.
unsafe impl<S: Source<Address = NonNull<u8>> + Send, L: RawLock + Send> Send for BlockPool<S, L> {}
// SAFETY: as above; the source is reached under the lock alone.
unsafe impl<S: Source<Address = NonNull<u8>> + Send, L: RawLock + Sync> Sync for BlockPool<S, L> {}

impl BlockPool {
    strata_core::const_unless_loom! {
        /// A pool of blocks for `layout` with memory of the system. Gets none before the first
        /// block.
        ///
        /// # Errors
        ///
        /// [`ConfigError`] where a block would be 2 GiB long or more.
        pub fn new(layout: Layout) -> Result<Self, ConfigError> {
            Self::with_source(layout, SystemSource::new(), Config::new())
        }
    }
}

impl<S: Source<Address = NonNull<u8>>, L: RawLock> BlockPool<S, L> {
    strata_core::const_unless_loom! {
        /// A pool of blocks for `layout` with memory of `source`.
        ///
        /// Blocks are as long as the layout, rounded up to its alignment and to 8 bytes; a layout
        /// without bytes gets blocks of 8.
        ///
        /// # Errors
        ///
        /// [`ConfigError`] where a block would be 2 GiB long or more, or `config` has a capacity of
        /// zero. The source is forgotten then, not dropped.
        pub fn with_source(
            layout: Layout,
            source: S,
            config: Config,
        ) -> Result<Self, ConfigError> {
            match Shape::of_pool(layout, &config) {
                Ok(shape) => Ok(Self::of_shape(shape, source, config)),
                Err(error) => {
                    // Nothing with a destructor can be dropped in a constant.
                    core::mem::forget(source);
                    Err(error)
                }
            }
        }
    }

    strata_core::const_unless_loom! {
        /// A pool of blocks of that shape.
        pub(crate) fn of_shape(shape: Shape, source: S, config: Config) -> Self {
            // Small pools have small magazines, so that one thread does not have all of them.
            let mut most = MAGAZINE_BYTES / shape.len();
            let share = config.capacity / SHARE;
            most = if most > config.rounds { config.rounds } else { most };
            most = if most > MOST_ROUNDS { MOST_ROUNDS } else { most };
            most = if most > share { share } else { most };
            let half = config.hoard.saturating_sub(1) / 2;
            most = if most > half { half } else { most };
            most = if cfg!(feature = "checked") { 0 } else { most };
            // Two magazines go with one block that stands by itself.
            let magazines = if most == 0 { 0 } else { config.hoard / (most + 1) };
            let rounds = if most < ROUNDS { most } else { ROUNDS };
            Self {
                number: AtomicUsize::new(0),
                shape,
                rounds: AtomicUsize::new(rounds),
                most_rounds: most,
                most_magazines: if magazines < 1 << 26 { magazines as u32 } else { 1 << 26 },
                capacity: AtomicUsize::new(0),
                failed: AtomicUsize::new(0),
                decayed: AtomicUsize::new(0),
                interval: config.interval,
                pinned: AtomicBool::new(false),
                depot: Depot::new(most),
                cache_table: Segments::new(size_of::<Cache>()),
                cache_count: AtomicUsize::new(0),
                central: Guarded::new(
                    new_lock!(L),
                    Central {
                        store: Store::new(source, shape, config),
                        magazines: 0,
                        spare_magazines: 0..0,
                        spare_caches: 0..0,
                    },
                ),
            }
        }
    }

    /// Takes a block. O(1), and now and then O(a magazine).
    ///
    /// # Errors
    ///
    /// [`Exhausted`] where the source has no more, or the pool as many blocks as it may. Blocks that
    /// other threads have in their magazines do not count as free then.
    #[inline]
    pub fn allocate(&self) -> Result<NonNull<u8>, Exhausted> {
        #[cfg(all(feature = "std", not(strata_loom)))]
        {
            // Relaxed: the number says nothing about other memory.
            if let Some(cache) = crate::cache::thread::find(self.number.load(Ordering::Relaxed)) {
                // SAFETY: this thread's, in a pool that is borrowed.
                return self.take(unsafe { cache.as_ref() });
            }
        }
        self.allocate_slow()
    }

    #[cold]
    #[inline(never)]
    fn allocate_slow(&self) -> Result<NonNull<u8>, Exhausted> {
        #[cfg(all(feature = "std", not(strata_loom)))]
        if self.most_rounds > 0
            && let Some(cache) = crate::cache::thread::find_slow(self)
        {
            // SAFETY: this thread's, in a pool that is borrowed.
            return self.take(unsafe { cache.as_ref() });
        }
        self.take_direct().ok_or(Exhausted)
    }

    /// Puts a block back. O(1), and now and then O(a magazine).
    ///
    /// A block that is not one of this pool's, or was put back before, is noticed when its magazine
    /// is emptied into the chunks, and at once with feature `checked`: the process is stopped then.
    ///
    /// # Safety
    ///
    /// 1. `block` came from this pool, was not put back since, and is used no more.
    #[inline]
    pub unsafe fn deallocate(&self, block: NonNull<u8>) {
        #[cfg(all(feature = "std", not(strata_loom)))]
        {
            // Relaxed: the number says nothing about other memory.
            if let Some(cache) = crate::cache::thread::find(self.number.load(Ordering::Relaxed)) {
                // SAFETY: this thread's, in a pool that is borrowed. 1. the caller's.
                return unsafe { self.put(cache.as_ref(), block) };
            }
        }
        // SAFETY: 1. the caller's.
        unsafe { self.deallocate_slow(block) }
    }

    /// # Safety
    ///
    /// 1. As for [`BlockPool::deallocate`].
    #[cold]
    #[inline(never)]
    unsafe fn deallocate_slow(&self, block: NonNull<u8>) {
        #[cfg(all(feature = "std", not(strata_loom)))]
        if self.most_rounds > 0
            && let Some(cache) = crate::cache::thread::find_slow(self)
        {
            // SAFETY: this thread's, in a pool that is borrowed. 1. the caller's.
            return unsafe { self.put(cache.as_ref(), block) };
        }
        self.put_blocks(&[block.as_ptr()]);
    }

    /// Puts a block back that may not be one.
    ///
    /// # Errors
    ///
    /// [`Misuse`] where the address is not that of a block of this pool which is out, and nothing
    /// changed. A block in a magazine counts as out; with feature `checked` there are none, and the
    /// answer is exact.
    ///
    /// # Safety
    ///
    /// 1. If `block` is a block of this pool that is out, it is the caller's and used no more.
    pub unsafe fn try_deallocate(&self, block: *mut u8) -> Result<(), Misuse> {
        self.central(|central| central.store.try_put(&[block]))
    }

    /// Whether an address is that of a block of this pool that is out, or in a magazine.
    ///
    /// # Errors
    ///
    /// What it is instead.
    pub fn look_up(&self, block: *const u8) -> Result<(), Misuse> {
        self.central(|central| central.store.look_up(block.cast_mut()))
    }

    /// Takes a block through a cache of the caller's.
    #[inline(always)]
    pub(crate) fn take(&self, cache: &Cache) -> Result<NonNull<u8>, Exhausted> {
        match cache.take() {
            Some(block) => Ok(block),
            None => self.take_slow(cache).ok_or(Exhausted),
        }
    }

    /// Puts a block back through a cache of the caller's.
    ///
    /// # Safety
    ///
    /// 1. As for [`BlockPool::deallocate`].
    #[inline(always)]
    pub(crate) unsafe fn put(&self, cache: &Cache, block: NonNull<u8>) {
        if let Err(block) = cache.put(block) {
            // SAFETY: 1. the caller's, or one that the cache had.
            unsafe { self.put_slow(cache, block) }
        }
    }

    /// The layout of a block: what was asked for, rounded up.
    pub fn layout(&self) -> Layout {
        // SAFETY: a multiple of the alignment, below 2 GiB.
        unsafe { Layout::from_size_align_unchecked(self.shape.len(), self.shape.align) }
    }
}

impl<S: Source<Address = NonNull<u8>>, L: RawLock> Drop for BlockPool<S, L> {
    fn drop(&mut self) {
        #[cfg(all(feature = "std", not(strata_loom)))]
        crate::cache::thread::forget(self.caches());
        // Relaxed: who pinned gave the pool back before.
        if self.pinned.load(Ordering::Relaxed) && self.live_at_end() > 0 {
            return self.abandon();
        }
        let Self { central, depot, cache_table, .. } = self;
        let store = &mut central.get_mut().store;
        // SAFETY: 1. nobody borrows the pool any more. 2. all from its source.
        unsafe {
            depot.magazines.release(&*store.source);
            cache_table.release(&*store.source);
            store.release();
        }
    }
}

impl<S: Source<Address = NonNull<u8>>, L: RawLock> BlockPool<S, L> {
    /// Blocks that are out, those in magazines not counted, once nobody borrows the pool.
    fn live_at_end(&mut self) -> usize {
        self.adopt();
        for cache in self.caches() {
            // Of threads that are still there, but do not borrow the pool.
            self.strip(cache);
        }
        self.flush_depot(usize::MAX);
        self.central(|central| central.store.figures().live)
    }

    /// Leaves all memory as it is: a pinned value is in it.
    #[cold]
    fn abandon(&mut self) {
        self.central.get_mut().store.abandon();
    }
}

// SAFETY: 1. and 2. blocks are taken once until they are put back, and lie in the source's chunks.
unsafe impl<S: Source<Address = NonNull<u8>>, L: RawLock> Blocks for BlockPool<S, L> {
    #[inline(always)]
    fn take_block(&self) -> Option<NonNull<u8>> {
        self.allocate().ok()
    }

    #[inline(always)]
    unsafe fn put_block(&self, block: NonNull<u8>) {
        // SAFETY: 1. the caller's.
        unsafe { self.deallocate(block) }
    }
}

impl<S: Source<Address = NonNull<u8>>, L: RawLock> fmt::Debug for BlockPool<S, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockPool").field("layout", &self.layout()).finish_non_exhaustive()
    }
}
