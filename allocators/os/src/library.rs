//! Objects that the loader may unload.

use crate::process;

/// Keeps the program or library that holds `address_in_it` loaded until the process ends, whatever
/// `dlclose` says. `false` where that cannot be done, or where no object holds the address.
///
/// Code in a library calls it, with the address of one of its own functions, before it gives the
/// system a function to call later: an [`ExitHook`](crate::thread::ExitHook)'s destructor, say. It
/// is for ever, so that once is enough; a further call only costs time. For the program itself, and
/// with a C library that never unloads (musl), there is nothing to do.
///
/// The loader's locks are taken, and it may call the C library's `malloc`. So hold no lock that an
/// allocation takes: another thread may run a library's constructor, or walk the objects, with the
/// loader's locks held, and allocate there.
///
/// ```
/// use strata_os::library;
///
/// fn of_this_object() {}
/// // SAFETY: 1. it is the object that this code runs from.
/// let pinned = unsafe { library::pin_self(of_this_object as *const ()) };
/// assert_eq!(pinned, cfg!(target_os = "linux"));
/// ```
///
/// # Safety
///
/// 1. The object that holds the address, if there is one, stays loaded during the call, as it does
///    where the caller is a part of it.
pub unsafe fn pin_self(address_in_it: *const ()) -> bool {
    // SAFETY: 1. the caller's obligation is the same one.
    process::keep_errno(|| unsafe { process::pin(address_in_it.addr()) })
}
