//! Measures against programs that misuse memory, and against those who make them do it.
//!
//! Each measure is a feature by itself; `hardened` is their sum. They lie around the process heap's blocks,
//! of both its faces: what is below neither knows them nor pays for them, and without any of them nothing
//! in here is built.
//!
//! | feature | what is done | file |
//! |---|---|---|
//! | `canaries` | a keyed word behind each block, checked when it is freed or resized | `seal.rs` |
//! | `quarantine` | freed blocks wait, poisoned, and are looked at before they are used again | `quarantine.rs`, `waiting.rs`, `fill.rs` |
//! | `zero-on-free` | a freed block is zeroed | `small.rs`, `large.rs` |
//! | `random-order` | which block comes next is drawn | `here.rs`, `quarantine.rs`, `stocks/watched.rs` |
//! | `guard-pages` | untouchable pages around large blocks, and between regions | `large.rs`, `fences.rs` |
//! | `guard-metadata` | untouchable pages around the heap's tables and stocks | `territory.rs`, `yard.rs` |
//! | `sampled-guards` | one block in some thousand on a page of its own | `sampled.rs` |
//!
//! ```text
//!   small:  │ the program's bytes │ slack, marked │ word │
//!   large:  │ guard │ the program's bytes │ slack, marked │ word │ guard │
//! ```

pub(crate) mod by_address;
#[cfg(feature = "guard-pages")]
mod fences;
mod fill;
mod here;
mod large;
mod quarantine;
mod sampled;
mod seal;
mod shape;
mod small;
mod waiting;

use core::alloc::Layout;
use core::ptr::{self, NonNull};

use crate::class;
use crate::stocks::{self, Stocks};

#[cfg(feature = "guard-pages")]
pub(crate) use fences::commit;
pub(crate) use here::Here;

/// Whether any measure is taken.
pub(crate) const ON: bool = true;
/// Whether the order of blocks is drawn.
const RANDOM: bool = cfg!(feature = "random-order");
const CANARIES: bool = cfg!(feature = "canaries");
const QUARANTINE: bool = cfg!(feature = "quarantine");
const ZERO: bool = cfg!(feature = "zero-on-free");
const GUARDS: bool = cfg!(feature = "guard-pages");
const SAMPLES: bool = cfg!(feature = "sampled-guards");

/// Bytes of a block behind the program's.
pub(crate) const WORD: usize = if CANARIES { size_of::<u64>() } else { 0 };

/// The class of blocks for `layout`; `None` where it gets pages of its own.
#[inline(always)]
fn class_for(layout: Layout) -> Option<usize> {
    let layout = if CANARIES {
        Layout::from_size_align(layout.size().wrapping_add(WORD), layout.align()).ok()?
    } else {
        layout
    };
    class::class_of(layout).map(|class| class.index())
}

/// A block for `layout`; null where the system has no more.
#[inline]
pub(crate) fn take(stocks: &Stocks, layout: Layout) -> *mut u8 {
    if SAMPLES
        && stocks.here.is_sample()
        && let Some(block) = sampled::take(layout)
    {
        return block.as_ptr();
    }
    match class_for(layout) {
        Some(class) => small::take(stocks, class, layout.size()),
        None => large::take(stocks, layout, false),
    }
}

/// [`take`], zeroed.
#[inline]
pub(crate) fn take_zeroed(stocks: &Stocks, layout: Layout) -> *mut u8 {
    if class_for(layout).is_none() {
        return large::take(stocks, layout, true);
    }
    let block = take(stocks, layout);
    if !block.is_null() {
        // SAFETY: a block holds its layout.
        unsafe { block.write_bytes(0, layout.size()) };
    }
    block
}

/// A block for `size` bytes at the alignment of `class`, which is the one for so many and [`WORD`], if the
/// thread has one at hand; null where it has not.
#[inline(always)]
pub(crate) fn take_at_hand(stocks: &Stocks, class: usize, size: usize) -> *mut u8 {
    if SAMPLES || (RANDOM && !QUARANTINE) {
        return none();
    }
    small::take_at_hand(stocks, class, size)
}

