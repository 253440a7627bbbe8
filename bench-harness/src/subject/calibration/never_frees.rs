//! The subject that takes nothing back.

use super::super::{Description, OwnFigures, Subject};
use super::{GRANULE, Region, Spin, granules};
use std::alloc::{GlobalAlloc, Layout};
use std::ops::Range;

/// Cuts blocks of whole 16-byte granules from its region and never uses one again.
///
/// Known answer: every touched byte of a freed block stays resident, as a hole where its page holds
/// a live block and as kept memory where not; holes + kept = touched bytes freed. Rounding is
/// size up to 16. There are no headers and no metadata.
pub struct NeverFrees {
    state: Spin<State>,
}

struct State {
    region: Region,
    /// Usable bytes of the live blocks.
    allocated: usize,
}

impl NeverFrees {
    /// One without memory; it reserves its region at the first allocation.
    pub const fn new() -> Self {
        Self { state: Spin::new(State { region: Region::new(), allocated: 0 }) }
    }
}

impl Default for NeverFrees {
    fn default() -> Self {
        Self::new()
    }
}

// SAFETY: blocks are disjoint cuts of one mapping, in bytes and alignment at least what the layout
// asks for, and live until the program ends; the mapping is zero where nobody wrote.
unsafe impl GlobalAlloc for NeverFrees {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let bytes = granules(layout.size());
        let block = self.state.with(|state| {
            let block = state.region.carve(bytes, layout.align().max(GRANULE), 0)?;
            state.allocated += bytes;
            Some(block)
        });
        block.map_or(std::ptr::null_mut(), |address| address as *mut u8)
    }

    unsafe fn dealloc(&self, _ptr: *mut u8, layout: Layout) {
        self.state.with(|state| state.allocated -= granules(layout.size()));
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's obligations are the same; memory never handed out before is zero.
        unsafe { self.alloc(layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if granules(new_size) == granules(layout.size()) {
            return ptr;
        }
        // SAFETY: the caller's obligations are those of `move_block`.
        unsafe { super::move_block(self, ptr, layout, new_size) }
    }
}

// SAFETY:
// 1. See the implementation above.
// 2. A block owns all the granules it was rounded up to.
unsafe impl Subject for NeverFrees {
    fn describe(&self) -> Description {
        super::describe("never-frees")
    }

    unsafe fn usable_size(&self, _ptr: *mut u8, layout: Layout) -> Option<usize> {
        Some(granules(layout.size()))
    }

    fn regions(&self) -> Option<Vec<Range<usize>>> {
        self.state.with(|state| state.region.range()).map(|range| vec![range])
    }

    fn for_each_free_range(&self, _visit: &mut dyn FnMut(Range<usize>)) -> bool {
        // What was freed is lost, so there is nothing that it could ever hand out again.
        true
    }

    fn figures(&self) -> OwnFigures {
        self.state.with(|state| OwnFigures {
            allocated: Some(state.allocated as u64),
            metadata: Some(0),
            mapped: Some(state.region.carved() as u64),
            ..OwnFigures::default()
        })
    }
}
