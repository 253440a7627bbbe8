//! The pool of one thread.

use core::alloc::Layout;
use core::cell::{Cell, UnsafeCell};
use core::fmt;
use core::marker::PhantomData;
use core::ptr::{self, NonNull};

use strata_core::{ConfigError, Exhausted, Source};

use crate::blocks::{Blocks, BlocksOf, KeepsPinned, unlikely};
use crate::config::Config;
use crate::error::PoolFull;
use crate::pool_box::PoolBox;
use crate::store::{Shape, Store};
use crate::system::SystemSource;

/// Blocks in hand at most.
const ROUNDS: usize = 64;
/// Bytes of those at most.
const BYTES: usize = 128 << 10;

/// Equal blocks of one layout, for one thread: an array of blocks in hand over chunks.
///
/// # Invariants
///
/// 1. The first `len` of `hand`, and `hot` if it is not null, are blocks of `store` that are out, and nobody else's; `len` is at
///    most `bound`, which is at most [`ROUNDS`].
/// 2. `store` is reached by methods of this type alone, which do not call one another while they do.
pub(crate) struct LocalBlocks<S: Source<Address = NonNull<u8>>> {
    /// The block that came back last, or null: a take that follows a put does not wait for `len`.
    hot: Cell<*mut u8>,
    len: Cell<usize>,
    bound: usize,
    hand: UnsafeCell<[*mut u8; ROUNDS]>,
    store: UnsafeCell<Store<S>>,
    failed: Cell<usize>,
    pinned: Cell<bool>,
}

// SAFETY: all memory is the source's, which no thread owns.
unsafe impl<S: Source<Address = NonNull<u8>> + Send> Send for LocalBlocks<S> {}

impl<S: Source<Address = NonNull<u8>>> LocalBlocks<S> {
    strata_core::const_unless_loom! {
        pub(crate) fn new(shape: Shape, source: S, config: Config) -> Self {
            let mut bound = BYTES / shape.len();
            bound = if bound > ROUNDS { ROUNDS } else { bound };
            bound = if bound > config.rounds { config.rounds } else { bound };
            // One of those in hand stands by itself.
            let hoard = config.hoard.saturating_sub(1);
            bound = if bound > hoard { hoard } else { bound };
            bound = if cfg!(feature = "checked") { 0 } else { bound };
            Self {
                hot: Cell::new(ptr::null_mut()),
                len: Cell::new(0),
                bound,
                hand: UnsafeCell::new([ptr::null_mut(); ROUNDS]),
                store: UnsafeCell::new(Store::new(source, shape, config)),
                failed: Cell::new(0),
                pinned: Cell::new(false),
            }
        }
    }

