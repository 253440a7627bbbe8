//! The crate `dlmalloc`, with the region as the only memory that its system gives.

use super::distance;
use crate::regions::RegionSubject;
use crate::subject::Description;
use crate::subject::peers::DLMALLOC_VERSION;
use dlmalloc::{Allocator, Dlmalloc};
use std::alloc::Layout;
use std::cell::Cell;
use std::ptr::NonNull;

/// `Dlmalloc` over a system that gives the region once.
pub struct DlmallocRegion {
    dlmalloc: Dlmalloc<Once>,
    base: NonNull<u8>,
}

/// Memory that is given once and never again.
struct Once(Cell<Option<NonNull<[u8]>>>);

// SAFETY: the region belongs to no thread.
unsafe impl Send for Once {}

// SAFETY: what is given is a region of this allocator's alone, as long as it says; nothing is moved,
// cut or taken back.
unsafe impl Allocator for Once {
    fn alloc(&self, bytes: usize) -> (*mut u8, usize, u32) {
        match self.0.take() {
            Some(region) if region.len() >= bytes => {
                (region.cast::<u8>().as_ptr(), region.len(), 0)
            }
            left => {
                self.0.set(left);
                (std::ptr::null_mut(), 0, 0)
            }
        }
    }

    fn remap(&self, _block: *mut u8, _old: usize, _bytes: usize, _may_move: bool) -> *mut u8 {
        std::ptr::null_mut()
    }

    fn free_part(&self, _block: *mut u8, _old: usize, _bytes: usize) -> bool {
        false
    }

    fn free(&self, _block: *mut u8, _bytes: usize) -> bool {
        false
    }

    fn can_release_part(&self, _flags: u32) -> bool {
        false
    }

    fn allocates_zeros(&self) -> bool {
        false
    }

    fn page_size(&self) -> usize {
        4096
    }
}

impl RegionSubject for DlmallocRegion {
    type Block = NonNull<u8>;

    fn describe() -> Description {
        Description {
            name: "dlmalloc".into(),
            version: DLMALLOC_VERSION.into(),
            purge_settings: "never".into(),
            calibration: false,
        }
    }

    unsafe fn new(region: NonNull<[u8]>) -> Option<Self> {
        let dlmalloc = Dlmalloc::new_with_allocator(Once(Cell::new(Some(region))));
        Some(Self { dlmalloc, base: region.cast() })
    }

    #[inline]
    fn allocate(&mut self, layout: Layout) -> Option<NonNull<u8>> {
        // SAFETY: the alignment is a power of two.
        NonNull::new(unsafe { self.dlmalloc.malloc(layout.size(), layout.align()) })
    }

    #[inline]
    unsafe fn free(&mut self, block: NonNull<u8>, layout: Layout) {
        // SAFETY: live, and allocated with this layout (1.).
        unsafe { self.dlmalloc.free(block.as_ptr(), layout.size(), layout.align()) };
    }

    #[inline]
    unsafe fn resize(
        &mut self,
        block: NonNull<u8>,
        layout: Layout,
        bytes: usize,
    ) -> Option<NonNull<u8>> {
        let (old, align) = (layout.size(), layout.align());
        // SAFETY: live, and allocated with this layout (1.); not nothing (2.).
        NonNull::new(unsafe { self.dlmalloc.realloc(block.as_ptr(), old, align, bytes) })
    }

    #[inline]
    fn start(&self, block: NonNull<u8>) -> usize {
        distance(block, self.base)
    }
}
