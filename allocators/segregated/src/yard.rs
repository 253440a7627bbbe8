//! A yard: frames for the heap's own use, side by side, between two that nobody may touch.
//!
//! With `guard-metadata`, stocks and the entries of large blocks lie in yards, and no block of the program
//! is next to them.

use core::ptr::NonNull;

use strata_core::{Exhausted, Source};
use strata_os::memory;

use crate::class::FRAME;
use crate::ground::Ground;
use crate::process::HEAP;
use crate::territory::Territories;

/// Frames of a yard, the two at its ends included.
const FRAMES: usize = 18;

/// What is left of the last yard.
#[derive(Debug)]
pub(crate) struct Yard {
    next: NonNull<u8>,
    left: usize,
}

impl Yard {
    pub(crate) const fn new() -> Self {
        Self { next: NonNull::dangling(), left: 0 }
    }
}

impl Ground {
    /// `frames` frames of a yard, 4 at most.
    pub(crate) fn take_in_yard<S: Source<Address = NonNull<u8>>>(
        &mut self,
        source: &S,
        all: &Territories,
        frames: usize,
    ) -> Result<NonNull<u8>, Exhausted> {
        if self.yard.left < frames {
            let yard = self.take_alone(source, all, FRAMES)?;
            // SAFETY: 1. just taken.
            unsafe { guard_ends(all, yard) };
            // SAFETY: the second frame of it.
            self.yard = Yard { next: unsafe { yard.add(FRAME) }, left: FRAMES - 2 };
        }
        let at = self.yard.next;
        // SAFETY: so many are left.
        self.yard.next = unsafe { at.add(frames * FRAME) };
        self.yard.left -= frames;
        Ok(at)
    }
}

/// Makes the first and the last frame of a yard of the process heap's untouchable. Other heaps have them, too,
/// but their memory is the source's, who may need to touch it.
///
/// # Safety
///
/// 1. At `at` there is a new yard of a heap with these `territories`.
unsafe fn guard_ends(territories: &Territories, at: NonNull<u8>) {
    if !core::ptr::eq(territories, &raw const HEAP.territories) || memory::page_size() != FRAME {
        return;
    }
    // A refusal leaves it without guards.
    // SAFETY: 1. two of its frames; 2. a page each. 3. nobody is given them.
    unsafe {
        let _ = memory::guard(at, FRAME);
        let _ = memory::guard(at.add((FRAMES - 1) * FRAME), FRAME);
    }
}
