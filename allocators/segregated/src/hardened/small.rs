//! Blocks that have a class.

use strata_core::misuse;

use super::{CANARIES, QUARANTINE, WORD, ZERO, put_plain, quarantine, seal, take_plain};
use crate::class;
use crate::stocks::{self, Stocks};

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

/// [`take`] of what the thread has at hand; null where it has not.
#[inline(always)]
pub(super) fn take_at_hand(stocks: &Stocks, class: usize, size: usize) -> *mut u8 {
    let block = stocks::take_from(stocks, class, core::ptr::null_mut);
    if CANARIES && !block.is_null() {
        // SAFETY: 1. as in `take`.
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
        check_aligned(block);
        // SAFETY: 1. the caller's; a multiple of 8, as all lengths are. Where the caller is wrong, a word is
        // read that is no block's, or is not there.
        unsafe {
            seal::break_seal(block, len, size);
        }
    }
    // SAFETY: 1. the caller's: nobody's any more.
    unsafe {
        if QUARANTINE {
            return quarantine::keep(stocks, class, block, len);
        }
        if ZERO {
            fill(block, len);
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

/// Bytes that are filled and looked at together.
const STEP: usize = 16;
const SHORT: u64 = u64::from_ne_bytes([POISON; 8]);

/// Fills a freed block.
///
/// # Safety
///
/// 1. `block` has `len` bytes of the caller's.
#[inline(always)]
pub(super) unsafe fn fill(block: *mut u8, len: usize) {
    // SAFETY: 1. the caller's.
    unsafe { block.write_bytes(POISON, len - WORD) };
}

/// Fills a step of a block. Answers what differs from poison in the same step of another one.
///
/// # Safety
///
/// 1. Behind `at` both have [`STEP`] bytes.
#[inline(always)]
unsafe fn fill_step(block: *mut u8, other: *mut u8, at: usize) -> u64 {
    // SAFETY: 1. the caller's.
    unsafe {
        block.add(at).cast::<[u64; 2]>().write_unaligned([SHORT; 2]);
        let [low, high] = other.add(at).cast::<[u64; 2]>().read_unaligned();
        (low ^ SHORT) | (high ^ SHORT)
    }
}

/// [`fill`] of a block, and [`check_untouched`] of another one as long: most are short, and then it is done
/// without a call, by steps that may overlap.
///
/// # Safety
///
/// 1. As for both.
#[inline(always)]
pub(super) unsafe fn fill_and_check(block: *mut u8, other: *mut u8, len: usize) {
    let body = len - WORD;
    // SAFETY: 1. the caller's, all: parts of both blocks, whose lengths are multiples of 8.
    unsafe {
        let step = |at| fill_step(block, other, at);
        let differs = if body < STEP {
            if body == 0 {
                0
            } else {
                block.cast::<u64>().write_unaligned(SHORT);
                other.cast::<u64>().read_unaligned() ^ SHORT
            }
        } else if body <= 4 * STEP {
            let middle = STEP.min(body - STEP);
            step(0) | step(middle) | step(body - STEP - middle) | step(body - STEP)
        } else if body <= 8 * STEP {
            let first = step(0) | step(STEP) | step(2 * STEP) | step(3 * STEP);
            let end = body - STEP;
            first | step(end - 3 * STEP) | step(end - 2 * STEP) | step(end - STEP) | step(end)
        } else {
            block.write_bytes(POISON, body);
            return check_untouched(other, len);
        };
        if differs != 0 || CANARIES && !seal::is_unsealed(other, len) {
            written();
        }
    }
}

/// Stops the process where a block was written after it had been freed.
///
/// # Safety
///
/// 1. `block` has `len` bytes, and was filled.
pub(super) unsafe fn check_untouched(block: *mut u8, len: usize) {
    // SAFETY: 1. the caller's, here and there.
    unsafe {
        if !is_filled(block, len - WORD) || CANARIES && !seal::is_unsealed(block, len) {
            written();
        }
    }
}

/// Whether all of some bytes are poison.
///
/// # Safety
///
/// 1. At `at`, a multiple of 8, there are `len` bytes, a multiple of 8, that were written once and are the
///    caller's alone.
pub(super) unsafe fn is_filled(at: *mut u8, len: usize) -> bool {
    // SAFETY: 1. the caller's. Who still writes there is who is looked for.
    let words = unsafe { core::slice::from_raw_parts(at.cast::<u64>(), len / size_of::<u64>()) };
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    if len >= WIDE && std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has what it is compiled for.
        return unsafe { are_poison_wide(words) };
    }
    are_poison(words)
}

/// Bytes from which on it is asked what the processor has.
#[cfg(all(target_arch = "x86_64", not(miri)))]
const WIDE: usize = 512;

/// [`are_poison`], by the vectors of most processors: a long block is looked at in half the time.
#[cfg(all(target_arch = "x86_64", not(miri)))]
#[target_feature(enable = "avx2")]
fn are_poison_wide(words: &[u64]) -> bool {
    are_poison(words)
}

/// Whether all words are poison.
#[inline(always)]
fn are_poison(words: &[u64]) -> bool {
    /// Words that are looked at together: four of the widest vectors.
    const TOGETHER: usize = 16;
    let (groups, rest) = words.as_chunks::<TOGETHER>();
    let mut differs = [0; TOGETHER];
    for group in groups {
        differs.iter_mut().zip(group).for_each(|(all, word)| *all |= word ^ SHORT);
    }
    let rest = rest.iter().fold(0, |all, word| all | (word ^ SHORT));
    differs.iter().fold(rest, |all, word| all | word) == 0
}

#[cold]
#[inline(never)]
fn written() -> ! {
    misuse::stop("a block was written after it was freed")
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
        unsafe {
            seal::size_of_sealed(block, len, size);
            seal::seal(block, len, new);
        }
    }
}