/// Takes a block back. Stops the process where it is seen to be none, or was written beyond its end.
///
/// # Safety
///
/// 1. `block` is a live block of the process heap for `layout`.
#[inline]
pub(crate) unsafe fn put(stocks: &Stocks, block: *mut u8, layout: Layout) {
    if SAMPLES && sampled::holds(block) {
        return sampled::put(block, Some(layout.size()));
    }
    // SAFETY: 1. the caller's, here and there; so it is not null.
    unsafe {
        match class_for(layout) {
            Some(class) => small::put(stocks, class, block, Some(layout.size())),
            None => large::put(stocks, NonNull::new_unchecked(block), layout),
        }
    }
}

/// Makes a block hold `new` instead, which has the same alignment; null where the system has no more, and
/// then it is as it was.
///
/// # Safety
///
/// 1. As for [`put`].
pub(crate) unsafe fn resize(
    stocks: &Stocks,
    block: *mut u8,
    layout: Layout,
    new: Layout,
) -> *mut u8 {
    if !(SAMPLES && sampled::holds(block)) {
        // SAFETY: 1. the caller's, here and there; so it is not null.
        let resized = unsafe {
            match (class_for(layout), class_for(new)) {
                (Some(old), Some(class)) if old == class => {
                    small::resize(class, block, Some(layout.size()), new.size());
                    Some(block)
                }
                (None, None) => large::resize(stocks, NonNull::new_unchecked(block), layout, new),
                _ => None,
            }
        };
        if let Some(block) = resized {
            return block;
        }
    }
    let to = take(stocks, new);
    if !to.is_null() {
        // SAFETY: two blocks, of so many bytes each. 1. the caller's.
        unsafe {
            to.copy_from_nonoverlapping(block, layout.size().min(new.size()));
            put(stocks, block, layout);
        }
    }
    to
}

/// Bytes that a block of `layout` would have for the program if it asked for all of them.
pub(crate) fn good_size(layout: Layout) -> usize {
    match class_for(layout) {
        Some(class) => class::cut(class).block_len() - WORD,
        None => large::good_size(layout),
    }
}

/// Gives back what waits on this thread.
pub(crate) fn drain(stocks: &Stocks) {
    if QUARANTINE {
        quarantine::drain(stocks);
    }
}

/// Gives back what waits for the process, too.
pub(crate) fn drain_all(stocks: &Stocks) {
    if QUARANTINE {
        quarantine::drain(stocks);
        waiting::drain(stocks);
    }
}

/// Draws the order of blocks that a stock gets, or turns it round: the last goes out first.
pub(crate) fn arrange(stocks: &Stocks, blocks: &mut [*mut u8]) {
    if !RANDOM {
        return blocks.reverse();
    }
    for left in (2..=blocks.len()).rev() {
        blocks.swap(left - 1, stocks.here.below(left));
    }
}

/// Null, for what cannot be.
fn none() -> *mut u8 {
    ptr::null_mut()
}

/// A block of `class` from below.
#[inline(always)]
fn take_plain(stocks: &Stocks, class: usize, bytes: usize) -> *mut u8 {
    if stocks.counts(bytes) {
        return stocks::take_counted_in(stocks, class, bytes);
    }
    if cfg!(feature = "checked") {
        stocks::are_there(stocks);
        return crate::process::HEAP.take_one(class);
    }
    // What waited comes in a drawn order.
    if RANDOM && !QUARANTINE {
        stocks::mix(stocks, class);
    }
    stocks::take_from(stocks, class, || stocks::take_slow_in(stocks, class))
}

/// Gives a block of `class` back to what is below.
///
/// # Safety
///
/// 1. `block` is a live block of the process heap, of that class.
#[inline(always)]
unsafe fn put_plain(stocks: &Stocks, class: usize, block: *mut u8) {
    if cfg!(feature = "checked") {
        crate::process::flush(class, &[block]);
        return;
    }
    // SAFETY: 1. the caller's, here and there.
    unsafe {
        stocks::put_into(stocks, class, block, || put_plain_slow(stocks, class, block));
    }
}

/// Of C's ABI: see `quarantine::keep`.
///
/// # Safety
///
/// 1. As for [`put_plain`].
#[cold]
#[inline(never)]
unsafe extern "C" fn put_plain_slow(stocks: &Stocks, class: usize, block: *mut u8) {
    // SAFETY: 1. the caller's.
    unsafe { stocks::put_slow_in(stocks, class, block) };
}
