//! The sound allocator under the mutants: powers of two with a free list each, over one region.
//!
//! ```text
//! region ──► span of 64-byte blocks │ span of 16-byte blocks │ one block of 1 MiB │ …  unused
//! map    ──► a bit for every 16 bytes of the region: whether a live block starts there
//! ```
//!
//! A block's class is a function of its layout alone, so there are no headers, blocks are aligned to
//! their class, and the block right behind one of class `c` starts `c` bytes on.

use std::alloc::Layout;
use std::ops::Range;
use std::ptr::null_mut;

/// Address space of one base; memory is only taken where blocks are used.
const REGION: usize = 16 << 30;
/// The smallest block, and the grain of the map of live blocks.
const GRAIN: usize = 16;
/// Blocks below this size are cut from spans of it.
const SPAN: usize = 64 << 10;
const CLASSES: usize = usize::BITS as usize;

/// One size class.
#[derive(Clone, Copy, Debug)]
struct Class {
    /// The first free block; each holds the next one's address in its first word.
    free: *mut u8,
    /// The unused rest of the current span.
    rest: *mut u8,
    /// Bytes in it.
    left: usize,
}

/// A sound allocator, without a lock.
///
/// # Invariants
///
/// 1. `region` is null, or `REGION` bytes of zeroed private memory of our own, of which the first
///    `used` were given to classes and the others never written; `map` is its bit map.
/// 2. The free lists and rests hold disjoint blocks of the region that nobody else uses.
#[derive(Debug)]
pub(super) struct Base {
    region: *mut u8,
    map: *mut u8,
    used: usize,
    classes: [Class; CLASSES],
}

// SAFETY: the memory belongs to the value, not to a thread.
unsafe impl Send for Base {}

/// A block and whether it was in use before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Given {
    pub(super) ptr: *mut u8,
    pub(super) reused: bool,
}

/// Bytes of the blocks that serve `layout`.
pub(super) fn class_bytes(layout: Layout) -> usize {
    // No layout is larger than isize::MAX, so this power of two exists.
    layout.size().max(layout.align()).max(GRAIN).next_power_of_two()
}

/// New zeroed memory, of which only what is touched is taken; null where the system refuses.
pub(super) fn map_memory(bytes: usize) -> *mut u8 {
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    // SAFETY: a private anonymous mapping at an address of the system's choice touches nothing.
    let ptr = unsafe { libc::mmap(null_mut(), bytes, protection, flags, -1, 0) };
    if ptr == libc::MAP_FAILED { null_mut() } else { ptr.cast() }
}

impl Base {
    pub(super) const fn new() -> Self {
        let class = Class { free: null_mut(), rest: null_mut(), left: 0 };
        Self { region: null_mut(), map: null_mut(), used: 0, classes: [class; CLASSES] }
    }

    /// The addresses that all blocks lie in. `None` where the system has no such room.
    pub(super) fn region(&mut self) -> Option<Range<usize>> {
        if self.region.is_null() {
            let map = map_memory(REGION / GRAIN / 8);
            let region = map_memory(REGION);
            if map.is_null() || region.is_null() {
                return None;
            }
            (self.map, self.region) = (map, region);
        }
        Some(self.region.addr()..self.region.addr() + REGION)
    }

    /// A block for `layout`: zero where it was not reused.
    pub(super) fn allocate(&mut self, layout: Layout) -> Option<Given> {
        let bytes = class_bytes(layout);
        let number = bytes.trailing_zeros() as usize;
        let class = &mut self.classes[number];
        let given = if !class.free.is_null() {
            let ptr = class.free;
            // SAFETY: by invariant 2 a free block is ours, and its first word is the next address.
            class.free = unsafe { ptr.cast::<*mut u8>().read() };
            Given { ptr, reused: true }
        } else {
            if class.left < bytes {
                let (rest, left) = self.cut(bytes)?;
                self.classes[number] = Class { free: null_mut(), rest, left };
            }
            let class = &mut self.classes[number];
            let ptr = class.rest;
            // SAFETY: `bytes` of the `left` are behind `rest`; one past the last is still in bounds.
            class.rest = unsafe { ptr.add(bytes) };
            class.left -= bytes;
            Given { ptr, reused: false }
        };
        self.set_live(given.ptr, true);
        Some(given)
    }

    /// Takes a block back.
    ///
    /// # Safety
    ///
    /// 1. `ptr` came from `allocate` of this base for a layout of the same class, and is given up.
    pub(super) unsafe fn deallocate(&mut self, ptr: *mut u8, layout: Layout) {
        debug_assert!(self.is_live(ptr));
        self.set_live(ptr, false);
        let class = &mut self.classes[class_bytes(layout).trailing_zeros() as usize];
        // SAFETY: by obligation 1 the block is ours again, and every block has room for a word.
        unsafe { ptr.cast::<*mut u8>().write(class.free) };
        class.free = ptr;
    }

    /// Whether a live block starts at `ptr`.
    pub(super) fn is_live(&self, ptr: *mut u8) -> bool {
        let Some((index, mask)) = self.map_bit(ptr) else { return false };
        // SAFETY: `map_bit` answers an index inside the map.
        unsafe { self.map.add(index).read() & mask != 0 }
    }

    fn set_live(&mut self, ptr: *mut u8, live: bool) {
        let Some((index, mask)) = self.map_bit(ptr) else { return };
        // SAFETY: `map_bit` answers an index inside the map, which is ours alone.
        unsafe {
            let byte = self.map.add(index);
            byte.write(if live { byte.read() | mask } else { byte.read() & !mask });
        }
    }

    /// Where the map has the bit of a block that starts at `ptr`.
    fn map_bit(&self, ptr: *mut u8) -> Option<(usize, u8)> {
        let offset = ptr.addr().checked_sub(self.region.addr())?;
        let usual = !self.region.is_null() && offset < REGION && offset.is_multiple_of(GRAIN);
        usual.then_some((offset / GRAIN / 8, 1 << (offset / GRAIN % 8)))
    }

    /// A new span for blocks of `bytes`, aligned to them.
    fn cut(&mut self, bytes: usize) -> Option<(*mut u8, usize)> {
        let region = self.region()?;
        let start = (region.start + self.used).checked_next_multiple_of(bytes)?;
        let length = bytes.max(SPAN);
        let end = start.checked_add(length).filter(|&end| end <= region.end)?;
        self.used = end - region.start;
        // SAFETY: the offset is below `REGION`.
        Some((unsafe { self.region.add(start - region.start) }, length))
    }
}

impl Drop for Base {
    fn drop(&mut self) {
        for (ptr, bytes) in [(self.region, REGION), (self.map, REGION / GRAIN / 8)] {
            if !ptr.is_null() {
                // SAFETY: by invariant 1 the mapping is ours, and whoever drops the base has no
                // block of it left.
                unsafe { libc::munmap(ptr.cast(), bytes) };
            }
        }
    }
}
