//! A library that a program may unload, with a hook at the end of threads. `tests/unload.rs` loads
//! it: with [`pin_and_arm`] its code must outlive `dlclose`.

use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

use strata_os::library;
use strata_os::thread::ExitHook;

static HOOK: ExitHook = ExitHook::new(count);

/// # Safety
///
/// 1. `counter` is an `AtomicU32` that outlives the thread.
unsafe extern "C" fn count(counter: *mut c_void) {
    // SAFETY: 1. of this function.
    unsafe { &*counter.cast::<AtomicU32>() }.fetch_add(1, Ordering::Relaxed);
}

/// Counts the end of the calling thread, even where this library is closed before it.
///
/// # Safety
///
/// 1. `counter` outlives the calling thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pin_and_arm(counter: &AtomicU32) -> bool {
    // SAFETY: 1. it is the object that this code runs from.
    let pinned = unsafe { library::pin_self(count as *const ()) };
    // SAFETY: 1. of this function. 2. pinned.
    pinned && unsafe { HOOK.arm(NonNull::from(counter).cast()) }
}
