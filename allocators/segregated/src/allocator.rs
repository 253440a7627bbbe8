//! The face to collections: `Allocator`, as allocator-api2 has it on stable Rust.

#[cfg(all(feature = "std", target_os = "linux", not(strata_loom)))]
use core::alloc::GlobalAlloc;
use core::alloc::Layout;
use core::ptr::NonNull;

use allocator_api2::alloc::{AllocError, Allocator};
use strata_core::Source;
use strata_core::lock::RawLock;

#[cfg(all(feature = "std", target_os = "linux", not(strata_loom)))]
use crate::global::SegregatedAlloc;
use crate::heap::Heap;

/// The block with its true length, which the caller may use.
fn whole(block: Option<NonNull<u8>>, len: usize) -> Result<NonNull<[u8]>, AllocError> {
    Ok(NonNull::slice_from_raw_parts(block.ok_or(AllocError)?, len))
}

/// The layout of a whole block: of the same class, or of as many pages.
fn whole_layout(layout: Layout, len: usize) -> Result<Layout, AllocError> {
    Layout::from_size_align(len, layout.align()).map_err(|_| AllocError)
}

#[cfg(all(feature = "std", target_os = "linux", not(strata_loom)))]
// SAFETY: blocks stay until they are freed, wherever the handle goes; a block fits every layout
// of its class, and that of its true length is of its class.
unsafe impl Allocator for SegregatedAlloc {
    #[inline]
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        let layout = whole_layout(layout, self.good_size(layout))?;
        // SAFETY: layouts of no bytes are served too.
        whole(NonNull::new(unsafe { self.alloc(layout) }), layout.size())
    }

    #[inline]
    fn allocate_zeroed(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        let layout = whole_layout(layout, self.good_size(layout))?;
        // SAFETY: layouts of no bytes are served too.
        whole(NonNull::new(unsafe { self.alloc_zeroed(layout) }), layout.size())
    }

    #[inline]
    unsafe fn deallocate(&self, block: NonNull<u8>, layout: Layout) {
        // The size may be any between the one asked for and the true one.
        let layout = whole_layout(layout, self.good_size(layout)).unwrap_or(layout);
        // SAFETY: a live block of a layout that it fits, which has the same class or pages.
        unsafe { self.dealloc(block.as_ptr(), layout) }
    }
}

// SAFETY: blocks stay until they are freed while the heap is borrowed; a block fits every layout
// of its class, and that of its true length is of its class.
unsafe impl<S: Source<Address = NonNull<u8>>, L: RawLock> Allocator for &Heap<S, L> {
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        let layout = whole_layout(layout, self.good_size(layout))?;
        whole(Heap::allocate(self, layout).ok(), layout.size())
    }

    fn allocate_zeroed(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        let layout = whole_layout(layout, self.good_size(layout))?;
        whole(Heap::allocate_zeroed(self, layout).ok(), layout.size())
    }

    unsafe fn deallocate(&self, block: NonNull<u8>, layout: Layout) {
        // SAFETY: 1. a live block of a layout that it fits, which has the same class or pages.
        unsafe { Heap::deallocate(self, block, layout) }
    }
}
