//! A fork at any moment of what another thread does: what it left half done harms nobody.

use std::boxed::Box;
use std::cell::Cell;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use strata_core::lock::{RawLock, SpinLock};
use strata_core::sync::thread::{self, ThreadId};

use super::{CLASS, Heap, OTHER, beside, explore_up_to, heap, put, take, two_spans};

/// What stands for a fork: the one thread that is left. Others leave at their next step outside of locks;
/// this one holds all locks and goes through them.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Forked {
    No,
    /// The child, in which this thread is left.
    Into(ThreadId),
    /// The child is done.
    Over,
}

/// All threads of a model are one thread of the system.
pub(super) mod forked {
    use super::{Cell, Forked};

    std::thread_local! {
        static FORKED: Cell<Forked> = const { Cell::new(Forked::No) };
    }

    pub(super) fn get() -> Forked {
        FORKED.get()
    }

    pub(in crate::models) fn set(to: Forked) {
        FORKED.set(to);
    }
}

struct Gone;

fn is_child() -> bool {
    // Before a fork nobody is asked who it is.
    matches!(forked::get(), Forked::Into(child) if child == thread::current().id())
}

/// What a thread does at a step of its own.
pub(super) fn leave_if_gone() {
    if forked::get() != Forked::No && !is_child() {
        resume_unwind(Box::new(Gone));
    }
}

/// The lock of these models: it keeps the threads out that a fork left behind.
#[derive(Debug)]
pub(super) struct Lock(SpinLock);

// SAFETY: 1. the lock inside, but for the thread that holds all of them. 2. and 3. as there; what
// unwinds does not hold it.
unsafe impl RawLock for Lock {
    fn open() -> Self {
        Self(SpinLock::new())
    }

    fn lock(&self) {
        if !is_child() {
            self.0.lock();
            if forked::get() != Forked::No {
                // SAFETY: 1. just taken: the child is done with it.
                unsafe { self.0.unlock() };
                leave_if_gone();
            }
        }
    }

    fn try_lock(&self) -> bool {
        is_child() || self.0.try_lock()
    }

    unsafe fn unlock(&self) {
        if !is_child() {
            // SAFETY: 1. the caller's.
            unsafe { self.0.unlock() };
        }
    }
}

/// Explores a fork at any moment of `work`, which may free the blocks of a full span.
fn explore_fork(work: fn(&Heap, &[usize])) {
    explore_up_to(2, move || {
        let heap = heap();
        let (full, kept) = two_spans(&heap);
        let theirs = full.clone();
        let thread = beside(&heap, move |other| {
            let outcome = catch_unwind(AssertUnwindSafe(|| work(other, &theirs)));
            assert!(outcome.is_ok_and(|()| true) || forked::get() != Forked::No);
        });
        heap.hold();
        forked::set(Forked::Into(thread::current().id()));
        // SAFETY: 1. the other thread leaves at its next step.
        unsafe { heap.recover(0) };
        let taken: usize = heap.validate().expect("tables agree").blocks;
        let mine = [take(&heap, CLASS, 3), take(&heap, OTHER, 3)];
        let all: BTreeSet<_> = mine.iter().flatten().chain(&kept).collect();
        assert_eq!(all.len(), 7, "a block was handed out twice");
        put(&heap, CLASS, &mine[0]);
        put(&heap, OTHER, &mine[1]);
        heap.purge_all();
        assert_eq!(heap.validate().map(|checked| checked.blocks), Ok(taken));
        put(&heap, CLASS, &kept);
        forked::set(Forked::Over);
        // SAFETY: 1. taken above.
        unsafe { heap.let_go() };
        thread.join().unwrap();
        let mut heap = Arc::into_inner(heap).expect("the other thread is done");
        forked::set(Forked::No);
        heap.release();
    });
}

#[test]
fn a_fork_while_another_thread_empties_a_span_and_purges() {
    explore_fork(|heap, full| {
        put(heap, CLASS, full);
        heap.purge_all();
    });
}

#[test]
fn a_fork_while_another_thread_purges_pages_of_a_span_with_a_live_block() {
    explore_fork(|heap, full| {
        put(heap, CLASS, &full[1..]);
        heap.purge_all();
    });
}

#[test]
fn a_fork_while_another_thread_takes_and_frees() {
    explore_fork(|heap, _| {
        let blocks = take(heap, OTHER, 2);
        put(heap, OTHER, &blocks);
    });
}
