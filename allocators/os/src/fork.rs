//! What happens around `fork`.

use crate::process;

/// Functions that the system calls around every `fork` of this process.
#[derive(Clone, Copy, Debug)]
pub struct AtFork {
    /// Before, in the process that forks.
    pub prepare: unsafe extern "C" fn(),
    /// After, in the process that forked, whether there is a child or not.
    pub parent: unsafe extern "C" fn(),
    /// After, in the child, which has no thread but the one that forked.
    pub child: unsafe extern "C" fn(),
}

/// Has the functions called around every `fork` from now on, for ever. `false` where that cannot be
/// done: no memory, or a system that this crate does not know.
///
/// By `pthread_atfork`: functions that were named before run inside, between `prepare` and `parent` or
/// `child` of these, and may allocate there. What goes past the C library (`vfork`, `posix_spawn`, the
/// system call itself) calls none of them.
///
/// The C library may allocate here, and takes a lock of its own that it holds around every `fork`: so
/// hold no lock that an allocation or `prepare` takes.
///
/// ```
/// use strata_os::fork::{AtFork, at_fork};
///
/// unsafe extern "C" fn nothing() {}
/// // SAFETY: 1. they do nothing. 2. this is the program, which is never unloaded.
/// let known = unsafe { at_fork(AtFork { prepare: nothing, parent: nothing, child: nothing }) };
/// assert_eq!(known, cfg!(target_os = "linux"));
/// ```
///
/// # Safety
///
/// 1. The functions may be called at every `fork`, on whatever thread it is, and the third one in a
///    process whose other threads are gone, wherever they were.
/// 2. Their code stays loaded: see [`library::pin_self`](crate::library::pin_self).
pub unsafe fn at_fork(hooks: AtFork) -> bool {
    // SAFETY: 1. and 2. the caller's.
    process::keep_errno(|| unsafe { process::at_fork(hooks.prepare, hooks.parent, hooks.child) })
}
