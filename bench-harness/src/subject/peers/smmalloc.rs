//! `smmalloc`: Zooko's smalloc, power-of-two slots at fixed places in 70 TB of address space.
//! Memory: one `mmap` at the first use, which a limit on address space refuses.

use super::forward::forward;
use crate::subject::{Description, Subject};
use std::alloc::Layout;

/// The crate states its version nowhere; a test holds this to the lock file.
pub(super) const VERSION: &str = "7.6.13";

/// The crate `smmalloc`.
pub struct Smmalloc(smmalloc::Smalloc);

impl Smmalloc {
    /// One that has not been called.
    #[allow(clippy::new_without_default, reason = "a subject lives in a static")]
    pub const fn new() -> Self {
        Self(smmalloc::Smalloc::new())
    }

    /// Whether this process may have the addresses. Without them its first call panics, and every
    /// later one waits for ever.
    pub fn has_address_space() -> bool {
        let bytes = smmalloc::i::TOTAL_VIRTUAL_MEMORY;
        let none = std::ptr::null_mut();
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping at an address of the system's choice, given back as a whole.
        unsafe {
            let address = libc::mmap(none, bytes, access, flags, -1, 0);
            address != libc::MAP_FAILED && libc::munmap(address, bytes) == 0
        }
    }
}

forward!(Smmalloc, self => &self.0);

// SAFETY:
// 1. Forwarded to the crate.
// 2. The usable size is the slot's, found from the address as the crate's own C interface finds it.
unsafe impl Subject for Smmalloc {
    fn describe(&self) -> Description {
        Description {
            name: "smmalloc".into(),
            version: VERSION.into(),
            purge_settings: "never".into(),
            calibration: false,
        }
    }

    unsafe fn usable_size(&self, ptr: *mut u8, _layout: Layout) -> Option<usize> {
        Some(1 << smmalloc::i::ptr_to_sc(ptr.addr()))
    }
}
