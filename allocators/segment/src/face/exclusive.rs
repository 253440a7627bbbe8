//! One thread, no lock.

use core::alloc::Layout;
use core::fmt;
use core::ptr::NonNull;

use strata_core::Source;
use strata_core::sync::UnsafeCell;

use super::Face;
use crate::Heap;
use crate::Segments;
use crate::error::AllocError;
use crate::policy::{GoodFit, Policy};

/// A heap for one thread: reached through a shared reference, without a lock, and not [`Sync`].
///
/// ```
/// use core::alloc::Layout;
/// use core::mem::MaybeUninit;
/// use strata_core::source::Region;
/// use strata_segment::{Exclusive, Face};
///
/// let mut buffer = vec![MaybeUninit::<u8>::uninit(); 1 << 16];
/// let heap: Exclusive<_> = Exclusive::new(Region::new(&mut buffer));
/// let (a, b) = (heap.allocate(Layout::new::<u64>())?, heap.allocate(Layout::new::<u64>())?);
/// assert_ne!(a, b);
/// // SAFETY: 1. from this heap with this layout, freed once. 2. unused.
/// unsafe {
///     heap.deallocate(a, Layout::new::<u64>());
///     heap.deallocate(b, Layout::new::<u64>());
/// }
/// # Ok::<(), strata_segment::AllocError>(())
/// ```
///
/// # Invariants
///
/// 1. Nothing that runs while `heap` is borrowed reaches this value again: sources do not call back.
pub struct Exclusive<S: Source<Address = NonNull<u8>>, P: Policy = GoodFit> {
    heap: UnsafeCell<Heap<S, P>>,
}

impl<S: Source<Address = NonNull<u8>>, P: Policy> Exclusive<S, P> {
    strata_core::const_unless_loom! {
        /// A heap without memory yet.
        pub fn new(source: S) -> Self {
            Self { heap: UnsafeCell::new(Heap::new(source)) }
        }
    }

    /// The heap.
    pub fn get_mut(&mut self) -> &mut Heap<S, P> {
        // SAFETY: `&mut self` is the only way to it while it lives.
        self.heap.with_mut(|heap| unsafe { &mut *heap })
    }
}

// SAFETY: 1. the heap's blocks lie in its source's chunks. 2. nothing in it unwinds.
unsafe impl<S: Source<Address = NonNull<u8>>, P: Policy> Face for Exclusive<S, P> {
    #[inline]
    fn allocate(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        // SAFETY: invariant 1: not `Sync`, so this is the one thread that is here.
        self.heap.with_mut(|heap| unsafe { &mut *heap }.allocate(layout))
    }

    #[inline]
    unsafe fn deallocate(&self, block: NonNull<u8>, layout: Layout) {
        // SAFETY: as above, and the caller's obligations.
        self.heap.with_mut(|heap| unsafe { (*heap).deallocate(block, layout) });
    }

    #[inline]
    unsafe fn reallocate(
        &self,
        block: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Result<NonNull<u8>, AllocError> {
        // SAFETY: as above, and the caller's obligations.
        self.heap.with_mut(|heap| unsafe { (*heap).reallocate(block, old, new) })
    }

    fn usable_size(&self, layout: Layout) -> Option<usize> {
        Segments::<P>::usable_size(layout)
    }
}

impl<S: Source<Address = NonNull<u8>>, P: Policy> fmt::Debug for Exclusive<S, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exclusive").finish_non_exhaustive()
    }
}

static_assertions::assert_impl_all!(Exclusive<strata_core::source::Region<'static>>: Send);
static_assertions::assert_not_impl_any!(Exclusive<strata_core::source::Region<'static>>: Sync);
