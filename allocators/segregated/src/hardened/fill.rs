//! Freed blocks are filled, and looked at before they are used again.
//!
//! Where a block comes and another one leaves, both is done in one pass: one half waits for the stores, the other for the
//! loads.

use strata_core::misuse;

use super::{CANARIES, WORD, ZERO, seal};

/// What stands in freed blocks.
pub(super) const POISON: u8 = if ZERO { 0 } else { 0xDF };
const SHORT: u64 = u64::from_ne_bytes([POISON; 8]);

/// Bytes that are filled and looked at together.
const STEP: usize = 16;
/// Bytes of a block up to which that is done by such steps, without a call.
const SHORT_BODY: usize = 8 * STEP;
/// Bytes that are filled and looked at together in longer ones: some of the widest vectors.
const STRIDE: usize = 128;

/// Bytes that [`clear`] looks at before it writes: many, so that processors seldom foresee the wrong way.
const PART: usize = 4 * STRIDE;

/// What a stride differs by, for each of its words.
type Differs = [u64; STRIDE / size_of::<u64>()];

const _: () = assert!(STRIDE <= SHORT_BODY);

/// A function that calls another one, which is compiled for the widest vectors that the processor has: what long blocks
/// cost is how many bytes are moved at once.
macro_rules! by_vectors {
    ($(#[$doc:meta])* $sight:vis fn $name:ident($($arg:ident: $type:ty),+) -> $result:ty = $generic:ident) => {
        $(#[$doc])*
        $sight unsafe fn $name($($arg: $type),+) -> $result {
            #[cfg(all(target_arch = "x86_64", not(miri)))]
            {
                #[target_feature(enable = "avx512f")]
                unsafe fn widest($($arg: $type),+) -> $result {
                    // SAFETY: the caller's, all.
                    unsafe { $generic($($arg),+) }
                }
                #[target_feature(enable = "avx2")]
                unsafe fn wide($($arg: $type),+) -> $result {
                    // SAFETY: the caller's, all.
                    unsafe { $generic($($arg),+) }
                }
                if std::arch::is_x86_feature_detected!("avx512f") {
                    // SAFETY: the caller's, all; the processor has what it is compiled for.
                    return unsafe { widest($($arg),+) };
                }
                if std::arch::is_x86_feature_detected!("avx2") {
                    // SAFETY: the caller's, all; the processor has what it is compiled for.
                    return unsafe { wide($($arg),+) };
                }
            }
            // SAFETY: the caller's, all.
            unsafe { $generic($($arg),+) }
        }
    };
}

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

/// Whether blocks of `len` bytes are not filled and looked at by [`fill_and_check`].
#[inline(always)]
pub(super) const fn is_long(len: usize) -> bool {
    len - WORD > SHORT_BODY
}

/// [`fill`] of a block, and [`check_untouched`] of another one as long, by steps that may overlap.
///
/// # Safety
///
/// 1. As for both.
/// 2. They are not [long](is_long).
#[inline(always)]
pub(super) unsafe fn fill_and_check(block: *mut u8, other: *mut u8, len: usize) {
    let body = len - WORD;
    debug_assert!(!is_long(len));
    // SAFETY: 1. and 2. the caller's, all: parts of both blocks, whose lengths are multiples of 8.
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
        } else {
            let first = step(0) | step(STEP) | step(2 * STEP) | step(3 * STEP);
            let end = body - STEP;
            first | step(end - 3 * STEP) | step(end - 2 * STEP) | step(end - STEP) | step(end)
        };
        if differs != 0 || CANARIES && !seal::is_unsealed(other, len) {
            written();
        }
    }
}

/// [`fill`] of a block, and [`check_untouched`] of another one, which may have another length: both are long.
///
/// # Safety
///
/// 1. As for both.
/// 2. Both are [long](is_long).
#[inline(never)]
pub(super) unsafe fn fill_and_check_long(block: *mut u8, len: usize, other: *mut u8, old: usize) {
    let (body, looked) = (len - WORD, old - WORD);
    // SAFETY: 1. and 2. the caller's.
    let filled = unsafe { fill_and_look(block, body, other, looked) };
    // SAFETY: 1. the caller's.
    if !filled || CANARIES && !unsafe { seal::is_unsealed(other, old) } {
        written();
    }
}

