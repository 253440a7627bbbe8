//! Which thread this is, and the end of a thread.

use core::ffi::c_void;
use core::ptr::{self, NonNull};

use strata_core::sync::{AtomicU32, Ordering};

use crate::process;

/// A number that the calling thread has, and no other one while it lives; never zero. O(1), and safe in a
/// child of a `fork`, whose thread has the number of the one that forked.
///
/// On a system that this crate does not know all threads have one number.
///
/// ```
/// let mine = strata_os::thread::id();
/// assert_eq!(mine, strata_os::thread::id());
/// let other = std::thread::spawn(strata_os::thread::id).join().unwrap();
/// assert_eq!(other != mine, cfg!(target_os = "linux"));
/// ```
#[inline]
pub fn id() -> usize {
    process::thread_id()
}

/// A function that runs at the end of every thread that asked for it.
///
/// It stands in a `static`, because the system keeps the function for ever. It allocates nothing
/// itself, works before `main`, and is made of a thread-specific value of POSIX threads:
///
/// - With a dynamically linked glibc it runs after all destructors of Rust's `thread_local!`, those
///   that allocate included. With musl, and in static programs, it may run before them.
/// - What runs after it, destructors of other such values among them, may arm it again, and so may
///   the function itself. The system then goes round once more, four times in all as a rule; a
///   value armed in the last round is forgotten.
/// - It does not run for a thread that returns from `main` or ends the process. `pthread_exit` of
///   the main thread runs it.
///
/// ```
/// use core::ffi::c_void;
/// use core::ptr::NonNull;
/// use std::sync::atomic::{AtomicU32, Ordering};
/// use strata_os::thread::ExitHook;
///
/// static ENDED: AtomicU32 = AtomicU32::new(0);
/// unsafe extern "C" fn count(value: *mut c_void) {
///     // SAFETY: armed with a counter in a static only.
///     unsafe { &*value.cast::<AtomicU32>() }.fetch_add(1, Ordering::Relaxed);
/// }
/// static HOOK: ExitHook = ExitHook::new(count);
///
/// let armed = std::thread::spawn(|| {
///     // SAFETY: 1. `count` takes this value. 2. this is the program, which is never unloaded.
///     unsafe { HOOK.arm(NonNull::from(&ENDED).cast()) }
/// });
/// let armed = armed.join().unwrap();
/// assert_eq!(ENDED.load(Ordering::Relaxed), u32::from(armed));
/// ```
#[derive(Debug)]
pub struct ExitHook {
    destructor: unsafe extern "C" fn(*mut c_void),
    key: LazyKey,
}

impl ExitHook {
    strata_core::const_unless_loom! {
        /// A hook that no thread has armed. Nothing is called before the first [`ExitHook::arm`].
        pub fn new(destructor: unsafe extern "C" fn(*mut c_void)) -> Self {
            Self { destructor, key: LazyKey::new() }
        }
    }

    /// Has the destructor called with `value` when the calling thread ends, in place of what the
    /// thread armed before. When it is called the thread is not armed any more.
    ///
    /// `false` where that cannot be done, and then nothing has changed: the system has no more keys
    /// (which is remembered) or no memory, does not know threads, or another thread is making the
    /// key at this moment. Nobody waits for that thread, which a `fork` may have left behind: arm
    /// again at the next occasion.
    ///
    /// The system may call the C library's `calloc` here, once a thread, where the process has many
    /// keys. Where that is the caller itself, this is a re-entry, and it must be ready for it.
    ///
    /// # Safety
    ///
    /// 1. The destructor may be called with `value` on the calling thread when it ends, unless the
    ///    thread armed another one or disarmed before.
    /// 2. The destructor's code stays loaded until then: see
    ///    [`library::pin_self`](crate::library::pin_self).
    #[inline]
    pub unsafe fn arm(&self, value: NonNull<c_void>) -> bool {
        process::keep_errno(|| {
            let Some(key) = self.key.get_or_create(|| process::create_key(self.destructor)) else {
                return false;
            };
            // SAFETY: 1. it is from `create_key`. 2. that of this function.
            unsafe { process::set_key(key, value.as_ptr()) }
        })
    }

    /// Takes back what the calling thread armed, if it did: the destructor is not called for it.
    #[inline]
    pub fn disarm(&self) {
        if let Some(key) = self.key.get() {
            // SAFETY: 1. it is from `create_key`. 2. null.
            process::keep_errno(|| unsafe { process::set_key(key, ptr::null_mut()) });
        }
    }
}

const NONE: u32 = 0;
const CREATING: u32 = 1;
const FAILED: u32 = 2;
/// The first word that is a key: this is key zero.
const FIRST: u32 = 3;

/// A key of the system's that is made at most once, by the first who needs it.
#[derive(Debug)]
struct LazyKey {
    state: AtomicU32,
}

impl LazyKey {
    strata_core::const_unless_loom! {
        fn new() -> Self {
            Self { state: AtomicU32::new(NONE) }
        }
    }

    #[inline]
    fn get(&self) -> Option<u32> {
        // Acquire: its partner is the Release store in `create_slow`; the system's table has the
        // key then.
        self.state.load(Ordering::Acquire).checked_sub(FIRST)
    }

    #[inline]
    fn get_or_create(&self, create: impl FnOnce() -> Option<u32>) -> Option<u32> {
        self.get().or_else(|| self.create_slow(create))
    }

    #[cold]
    #[inline(never)]
    fn create_slow(&self, create: impl FnOnce() -> Option<u32>) -> Option<u32> {
        // Relaxed on success: it only decides who makes the key. Acquire on failure: its partner is
        // the Release store below, by who made the key meanwhile.
        match self.state.compare_exchange(NONE, CREATING, Ordering::Relaxed, Ordering::Acquire) {
            Ok(_) => {
                let word = create().and_then(|key| key.checked_add(FIRST)).unwrap_or(FAILED);
                // Release: its partners are the Acquire loads of `get` and above.
                self.state.store(word, Ordering::Release);
                word.checked_sub(FIRST)
            }
            Err(word) => word.checked_sub(FIRST),
        }
    }
}

#[cfg(all(test, strata_loom))]
mod models;
#[cfg(all(test, target_os = "linux", not(strata_loom)))]
mod tests;
