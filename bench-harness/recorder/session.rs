//! Whether this process image is being recorded.
//!
//! The answer is a word in a page of its own that the kernel clears in the child of every fork
//! (also of a raw `clone` that copies memory), so a child finds out at its first operation that it
//! is a new process image and needs a file of its own. A child that shares memory (`vfork`,
//! `posix_spawn`) leaves the word as it is: its operations are those of its parent's memory and
//! belong to its parent's thread, which sleeps meanwhile.

use crate::tls::Thread;
use crate::{capture, stream, sys};
use core::sync::atomic::AtomicPtr;
use core::sync::atomic::AtomicU32;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

/// Cleared by the kernel: the process began with a fork.
const FORKED: u32 = 0;
/// Recording.
const ON: u32 = 1;
/// Not recording, for good.
const OFF: u32 = 2;
/// A thread is starting the process image.
const STARTING: u32 = 3;

static NEVER: AtomicU32 = AtomicU32::new(OFF);
/// The word; null before the process's first operation.
static WORD: AtomicPtr<AtomicU32> = AtomicPtr::new(core::ptr::null_mut());
static STARTED: AtomicU32 = AtomicU32::new(0);

/// Whether the calling thread's operations are recorded now; begins the recording where it must.
#[inline]
pub(crate) fn is_on(thread: *mut Thread) -> bool {
    // Acquire: pairs with the release in `start_slow` that publishes the page.
    let word = WORD.load(Acquire);
    if word.is_null() {
        return start_slow(thread);
    }
    // SAFETY: the word is `NEVER` or a page that is never unmapped.
    // Acquire: pairs with the release in `begin_slow`, which publishes header and path.
    match unsafe { (*word).load(Acquire) } {
        ON => true,
        FORKED => begin_slow(thread, true),
        _ => false,
    }
}

/// Makes the page with the word, at the first operation of all.
#[cold]
#[inline(never)]
fn start_slow(thread: *mut Thread) -> bool {
    // Relaxed: only one thread passes; what it does is published through `WORD`.
    if STARTED.swap(1, Relaxed) != 0 {
        return false;
    }
    let page = sys::private_page().and_then(|page| sys::wipe_on_fork(page).map(|()| page));
    // Release: pairs with the acquire in `is_on`.
    match page {
        Ok(page) => {
            WORD.store(page.cast(), Release);
            begin_slow(thread, false)
        }
        Err(_) => {
            WORD.store((&raw const NEVER).cast_mut(), Release);
            false
        }
    }
}

/// Starts recording this process image.
#[cold]
#[inline(never)]
fn begin_slow(thread: *mut Thread, forked: bool) -> bool {
    // SAFETY: as in `is_on`; this is called with the page in place.
    let word = unsafe { &*WORD.load(Relaxed) };
    // AcqRel: one thread passes, after whatever a failed attempt before it did.
    if word.compare_exchange(FORKED, STARTING, AcqRel, Relaxed).is_err() {
        return false;
    }
    let errno = sys::errno();
    // SAFETY: the thread's own bytes, left by its copy in the parent. No other thread of this
    // process has recorded yet, and the exchange above let only this one through.
    let done = unsafe {
        stream::forget(thread);
        capture::create(forked)
    };
    let ready = done.is_ok() && crate::threads::prepare();
    // Release: pairs with the acquire in `is_on`.
    word.store(if ready { ON } else { OFF }, Release);
    sys::set_errno(errno);
    ready
}

/// Ends the recording of this process image and notes why, for the converter to tell.
#[cold]
#[inline(never)]
pub(crate) fn stop(errno: i32) {
    // Relaxed: read after the process has ended, or for a message only.
    let _ = capture::header().stopped.compare_exchange(0, errno.max(1) as u32, Relaxed, Relaxed);
    // SAFETY: as in `is_on`; only called while the session is on.
    // Relaxed: nothing is published; other threads may record a little longer.
    unsafe { (*WORD.load(Relaxed)).store(OFF, Relaxed) };
}