    /// Works on the chunks.
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut Store<S>) -> R) -> R {
        // SAFETY: invariant 2: `work` reaches a store, not this.
        work(unsafe { &mut *self.store.get() })
    }

    /// The place of a block in hand.
    #[inline(always)]
    fn place(&self, at: usize) -> *mut *mut u8 {
        debug_assert!(at < ROUNDS);
        // SAFETY: in the array.
        unsafe { self.hand.get().cast::<*mut u8>().add(at) }
    }

    #[inline(always)]
    pub(crate) fn take(&self) -> Option<NonNull<u8>> {
        if let Some(hot) = NonNull::new(self.hot.get()) {
            self.hot.set(ptr::null_mut());
            return Some(hot);
        }
        unlikely();
        let len = self.len.get();
        if len == 0 {
            return self.take_slow();
        }
        self.len.set(len - 1);
        // SAFETY: below `len` stand blocks (1.).
        Some(unsafe { NonNull::new_unchecked(*self.place(len - 1)) })
    }

    /// # Safety
    ///
    /// 1. The block is one of these that is out, and is handed over.
    #[inline(always)]
    pub(crate) unsafe fn put(&self, block: NonNull<u8>) {
        if cfg!(feature = "checked") {
            return self.push_slow(block.as_ptr());
        }
        let old = self.hot.replace(block.as_ptr());
        if !old.is_null() {
            unlikely();
            self.push(old);
        }
    }

    /// Puts a block in hand.
    #[inline(always)]
    fn push(&self, block: *mut u8) {
        let len = self.len.get();
        if len >= self.bound {
            return self.push_slow(block);
        }
        // SAFETY: there is room below `bound` (1.).
        unsafe { *self.place(len) = block };
        self.len.set(len + 1);
    }

    /// Fills half of the hand, and takes one.
    #[cold]
    #[inline(never)]
    fn take_slow(&self) -> Option<NonNull<u8>> {
        let want = (self.bound / 2).max(1);
        let mut blocks = [ptr::null_mut(); ROUNDS];
        let got = self.with(|store| store.take(&mut blocks[..want], true));
        if got == 0 {
            self.failed.set(self.failed.get() + 1);
            return None;
        }
        // The lowest address is for the caller, the next one is on top.
        for (at, block) in blocks[1..got].iter().rev().enumerate() {
            // SAFETY: less than half of the array.
            unsafe { *self.place(at) = *block };
        }
        self.len.set(got - 1);
        NonNull::new(blocks[0])
    }

    /// Puts the older half of the hand back to the chunks.
    #[cold]
    #[inline(never)]
    fn push_slow(&self, block: *mut u8) {
        if self.bound == 0 {
            return self.with(|store| store.put(&[block]));
        }
        self.put_oldest(self.bound.div_ceil(2));
        let len = self.len.get();
        // SAFETY: half of the array is free.
        unsafe { *self.place(len) = block };
        self.len.set(len + 1);
    }

    /// Puts the `count` oldest blocks in hand back.
    fn put_oldest(&self, count: usize) {
        let len = self.len.get();
        let count = count.min(len);
        if count == 0 {
            return;
        }
        // SAFETY: below `len` stand blocks (1.), reached here alone.
        let hand = unsafe { core::slice::from_raw_parts_mut(self.place(0), len) };
        self.with(|store| store.put(&hand[..count]));
        hand.copy_within(count.., 0);
        self.len.set(len - count);
    }

    pub(crate) fn flush(&self) {
        self.put_oldest(usize::MAX);
        let hot = self.hot.replace(ptr::null_mut());
        if !hot.is_null() {
            self.with(|store| store.put(&[hot]));
        }
    }

    /// Blocks in hand.
    pub(crate) fn cached(&self) -> usize {
        self.len.get() + usize::from(!self.hot.get().is_null())
    }

    pub(crate) fn failed(&self) -> usize {
        self.failed.get()
    }

    pub(crate) fn note_pinned(&self) {
        self.pinned.set(true);
    }

    pub(crate) fn stats(&self) -> crate::PoolStats {
        let cached = self.cached();
        self.with(|store| store.stats(cached, self.failed(), 0, 0))
    }
}

impl<S: Source<Address = NonNull<u8>>> Drop for LocalBlocks<S> {
    fn drop(&mut self) {
        self.flush();
        let store = self.store.get_mut();
        if self.pinned.get() && store.figures().live > 0 {
            return store.abandon();
        }
        // SAFETY: 1. nobody borrows the pool any more.
        unsafe { store.release() };
    }
}

/// Values of one type in blocks of their own, for one thread.
///
/// About as fast as an intrusive list: blocks come from an array in hand, which is filled from and
/// emptied into chunks in batches. The pool may move to another thread, with no box in it.
///
/// ```
/// use strata_pool::LocalPool;
///
/// let pool = LocalPool::<[u64; 8]>::new()?;
/// let mut block = pool.alloc([0; 8]).unwrap();
/// block[3] = 7;
/// drop(block);
/// assert_eq!(pool.stats().live, 0);
/// # Ok::<(), strata_core::ConfigError>(())
/// ```
///
/// ```compile_fail,E0277
/// use strata_pool::LocalPool;
/// let pool = LocalPool::<u64>::new().unwrap();
/// // does not compile: the pool is of one thread
/// std::thread::scope(|scope| { scope.spawn(|| drop(pool.alloc(1))); });
/// ```
pub struct LocalPool<T, S: Source<Address = NonNull<u8>> = SystemSource> {
    blocks: LocalBlocks<S>,
    value: PhantomData<fn() -> T>,
}

impl<T> LocalPool<T> {
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
        /// As for [`LocalPool::new`], and for a capacity of zero.
        pub fn with_config(config: Config) -> Result<Self, ConfigError> {
            Self::with_source(SystemSource::new(), config)
        }
    }
}

