//! The subject that does nothing: what remains is the instrument.

use super::super::{Description, Subject};
use std::alloc::{GlobalAlloc, Layout};
use std::ops::Range;
use std::ptr::without_provenance_mut;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Where the addresses lie: a constant, so that making one needs no base in memory.
const WINDOW: Range<usize> = 16 << 40..17 << 40;

/// Hands out addresses that nobody may touch, downwards through a window of 1 TiB, round and round.
///
/// Known answer: no memory, and a handful of instructions for an allocation, none for a free. Two
/// threads may be given the same address; nothing follows from it, since nothing is there.
#[derive(Debug)]
pub struct Noop {
    /// The lowest address given out, counted from the window's start. Counting down to 0 makes the
    /// end of the window the sign of a difference, and 0 itself the state before the first call.
    lowest: AtomicUsize,
}

impl Noop {
    /// A no-op that has given out nothing.
    pub const fn new() -> Self {
        Self { lowest: AtomicUsize::new(0) }
    }

    #[inline(always)]
    fn bump(&self, bytes: usize, align: usize) -> *mut u8 {
        // Relaxed load and store, not one exchange: a lost update only repeats an address that has
        // no memory, and a locked instruction would cost more than all the rest. The difference
        // cannot wrap round to a positive one: no layout is larger than `isize::MAX`.
        let offset = self.lowest.load(Ordering::Relaxed).wrapping_sub(bytes) & align.wrapping_neg();
        if offset.cast_signed() < 0 {
            return self.bump_slow(bytes, align);
        }
        self.lowest.store(offset, Ordering::Relaxed);
        without_provenance_mut(WINDOW.start + offset)
    }

    /// The first call, and once each time round.
    #[cold]
    #[inline(never)]
    fn bump_slow(&self, bytes: usize, align: usize) -> *mut u8 {
        if bytes > WINDOW.len() || align > WINDOW.len() {
            return std::ptr::null_mut();
        }
        reserve();
        let offset = (WINDOW.len() - bytes) & align.wrapping_neg();
        // Relaxed: as above.
        self.lowest.store(offset, Ordering::Relaxed);
        without_provenance_mut(WINDOW.start + offset)
    }
}

/// Takes the window's addresses off the system's hands, so that no mapping of another is taken for
/// one of ours. Where that fails, also because it is done already, nothing depends on it.
fn reserve() {
    // SAFETY: `MAP_FIXED_NOREPLACE` leaves every existing mapping as it is.
    unsafe {
        let address = libc::mmap(
            WINDOW.start as *mut libc::c_void,
            WINDOW.len(),
            libc::PROT_NONE,
            libc::MAP_PRIVATE
                | libc::MAP_ANONYMOUS
                | libc::MAP_NORESERVE
                | libc::MAP_FIXED_NOREPLACE,
            -1,
            0,
        );
        // An old kernel takes the address as a hint and may map elsewhere.
        if address != libc::MAP_FAILED && address as usize != WINDOW.start {
            libc::munmap(address, WINDOW.len());
        }
    }
}

impl Default for Noop {
    fn default() -> Self {
        Self::new()
    }
}

// SAFETY: a deliberately faulty subject as `Subject` allows it: its blocks must not be touched,
// which `TOUCHABLE` says.
unsafe impl GlobalAlloc for Noop {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.bump(layout.size(), layout.align())
    }

    #[inline]
    unsafe fn dealloc(&self, _ptr: *mut u8, _layout: Layout) {}

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        self.bump(layout.size(), layout.align())
    }

    #[inline]
    unsafe fn realloc(&self, _ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        self.bump(new_size, layout.align())
    }
}

// SAFETY:
// 1. Faulty on purpose: see above.
// 2. The usable size promised is the size asked for; no byte of it may be touched.
unsafe impl Subject for Noop {
    const TOUCHABLE: bool = false;

    fn describe(&self) -> Description {
        super::describe("noop")
    }

    unsafe fn usable_size(&self, _ptr: *mut u8, layout: Layout) -> Option<usize> {
        Some(layout.size())
    }

    fn regions(&self) -> Option<Vec<Range<usize>>> {
        Some(vec![WINDOW])
    }
}