by_vectors! {
    /// Fills `body` bytes of a block. Answers whether all of `looked` bytes of another one are poison.
    ///
    /// # Safety
    ///
    /// 1. The blocks have so many bytes, of the caller's; the other one's were written once.
    /// 2. Both are [`STRIDE`] at least, and multiples of 8.
    fn fill_and_look(block: *mut u8, body: usize, other: *mut u8, looked: usize) -> bool
        = fill_and_look_by_strides
}

/// # Safety
///
/// 1. and 2. as for [`fill_and_look`].
#[inline(always)]
unsafe fn fill_and_look_by_strides(
    block: *mut u8,
    body: usize,
    other: *mut u8,
    looked: usize,
) -> bool {
    let both = body.min(looked);
    let (mut differs, mut at) = (Differs::default(), 0);
    // SAFETY: 1. and 2. the caller's: a stride that is begun ends in both, the last one overlaps the one before.
    unsafe {
        if body > both {
            block.add(both).write_bytes(POISON, body - both);
        }
        // Looked at first: behind a store, a load of the same place in another page waits.
        while at + STRIDE < both {
            look(other.add(at), &mut differs);
            fill_stride(block.add(at));
            at += STRIDE;
        }
        look(other.add(both - STRIDE), &mut differs);
        fill_stride(block.add(both - STRIDE));
        if looked > both {
            look_by_strides(other, both, looked, &mut differs);
        }
    }
    are_zero(&differs)
}

/// Looks at `[from, to)` of a block.
///
/// # Safety
///
/// 1. The block has `to` bytes, [`STRIDE`] at least, of the caller's, which were written once.
#[inline(always)]
unsafe fn look_by_strides(block: *mut u8, from: usize, to: usize, differs: &mut Differs) {
    let mut at = from;
    // SAFETY: 1. the caller's: a stride that is begun ends in the block, the last one overlaps the one before.
    unsafe {
        while at + STRIDE < to {
            look(block.add(at), differs);
            at += STRIDE;
        }
        look(block.add(to - STRIDE), differs);
    }
}

/// # Safety
///
/// 1. At `at` there are [`STRIDE`] bytes of the caller's.
#[inline(always)]
unsafe fn fill_stride(at: *mut u8) {
    // SAFETY: 1. the caller's.
    unsafe { at.cast::<[u8; STRIDE]>().write_unaligned([POISON; STRIDE]) };
}

/// Notes by which bits a stride differs from poison.
///
/// # Safety
///
/// 1. At `at` there are [`STRIDE`] bytes of the caller's, which were written once.
#[inline(always)]
unsafe fn look(at: *mut u8, differs: &mut Differs) {
    // SAFETY: 1. the caller's. Who still writes there is who is looked for.
    let words = unsafe { at.cast::<Differs>().read_unaligned() };
    differs.iter_mut().zip(words).for_each(|(all, word)| *all |= word ^ SHORT);
}

by_vectors! {
    /// Makes all of a very long block poison, and writes where it is not yet: what the program has of it is mostly not
    /// all in use, and to write what lies in no near cache takes twice as long as to look at it. Pages that were never
    /// touched stay so.
    ///
    /// # Safety
    ///
    /// 1. At `at` there are `len` bytes of the caller's, a multiple of 8.
    pub(super) fn clear(at: *mut u8, len: usize) -> () = clear_by_parts
}

/// The same address, behind which all counts as written; none where that cannot be said. A program need not have written
/// what it had, and to look at such bytes would be undefined; they do have contents, the system's or somebody's.
#[cfg(all(any(target_arch = "x86_64", target_arch = "aarch64"), not(miri)))]
#[inline(always)]
fn settle(mut at: *mut u8) -> Option<*mut u8> {
    // SAFETY: no instruction. Compilers must take it that some wrote there.
    unsafe {
        core::arch::asm!("/* {} */", inout(reg) at, options(nostack, preserves_flags));
    }
    Some(at)
}

#[cfg(not(all(any(target_arch = "x86_64", target_arch = "aarch64"), not(miri))))]
fn settle(_: *mut u8) -> Option<*mut u8> {
    None
}