impl<T, S: Source<Address = NonNull<u8>>> LocalPool<T, S> {
    strata_core::const_unless_loom! {
        /// A pool with memory of `source`.
        ///
        /// # Errors
        ///
        /// [`ConfigError`] where a value is 2 GiB long or more, or the capacity zero.
        pub fn with_source(source: S, config: Config) -> Result<Self, ConfigError> {
            match Shape::of_pool(Layout::new::<T>(), &config) {
                Ok(shape) => {
                    Ok(Self { blocks: LocalBlocks::new(shape, source, config), value: PhantomData })
                }
                Err(error) => {
                    // Nothing with a destructor can be dropped in a constant.
                    core::mem::forget(source);
                    Err(error)
                }
            }
        }
    }

    /// Puts a value into a block. O(1), and now and then O(64).
    ///
    /// # Errors
    ///
    /// [`PoolFull`] with the value, where the source has no more or the pool is full.
    #[inline(always)]
    pub fn alloc(&self, value: T) -> Result<PoolBox<'_, T, Self>, PoolFull<T>> {
        PoolBox::new_in(value, self).map_err(PoolFull)
    }

    /// Puts what `make` answers into a block; where there is none `make` is not called.
    ///
    /// # Errors
    ///
    /// [`Exhausted`] where there is no block.
    #[inline(always)]
    pub fn alloc_with(&self, make: impl FnOnce() -> T) -> Result<PoolBox<'_, T, Self>, Exhausted> {
        PoolBox::new_with(make, self).ok_or(Exhausted)
    }

    /// Has at least `values` free blocks.
    ///
    /// # Errors
    ///
    /// [`Exhausted`] where the source has not so many, or the pool may not.
    pub fn reserve(&self, values: usize) -> Result<(), Exhausted> {
        self.blocks.with(|store| store.reserve(values))
    }

    /// Has at least `values` free blocks whose pages are backed: taking them will not fault.
    ///
    /// # Errors
    ///
    /// As for [`reserve`](Self::reserve).
    pub fn prefill(&self, values: usize) -> Result<(), Exhausted> {
        self.blocks.with(|store| store.prefill(values))
    }

    /// From now on the pool never calls its source: what is in it is its fixed capacity.
    pub fn seal(&self) {
        self.blocks.with(|store| store.sealed = true);
    }

    /// Keeps `keep` free blocks ready and gives everything else back that no block is on. Answers
    /// how many bytes went. O(chunks).
    pub fn trim(&self, keep: usize) -> usize {
        self.blocks.flush();
        self.blocks.with(|store| store.trim(keep))
    }

    /// Gives back what was not needed since the last call: see
    /// [`BlockPool::decay`](crate::BlockPool::decay).
    pub fn decay(&self) -> usize {
        self.blocks.flush();
        self.blocks.with(Store::decay)
    }

    /// The pool's figures.
    pub fn stats(&self) -> crate::PoolStats {
        self.blocks.stats()
    }

    /// Walks all tables and checks them against each other. O(blocks).
    ///
    /// # Errors
    ///
    /// The law that is broken first.
    pub fn validate(&self) -> Result<(), crate::Broken> {
        self.blocks.with(|store| store.validate()).map_err(crate::Broken)
    }
}

// SAFETY: 1. blocks are taken once until they are put back, lie in the source's chunks, and are
// made for `T`. 2. the pool is not `Sync`.
unsafe impl<T, S: Source<Address = NonNull<u8>>> Blocks for LocalPool<T, S> {
    #[inline(always)]
    fn take_block(&self) -> Option<NonNull<u8>> {
        self.blocks.take()
    }

    #[inline(always)]
    unsafe fn put_block(&self, block: NonNull<u8>) {
        // SAFETY: 1. the caller's.
        unsafe { self.blocks.put(block) }
    }
}

// SAFETY: 1. blocks are made for `T`.
unsafe impl<T, S: Source<Address = NonNull<u8>>> BlocksOf<T> for LocalPool<T, S> {}

// SAFETY: 1. see `Drop` of `LocalBlocks`; the source, which may own memory, is not dropped either,
// and borrows none.
unsafe impl<T, S: Source<Address = NonNull<u8>> + 'static> KeepsPinned for LocalPool<T, S> {
    fn note_pinned(&self) {
        self.blocks.note_pinned();
    }
}

impl<T, S: Source<Address = NonNull<u8>>> fmt::Debug for LocalPool<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalPool").field("live", &self.stats().live).finish_non_exhaustive()
    }
}

static_assertions::assert_not_impl_any!(LocalPool<u64>: Sync);
static_assertions::assert_impl_all!(LocalPool<u64>: Send);
