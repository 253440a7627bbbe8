//! The subject of fixed memory: first fit by address.

use super::super::{Description, OwnFigures, Subject};
use super::region::touch;
use super::{Region, Spin, granules};
use std::alloc::{GlobalAlloc, Layout};
use std::ops::Range;

/// Bytes of the memory.
const BYTES: usize = 8 << 20;

/// The lowest free range that is long enough, in 8 MiB that are resident from the first call on.
///
/// ```text
///  | live | bytes, next ─────┐ ... | live | live | bytes, 0 ...... |     a free range's head lies in it
///                            └───────────────────▲
/// ```
///
/// Known answers: there are no headers; blocks of a size are served until none fits into any free range,
/// Σ ⌊range / size⌋ of them; a program that follows Robson needs no less than his bound. The walk
/// along the list is as long as it is.
pub struct FirstFit {
    state: Spin<State>,
}

/// # Invariants
///
/// 1. `head` is 0 or the address of a free range; a range's first word is its length, a multiple of 16,
///    its second the address of the next one above, not adjacent, or 0.
struct State {
    region: Region,
    head: usize,
    allocated: usize,
}

/// The head of a free range.
#[repr(C)]
struct Free {
    bytes: usize,
    next: usize,
}

impl FirstFit {
    /// One without memory; it takes its 8 MiB at the first allocation.
    pub const fn new() -> Self {
        Self { state: Spin::new(State { region: Region::new(), head: 0, allocated: 0 }) }
    }
}

impl Default for FirstFit {
    fn default() -> Self {
        Self::new()
    }
}

impl State {
    fn allocate(&mut self, layout: Layout) -> Option<usize> {
        if self.region.range().is_some() && self.region.carved() == 0 {
            let start = self.region.carve(BYTES, 4096, 0)?;
            // SAFETY: 1. the range was just carved under the lock; it is ours, and free as a whole.
            unsafe {
                touch(start, BYTES);
                *(start as *mut Free) = Free { bytes: BYTES, next: 0 };
            }
            self.head = start;
        }
        let bytes = granules(layout.size());
        let mut link: *mut usize = &mut self.head;
        loop {
            // SAFETY: invariant 1: `link` is the head or the second word of a free range, and what it
            // names is a free range or 0. What remains of that range is a multiple of 16, as every
            // aligned start and length is, hence nothing or room for a head.
            unsafe {
                let at = *link;
                if at == 0 {
                    return None;
                }
                let range = at as *mut Free;
                let Free { bytes: length, next } = *range;
                let start = at.next_multiple_of(layout.align());
                if start + bytes <= at + length {
                    let (before, after) = (start - at, at + length - start - bytes);
                    let mut rest = next;
                    if after > 0 {
                        rest = start + bytes;
                        *(rest as *mut Free) = Free { bytes: after, next };
                    }
                    match before {
                        0 => *link = rest,
                        _ => *range = Free { bytes: before, next: rest },
                    }
                    self.allocated += bytes;
                    return Some(start);
                }
                link = &raw mut (*range).next;
            }
        }
    }

    /// # Safety
    ///
    /// 1. `block` is a live block of `bytes` bytes, a multiple of 16, no longer used by its owner.
    unsafe fn free(&mut self, block: usize, mut bytes: usize) {
        self.allocated -= bytes;
        let (mut link, mut before) = (&raw mut self.head, 0);
        // SAFETY: invariant 1 for the walk; by obligation 1 the block is ours from here on, with room
        // for a head, and lies between the range before and the next.
        unsafe {
            while *link != 0 && *link < block {
                before = *link;
                link = &raw mut (*(before as *mut Free)).next;
            }
            let mut next = *link;
            if next != 0 && block + bytes == next {
                let above = next as *const Free;
                (bytes, next) = (bytes + (*above).bytes, (*above).next);
            }
            let below = before as *mut Free;
            if before != 0 && before + (*below).bytes == block {
                *below = Free { bytes: (*below).bytes + bytes, next };
            } else {
                *(block as *mut Free) = Free { bytes, next };
                *link = block;
            }
        }
    }
}

// SAFETY: a block is a range of a mapping of ours, at least as long and as aligned as the layout asks
// for, and is in a free range or live, never both.
unsafe impl GlobalAlloc for FirstFit {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let found = self.state.with(|state| state.allocate(layout));
        found.map_or(std::ptr::null_mut(), |address| address as *mut u8)
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: 1. the caller gives back a live block of this layout, hence of these bytes.
        self.state.with(|state| unsafe { state.free(ptr as usize, granules(layout.size())) });
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller's obligations are those of `move_block`.
        unsafe { super::move_block(self, ptr, layout, new_size) }
    }
}

// SAFETY:
// 1. See the implementation above.
// 2. A block owns its whole granules.
unsafe impl Subject for FirstFit {
    fn describe(&self) -> Description {
        super::describe("first-fit-8")
    }

    unsafe fn usable_size(&self, _ptr: *mut u8, layout: Layout) -> Option<usize> {
        Some(granules(layout.size()))
    }

    fn for_each_free_range(&self, visit: &mut dyn FnMut(Range<usize>)) -> bool {
        self.state.with(|state| {
            let mut at = state.head;
            while at != 0 {
                // SAFETY: invariant 1.
                let Free { bytes, next } = unsafe { std::ptr::read(at as *const Free) };
                visit(at..at + bytes);
                at = next;
            }
        });
        true
    }

    fn figures(&self) -> OwnFigures {
        self.state.with(|state| OwnFigures {
            allocated: Some(state.allocated as u64),
            metadata: Some(0),
            mapped: Some(BYTES as u64),
            ..OwnFigures::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_freed_is_one_range_again_in_any_order() {
        let subject = FirstFit::new();
        let layout = |index: usize| Layout::from_size_align(1 + index * 37 % 900, 16).unwrap();
        // SAFETY: sizes are above 0, and each block is freed once, with its layout.
        unsafe {
            let blocks: Vec<_> = (0..500).map(|index| subject.alloc(layout(index))).collect();
            for step in [3, 1, 0, 2, 4] {
                for index in (step..500).step_by(5) {
                    subject.dealloc(blocks[index], layout(index));
                }
            }
            let whole = subject.alloc(Layout::from_size_align(BYTES, 4096).unwrap());
            assert!(!whole.is_null());
            assert!(subject.alloc(layout(0)).is_null(), "there is no more");
        }
    }
}
