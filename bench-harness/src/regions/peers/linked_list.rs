//! The crate `linked_list_allocator`: first fit over one list in the order of addresses.

use super::distance;
use crate::regions::RegionSubject;
use crate::subject::Description;
use linked_list_allocator::Heap;
use std::alloc::Layout;
use std::ptr::NonNull;

/// The crate states its version nowhere; a test holds this to the lock file.
pub(crate) const VERSION: &str = "0.10.6";

/// `Heap` without a lock.
pub struct LinkedList {
    heap: Heap,
    base: NonNull<u8>,
}

impl RegionSubject for LinkedList {
    type Block = NonNull<u8>;

    fn describe() -> Description {
        Description {
            name: "linked_list_allocator".into(),
            version: VERSION.into(),
            ..Description::default()
        }
    }

    unsafe fn new(region: NonNull<[u8]>) -> Option<Self> {
        let base = region.cast::<u8>();
        // SAFETY: the region is this allocator's (1.) and outlives it (2.).
        let heap = unsafe { Heap::new(base.as_ptr(), region.len()) };
        Some(Self { heap, base })
    }

    #[inline]
    fn allocate(&mut self, layout: Layout) -> Option<NonNull<u8>> {
        self.heap.allocate_first_fit(layout).ok()
    }

    #[inline]
    unsafe fn free(&mut self, block: NonNull<u8>, layout: Layout) {
        // SAFETY: live, and allocated with this layout (1.).
        unsafe { self.heap.deallocate(block, layout) };
    }

    #[inline]
    fn start(&self, block: NonNull<u8>) -> usize {
        distance(block, self.base)
    }
}
