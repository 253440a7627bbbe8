//! The heap of the crate `buddy_system_allocator`: every size is rounded up to a power of two.

use super::distance;
use crate::frames::BUDDY_VERSION;
use crate::regions::RegionSubject;
use crate::subject::Description;
use buddy_system_allocator::Heap;
use std::alloc::Layout;
use std::ptr::NonNull;

/// `Heap` without a lock.
pub struct BuddyHeap {
    heap: Heap<33>,
    base: NonNull<u8>,
}

impl RegionSubject for BuddyHeap {
    type Block = NonNull<u8>;

    fn describe() -> Description {
        Description {
            name: "buddy_system_allocator".into(),
            version: BUDDY_VERSION.into(),
            ..Description::default()
        }
    }

    unsafe fn new(region: NonNull<[u8]>) -> Option<Self> {
        let base = region.cast::<u8>();
        let mut heap = Heap::new();
        // It is told an address: the harness keeps the pointer's provenance alive.
        let start = base.as_ptr().expose_provenance();
        // SAFETY: the region is this allocator's (1.) and outlives it (2.).
        unsafe { heap.init(start, region.len()) };
        Some(Self { heap, base })
    }

    #[inline]
    fn allocate(&mut self, layout: Layout) -> Option<NonNull<u8>> {
        self.heap.alloc(layout).ok()
    }

    #[inline]
    unsafe fn free(&mut self, block: NonNull<u8>, layout: Layout) {
        // SAFETY: live, and allocated with this layout (1.).
        unsafe { self.heap.dealloc(block, layout) };
    }

    #[inline]
    fn start(&self, block: NonNull<u8>) -> usize {
        distance(block, self.base)
    }
}
