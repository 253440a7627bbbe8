//! The subject that puts 64 bytes before every block.

use super::super::{Description, OwnFigures, Subject};
use super::region::touch;
use super::{GRANULE, Region, Spin, granules};
use std::alloc::{GlobalAlloc, Layout};
use std::ops::Range;

/// Heads of lists of free sizes; sizes below `BUCKETS` granules have one each.
const BUCKETS: usize = 512;

/// The bytes before a block.
#[repr(C, align(16))]
struct Header {
    payload: usize,
    align: usize,
    /// While free: the next block of the same payload and alignment, or 0.
    next_same: usize,
    /// While free and first of its payload and alignment: the first of another one, or 0.
    next_other: usize,
    /// Written, so that a header is as resident as a real one of its size.
    filler: [usize; 4],
}

const HEADER: usize = size_of::<Header>();
static_assertions::const_assert_eq!(HEADER, 64);

/// `[header of 64 bytes][payload rounded up to 16]`, a freed block reused for exactly its own
/// payload and alignment only, last freed first.
///
/// Known answer: headers are 64 bytes for each live block and nothing else counts as one; rounding
/// is size up to 16. Nothing is ever given back, and all pages are touched when they are cut. Free
/// blocks are linked through their headers; the heads of the lists are all the metadata.
pub struct Header64 {
    state: Spin<State>,
}

/// # Invariants
///
/// 1. `free[i]` is 0 or the address of the header of a free block, from which `next_other` and
///    `next_same` lead to free blocks only, or to 0.
struct State {
    region: Region,
    free: [usize; BUCKETS],
    live: usize,
    /// Usable bytes of the live blocks.
    allocated: usize,
}

impl Header64 {
    /// One without memory; it reserves its region at the first allocation.
    pub const fn new() -> Self {
        Self {
            state: Spin::new(State {
                region: Region::new(),
                free: [0; BUCKETS],
                live: 0,
                allocated: 0,
            }),
        }
    }
}

impl Default for Header64 {
    fn default() -> Self {
        Self::new()
    }
}

impl State {
    /// Where the address of the first free block of this payload and alignment is kept, or the end
    /// of the list in which it is not.
    fn find(&mut self, payload: usize, align: usize) -> *mut usize {
        let mut link: *mut usize = &mut self.free[payload / GRANULE % BUCKETS];
        // SAFETY: invariant 1: `link` is a list's head or a field of a free block's header.
        unsafe {
            while *link != 0 {
                let header = *link as *mut Header;
                if (*header).payload == payload && (*header).align == align {
                    break;
                }
                link = &raw mut (*header).next_other;
            }
        }
        link
    }

    fn allocate(&mut self, payload: usize, align: usize) -> Option<usize> {
        let link = self.find(payload, align);
        // SAFETY: invariant 1, and it is kept: the next block of the same kind takes the place of
        // this one in the list of kinds, or the next kind where there is none.
        let header = unsafe {
            let header = *link as *mut Header;
            if header.is_null() {
                self.cut(payload, align)?
            } else {
                let same = (*header).next_same as *mut Header;
                if same.is_null() {
                    *link = (*header).next_other;
                } else {
                    (*same).next_other = (*header).next_other;
                    *link = same as usize;
                }
                header
            }
        };
        let filler = [usize::MAX; 4];
        // SAFETY: the header is that of a block that is neither free nor live: ours alone.
        unsafe { header.write(Header { payload, align, next_same: 0, next_other: 0, filler }) };
        self.live += 1;
        self.allocated += payload;
        Some(header as usize + HEADER)
    }

    fn cut(&mut self, payload: usize, align: usize) -> Option<*mut Header> {
        let bytes = payload.checked_add(HEADER)?;
        let start = self.region.carve(bytes, align, HEADER)?;
        // SAFETY: 1. the range was just carved under the lock.
        unsafe { touch(start, bytes) };
        Some(start as *mut Header)
    }

    /// # Safety
    ///
    /// 1. `block` is a live block and no longer used by its owner.
    unsafe fn free(&mut self, block: usize) {
        let header = (block - HEADER) as *mut Header;
        // SAFETY: by obligation 1 a header that `allocate` wrote lies before the block, and it is
        // ours; invariant 1 is kept as the block takes the place of the first of its kind.
        unsafe {
            let (payload, align) = ((*header).payload, (*header).align);
            let link = self.find(payload, align);
            let first = *link as *mut Header;
            (*header).next_same = first as usize;
            (*header).next_other = if first.is_null() { 0 } else { (*first).next_other };
            *link = header as usize;
            self.live -= 1;
            self.allocated -= payload;
        }
    }
}

// SAFETY: a block is its own range of a mapping of ours, at least as many bytes and as aligned as
// the layout asks for, and is on a free list or live, never both.
unsafe impl GlobalAlloc for Header64 {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let (payload, align) = (granules(layout.size()), layout.align().max(GRANULE));
        self.state
            .with(|state| state.allocate(payload, align))
            .map_or(std::ptr::null_mut(), |address| address as *mut u8)
    }

    unsafe fn dealloc(&self, ptr: *mut u8, _layout: Layout) {
        // SAFETY: 1. the caller gives back a live block of ours.
        self.state.with(|state| unsafe { state.free(ptr as usize) });
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
unsafe impl Subject for Header64 {
    fn describe(&self) -> Description {
        super::describe("header-64")
    }

    unsafe fn usable_size(&self, _ptr: *mut u8, layout: Layout) -> Option<usize> {
        Some(granules(layout.size()))
    }

    fn regions(&self) -> Option<Vec<Range<usize>>> {
        self.state.with(|state| state.region.range()).map(|range| vec![range])
    }

    /// Free blocks one by one with their headers, for two neighbours never serve a larger request.
    fn for_each_free_range(&self, visit: &mut dyn FnMut(Range<usize>)) -> bool {
        self.state.with(|state| {
            for &head in &state.free {
                let mut kind = head as *const Header;
                while !kind.is_null() {
                    let mut header = kind;
                    // SAFETY: invariant 1.
                    unsafe {
                        while !header.is_null() {
                            let start = header as usize;
                            visit(start..start + HEADER + (*header).payload);
                            header = (*header).next_same as *const Header;
                        }
                        kind = (*kind).next_other as *const Header;
                    }
                }
            }
        });
        true
    }

    fn figures(&self) -> OwnFigures {
        self.state.with(|state| OwnFigures {
            allocated: Some(state.allocated as u64),
            metadata: Some((HEADER * state.live) as u64),
            mapped: Some(state.region.carved() as u64),
            ..OwnFigures::default()
        })
    }
}
