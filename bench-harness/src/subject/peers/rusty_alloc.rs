//! `rusty_alloc`: the mimalloc 2.4 design in Rust. Memory: `mmap`, by its own calls.

use super::forward::forward;
use crate::subject::{Description, Subject};
use std::alloc::Layout;

/// Position of `purge_delay` among the crate's options, which are numbered as in its C interface.
const PURGE_DELAY: usize = 15;

/// The crate `rusty_alloc-api`.
pub struct RustyAlloc(rusty_alloc_api::RustyAlloc);

impl RustyAlloc {
    /// One that has not been called.
    #[allow(clippy::new_without_default, reason = "a subject lives in a static")]
    pub const fn new() -> Self {
        Self(rusty_alloc_api::RustyAlloc)
    }
}

forward!(RustyAlloc, self => &self.0);

// SAFETY:
// 1. Forwarded to the crate.
// 2. `usable_size` is the crate's `mi_usable_size`: all those bytes are the block's.
unsafe impl Subject for RustyAlloc {
    fn describe(&self) -> Description {
        Description {
            name: "rusty_alloc".into(),
            version: rusty_alloc_api::VERSION.into(),
            purge_settings: format!("purge_delay={}ms", rusty_alloc::options::get(PURGE_DELAY)),
            calibration: false,
        }
    }

    unsafe fn usable_size(&self, ptr: *mut u8, _layout: Layout) -> Option<usize> {
        // SAFETY: by obligation 1 `ptr` is a live block of this allocator.
        Some(unsafe { rusty_alloc::alloc::usable_size(ptr) })
    }

    /// Collects the calling thread's heap; other threads' heaps are out of its reach.
    fn purge(&self) -> bool {
        rusty_alloc::alloc::collect(true);
        true
    }
}
