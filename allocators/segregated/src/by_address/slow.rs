//! What is not done at once: the tables say what stands at an address, and whether it can be a block's.

use core::alloc::Layout;
use core::ptr::{self, NonNull};

use strata_core::{Source, misuse};

use super::{ByAddress, layout_of, take};
use crate::class::{self, FRAME};
use crate::hardened;
use crate::large;
use crate::process::HEAP;
#[cfg(feature = "profile")]
use crate::profile::sampled;
use crate::region::Use;
use crate::span::{PLACE_BITS, SpanId};
use crate::stocks::{self, Stocks};

/// What an address was found to be.
pub(super) enum Found {
    Block {
        class: usize,
        span: SpanId,
    },
    /// A small block that the profiler sampled.
    #[cfg(feature = "profile")]
    Sample {
        class: usize,
    },
    Run {
        frames: usize,
    },
    Chunk {
        len: usize,
    },
}

impl Found {
    fn is_large(&self) -> bool {
        matches!(self, Self::Run { .. } | Self::Chunk { .. })
    }

    /// A layout that a large block has: as the tables know it, not as it was asked for.
    pub(super) fn layout(&self) -> Layout {
        let (len, align) = match *self {
            Self::Block { class, .. } => (class::cut(class).block_len(), 1),
            #[cfg(feature = "profile")]
            Self::Sample { class } => (class::cut(class).block_len(), 1),
            Self::Run { frames } => (frames * FRAME, 1),
            Self::Chunk { len } => (len, 1),
        };
        // SAFETY: powers of two, and the length of a block that there is.
        unsafe { Layout::from_size_align_unchecked(len, align) }
    }
}

/// What stands at an address that was said to be a block's. Stops the process where no block can.
pub(super) fn find(block: NonNull<u8>) -> Found {
    let address = block.addr().get();
    let Some((number, frame)) = HEAP.territories.locate(address) else {
        #[cfg(feature = "profile")]
        if let Some(class) = sampled::class_at(address) {
            return Found::Sample { class };
        }
        return match HEAP.ground.with(|ground| ground.large.len_at(block)) {
            Some(len) => Found::Chunk { len },
            None => misuse::stop("an address was freed or resized that is not of this heap"),
        };
    };
    // SAFETY: as in `super::quick_class`.
    match unsafe { HEAP.territories.get(number).tenant(frame) }.get() {
        Use::Span { class, place } => {
            let span = (number as SpanId) << PLACE_BITS | place;
            Found::Block { class: class.into(), span }
        }
        Use::Run { frames, .. } if address.is_multiple_of(FRAME) => {
            Found::Run { frames: frames as usize }
        }
        _ => misuse::stop("an address was freed or resized that is no block's"),
    }
}

/// Whether a block of a span begins at an address.
fn begins(block: NonNull<u8>, class: usize, span: SpanId) -> bool {
    // SAFETY: a span with a live block, as was said, whose base does not change; only this field is
    // read.
    let base = unsafe { (*HEAP.territories.span(span).as_ptr()).base };
    let offset = block.addr().get().wrapping_sub(base.addr().get());
    class::cut(class).number_of(offset).is_some()
}

/// What [`ByAddress::free`] does where it is not done at once. Of C's ABI, which says that it does not
/// unwind: a caller of that ABI then jumps here.
///
/// # Safety
///
/// 1. `block` is null, or a live block of the process heap.
#[inline(never)]
pub(super) unsafe extern "C" fn free_slow(block: *mut u8, stocks: &Stocks) {
    let Some(at) = NonNull::new(block) else { return };
    // SAFETY: 1. the caller's.
    if unsafe { stocks::put_lent_in(stocks, at) } {
        return;
    }
    match find(at) {
        #[cfg(feature = "profile")]
        Found::Sample { class } => sampled::put(class, block),
        Found::Block { class, .. } if cfg!(feature = "checked") => {
            HEAP.flush(class, &[block]);
        }
        Found::Block { class, .. } => {
            if stocks.newest(class) == block {
                misuse::stop("a block was freed twice");
            }
            // SAFETY: 1. the caller's, here and there.
            unsafe {
                let slow = || stocks::put_slow_in(stocks, class, block);
                stocks::put_into(stocks, class, block, slow);
            }
        }
        found => {
            debug_assert!(match found {
                Found::Chunk { len } => large::usable(found.layout(), HEAP.source.granule()) == len,
                _ => true,
            });
            // SAFETY: 1. the caller's, by the layout that the tables have.
            unsafe { stocks::put_large_in(stocks, at, found.layout()) }
        }
    }
}

