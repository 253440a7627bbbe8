//! Blocks that have a class.

use strata_core::misuse;

use super::{CANARIES, QUARANTINE, WORD, ZERO, put_plain, quarantine, seal, take_plain};
use crate::class;
use crate::stocks::Stocks;

/// What stands in freed blocks.
pub(super) const POISON: u8 = if ZERO { 0 } else { 0xDF };

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

/// Takes a block of `class` back.
///
/// # Safety
///
/// 1. `block` is a live block of the process heap, of that class, and was taken for `size` bytes where that is
///    known.
#[inline(always)]
pub(super) unsafe fn put(stocks: &Stocks, class: usize, block: *mut u8, size: Option<usize>) {
    let len = class::cut(class).block_len();
    if CANARIES {
        if !block.addr().is_multiple_of(size_of::<u64>()) {
            misuse::stop("an address was freed that is not where a block begins");
        }
        // SAFETY: 1. the caller's. Where it is not so, what is read is memory of the heap, or not there.
        unsafe {
            seal::size_of_sealed(block, len, size);
            seal::unseal(block, len);
        }
    }
    if QUARANTINE || ZERO {
        // SAFETY: 1. the caller's: nobody's any more.
        unsafe { block.write_bytes(POISON, len - WORD) };
    }
    if QUARANTINE {
        quarantine::keep(stocks, class, block);
    } else {
        // SAFETY: 1. the caller's.
        unsafe { put_plain(stocks, class, block) };
    }
}

/// Stops the process where a block was written after it had been freed.
///
/// # Safety
///
/// 1. `block` is a block of `class` that was put into quarantine.
#[inline(always)]
pub(super) unsafe fn check_untouched(class: usize, block: *mut u8) {
    let len = class::cut(class).block_len();
    let words = (len - WORD) / size_of::<u64>();
    // SAFETY: filled when it was put there (1.); blocks lie at multiples of 8.
    let words = unsafe { core::slice::from_raw_parts(block.cast::<u64>(), words) };
    let poison = u64::from_ne_bytes([POISON; 8]);
    let differs = words.iter().fold(0, |all, word| all | (word ^ poison));
    // SAFETY: 1. a block of its class.
    if differs != 0 || CANARIES && !unsafe { seal::is_unsealed(block, len) } {
        misuse::stop("a block was written after it was freed");
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
        let len = class::cut(class).block_len();
        // SAFETY: 1. the caller's.
        unsafe {
            seal::size_of_sealed(block, len, size);
            seal::seal(block, len, new);
        }
    }
}
