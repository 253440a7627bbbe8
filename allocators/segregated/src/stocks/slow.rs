//! The slow paths: a stock that is empty or full.

use core::ptr;

use super::life::{flush_left, thread};
use super::thread::Thread;
use super::{STOCKS, Stocks, adapt, passed};
#[cfg(not(feature = "measures"))]
use crate::class::FRAME;
use crate::process::{self, HEAP};
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
    #[cfg(feature = "profile")]
    if let Some(block) = thread.take_plain(class) {
        return block;
    }
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
    let (got, grown) = match process::sift(class, passed::take(class, room), room) {
        0 => HEAP.refill(class, room),
        got => (got, Grown::default()),
    };
    if got == 0 {
        // The last resort: what this thread keeps, and spans that are kept without a block.
        thread.flush();
        flush_left(usize::MAX);
        return HEAP.take_one(class);
    }
    // Addresses go up, where the order is not drawn.
    #[cfg(not(feature = "measures"))]
    {
        room[..got].reverse();
        if cold.took <= 1 && room[got - 1].addr().is_multiple_of(FRAME) {
            room[..got].rotate_right(adapt::colour(class, got));
        }
    }
    #[cfg(feature = "measures")]
    crate::hardened::arrange(stocks, &mut room[..got]);
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
        process::flush(class, &[block]);
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
        process::flush(class, &[block]);
        return;
    }
    let len = thread.len(class);
    // SAFETY: below the bound there is room for one more.
    unsafe { *thread.cold[class].base.add(len + 1) = block };
    thread.set(class, len + 1);
}

/// Gives `stocks`, the thread's own, back.
pub(crate) fn flush_in(stocks: &Stocks) {
    #[cfg(feature = "measures")]
    crate::hardened::drain_all(stocks);
    // SAFETY: as in `thread`.
    if let Some(thread) = unsafe { stocks.state.thread.get().as_mut() } {
        thread.flush();
    }
}
