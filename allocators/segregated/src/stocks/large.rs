//! Large blocks of the process heap: the slot, and what lies behind it.

use core::alloc::Layout;
use core::ptr::{self, NonNull};

use super::life::thread;
use super::zero;
use super::{STOCKS, Stocks, with};
use crate::class::{CLASSES, FRAME};
use crate::large::{self, frames_of};
use crate::process::HEAP;
use crate::resident::Grown;

/// A large block; null where the system has no more.
///
/// Where requests are sampled it is more code than compilers put in the place of every call, and that would keep the path of
/// small blocks from being there too.
#[cfg_attr(not(feature = "profile"), inline(always))]
#[cfg_attr(feature = "profile", inline(never))]
pub(crate) fn take_large(layout: Layout) -> *mut u8 {
    with(|stocks| take_large_in(stocks, layout))
}

/// [`take_large`] with the thread's own `stocks` at hand.
#[inline(always)]
pub(crate) fn take_large_in(stocks: &Stocks, layout: Layout) -> *mut u8 {
    take_large_for(stocks, layout, layout)
}

/// [`take_large_in`] that counts as a request for `asked`.
#[inline(always)]
pub(crate) fn take_large_for(stocks: &Stocks, layout: Layout, asked: Layout) -> *mut u8 {
    let block = match stocks.slot.take_same(layout) {
        Some(block) => block,
        None => take_other(stocks, layout),
    };
    count(stocks, block, asked)
}

/// A large block, which the slot has not or with another length.
#[inline(never)]
fn take_other(stocks: &Stocks, layout: Layout) -> *mut u8 {
    match stocks.slot.take(layout) {
        Some(block) => block,
        None => take_slow(stocks, layout).0,
    }
}

/// Counts a large request that got `block`, and answers it.
#[inline(always)]
pub(super) fn count(stocks: &Stocks, block: *mut u8, layout: Layout) -> *mut u8 {
    #[cfg(feature = "profile")]
    if stocks.counts(layout.size()) {
        return super::sampled::look_at_large(stocks, block, layout);
    }
    let _ = (stocks, layout);
    block
}

/// Has the profiler know that a large block is freed, or becomes another.
#[inline]
pub(super) fn forget(block: NonNull<u8>) {
    #[cfg(feature = "profile")]
    crate::profile::sampled::forget_large(block);
    let _ = block;
}

/// A large block, zeroed.
#[inline(never)]
pub(crate) fn take_large_zeroed(layout: Layout) -> *mut u8 {
    STOCKS.with(|stocks| take_large_zeroed_in(stocks, layout))
}

/// [`take_large_zeroed`] with the thread's own `stocks` at hand.
#[inline]
pub(crate) fn take_large_zeroed_in(stocks: &Stocks, layout: Layout) -> *mut u8 {
    take_large_zeroed_for(stocks, layout, layout)
}

/// [`take_large_zeroed_in`] that counts as a request for `asked`.
#[inline(always)]
pub(crate) fn take_large_zeroed_for(stocks: &Stocks, layout: Layout, asked: Layout) -> *mut u8 {
    let slot = &stocks.slot;
    if let Some(block) = slot.take(layout) {
        // SAFETY: 1. a block holds its layout, and is this thread's.
        let dense = unsafe { zero::clear(block, layout.size(), slot.dense.get(), &slot.habit) };
        // SAFETY: 1. as above.
        unsafe { slot.note_zeroed(layout.size(), dense) };
        // Of what is behind a block that is shorter nothing is known.
        slot.dense.set(dense && frames_of(layout.size()) * FRAME == slot.len());
        return count(stocks, block, asked);
    }
    let (block, zero) = take_slow(stocks, layout);
    if !zero && !block.is_null() {
        // SAFETY: 1. as above.
        unsafe { zero::clear(block, layout.size(), false, &slot.habit) };
    }
    count(stocks, block, asked)
}

/// A large block that the slot has not, and whether it is zero.
#[cold]
#[inline(never)]
fn take_slow(stocks: &Stocks, layout: Layout) -> (*mut u8, bool) {
    // The new block may well be cut from it.
    stocks.slot.give();
    match HEAP.take_large(layout) {
        Ok((block, zero, grown)) => {
            make_up(stocks, grown);
            (block.as_ptr(), zero)
        }
        Err(_) => (ptr::null_mut(), false),
    }
}

