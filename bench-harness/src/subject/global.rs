//! The mode in which the one linked peer is the executable's global allocator.

use super::{Description, OwnFigures, Subject, peers};
use std::alloc::{GlobalAlloc, Layout};
use std::ops::Range;

/// The one linked peer; the system's allocator where there is none.
static THE_ONE: peers::TheOnePeer = peers::TheOnePeer::new();

/// What an executable with feature `global` names in its `#[global_allocator]`: the one linked
/// peer, inlinable as if it were named itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct GlobalPeer;

peers::forward!(GlobalPeer, self => &THE_ONE);

/// The subject that calls `std::alloc` as every program does, through the symbols that the compiler
/// makes of `#[global_allocator]`. Its name, version and hooks are the one linked peer's.
#[derive(Clone, Copy, Debug, Default)]
pub struct GlobalSubject;

// SAFETY: `std::alloc`'s functions are the global allocator's methods, with the same obligations.
unsafe impl GlobalAlloc for GlobalSubject {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's obligations are those of the function called.
        unsafe { std::alloc::alloc(layout) }
    }

    #[inline]
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { std::alloc::dealloc(ptr, layout) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        unsafe { std::alloc::alloc_zeroed(layout) }
    }

    #[inline]
    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: as above.
        unsafe { std::alloc::realloc(ptr, layout, new_size) }
    }
}

// SAFETY: both obligations are kept by the peer, whose blocks these are in an executable whose
// `#[global_allocator]` is `GlobalPeer`.
unsafe impl Subject for GlobalSubject {
    const TOUCHABLE: bool = peers::TheOnePeer::TOUCHABLE;

    fn describe(&self) -> Description {
        THE_ONE.describe()
    }

    unsafe fn usable_size(&self, ptr: *mut u8, layout: Layout) -> Option<usize> {
        // SAFETY: 1. by the same obligation.
        unsafe { THE_ONE.usable_size(ptr, layout) }
    }

    fn purge(&self) -> bool {
        THE_ONE.purge()
    }

    fn regions(&self) -> Option<Vec<Range<usize>>> {
        THE_ONE.regions()
    }

    fn for_each_free_range(&self, visit: &mut dyn FnMut(Range<usize>)) -> bool {
        THE_ONE.for_each_free_range(visit)
    }

    fn figures(&self) -> OwnFigures {
        THE_ONE.figures()
    }
}
