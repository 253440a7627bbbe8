//! The face `Allocator`.

use core::alloc::{GlobalAlloc, Layout};
use core::ptr::NonNull;

use allocator_api2::alloc::{AllocError, Allocator};

use crate::global::PageFrameAlloc;

// SAFETY: blocks stay until they are freed while the allocator is borrowed; a block fits every
// layout of as many frames.
unsafe impl<const FRAME: usize> Allocator for &PageFrameAlloc<FRAME> {
    #[inline]
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        // SAFETY: layouts of no bytes are served too.
        let block = NonNull::new(unsafe { self.alloc(layout) }).ok_or(AllocError)?;
        Ok(NonNull::slice_from_raw_parts(block, self.good_size(layout)))
    }

    fn allocate_zeroed(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        let len = self.good_size(layout);
        let whole = Layout::from_size_align(len, layout.align()).map_err(|_| AllocError)?;
        // SAFETY: as above.
        let block = NonNull::new(unsafe { self.alloc_zeroed(whole) }).ok_or(AllocError)?;
        Ok(NonNull::slice_from_raw_parts(block, len))
    }

    #[inline]
    unsafe fn deallocate(&self, block: NonNull<u8>, layout: Layout) {
        // SAFETY: a live block of a layout that it fits, which has as many frames.
        unsafe { self.dealloc(block.as_ptr(), layout) }
    }
}
