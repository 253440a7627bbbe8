//! Segments over a source of memory, as one value.

use core::alloc::Layout;
use core::ptr::NonNull;

use strata_core::{ByteCount, Source, Stats};

use crate::Segments;
use crate::check::Broken;
use crate::error::AllocError;
use crate::growth::Growth;
use crate::metadata::InBand;
use crate::policy::{GoodFit, Policy};

/// A heap of segments that asks `S` for memory when none fits, and gives it back when much is free.
///
/// A chunk of the source becomes a region; where the source can, the last chunk grows instead. A free
/// that leaves the end of a region free, when more is free than a quarter of what is used and 256 KiB,
/// gives back regions of which nothing is used, and where chunks can be split that end, until half as
/// much is left free: so a program that frees and allocates about the same amount again does not ask the
/// source each time. Used by one thread at a time; the faces
/// [`Exclusive`](crate::Exclusive), [`Locked`](crate::Locked) and [`Shared`](crate::Shared) share one.
/// Dropping it releases every chunk.
///
/// ```
/// use core::alloc::Layout;
/// use core::mem::MaybeUninit;
/// use strata_core::source::Region;
/// use strata_segment::Heap;
///
/// let mut buffer = vec![MaybeUninit::<u8>::uninit(); 1 << 16];
/// let mut heap: Heap<_> = Heap::new(Region::new(&mut buffer));
/// let layout = Layout::new::<[u8; 1000]>();
/// let block = heap.allocate(layout)?;
/// // SAFETY: 1. from this heap with this layout. 2. unused from here on.
/// unsafe { heap.deallocate(block, layout) };
/// # Ok::<(), strata_segment::AllocError>(())
/// ```
#[derive(Debug)]
pub struct Heap<S: Source<Address = NonNull<u8>>, P: Policy = GoodFit> {
    growth: Growth<P>,
    source: S,
}

impl<S: Source<Address = NonNull<u8>>, P: Policy> Heap<S, P> {
    /// A heap without memory yet; the first request asks for some.
    pub const fn new(source: S) -> Self {
        Self { growth: Growth::new(), source }
    }

    /// A block for `layout`. As [`Segments::allocate`], and where none fits the source is asked once or
    /// twice.
    ///
    /// # Errors
    ///
    /// [`AllocError`], by cause.
    #[inline]
    pub fn allocate(&mut self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        // SAFETY: 1. this heap's one source.
        unsafe { self.growth.allocate(&self.source, layout) }
    }

    /// Takes a block back. As [`Segments::deallocate`]; a free that leaves much free may call the source.
    ///
    /// # Safety
    ///
    /// 1. `block` came from here with this layout (or was resized to it), and was not freed since.
    /// 2. Nobody uses it any more.
    #[inline]
    pub unsafe fn deallocate(&mut self, block: NonNull<u8>, layout: Layout) {
        // SAFETY: 1. the caller's. 2. this heap's one source.
        unsafe { self.growth.deallocate(&self.source, block, layout) }
    }

    /// Makes a block fit `new`: in place where that can be, sliding down, or by a new block.
    ///
    /// # Errors
    ///
    /// [`AllocError`], by cause; the block is as it was.
    ///
    /// # Safety
    ///
    /// As for [`Segments::reallocate`].
    pub unsafe fn reallocate(
        &mut self,
        block: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Result<NonNull<u8>, AllocError> {
        // SAFETY: 1. the caller's. 2. this heap's one source.
        unsafe { self.growth.reallocate(&self.source, block, old, new) }
    }

    /// Gives all memory back that holds no block, as far as the source takes it: whole regions, and the
    /// free ends of others. How many bytes went. O(regions) and the joining of quick segments.
    pub fn trim(&mut self) -> ByteCount {
        // SAFETY: 1. this heap's one source.
        ByteCount(unsafe { self.growth.trim(&self.source) })
    }

    /// The segments: their figures, the walk, the check.
    pub fn segments(&self) -> &Segments<P, InBand> {
        &self.growth.segments
    }

    /// The segments, to add regions that are not of the source, for one.
    ///
    /// # Safety
    ///
    /// 1. Regions of the source are not changed, and none is added that the source's release would
    ///    take for its own: a region that is wholly free goes back.
    pub unsafe fn segments_mut(&mut self) -> &mut Segments<P, InBand> {
        &mut self.growth.segments
    }

    /// The source.
    pub fn source(&self) -> &S {
        &self.source
    }

    /// The figures that all layers share.
    pub fn stats(&self) -> Stats {
        self.growth.segments.shared_stats()
    }

    /// Walks everything and checks it.
    ///
    /// # Errors
    ///
    /// What was found wrong first.
    pub fn validate(&self) -> Result<(), Broken> {
        self.growth.segments.validate()
    }
}

impl<S: Source<Address = NonNull<u8>>, P: Policy> Drop for Heap<S, P> {
    fn drop(&mut self) {
        // SAFETY: 1. who holds a block has lost it, as with every allocator that ends. 2. its source.
        unsafe { self.growth.release_all(&self.source) };
    }
}
