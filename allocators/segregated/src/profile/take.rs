//! The way of a request at which a sample is due.

use core::alloc::Layout;
use core::ptr;

use strata_core::sync::Ordering;

use super::LARGE;
use super::capture::{self, MOST};
use super::sampled::SAMPLED;
use super::table::TABLE;
use crate::stocks::Stocks;

/// A block of `class` for `bytes`, from the heap of samples; null where that has no memory, though the
/// request is counted.
#[inline(never)]
pub(crate) fn small(stocks: &Stocks, class: usize, bytes: usize, rate: usize) -> *mut u8 {
    let mut frames = [0; MOST];
    let here = ptr::from_ref(&frames).addr();
    let len = capture::capture(&mut frames, here, stocks.sampling.stack_top());
    let block = SAMPLED.take_one(class);
    let address = (!block.is_null()).then(|| block.addr());
    TABLE.with(|table| table.note(bytes, &frames[..len], address));
    stocks.sampling.go_on(rate);
    block
}

/// Notes the large block that a request got, if it got one.
#[inline(never)]
pub(crate) fn large(stocks: &Stocks, block: *mut u8, layout: Layout, rate: usize) {
    let mut frames = [0; MOST];
    let here = ptr::from_ref(&frames).addr();
    let len = capture::capture(&mut frames, here, stocks.sampling.stack_top());
    let address = (!block.is_null()).then(|| block.addr());
    // Relaxed: whoever frees the block is given it after this. First, so that it is never too low.
    LARGE.fetch_add(1, Ordering::Relaxed);
    let live = TABLE.with(|table| table.note(layout.size(), &frames[..len], address));
    if !live {
        LARGE.fetch_sub(1, Ordering::Relaxed);
    }
    stocks.sampling.go_on(rate);
}
