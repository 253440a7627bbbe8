//! What measures against misuse (`hardened`) need of a thread's stocks.

use core::alloc::Layout;
use core::ptr::NonNull;

use strata_core::sync::Ordering;

use super::{Stocks, large, life, thread};

/// Whether the thread has stocks, and so is asked for what it keeps when it ends.
pub(crate) fn are_there(stocks: &Stocks) -> bool {
    life::thread(stocks).is_some()
}

/// Counts a large request that got a block which had waited.
pub(crate) fn count_large(stocks: &Stocks, block: *mut u8, layout: Layout) {
    large::count(stocks, block, layout);
}

/// Has the profiler know that a large block was freed, which waits.
pub(crate) fn forget_large(block: NonNull<u8>) {
    large::forget(block);
}

/// Memory for a thread's own use; see `Ground::take_scrap`.
pub(crate) fn take_scrap(len: usize) -> Option<NonNull<u8>> {
    thread::take_scrap(len)
}

/// Gives such memory back.
///
/// # Safety
///
/// 1. `at` is from [`take_scrap`] for the same `len`, and nobody uses it any more.
pub(crate) unsafe fn give_scrap(at: NonNull<u8>, len: usize) {
    // SAFETY: 1. the caller's.
    unsafe { thread::give_scrap(at, len) }
}

/// Draws which of the last few blocks of a stock goes out next.
#[inline(always)]
pub(crate) fn mix(stocks: &Stocks, class: usize) {
    const AMONG: u64 = 8;
    let top = stocks.tops[class].load(Ordering::Relaxed);
    let (mut place, mut down) = (top, stocks.here.random() % AMONG);
    // SAFETY: a top is in the stock's array, which has a null below its oldest block, or the null of
    // everybody's; below a block there is another, or null; both places hold blocks when they are swapped.
    unsafe {
        while down != 0 && !(*place).is_null() {
            place = place.sub(1);
            down -= 1;
        }
        if !(*place).is_null() {
            top.swap(place);
        }
    }
}
