//! Any `GlobalAlloc` as a subject without hooks.

use super::{Description, Subject};
use std::alloc::{GlobalAlloc, Layout};

/// A subject made of a user's allocator: what [`main!`](crate::main) measures.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plain<A> {
    name: &'static str,
    alloc: A,
}

impl<A> Plain<A> {
    /// `alloc` under a name, which tables show in lower case.
    pub const fn new(name: &'static str, alloc: A) -> Self {
        Self { name, alloc }
    }
}

// SAFETY: every method forwards to the allocator inside with the caller's own arguments.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Plain<A> {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's obligations are those of the method called.
        unsafe { self.alloc.alloc(layout) }
    }

    #[inline]
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { self.alloc.dealloc(ptr, layout) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        unsafe { self.alloc.alloc_zeroed(layout) }
    }

    #[inline]
    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: as above.
        unsafe { self.alloc.realloc(ptr, layout, new_size) }
    }
}

// SAFETY: 1. forwarded to an allocator that promises it; 2. there is no usable size.
unsafe impl<A: GlobalAlloc + Sync + 'static> Subject for Plain<A> {
    fn describe(&self) -> Description {
        Description { name: self.name.to_lowercase(), ..Description::default() }
    }
}