/// Takes a large block back.
///
/// # Safety
///
/// 1. `block` is a live block of the process heap for `layout`, which is large.
#[inline(always)]
pub(crate) unsafe fn put_large(block: NonNull<u8>, layout: Layout) {
    // SAFETY: 1. the caller's.
    with(|stocks| unsafe { put_large_in(stocks, block, layout) });
}

/// [`put_large`] with the thread's own `stocks` at hand.
///
/// # Safety
///
/// 1. As there.
#[inline(always)]
pub(crate) unsafe fn put_large_in(stocks: &Stocks, block: NonNull<u8>, layout: Layout) {
    if !stocks.slot.put(block.as_ptr(), layout) {
        // SAFETY: 1. the caller's.
        unsafe { put_slow(stocks, block, layout) };
    }
}

/// Takes a large block back that this thread lent, if it is the one: no table has to be asked for its length.
///
/// # Safety
///
/// 1. `block` is a live block of the process heap.
#[inline(always)]
pub(crate) unsafe fn put_lent_in(stocks: &Stocks, block: NonNull<u8>) -> bool {
    stocks.slot.put_lent(block.as_ptr())
}

/// # Safety
///
/// 1. As for [`put_large`].
#[cold]
#[inline(never)]
unsafe fn put_slow(stocks: &Stocks, block: NonNull<u8>, layout: Layout) {
    let slot = &stocks.slot;
    slot.check(block.as_ptr());
    forget(block);
    let kept = thread(stocks).is_some_and(|_| {
        let expected = slot.expects(block.as_ptr(), layout);
        let len = if expected { slot.len() } else { large::usable(layout, HEAP.granule()) };
        if expected {
            HEAP.tick_used(len);
        }
        let (in_spans, in_slots) = HEAP.idle_outside();
        if in_spans + in_slots - slot.len().min(in_slots) + len > HEAP.limit() {
            return false;
        }
        HEAP.check_large(block, layout);
        if !expected {
            slot.give();
            HEAP.tick();
        }
        slot.keep(block, layout, len);
        true
    });
    if !kept {
        slot.settle();
        // SAFETY: 1. the caller's.
        unsafe { HEAP.put_large(block, layout) };
    }
}

/// See `Central::resize_large`.
///
/// # Safety
///
/// 1. and 2. as there.
#[inline(never)]
pub(crate) unsafe fn resize_large(
    block: NonNull<u8>,
    layout: Layout,
    new: Layout,
) -> Option<NonNull<u8>> {
    // SAFETY: 1. and 2. the caller's.
    STOCKS.with(|stocks| unsafe { resize_large_in(stocks, block, layout, new) })
}

/// [`resize_large`] with the thread's own `stocks` at hand.
///
/// # Safety
///
/// 1. and 2. as there.
#[inline]
pub(crate) unsafe fn resize_large_in(
    stocks: &Stocks,
    block: NonNull<u8>,
    layout: Layout,
    new: Layout,
) -> Option<NonNull<u8>> {
    // SAFETY: 1. and 2. the caller's.
    unsafe { resize_large_for(stocks, block, layout, new, new) }
}

/// [`resize_large_in`] that counts as a request for `asked`.
///
/// # Safety
///
/// 1. and 2. as there.
#[inline(always)]
pub(crate) unsafe fn resize_large_for(
    stocks: &Stocks,
    block: NonNull<u8>,
    layout: Layout,
    new: Layout,
    asked: Layout,
) -> Option<NonNull<u8>> {
    forget(block);
    let slot = &stocks.slot;
    if slot.resize(block.as_ptr(), layout, new) {
        count(stocks, block.as_ptr(), asked);
        return Some(block);
    }
    slot.check(block.as_ptr());
    slot.settle_at(block.as_ptr());
    // SAFETY: 1. and 2. the caller's.
    let (block, grown) = unsafe { HEAP.resize_large(block, layout, new) }?;
    count(stocks, block.as_ptr(), asked);
    if grown.bytes != 0 {
        make_up(stocks, grown);
    }
    Some(block)
}

/// Makes up for a large block's new memory above the high mark.
fn make_up(stocks: &Stocks, grown: Grown) {
    if grown.bytes != 0 {
        // SAFETY: as in `thread`.
        if let Some(thread) = unsafe { stocks.state.thread.get().as_mut() } {
            thread.trim_near_peak(CLASSES, grown);
        }
    }
    HEAP.make_up(CLASSES, grown);
}
