//! The interface of collections, in both directions: pools as allocators, and allocators as sources.

use core::alloc::Layout;
use core::ptr::NonNull;

use allocator_api2::alloc::{AllocError, Allocator};
use strata_core::lock::RawLock;
use strata_core::source::rounded_len;
use strata_core::{Chunk, Exhausted, Source};

use crate::block_pool::BlockPool;
use crate::pool::Pool;

impl<S: Source<Address = NonNull<u8>>, L: RawLock> BlockPool<S, L> {
    /// Whether a block can be one of `layout`.
    #[inline]
    fn holds(&self, layout: Layout) -> bool {
        layout.size() <= self.shape.len() && layout.align() <= self.shape.align
    }

    /// A block as the interface wants it: with its true length.
    #[inline]
    fn whole(&self, block: NonNull<u8>) -> NonNull<[u8]> {
        NonNull::slice_from_raw_parts(block, self.shape.len())
    }
}

/// Boxes and the nodes of collections, each in a block; what is longer than a block, or aligned for
/// more, is refused.
///
/// ```
/// use allocator_api2::boxed::Box;
/// use strata_pool::Pool;
///
/// let pool = Pool::<[u64; 4]>::new()?;
/// let four = Box::new_in([1_u64, 2, 3, 4], &pool);
/// assert_eq!(pool.stats().live, 1);
/// assert!(Box::try_new_in([0_u64; 5], &pool).is_err());
/// # drop(four);
/// # Ok::<(), strata_core::ConfigError>(())
/// ```
// SAFETY: a block holds every layout that is let through, is nobody else's until it is given back,
// and stays where it is; references to one pool give and take for each other.
unsafe impl<S: Source<Address = NonNull<u8>>, L: RawLock> Allocator for &BlockPool<S, L> {
    #[inline]
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        if !self.holds(layout) {
            return Err(AllocError);
        }
        let block = (**self).allocate().map_err(|Exhausted| AllocError)?;
        Ok(self.whole(block))
    }

    #[inline]
    unsafe fn deallocate(&self, block: NonNull<u8>, _layout: Layout) {
        // SAFETY: 1. a live block of this pool: the caller's obligation.
        unsafe { (**self).deallocate(block) }
    }

    #[inline]
    unsafe fn grow(
        &self,
        block: NonNull<u8>,
        _old: Layout,
        new: Layout,
    ) -> Result<NonNull<[u8]>, AllocError> {
        if self.holds(new) { Ok(self.whole(block)) } else { Err(AllocError) }
    }

    #[inline]
    unsafe fn grow_zeroed(
        &self,
        block: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Result<NonNull<[u8]>, AllocError> {
        if !self.holds(new) {
            return Err(AllocError);
        }
        // SAFETY: behind the old length, in the block: the caller's, who may be told the whole.
        unsafe { block.add(old.size()).write_bytes(0, self.shape.len() - old.size()) };
        Ok(self.whole(block))
    }

    #[inline]
    unsafe fn shrink(
        &self,
        block: NonNull<u8>,
        _old: Layout,
        new: Layout,
    ) -> Result<NonNull<[u8]>, AllocError> {
        // A shorter layout may be aligned for more.
        if self.holds(new) { Ok(self.whole(block)) } else { Err(AllocError) }
    }
}

// SAFETY: the pool of blocks under it, whose promises these are.
unsafe impl<T, S: Source<Address = NonNull<u8>>, L: RawLock> Allocator for &Pool<T, S, L> {
    #[inline]
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        self.blocks().allocate_for(layout)
    }

    #[inline]
    unsafe fn deallocate(&self, block: NonNull<u8>, layout: Layout) {
        // SAFETY: the caller's obligations are the same ones.
        unsafe { Allocator::deallocate(&self.blocks(), block, layout) }
    }

    #[inline]
    unsafe fn grow(
        &self,
        block: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Result<NonNull<[u8]>, AllocError> {
        // SAFETY: the caller's obligations are the same ones.
        unsafe { self.blocks().grow(block, old, new) }
    }

    #[inline]
    unsafe fn grow_zeroed(
        &self,
        block: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Result<NonNull<[u8]>, AllocError> {
        // SAFETY: the caller's obligations are the same ones.
        unsafe { self.blocks().grow_zeroed(block, old, new) }
    }

    #[inline]
    unsafe fn shrink(
        &self,
        block: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Result<NonNull<[u8]>, AllocError> {
        // SAFETY: the caller's obligations are the same ones.
        unsafe { self.blocks().shrink(block, old, new) }
    }
}

impl<S: Source<Address = NonNull<u8>>, L: RawLock> BlockPool<S, L> {
    #[inline]
    fn allocate_for(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        Allocator::allocate(&self, layout)
    }
}

/// Any allocator as a source of memory for pools.
///
/// Chunks are aligned for `ALIGN` bytes, which is the most that a pool over it can ask for, and at
/// the same time the unit of lengths. It purges nothing: empty chunks go back whole.
///
/// ```
/// use allocator_api2::alloc::Global;
/// use strata_pool::{AllocatorSource, Config, Pool};
///
/// let pool: Pool<u64, _> = Pool::with_source(AllocatorSource::<Global>::new(Global), Config::new())?;
/// assert_eq!(*pool.alloc(7).unwrap(), 7);
/// # Ok::<(), strata_core::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct AllocatorSource<A, const ALIGN: usize = 64> {
    allocator: A,
}

impl<A: Allocator, const ALIGN: usize> AllocatorSource<A, ALIGN> {
    /// The memory of `allocator`.
    ///
    /// # Panics
    ///
    /// (Does not compile) where `ALIGN` is not a power of two, or below 64.
    pub const fn new(allocator: A) -> Self {
        const { assert!(ALIGN.is_power_of_two() && ALIGN >= 64) };
        Self { allocator }
    }
}

// SAFETY: 1. the allocator's promises: `ALIGN` is part of every layout, so that a chunk's length
// tells the whole of it; a chunk stays when the source is moved, as a block does when its allocator
// is. 2. the allocator's. 3. the constants are those of a source that can nothing else.
unsafe impl<A: Allocator, const ALIGN: usize> Source for AllocatorSource<A, ALIGN> {
    type Address = NonNull<u8>;

    fn granule(&self) -> usize {
        ALIGN
    }

    fn acquire(&self, len: usize, align: usize) -> Result<Chunk, Exhausted> {
        let len = rounded_len(len, align, ALIGN)?;
        if align > ALIGN {
            return Err(Exhausted);
        }
        let layout = Layout::from_size_align(len, ALIGN).map_err(|_| Exhausted)?;
        let block = self.allocator.allocate(layout).map_err(|AllocError| Exhausted)?;
        // SAFETY: 1. the allocator's block, ours alone. 2. rounded. 3. a block is one object.
        Ok(unsafe { Chunk::from_raw_parts(block.cast(), len) })
    }

    unsafe fn release(&self, chunk: Chunk) {
        let (base, len) = chunk.into_raw_parts();
        // SAFETY: the layout that it was allocated with: `acquire` made it.
        unsafe {
            let layout = Layout::from_size_align_unchecked(len, ALIGN);
            self.allocator.deallocate(base, layout);
        }
    }
}
