//! snmalloc, as `snmalloc-rs` builds it by default, but with the `cc` crate instead of cmake.

use super::forward::forward;
use crate::subject::{Description, OwnFigures, Subject};
use std::alloc::Layout;

/// The library has no call for it and the crate is numbered as the library; a test holds this to
/// the lock file.
pub(super) const VERSION: &str = "0.7.6";

/// The crate `snmalloc-rs`.
pub struct Snmalloc(snmalloc_rs::SnMalloc);

impl Snmalloc {
    /// One that has not been called.
    #[allow(clippy::new_without_default, reason = "a subject lives in a static")]
    pub const fn new() -> Self {
        Self(snmalloc_rs::SnMalloc::new())
    }
}

forward!(Snmalloc, self => &self.0);

// SAFETY:
// 1. Forwarded to the crate.
// 2. `usable_size` is snmalloc's `alloc_size`: all those bytes are the block's.
unsafe impl Subject for Snmalloc {
    fn describe(&self) -> Description {
        Description {
            name: "snmalloc".into(),
            version: VERSION.into(),
            purge_settings: "its own thresholds, no call".into(),
            calibration: false,
        }
    }

    unsafe fn usable_size(&self, ptr: *mut u8, _layout: Layout) -> Option<usize> {
        self.0.usable_size(ptr)
    }

    fn figures(&self) -> OwnFigures {
        let stats = snmalloc_rs::SnMalloc::memory_stats();
        OwnFigures { mapped: Some(stats.current_memory_usage as u64), ..OwnFigures::default() }
    }
}
