//! The process heap with blocks that are not out poisoned.

use std::alloc::{GlobalAlloc, Layout};

use strata_segregated::SegregatedAlloc;

#[path = "../../../allocators/segregated/tests/shadow/poison.rs"]
mod poison;

/// [`SegregatedAlloc`], whose blocks AddressSanitizer lets only those touch who have them.
pub(crate) struct Poisoned;

impl std::ops::Deref for Poisoned {
    type Target = SegregatedAlloc;

    fn deref(&self) -> &SegregatedAlloc {
        &SegregatedAlloc
    }
}

// SAFETY: all methods are the process heap's, with the caller's own arguments.
unsafe impl GlobalAlloc for Poisoned {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's obligations are the same ones.
        let block = unsafe { SegregatedAlloc.alloc(layout) };
        poison::out(block, layout.size());
        block
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's obligations are the same ones.
        let block = unsafe { SegregatedAlloc.alloc_zeroed(layout) };
        poison::out(block, layout.size());
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        poison::back(block, layout.size());
        // SAFETY: the caller's obligations are the same ones.
        unsafe { SegregatedAlloc.dealloc(block, layout) }
    }
}
