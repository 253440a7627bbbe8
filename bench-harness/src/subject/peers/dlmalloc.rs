//! `dlmalloc`: Doug Lea's allocator in Rust under one lock. Memory: `mmap`, by its own calls.
//!
//! An instance of ours and not the crate's `GlobalDlmalloc`, whose instance cannot be trimmed; the
//! lock is the same.

use super::lock::Lock;
use crate::subject::{Description, Subject};
use std::alloc::{GlobalAlloc, Layout};
use std::cell::UnsafeCell;

/// The crate states its version nowhere; a test holds this to the lock file.
pub(crate) const VERSION: &str = "0.2.14";

/// The crate `dlmalloc`.
///
/// # Invariants
///
/// 1. `heap` is reached only while `lock` is taken.
pub struct Dlmalloc {
    lock: Lock,
    heap: UnsafeCell<dlmalloc::Dlmalloc>,
}

// SAFETY: by invariant 1 one thread at a time reaches the heap, and its memory is any thread's.
unsafe impl Sync for Dlmalloc {}

impl Dlmalloc {
    /// One that has not been called.
    #[allow(clippy::new_without_default, reason = "a subject lives in a static")]
    pub const fn new() -> Self {
        Self { lock: Lock::new(), heap: UnsafeCell::new(dlmalloc::Dlmalloc::new()) }
    }

    #[inline]
    fn with<R>(&self, f: impl FnOnce(&mut dlmalloc::Dlmalloc) -> R) -> R {
        self.lock.take();
        // SAFETY: invariant 1: the lock was just taken.
        let result = f(unsafe { &mut *self.heap.get() });
        // SAFETY: 1. taken above.
        unsafe { self.lock.give_back() };
        result
    }
}

// SAFETY: each method is the crate's own of the same meaning, called as its `GlobalDlmalloc` does.
unsafe impl GlobalAlloc for Dlmalloc {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the crate asks for a size and alignment of a valid layout.
        self.with(|heap| unsafe { heap.malloc(layout.size(), layout.align()) })
    }

    #[inline]
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller gives back a live block with its layout.
        self.with(|heap| unsafe { heap.free(ptr, layout.size(), layout.align()) });
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as for `alloc`.
        self.with(|heap| unsafe { heap.calloc(layout.size(), layout.align()) })
    }

    #[inline]
    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: as for `dealloc`, and the caller promises a valid new size.
        self.with(|heap| unsafe { heap.realloc(ptr, layout.size(), layout.align(), new_size) })
    }
}

// SAFETY:
// 1. See the implementation above.
// 2. There is no usable-size hook: the crate has none.
unsafe impl Subject for Dlmalloc {
    fn describe(&self) -> Description {
        Description {
            name: "dlmalloc".into(),
            version: VERSION.into(),
            purge_settings: "top above 2 MiB, whole segments every 4095 large frees".into(),
            calibration: false,
        }
    }

    /// Gives back what lies free at the top and whole free mappings.
    fn purge(&self) -> bool {
        // SAFETY: the heap is ours under the lock.
        self.with(|heap| unsafe { heap.trim(0) });
        true
    }
}
