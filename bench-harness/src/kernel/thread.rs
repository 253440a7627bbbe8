//! Threads made without a call of any Rust heap: in some executables that is the subject.

use std::ffi::c_void;
use std::marker::PhantomData;
use std::ptr;

/// What a thread does.
///
/// # Safety
///
/// 1. Nothing but the subject is asked for memory in `run`, and nothing unwinds out of it.
pub(crate) unsafe trait Work: Sync {
    fn run(&self);
}

/// A running thread; joined at the latest when it is dropped.
pub(crate) struct Thread<'a> {
    handle: libc::pthread_t,
    borrows: PhantomData<&'a ()>,
}

impl<'a> Thread<'a> {
    /// Starts a thread on `work`; ends the process where the system has no thread for it.
    ///
    /// # Safety
    ///
    /// 1. The thread is joined or dropped before `'a` ends; it is never forgotten.
    pub(crate) unsafe fn start<W: Work>(work: &'a W) -> Self {
        extern "C" fn enter<W: Work>(work: *mut c_void) -> *mut c_void {
            // SAFETY: `start` passes a `&W`, which by its obligation outlives the thread.
            unsafe { &*work.cast::<W>() }.run();
            ptr::null_mut()
        }
        let mut handle = 0;
        let work = ptr::from_ref(work).cast_mut().cast();
        // SAFETY: the handle is a local, no attributes are given, and `enter` takes what is passed;
        // `W` is `Sync`, so that another thread may use it.
        let status =
            unsafe { libc::pthread_create(&raw mut handle, ptr::null(), enter::<W>, work) };
        if status != 0 {
            std::process::exit(crate::child::channel::UNUSABLE);
        }
        Self { handle, borrows: PhantomData }
    }
}

impl Drop for Thread<'_> {
    fn drop(&mut self) {
        // SAFETY: the handle is of a thread that nobody has joined.
        unsafe { libc::pthread_join(self.handle, ptr::null_mut()) };
    }
}
