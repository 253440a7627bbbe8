//! Requests at which the profiler looks, and blocks in stocks that are samples.

use core::alloc::Layout;

use super::slow::take_slow_in;
use super::thread::Thread;
use super::{STOCKS, Stocks, take_from};
use crate::process::HEAP;
use crate::profile::{self, sampled, take};

/// A block of `class` for a request of `bytes` that [`Stocks::counts`] says somebody has to look at.
#[cold]
#[inline(never)]
pub(crate) fn take_counted(class: usize, bytes: usize) -> *mut u8 {
    STOCKS.with(|stocks| take_counted_in(stocks, class, bytes))
}

/// [`take_counted`] with the thread's own `stocks` at hand.
#[cold]
#[inline(never)]
pub(crate) fn take_counted_in(stocks: &Stocks, class: usize, bytes: usize) -> *mut u8 {
    let block = take_looking(stocks, class, bytes);
    profile::grant(&stocks.sampling);
    block
}

/// A block of `class` that is a sample where one is due.
fn take_looking(stocks: &Stocks, class: usize, bytes: usize) -> *mut u8 {
    if let Some(rate) = stocks.sampling.is_due(bytes) {
        let block = take::small(stocks, class, bytes, rate);
        if !block.is_null() {
            return block;
        }
    }
    if cfg!(feature = "checked") {
        return HEAP.take_one(class);
    }
    take_from(stocks, class, || take_slow_in(stocks, class))
}

/// Has this thread look at its next request whether there is a profile.
pub(crate) fn look() {
    STOCKS.with(|stocks| stocks.sampling.look());
}

/// The same block, which is not null, in a way that the compiler believes: a comparison of its address tells
/// it nothing of the pointer, and a caller's own test for null would stay.
#[inline(always)]
pub(super) fn not_null(block: *mut u8) -> *mut u8 {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    let block = {
        let mut block = block;
        // Without this the assertion would be dropped as known.
        #[expect(
            clippy::pointers_in_nomem_asm_block,
            reason = "the address itself is what matters"
        )]
        // SAFETY: no instruction at all: the register keeps the address, with its provenance.
        unsafe {
            core::arch::asm!(
                "/* {0} */",
                inout(reg) block,
                options(pure, nomem, nostack, preserves_flags)
            );
        }
        block
    };
    // SAFETY: a plain block is above an address, so it is not null.
    unsafe { core::hint::assert_unchecked(!block.is_null()) };
    block
}

/// Has a large request looked at that got `block`, which may be a sample. Answers the block.
#[cold]
#[inline(never)]
pub(super) fn look_at_large(stocks: &Stocks, block: *mut u8, layout: Layout) -> *mut u8 {
    if let Some(rate) = stocks.sampling.is_due(layout.size()) {
        take::large(stocks, block, layout, rate);
        // So that its free comes by the slow way, which looks for samples.
        stocks.slot.settle();
    }
    profile::grant(&stocks.sampling);
    block
}

impl Thread {
    /// The newest block of a stock that is no sample. Those above it are freed to where they came from; that
    /// they were freed is known only now.
    pub(super) fn take_plain(&mut self, class: usize) -> Option<*mut u8> {
        loop {
            let len = self.len(class);
            let block = *self.blocks(class).last()?;
            self.set(class, len - 1);
            if !sampled::holds(block) {
                return Some(block);
            }
            sampled::put(class, block);
        }
    }
}
