//! Blocks that have a class.

use core::hint::assert_unchecked;

use strata_core::misuse;

use super::{CANARIES, QUARANTINE, ZERO, fill, put_plain, quarantine, seal, take_plain};
use crate::class::{self, CLASSES};
use crate::stocks::{self, Stocks};

/// A block of `class` for `size` bytes; null where the system has no more.
#[inline(always)]
pub(super) fn take(stocks: &Stocks, class: usize, size: usize) -> *mut u8 {
    let block = take_plain(stocks, class, size);
    if CANARIES && !block.is_null() {
        // SAFETY: 1. a block of the class, which was chosen for so many bytes and the word.
        unsafe { seal::seal(block, class::cut(class).block_len(), size) };
    }
    block
}

/// [`take`] of what the thread has at hand; null where it has not.
#[inline(always)]
pub(super) fn take_at_hand(stocks: &Stocks, class: usize, size: usize) -> *mut u8 {
    let block = stocks::take_from(stocks, class, core::ptr::null_mut);
    if CANARIES && !block.is_null() {
        // SAFETY: 1. as in `take`. The key is there: a stock has a block only behind `take`, in which this thread sealed one,
        // or behind the free of one that was sealed, by whoever handed it on.
        unsafe { seal::seal_another(block, class::cut(class).block_len(), size) };
    }
    block
}

/// Takes a block of `class` back.
///
/// # Safety
///
/// 1. `block` is a live block of the process heap, of that class, and was taken for `size` bytes where that is
///    known.
#[inline(always)]
pub(super) unsafe fn put(stocks: &Stocks, class: usize, block: *mut u8, size: Option<usize>) {
    // SAFETY: 1. the caller's: a live block has this class, so it is one.
    unsafe { assert_unchecked(class < CLASSES) };
    let len = class::cut(class).block_len();
    if CANARIES {
        check_aligned(block);
        // SAFETY: 1. the caller's; a multiple of 8, as all lengths are. Where the caller is wrong, a word is
        // read that is no block's, or is not there.
        unsafe {
            seal::break_seal(block, len, size);
        }
    }
    // SAFETY: 1. the caller's: nobody's any more.
    unsafe { put_unsealed(stocks, class, block, len) };
}

/// [`put`] of a block whose size was asked for just before, and so was checked.
///
/// # Safety
///
/// 1. As there.
pub(super) unsafe fn put_checked(stocks: &Stocks, class: usize, block: *mut u8) {
    let len = class::cut(class).block_len();
    // SAFETY: 1. the caller's: nobody's any more.
    unsafe {
        if CANARIES {
            seal::unseal(block, len);
        }
        put_unsealed(stocks, class, block, len);
    }
}

/// # Safety
///
/// 1. `block` has `len` bytes, as its class says, and is nobody's any more.
#[inline(always)]
unsafe fn put_unsealed(stocks: &Stocks, class: usize, block: *mut u8, len: usize) {
    // SAFETY: 1. the caller's.
    unsafe {
        if QUARANTINE {
            return quarantine::keep(stocks, class, block, len);
        }
        if ZERO {
            fill::fill(block, len);
        }
        put_plain(stocks, class, block);
    }
}

/// Stops the process where no block can begin, whose word could not even be read there.
#[inline(always)]
pub(super) fn check_aligned(block: *mut u8) {
    if !block.addr().is_multiple_of(size_of::<u64>()) {
        misuse::stop("an address was freed or resized that is not where a block begins");
    }
}

/// Notes that the program has `new` bytes of a block instead of `size`.
///
/// # Safety
///
/// 1. As for [`put`]; the class serves `new` bytes too.
#[inline(always)]
pub(super) unsafe fn resize(class: usize, block: *mut u8, size: Option<usize>, new: usize) {
    if CANARIES {
        check_aligned(block);
        let len = class::cut(class).block_len();
        // SAFETY: 1. the caller's, as in `put`; the class holds `new` bytes and the word.
        unsafe { seal::reseal(block, len, size, new) };
    }
}
