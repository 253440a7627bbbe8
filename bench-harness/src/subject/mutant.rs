//! Deliberately faulty subjects: what a checked replay must find.
//!
//! Each is the same sound allocator (`base::Base`) with one [`Fault`], which it commits once, at
//! the first call that allows it after a few sound ones. A checked replay of a long enough trace
//! reports exactly that call, as the fault's own kind.

mod base;
mod fault;
mod state;

pub use fault::Fault;

use super::{Description, Entry, Subject};
use crate::check::Kind;
use state::State;
use std::alloc::{GlobalAlloc, Layout};
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A sound allocator with one fault, or none.
#[derive(Debug)]
pub struct Mutant {
    fault: Option<Fault>,
    state: Mutex<State>,
}

impl Mutant {
    /// An allocator that commits `fault` once; a sound one for `None`.
    pub const fn new(fault: Option<Fault>) -> Self {
        Self { fault, state: Mutex::new(State::new()) }
    }

    /// At which call the fault was committed, counted from 0 over alloc, dealloc and realloc.
    pub fn fired_at(&self) -> Option<u64> {
        self.lock().fired_at
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in a call can panic half-way; a poisoned lock comes from a failed assertion.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// SAFETY: without a fault, `Base` hands out disjoint blocks that fit their layouts, and a block
// keeps its address and content until it is freed. With one, this is a deliberately faulty subject.
unsafe impl GlobalAlloc for Mutant {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.lock().alloc(self.fault, layout, false)
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        self.lock().alloc(self.fault, layout, true)
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller's obligations are those of the method called.
        unsafe { self.lock().dealloc(self.fault, ptr, layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: as above.
        unsafe { self.lock().realloc(self.fault, ptr, layout, new_size) }
    }
}

// SAFETY:
// 1. The implementation above keeps `GlobalAlloc`'s obligations, or is deliberately faulty.
// 2. A block owns all bytes of its class, which is what the hook answers.
unsafe impl Subject for Mutant {
    fn describe(&self) -> Description {
        Description {
            name: format!("mutant-{}", self.fault.map_or("none", Fault::name)),
            calibration: true,
            ..Description::default()
        }
    }

    unsafe fn usable_size(&self, ptr: *mut u8, layout: Layout) -> Option<usize> {
        Some(self.lock().usable_size(self.fault, ptr, layout))
    }

    fn regions(&self) -> Option<Vec<Range<usize>>> {
        self.lock().base.region().map(|region| vec![region])
    }
}

/// The sound base of the mutants, `mutant-none`.
pub fn unmutated() -> Entry {
    crate::subject!(Mutant, Mutant::new(None))
}

/// Every mutant with the kind of violation that it commits.
pub fn mutants() -> Vec<(Entry, Kind)> {
    // Each subject is a static of its own, so each has its own line.
    macro_rules! entries {
        ($($fault:ident),* $(,)?) => {
            vec![$((
                crate::subject!(Mutant, Mutant::new(Some(Fault::$fault))),
                Fault::$fault.kind(),
            )),*]
        };
    }
    entries![
        Overlap,
        SameBlockTwice,
        Misaligned16,
        Misaligned4096,
        DirtyZeroed,
        ReallocOverlap,
        ReallocTail,
        ReallocPrefix,
        UsableSmall,
        UsableOverlap,
        NeighbourWritten,
        OutsideRegion,
    ]
}

#[cfg(test)]
mod tests;
