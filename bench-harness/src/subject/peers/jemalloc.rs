//! jemalloc, as `tikv-jemallocator` builds it, with its statistics as upstream has them by default.

use super::forward::forward;
use crate::subject::{Description, OwnFigures, Subject};
use std::alloc::Layout;
use std::ffi::{CStr, c_char, c_void};
use tikv_jemalloc_sys as ffi;

/// The crate `tikv-jemallocator`.
pub struct Jemalloc(tikv_jemallocator::Jemalloc);

impl Jemalloc {
    /// One that has not been called.
    #[allow(clippy::new_without_default, reason = "a subject lives in a static")]
    pub const fn new() -> Self {
        Self(tikv_jemallocator::Jemalloc)
    }
}

forward!(Jemalloc, self => &self.0);

// SAFETY:
// 1. Forwarded to the crate.
// 2. `malloc_usable_size` promises those bytes.
unsafe impl Subject for Jemalloc {
    fn describe(&self) -> Description {
        // SAFETY: these names have these types in jemalloc's manual.
        let (version, dirty, muzzy, background) = unsafe {
            (
                read::<*const c_char>(c"version"),
                read::<isize>(c"opt.dirty_decay_ms"),
                read::<isize>(c"opt.muzzy_decay_ms"),
                read::<bool>(c"background_thread"),
            )
        };
        let settings = [
            dirty.map(|ms| format!("dirty_decay_ms={ms}")),
            muzzy.map(|ms| format!("muzzy_decay_ms={ms}")),
            background.map(|on| format!("background_thread={on}")),
        ];
        Description {
            name: "jemalloc".into(),
            // SAFETY: the version is a string in static memory.
            version: version.map_or_else(String::new, |text| unsafe {
                // Built at a tag, which no commit follows: the hash adds nothing.
                let whole = CStr::from_ptr(text).to_string_lossy();
                whole.split("-0-g").next().unwrap_or_default().into()
            }),
            purge_settings: settings.into_iter().flatten().collect::<Vec<_>>().join(" "),
            calibration: false,
        }
    }

    unsafe fn usable_size(&self, ptr: *mut u8, _layout: Layout) -> Option<usize> {
        // SAFETY: by obligation 1 `ptr` is a live block of this allocator.
        Some(unsafe { ffi::malloc_usable_size(ptr.cast()) })
    }

    /// Flushes the calling thread's cache and purges all dirty and muzzy pages.
    fn purge(&self) -> bool {
        // 4096 is `MALLCTL_ARENAS_ALL`.
        command(c"thread.tcache.flush") && command(c"arena.4096.purge")
    }

    fn figures(&self) -> OwnFigures {
        // The figures are those of the last epoch, so that a new one is begun. That allocates
        // nothing.
        let mut epoch = 1_u64;
        // SAFETY: "epoch" takes a 64-bit number.
        let fresh = unsafe {
            ffi::mallctl(
                c"epoch".as_ptr(),
                std::ptr::null_mut(),
                std::ptr::null_mut(),
                (&raw mut epoch).cast(),
                size_of::<u64>(),
            )
        };
        if fresh != 0 {
            return OwnFigures::default();
        }
        // SAFETY: all of `stats` that is named here is of type `size_t`.
        let figure = |name| unsafe { read::<usize>(name) }.map(|bytes| bytes as u64);
        OwnFigures {
            allocated: figure(c"stats.allocated"),
            active: figure(c"stats.active"),
            resident: figure(c"stats.resident"),
            metadata: figure(c"stats.metadata"),
            mapped: figure(c"stats.mapped"),
        }
    }
}

/// Reads a value by its name; `None` where the library does not have it.
///
/// # Safety
///
/// 1. The value of this name is of type `T`.
unsafe fn read<T: Copy>(name: &CStr) -> Option<T> {
    let mut value = std::mem::MaybeUninit::<T>::uninit();
    let mut len = size_of::<T>();
    // SAFETY: by obligation 1 the library writes a `T`, to room for one.
    let failed = unsafe {
        ffi::mallctl(
            name.as_ptr(),
            value.as_mut_ptr().cast::<c_void>(),
            &raw mut len,
            std::ptr::null_mut(),
            0,
        )
    };
    // SAFETY: written as a whole, since the call succeeded with the length of a `T`.
    (failed == 0 && len == size_of::<T>()).then(|| unsafe { value.assume_init() })
}

/// Runs a command that neither takes nor gives a value.
fn command(name: &CStr) -> bool {
    let none = std::ptr::null_mut();
    // SAFETY: without values there is nothing to read or write but the name.
    unsafe { ffi::mallctl(name.as_ptr(), none, none.cast(), none, 0) == 0 }
}
