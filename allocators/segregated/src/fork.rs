//! `fork` with the process heap.
//!
//! Before it, the thread that forks takes every lock of the heap, in the order that everybody takes
//! them in: the registry of stocks, what is passed on, the shelves, the ground, and those of the profiler, with the
//! feature. The child so finds every
//! table whole. It has that one thread, whose stocks are its own; those of the others count as lost, for
//! nobody knows how far their threads had come: their lists are never walked. What a thread had in hand
//! between two locks is found again by the tables (`recover.rs`).
//!
//! Functions that other libraries named before may run with the locks held, and allocate on this thread:
//! it goes through its own locks.

use strata_core::lock::RawLock;
use strata_core::sync::Ordering;
use strata_core::sync::unexplored::AtomicUsize;
use strata_os::fork::{AtFork, at_fork};
use strata_os::{FutexLock, thread};

use crate::process::HEAP;
#[cfg(feature = "profile")]
use crate::profile;
use crate::stocks;

/// The thread that holds all locks for a fork, by its number; zero if none does.
///
/// Relaxed, all: a thread finds itself here only where it wrote itself, and anything else means that
/// it is another one.
static FORKER: AtomicUsize = AtomicUsize::new(0);

/// A lock of the process heap, which lets the thread through that holds all of them for a fork.
#[derive(Debug)]
pub(crate) struct ForkLock(FutexLock);

impl ForkLock {
    pub(crate) const fn new() -> Self {
        Self(FutexLock::new())
    }
}

/// Whether this thread holds all locks for a fork.
#[inline]
fn forks() -> bool {
    let forker = FORKER.load(Ordering::Relaxed);
    forker != 0 && forker == thread::id()
}

// SAFETY: 1. the lock inside, but for the thread that holds it already, which comes and goes inside of
// that one hold, and whose own calls never meet: no section asks for its own lock. 2. and 3. those of
// the lock inside.
unsafe impl RawLock for ForkLock {
    const OPEN: Self = Self::new();

    #[inline]
    fn lock(&self) {
        if !self.0.try_lock() {
            self.lock_slow();
        }
    }

    #[inline]
    fn try_lock(&self) -> bool {
        self.0.try_lock() || forks()
    }

    #[inline]
    unsafe fn unlock(&self) {
        if !forks() {
            // SAFETY: 1. the caller's: it holds the lock, and not by the hold for a fork.
            unsafe { self.0.unlock() };
        }
    }
}

impl ForkLock {
    #[cold]
    #[inline(never)]
    fn lock_slow(&self) {
        if !forks() {
            self.0.lock();
        }
    }
}

/// Has the heap looked after at every fork. Once is enough.
pub(crate) fn watch() {
    // SAFETY: 1. they take and open the heap's locks, on any thread: no fork is inside of a call of the
    // heap. 2. the caller pinned the code.
    unsafe { at_fork(AtFork { prepare, parent, child }) };
}

unsafe extern "C" fn prepare() {
    stocks::hold();
    HEAP.hold();
    #[cfg(feature = "profile")]
    profile::hold();
    FORKER.store(thread::id(), Ordering::Relaxed);
    stocks::note_others();
}

/// Opens all locks.
///
/// # Safety
///
/// 1. This thread held them by [`prepare`], or is that thread in a child of its process.
unsafe fn let_go() {
    FORKER.store(0, Ordering::Relaxed);
    // SAFETY: 1. the caller's.
    unsafe {
        #[cfg(feature = "profile")]
        profile::let_go();
        HEAP.let_go();
        stocks::let_go();
    }
}

unsafe extern "C" fn parent() {
    // SAFETY: 1. after `prepare`, on its thread.
    unsafe { let_go() };
}

unsafe extern "C" fn child() {
    // In a process of one thread nothing was in other hands.
    if let Some(slots) = stocks::forget_others() {
        // SAFETY: 1. a fork leaves one thread, this one.
        unsafe {
            HEAP.recover(slots);
            #[cfg(feature = "profile")]
            profile::sampled::SAMPLED.recover(0);
        }
    }
    // SAFETY: 1. after `prepare`, on its thread, in the child.
    unsafe { let_go() };
}