/// As [`free_slow`], for blocks whose size was said.
///
/// # Safety
///
/// 1. `block` is null, or a live block of the process heap.
#[inline(never)]
pub(super) unsafe extern "C" fn free_sized_slow(
    block: *mut u8,
    size: usize,
    align: usize,
    stocks: &Stocks,
) {
    if hardened::ON {
        let said = layout_of(size, align);
        if said.is_none() && !block.is_null() {
            misuse::stop("a block was freed with another size or alignment than it has");
        }
        // SAFETY: 1. the caller's.
        return unsafe { hardened::by_address::free(stocks, block, said) };
    }
    let Some(at) = NonNull::new(block) else { return };
    let layout = layout_of(size, align);
    match (find(at), layout, layout.and_then(class::class_of)) {
        // SAFETY: 1. the caller's.
        (Found::Block { class, .. }, _, Some(said)) if class == said.index() => unsafe {
            free_slow(block, stocks);
        },
        #[cfg(feature = "profile")]
        (Found::Sample { class }, _, Some(said)) if class == said.index() => {
            sampled::put(class, block);
        }
        (Found::Run { .. } | Found::Chunk { .. }, Some(layout), None) => {
            // SAFETY: 1. the caller's; its length is checked there.
            unsafe { stocks::put_large_in(stocks, at, layout) };
        }
        _ => misuse::stop("a block was freed with another size or alignment than it has"),
    }
}

/// What [`ByAddress::reallocate`] does where the block's class is not that of the size.
///
/// # Safety
///
/// 1. `block` is null, or a live block of the process heap.
#[inline(never)]
pub(super) unsafe extern "C" fn reallocate_slow(
    block: *mut u8,
    size: usize,
    stocks: &Stocks,
) -> *mut u8 {
    let heap = ByAddress(stocks);
    let Some(at) = NonNull::new(block) else { return heap.allocate(size) };
    let found = find(at);
    let old = found.layout();
    if let Found::Block { class, span } = found {
        if stocks::was_just_put(stocks, class, block) {
            misuse::stop("a block was resized that had been freed");
        }
        if !begins(at, class, span) {
            misuse::stop("an address was resized that is not where a block begins");
        }
    }
    #[cfg(feature = "profile")]
    if let Found::Sample { class } = found {
        let new = layout_of(size, 1).and_then(class::class_of);
        if new.is_some_and(|new| new.index() == class) {
            return block;
        }
    }
    let mut to = heap.allocate_at_hand(size);
    if to.is_null() {
        let Some(layout) = layout_of(size, 1) else { return ptr::null_mut() };
        let new_class = class::class_of(layout);
        if let Found::Block { class, .. } = found {
            if new_class.is_some_and(|new| new.index() == class) {
                return block;
            }
        } else if new_class.is_none()
            && found.is_large()
            && let Ok(new) = Layout::from_size_align(size, old.align())
        {
            // SAFETY: 1. the caller's, by the layout that the tables have. 2. above.
            if let Some(block) = unsafe { stocks::resize_large_in(stocks, at, old, new) } {
                return block.as_ptr();
            }
        }
        to = take(stocks, layout);
    }
    if !to.is_null() {
        // SAFETY: two blocks, of so many bytes each. 1. the caller's.
        unsafe {
            to.copy_from_nonoverlapping(block, old.size().min(size));
            heap.free(block);
        }
    }
    to
}
