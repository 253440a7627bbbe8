//! mimalloc 3 (the `mimalloc` crate's default) or 2, which the linked library says itself.

use super::forward::forward;
use crate::subject::{Description, OwnFigures, Subject};
use libmimalloc_sys as ffi;
use std::alloc::Layout;
use std::ffi::{CStr, c_char};

/// `mi_option_purge_delay`, which both majors number so and the bindings leave out.
const PURGE_DELAY: ffi::mi_option_t = 15;

unsafe extern "C" {
    /// The statistics as JSON. Both majors have it, and the bindings for one of them only.
    ///
    /// # Safety
    ///
    /// 1. `buffer` has room for `bytes` bytes, or both are zero; then `mi_free` frees the result.
    fn mi_stats_get_json(bytes: usize, buffer: *mut c_char) -> *mut c_char;
}

/// The crate `mimalloc`.
pub struct Mimalloc(mimalloc::MiMalloc);

impl Mimalloc {
    /// One that has not been called.
    #[allow(clippy::new_without_default, reason = "a subject lives in a static")]
    pub const fn new() -> Self {
        Self(mimalloc::MiMalloc)
    }
}

forward!(Mimalloc, self => &self.0);

// SAFETY:
// 1. Forwarded to the crate.
// 2. `mi_usable_size` promises those bytes.
unsafe impl Subject for Mimalloc {
    fn describe(&self) -> Description {
        // SAFETY: both read a number and may be called at any time.
        let (version, delay) = unsafe { (ffi::mi_version(), ffi::mi_option_get(PURGE_DELAY)) };
        // Two digits each for minor and patch; the bundled headers say so, as 30302 for 3.3.2.
        let (major, minor, patch) = (version / 10_000, version / 100 % 100, version % 100);
        Description {
            name: format!("mimalloc-v{major}"),
            version: format!("{major}.{minor}.{patch}"),
            purge_settings: format!("purge_delay={delay}ms"),
            calibration: false,
        }
    }

    unsafe fn usable_size(&self, ptr: *mut u8, _layout: Layout) -> Option<usize> {
        // SAFETY: by obligation 1 `ptr` is a live block of this allocator.
        Some(unsafe { ffi::mi_usable_size(ptr.cast()) })
    }

    /// Collects the calling thread's heap and what ended threads left; live threads' heaps are out
    /// of its reach.
    fn purge(&self) -> bool {
        // SAFETY: may be called at any time.
        unsafe { ffi::mi_collect(true) };
        true
    }

    /// What it keeps in a release build: address space reserved. Its committed bytes say nothing of
    /// residency.
    fn figures(&self) -> OwnFigures {
        // SAFETY: without a buffer the library makes one, which `mi_free` takes back.
        let mapped = unsafe {
            let json = mi_stats_get_json(0, std::ptr::null_mut());
            if json.is_null() {
                return OwnFigures::default();
            }
            let mapped = CStr::from_ptr(json).to_str().ok().and_then(reserved);
            ffi::mi_free(json.cast());
            mapped
        };
        OwnFigures { mapped, ..OwnFigures::default() }
    }
}

/// The current value of the count `reserved` of mimalloc's statistics.
fn reserved(json: &str) -> Option<u64> {
    serde_json::from_str::<serde_json::Value>(json).ok()?.get("reserved")?.get("current")?.as_u64()
}
