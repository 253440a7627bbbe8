//! The slow paths: a stock that is empty or full, and large blocks.

use core::alloc::Layout;
use core::ptr::{self, NonNull};

use strata_core::misuse;
use strata_core::sync::Ordering;

use super::life::{flush_left, thread};
use super::thread::Thread;
use super::{STOCKS, Stocks, adapt, passed};
use crate::class::{CLASSES, FRAME};
use crate::large;
use crate::process::HEAP;
use crate::resident::Grown;

/// A block of `class` where the stock has none; null where the system has no more.
#[cold]
#[inline(never)]
pub(crate) fn take_slow(class: usize) -> *mut u8 {
    STOCKS.with(|stocks| take_slow_in(stocks, class))
}

/// Takes a block of `class` back where the stock has no room.
///
/// # Safety
///
/// 1. `block` is a live block of the process heap, of that class.
#[cold]
#[inline(never)]
pub(crate) unsafe fn put_slow(class: usize, block: *mut u8) {
    // SAFETY: 1. the caller's.
    STOCKS.with(|stocks| unsafe { put_slow_in(stocks, class, block) });
}

/// A large block, and whether it is zero; null where the system has no more.
#[inline(never)]
pub(crate) fn take_large(layout: Layout) -> (*mut u8, bool) {
    STOCKS.with(|stocks| take_large_in(stocks, layout))
}

/// Takes a large block back.
///
/// # Safety
///
/// 1. `block` is a live block of the process heap for `layout`, which is large.
#[inline(never)]
pub(crate) unsafe fn put_large(block: NonNull<u8>, layout: Layout) {
    // SAFETY: 1. the caller's.
    STOCKS.with(|stocks| unsafe { put_large_in(stocks, block, layout) });
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

/// Gives this thread's stocks back.
pub(crate) fn flush_this_thread() {
    STOCKS.with(flush_in);
}

/// [`take_slow`] with the thread's own `stocks` at hand.
#[cold]
#[inline(never)]
pub(crate) fn take_slow_in(stocks: &Stocks, class: usize) -> *mut u8 {
    let Some(thread) = thread(stocks) else {
        return HEAP.take_one(class);
    };
    thread.visit(class, true);
    if thread.len(class) != 0 {
        // Arming the stock made the C library free a block, say.
        let len = thread.len(class);
        let block = thread.blocks(class)[len - 1];
        thread.set(class, len - 1);
        return block;
    }
    let cold = thread.cold[class];
    let want = adapt::refill(cold.bound.into(), cold.took);
    // SAFETY: the array has room for the bound above its null.
    let room = unsafe { core::slice::from_raw_parts_mut(cold.base.add(1), want) };
    room.fill(ptr::null_mut());
    let (got, grown) = match passed::take(class, room) {
        0 => HEAP.refill(class, room),
        got => (got, Grown::default()),
    };
    if got == 0 {
        // The last resort: what this thread keeps, and spans that are kept without a block.
        thread.flush();
        flush_left(usize::MAX);
        return HEAP.take_one(class);
    }
    // The lowest address goes first.
    room[..got].reverse();
    let block = room[got - 1];
    thread.set(class, got - 1);
    thread.trim_near_peak(class, grown);
    HEAP.make_up(class, grown);
    block
}

/// [`put_slow`] with the thread's own `stocks` at hand.
///
/// # Safety
///
/// 1. As there.
#[cold]
#[inline(never)]
pub(crate) unsafe fn put_slow_in(stocks: &Stocks, class: usize, block: *mut u8) {
    let Some(thread) = thread(stocks) else {
        HEAP.flush(class, &[block]);
        return;
    };
    let turn = thread.visit(class, false);
    let bound = |thread: &Thread| usize::from(thread.cold[class].bound);
    if thread.len(class) == bound(thread) {
        thread.pass_on(class, turn);
    }
    if thread.len(class) == bound(thread) && thread.halve(class, turn) {
        // So much is free that some went back: blocks in stocks would pin pages of it.
        thread.trim();
    }
    if bound(thread) == 0 {
        HEAP.flush(class, &[block]);
        return;
    }
    let len = thread.len(class);
    // SAFETY: below the bound there is room for one more.
    unsafe { *thread.cold[class].base.add(len + 1) = block };
    thread.set(class, len + 1);
}

/// [`take_large`] with the thread's own `stocks` at hand.
#[inline]
pub(crate) fn take_large_in(stocks: &Stocks, layout: Layout) -> (*mut u8, bool) {
    if let Some(frames) = large::run_frames(layout) {
        let kept = (|| {
            // SAFETY: as in `thread`.
            let thread = unsafe { stocks.state.thread.get().as_mut() }?;
            let run = NonNull::new(thread.run)?;
            if thread.run_len != frames * FRAME || run.addr().get() % layout.align() != 0 {
                // The new run may well be cut from it.
                thread.put_run();
                return None;
            }
            thread.run = ptr::null_mut();
            // Relaxed: a sum that is right when nobody is counting.
            HEAP.slots.fetch_sub(thread.run_len, Ordering::Relaxed);
            Some(run)
        })();
        if let Some(run) = kept {
            return (run.as_ptr(), false);
        }
    }
    match HEAP.take_large(layout) {
        Ok((block, zero, grown)) => {
            make_up_large(stocks, grown);
            (block.as_ptr(), zero)
        }
        Err(_) => (ptr::null_mut(), false),
    }
}

/// [`put_large`] with the thread's own `stocks` at hand.
///
/// # Safety
///
/// 1. As there.
#[inline]
pub(crate) unsafe fn put_large_in(stocks: &Stocks, block: NonNull<u8>, layout: Layout) {
    let Some(frames) = large::run_frames(layout) else {
        // SAFETY: 1. the caller's.
        return unsafe { HEAP.put_large(block, layout) };
    };
    let len = frames * FRAME;
    let kept = (|| {
        let Some(thread) = thread(stocks) else { return false };
        if thread.run == block.as_ptr() {
            misuse::stop("a large block was freed twice");
        }
        let (in_spans, in_slots) = HEAP.idle_outside();
        if in_spans + in_slots + len > HEAP.limit() {
            return false;
        }
        HEAP.run_at(block, frames);
        thread.put_run();
        HEAP.tick();
        thread.run = block.as_ptr();
        thread.run_len = len;
        // Relaxed: a sum that is right when nobody is counting.
        HEAP.slots.fetch_add(len, Ordering::Relaxed);
        true
    })();
    if !kept {
        // SAFETY: 1. the caller's.
        unsafe { HEAP.put_large(block, layout) };
    }
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
    let (block, grown) = unsafe { HEAP.resize_large(block, layout, new) }?;
    make_up_large(stocks, grown);
    Some(block)
}

/// Makes up for a large block's new memory above the high mark.
fn make_up_large(stocks: &Stocks, grown: Grown) {
    if grown.bytes != 0 {
        // SAFETY: as in `thread`.
        if let Some(thread) = unsafe { stocks.state.thread.get().as_mut() } {
            thread.trim_near_peak(CLASSES, grown);
        }
    }
    HEAP.make_up(CLASSES, grown);
}

/// Gives `stocks`, the thread's own, back.
pub(crate) fn flush_in(stocks: &Stocks) {
    // SAFETY: as in `thread`.
    if let Some(thread) = unsafe { stocks.state.thread.get().as_mut() } {
        thread.flush();
    }
}
