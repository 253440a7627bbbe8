//! `talc`: binned best fit with in-band tags under one lock. Memory: `mmap` in steps of 1 MiB,
//! through the crate's `GlobalAllocSource`, given back when such a step is free as a whole.

use super::forward::forward;
use super::lock::Lock;
use crate::subject::{Description, Subject};
use std::alloc::{GlobalAlloc, Layout};
use talc::source::GlobalAllocSource;

/// The crate states its version nowhere; a test holds this to the lock file.
pub(crate) const VERSION: &str = "5.1.1";

/// The crate `talc`, with its default bins.
pub struct Talc(talc::TalcLock<Lock, GlobalAllocSource<Mappings>>);

impl Talc {
    /// One that has not been called.
    #[allow(clippy::new_without_default, reason = "a subject lives in a static")]
    pub const fn new() -> Self {
        Self(talc::TalcLock::new(GlobalAllocSource::new(Mappings)))
    }
}

forward!(Talc, self => &self.0);

// SAFETY:
// 1. Forwarded to the crate.
// 2. There is no usable-size hook: the crate has none.
unsafe impl Subject for Talc {
    fn describe(&self) -> Description {
        Description {
            name: "talc".into(),
            version: VERSION.into(),
            purge_settings: "whole free 1 MiB heaps at once".into(),
            calibration: false,
        }
    }
}

/// What every mapping is aligned to, whatever the system.
const SMALLEST_PAGE: usize = 4096;

/// A mapping of its own for every request: what talc grows by. Only whole pages are asked for.
#[derive(Debug)]
struct Mappings;

// SAFETY: a mapping is at least as long as asked for, aligned to a page, which is all that the
// source asks for, and zero. Other alignments are refused.
unsafe impl GlobalAlloc for Mappings {
    #[cold]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.align() > SMALLEST_PAGE {
            return std::ptr::null_mut();
        }
        // SAFETY: a new anonymous mapping at an address of the system's choice touches nothing.
        let address = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                layout.size(),
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if address == libc::MAP_FAILED { std::ptr::null_mut() } else { address.cast() }
    }

    #[cold]
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller gives back a whole mapping that `alloc` made with this layout.
        unsafe { libc::munmap(ptr.cast(), layout.size()) };
    }
}
