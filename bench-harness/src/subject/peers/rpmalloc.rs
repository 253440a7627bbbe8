//! rpmalloc 1.4 with its thread and global caches, which are what its author benchmarks.
//!
//! The crate sets itself up in a constructor, before `main`, and takes the place of the C library's
//! `pthread_create`, by which every thread is set up and taken down. An executable that links it
//! holds about a megabyte before the first call.

use super::forward::forward;
use crate::subject::{Description, Subject};
use rpmalloc_sys as ffi;
use std::alloc::Layout;

/// The library has no call for it: this is the number of the crate that bundles it; a test holds it
/// to the lock file.
pub(super) const VERSION: &str = "0.2.3+b097fd0";

/// The crate `rpmalloc`.
pub struct Rpmalloc(rpmalloc::RpMalloc);

impl Rpmalloc {
    /// One that has not been called.
    #[allow(clippy::new_without_default, reason = "a subject lives in a static")]
    pub const fn new() -> Self {
        Self(rpmalloc::RpMalloc)
    }
}

forward!(Rpmalloc, self => &self.0);

// SAFETY:
// 1. Forwarded to the crate.
// 2. `rpmalloc_usable_size` promises those bytes.
unsafe impl Subject for Rpmalloc {
    fn describe(&self) -> Description {
        Description {
            name: "rpmalloc".into(),
            version: VERSION.into(),
            purge_settings: "spans beyond its cache limits".into(),
            calibration: false,
        }
    }

    unsafe fn usable_size(&self, ptr: *mut u8, _layout: Layout) -> Option<usize> {
        // SAFETY: by obligation 1 `ptr` is a live block of this allocator.
        Some(unsafe { ffi::rpmalloc_usable_size(ptr.cast()) })
    }
}