/// # Safety
///
/// 1. As for [`clear`].
#[inline(always)]
unsafe fn clear_by_parts(at: *mut u8, len: usize) {
    let (at, whole) = settle(at).map_or((at, 0), |at| (at, len / PART * PART));
    // SAFETY: 1. the caller's: parts of it, which count as written.
    unsafe {
        for part in (0..whole).step_by(PART) {
            let strides = || (part..part + PART).step_by(STRIDE).map(|from| at.add(from));
            let mut differs = Differs::default();
            strides().for_each(|stride| look(stride, &mut differs));
            if !are_zero(&differs) {
                strides().for_each(|stride| fill_stride(stride));
            }
        }
        at.add(whole).write_bytes(POISON, len - whole);
    }
}

#[inline(always)]
fn are_zero(differs: &Differs) -> bool {
    differs.iter().fold(0, |all, word| all | word) == 0
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
    if len < STRIDE {
        // SAFETY: 1. the caller's. Who still writes there is who is looked for.
        let words =
            unsafe { core::slice::from_raw_parts(at.cast::<u64>(), len / size_of::<u64>()) };
        return words.iter().all(|word| *word == SHORT);
    }
    // SAFETY: 1. the caller's, a stride at least.
    unsafe { is_filled_long(at, len) }
}

by_vectors! {
    /// [`is_filled`] of what is long.
    ///
    /// # Safety
    ///
    /// 1. As there, and [`STRIDE`] at least.
    fn is_filled_long(at: *mut u8, len: usize) -> bool = is_filled_by_strides
}

/// # Safety
///
/// 1. As for [`is_filled`], and [`STRIDE`] at least.
#[inline(always)]
unsafe fn is_filled_by_strides(at: *mut u8, len: usize) -> bool {
    let mut differs = Differs::default();
    // SAFETY: 1. the caller's.
    unsafe { look_by_strides(at, 0, len, &mut differs) };
    are_zero(&differs)
}

#[cold]
#[inline(never)]
fn written() -> ! {
    misuse::stop("a block was written after it was freed")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whole parts and what is left of one; each word in turn is the only one that is not poison yet, or all are.
    #[test]
    fn what_is_cleared_is_poison_and_ends_where_it_should() {
        const MOST: usize = 2 * PART + 48;
        for len in (0..=MOST).step_by(8) {
            for written in (0..len).step_by(40).chain([len]) {
                let mut words = [SHORT; MOST / 8 + 1];
                let at = words.as_mut_ptr().cast::<u8>();
                words[len / 8] = 1;
                words[written / 8..][..usize::from(written < len)].fill(!SHORT);
                // SAFETY: 1. in the array.
                unsafe { clear(at, len) };
                assert!(words[..len / 8].iter().all(|word| *word == SHORT), "{written} of {len}");
                assert_eq!(words[len / 8], 1, "{written} of {len}");
            }
        }
    }

    /// Every length of both, every byte: what is filled ends where it should, and nothing is overlooked.
    #[test]
    fn one_pass_fills_one_block_and_sees_every_byte_of_the_other() {
        const MOST: usize = 3 * STRIDE + 24;
        for body in (STRIDE..=MOST).step_by(8) {
            for looked in (STRIDE..=MOST).step_by(8) {
                let (mut block, mut other) = ([1_u64; MOST / 8 + 1], [SHORT; MOST / 8 + 1]);
                let (to, from) = (block.as_mut_ptr().cast::<u8>(), other.as_mut_ptr().cast::<u8>());
                // SAFETY: 1. in the arrays. 2. as the loops say.
                unsafe {
                    from.add(looked).write(!POISON);
                    assert!(fill_and_look(to, body, from, looked));
                    assert!(is_filled(to, body) && to.add(body).read() == 1);
                    assert!(is_filled(from, looked));
                    let at = (7 * body + looked) % looked;
                    from.add(at).write(!POISON);
                    assert!(!fill_and_look(to, body, from, looked), "{at} of {looked}");
                    assert!(!is_filled(from, looked), "{at} of {looked}");
                }
            }
        }
    }
}
