//! Any threads, one lock of the user's choice.

use core::alloc::Layout;
use core::fmt;
use core::ptr::NonNull;

use lock_api::{Mutex, RawMutex};
use strata_core::Source;

use super::Face;
use crate::Heap;
use crate::Segments;
use crate::error::AllocError;
use crate::policy::{GoodFit, Policy};

/// A heap behind one lock: any `lock_api::RawMutex`, a spin lock of a kernel or one whose waiters sleep.
///
/// As a global allocator it needs a lock that neither allocates nor unwinds. Calls hold the lock for
/// their whole length, those of the source included.
///
/// ```
/// use core::alloc::Layout;
/// use core::mem::MaybeUninit;
/// use strata_core::source::Region;
/// use strata_segment::{Face, Locked};
/// # use strata_core::lock::{RawLock, SpinLock};
/// # struct Raw(SpinLock);
/// # // SAFETY: the promises of `RawLock`.
/// # unsafe impl lock_api::RawMutex for Raw {
/// #     const INIT: Self = Self(SpinLock::new());
/// #     type GuardMarker = lock_api::GuardSend;
/// #     fn lock(&self) { self.0.lock() }
/// #     fn try_lock(&self) -> bool { self.0.try_lock() }
/// #     unsafe fn unlock(&self) { unsafe { self.0.unlock() } }
/// # }
///
/// let mut buffer = vec![MaybeUninit::<u8>::uninit(); 1 << 16];
/// let heap: Locked<Raw, _> = Locked::new(Region::new(&mut buffer)); // Raw: the user's lock
/// std::thread::scope(|scope| {
///     for _ in 0..2 {
///         scope.spawn(|| {
///             let layout = Layout::new::<[u8; 100]>();
///             let block = heap.allocate(layout).unwrap();
///             // SAFETY: 1. from this heap with this layout, freed once. 2. unused.
///             unsafe { heap.deallocate(block, layout) };
///         });
///     }
/// });
/// ```
pub struct Locked<R, S: Source<Address = NonNull<u8>>, P: Policy = GoodFit> {
    heap: Mutex<R, Heap<S, P>>,
}

impl<R: RawMutex, S: Source<Address = NonNull<u8>>, P: Policy> Locked<R, S, P> {
    /// A heap without memory yet, its lock open.
    pub const fn new(source: S) -> Self {
        Self { heap: Mutex::from_raw(R::INIT, Heap::new(source)) }
    }

    /// The heap, without the lock.
    pub fn get_mut(&mut self) -> &mut Heap<S, P> {
        self.heap.get_mut()
    }

    /// Calls `work` with the heap under the lock. `work` must not come here again.
    pub fn with<T>(&self, work: impl FnOnce(&mut Heap<S, P>) -> T) -> T {
        work(&mut self.heap.lock())
    }
}

// SAFETY: 1. the heap's blocks lie in its source's chunks, and the lock lets one thread at a time reach
// it. 2. nothing in it unwinds; the lock's choice is the user's, who was told.
unsafe impl<R: RawMutex, S: Source<Address = NonNull<u8>>, P: Policy> Face for Locked<R, S, P> {
    #[inline]
    fn allocate(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        self.heap.lock().allocate(layout)
    }

    #[inline]
    unsafe fn deallocate(&self, block: NonNull<u8>, layout: Layout) {
        // SAFETY: the caller's obligations are the same ones.
        unsafe { self.heap.lock().deallocate(block, layout) }
    }

    #[inline]
    unsafe fn reallocate(
        &self,
        block: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Result<NonNull<u8>, AllocError> {
        // SAFETY: the caller's obligations are the same ones.
        unsafe { self.heap.lock().reallocate(block, old, new) }
    }

    fn usable_size(&self, layout: Layout) -> Option<usize> {
        Segments::<P>::usable_size(layout)
    }
}

impl<R, S: Source<Address = NonNull<u8>>, P: Policy> fmt::Debug for Locked<R, S, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Locked").finish_non_exhaustive()
    }
}
