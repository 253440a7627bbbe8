//! `rlsf`: two-level segregated fit under one lock. Memory: `mmap` in steps of 64 KiB, never given
//! back.

use super::forward::forward;
use crate::subject::{Description, Subject};
use rlsf::{CAlloc, GlobalTlsf};
use std::alloc::Layout;
use std::ptr::NonNull;

/// The crate states its version nowhere; a test holds this to the lock file.
pub(crate) const VERSION: &str = "0.2.3";

/// The crate `rlsf`, as its global allocator.
pub struct Rlsf(GlobalTlsf);

impl Rlsf {
    /// One that has not been called.
    #[allow(clippy::new_without_default, reason = "a subject lives in a static")]
    pub const fn new() -> Self {
        Self(GlobalTlsf::new())
    }
}

forward!(Rlsf, self => &self.0);

// SAFETY:
// 1. Forwarded to the crate.
// 2. The crate's C interface promises those bytes to `malloc_usable_size`.
unsafe impl Subject for Rlsf {
    fn describe(&self) -> Description {
        Description {
            name: "rlsf".into(),
            version: VERSION.into(),
            purge_settings: "never".into(),
            calibration: false,
        }
    }

    unsafe fn usable_size(&self, ptr: *mut u8, _layout: Layout) -> Option<usize> {
        let block = NonNull::new(ptr)?;
        // SAFETY: by obligation 1 `block` is a live block of this allocator.
        Some(unsafe { self.0.allocation_usable_size(block) })
    }
}
