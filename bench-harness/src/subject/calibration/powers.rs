//! The subject that rounds every size up to a power of two.

use super::super::{Description, OwnFigures, Subject};
use super::region::{page_bytes, touch};
use super::{GRANULE, Region, Spin};
use std::alloc::{GlobalAlloc, Layout};
use std::ops::Range;

/// Powers of two that a block can have: every one that an address has.
const POWERS: usize = usize::BITS as usize;

/// Blocks of 2^k bytes, 16 at least, each power with its own free list, last freed first used.
///
/// ```text
///  below a page:  | 2^k | 2^k | 2^k | ... |   one page, one power: no gaps, naturally aligned
///  a page and up: | 2^k ............... |     cut from the region at a page's start
/// ```
///
/// Known answer: rounding is exactly power − size over the live blocks, and because every page is
/// touched when it is cut, all of it is resident. Nothing is ever given back: a freed block is a
/// hole, or kept where its whole page is free. There are no headers; the links lie in free blocks.
pub struct PowersOfTwo {
    state: Spin<State>,
}

/// # Invariants
///
/// 1. `free[k]` is 0 or the address of a free block of 2^k bytes whose first word is the next such
///    address or 0.
/// 2. `uncut[k]` lies within one page cut for power k, and is free.
struct State {
    region: Region,
    free: [usize; POWERS],
    uncut: [Range<usize>; POWERS],
    /// Usable bytes of the live blocks.
    allocated: usize,
}

impl PowersOfTwo {
    /// One without memory; it reserves its region at the first allocation.
    pub const fn new() -> Self {
        Self {
            state: Spin::new(State {
                region: Region::new(),
                free: [0; POWERS],
                uncut: [const { 0..0 }; POWERS],
                allocated: 0,
            }),
        }
    }

    /// Bytes of the block that serves a layout. `None` where no power of two is large enough.
    pub(crate) fn block_bytes(layout: Layout) -> Option<usize> {
        layout.size().max(layout.align()).max(GRANULE).checked_next_power_of_two()
    }
}

impl Default for PowersOfTwo {
    fn default() -> Self {
        Self::new()
    }
}

impl State {
    fn allocate(&mut self, bytes: usize, align: usize) -> Option<usize> {
        let power = bytes.trailing_zeros() as usize;
        let block = self.reuse(power, align).or_else(|| self.cut(power, align))?;
        self.allocated += bytes;
        Some(block)
    }

    /// The free block of this power that was freed last; beyond a page's alignment, the first that
    /// happens to have it.
    fn reuse(&mut self, power: usize, align: usize) -> Option<usize> {
        let mut link: *mut usize = &mut self.free[power];
        loop {
            // SAFETY: invariant 1: `link` is the head or the first word of a free block.
            let block = unsafe { *link };
            if block == 0 {
                return None;
            }
            // SAFETY: invariant 1, and unlinking keeps it: the next address replaces this one.
            unsafe {
                if block.is_multiple_of(align) {
                    *link = *(block as *const usize);
                    return Some(block);
                }
            }
            link = block as *mut usize;
        }
    }

    fn cut(&mut self, power: usize, align: usize) -> Option<usize> {
        let bytes = 1_usize << power;
        let page = page_bytes();
        if bytes >= page {
            let block = self.region.carve(bytes, align.max(page), 0)?;
            // SAFETY: 1. the block was just carved under the lock.
            unsafe { touch(block, bytes) };
            return Some(block);
        }
        if self.uncut[power].is_empty() {
            let start = self.region.carve(page, page, 0)?;
            // SAFETY: 1. the page was just carved under the lock.
            unsafe { touch(start, page) };
            self.uncut[power] = start..start + page;
        }
        let block = self.uncut[power].start;
        self.uncut[power].start += bytes;
        Some(block)
    }

    /// # Safety
    ///
    /// 1. `block` is a live block of `bytes` bytes, a power of two, and no longer used by its owner.
    unsafe fn free(&mut self, block: usize, bytes: usize) {
        let head = &mut self.free[bytes.trailing_zeros() as usize];
        // SAFETY: by obligation 1 the block's bytes, at least a word and aligned for one, are ours.
        unsafe { *(block as *mut usize) = *head };
        *head = block;
        self.allocated -= bytes;
    }
}

// SAFETY: a block is 2^k bytes of a mapping of ours, at least as many and as aligned as the layout
// asks for, and is on a free list or live, never both.
unsafe impl GlobalAlloc for PowersOfTwo {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::block_bytes(layout)
            .and_then(|bytes| self.state.with(|state| state.allocate(bytes, layout.align())))
            .map_or(std::ptr::null_mut(), |address| address as *mut u8)
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        if let Some(bytes) = Self::block_bytes(layout) {
            // SAFETY: 1. the caller gives back a live block of this layout, hence of these bytes.
            self.state.with(|state| unsafe { state.free(ptr as usize, bytes) });
        }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller promises that `new_size` is valid with this alignment.
        let new = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
        if Self::block_bytes(new) == Self::block_bytes(layout) {
            return ptr;
        }
        // SAFETY: the caller's obligations are those of `move_block`.
        unsafe { super::move_block(self, ptr, layout, new_size) }
    }
}

// SAFETY:
// 1. See the implementation above.
// 2. A block owns all its 2^k bytes.
unsafe impl Subject for PowersOfTwo {
    fn describe(&self) -> Description {
        super::describe("powers-of-two")
    }

    unsafe fn usable_size(&self, _ptr: *mut u8, layout: Layout) -> Option<usize> {
        Self::block_bytes(layout)
    }

    fn regions(&self) -> Option<Vec<Range<usize>>> {
        self.state.with(|state| state.region.range()).map(|range| vec![range])
    }

    /// Free blocks one by one, for two neighbours never serve a larger request, and what is still
    /// uncut of pages cut for a power.
    fn for_each_free_range(&self, visit: &mut dyn FnMut(Range<usize>)) -> bool {
        self.state.with(|state| {
            for power in 0..POWERS {
                let mut block = state.free[power];
                while block != 0 {
                    visit(block..block + (1 << power));
                    // SAFETY: invariant 1.
                    block = unsafe { *(block as *const usize) };
                }
                if !state.uncut[power].is_empty() {
                    visit(state.uncut[power].clone());
                }
            }
        });
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
