//! One word of 64 frames: which blocks are free in it, and taking and clearing bits.

use strata_core::sync::{AtomicU64, Ordering};

/// The first bits of the aligned blocks of each order.
const ALIGNED: [u64; 7] = [
    u64::MAX,
    0x5555_5555_5555_5555,
    0x1111_1111_1111_1111,
    0x0101_0101_0101_0101,
    0x0001_0001_0001_0001,
    0x0000_0001_0000_0001,
    1,
];

/// The bits of `frames` frames from `bit` on: at most to the end of the row.
#[inline]
pub(crate) const fn mask(bit: u32, frames: u64) -> u64 {
    debug_assert!(frames > 0 && bit as u64 + frames <= 64);
    (u64::MAX >> (64 - frames)) << bit
}

/// The first bits of the runs of `frames` free frames in `row`, 1 to 64, that begin at a multiple of
/// `2^align`.
#[inline]
pub(crate) const fn runs(row: u64, frames: u64, align: u8) -> u64 {
    let mut free = !row;
    let mut have = 1;
    while have < frames {
        let rest = frames - have;
        let step = if rest < have { rest } else { have };
        free &= free >> step;
        have += step;
    }
    free & ALIGNED[align as usize]
}

/// Takes the lowest free run of `frames` frames that begins at a multiple of `2^align`, and answers its
/// first bit. `before` is told which bits before each attempt. Lock-free.
#[inline]
pub(crate) fn take_run(
    row: &AtomicU64,
    frames: u64,
    align: u8,
    before: impl Fn(u64),
) -> Option<u32> {
    // Relaxed: the exchange decides.
    let mut word = row.load(Ordering::Relaxed);
    loop {
        let found = runs(word, frames, align);
        if found == 0 {
            return None;
        }
        let bit = found.trailing_zeros();
        let bits = mask(bit, frames);
        before(bits);
        let next = word | bits;
        // Acquire: its partner is the Release in `clear`: what the last owner did to the frames
        // happened before.
        match row.compare_exchange_weak(word, next, Ordering::Acquire, Ordering::Relaxed) {
            Ok(_) => return Some(bit),
            Err(seen) => word = seen,
        }
    }
}

/// Takes all of `bits`, if all are free. Lock-free.
#[inline]
pub(crate) fn take(row: &AtomicU64, bits: u64) -> bool {
    // Relaxed: the exchange decides.
    let mut word = row.load(Ordering::Relaxed);
    while word & bits == 0 {
        // Acquire: as in `take_run`.
        match row.compare_exchange_weak(word, word | bits, Ordering::Acquire, Ordering::Relaxed) {
            Ok(_) => return true,
            Err(seen) => word = seen,
        }
    }
    false
}

/// Takes what is free, at most `limit` frames; their bits. `before` is told which before each
/// attempt. Lock-free.
#[inline]
pub(crate) fn take_up_to(row: &AtomicU64, limit: u64, before: impl Fn(u64)) -> u64 {
    // Relaxed: the exchange decides.
    let mut word = row.load(Ordering::Relaxed);
    loop {
        let mut bits = !word;
        while u64::from(bits.count_ones()) > limit {
            bits &= !(1 << (63 - bits.leading_zeros()));
        }
        if bits == 0 {
            return 0;
        }
        before(bits);
        // Acquire: as in `take_run`.
        match row.compare_exchange_weak(word, word | bits, Ordering::Acquire, Ordering::Relaxed) {
            Ok(_) => return bits,
            Err(seen) => word = seen,
        }
    }
}

/// Clears all of `bits`, if all are set. Lock-free.
///
/// # Errors
///
/// The row as it is, when a bit is clear.
#[inline]
pub(crate) fn clear(row: &AtomicU64, bits: u64) -> Result<(), u64> {
    // Relaxed: the exchange decides.
    let mut word = row.load(Ordering::Relaxed);
    while word & bits == bits {
        // Release: its partner is the Acquire of whoever takes these frames next.
        match row.compare_exchange_weak(word, word & !bits, Ordering::Release, Ordering::Relaxed) {
            Ok(_) => return Ok(()),
            Err(seen) => word = seen,
        }
    }
    Err(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_those_that_a_naive_search_finds() {
        let mut row = 0x9e37_79b9_7f4a_7c15_u64;
        for _ in 0..200 {
            row = row.rotate_left(7).wrapping_mul(0xbf58_476d_1ce4_e5b9) & row.rotate_left(31);
            for (frames, align) in (1..=64).flat_map(|frames| (0..=6).map(move |n| (frames, n))) {
                let fits = |bit: &u32| *bit + frames as u32 <= 64;
                let naive = (0..64).step_by(1 << align).filter(fits);
                let naive = naive.filter(|bit| row & mask(*bit, frames) == 0);
                let found = runs(row, frames, align);
                assert_eq!(naive.fold(0, |all, bit| all | 1 << bit), found, "{row:x} {frames}");
            }
        }
    }

    #[test]
    fn bits_are_taken_once_and_cleared_once() {
        let row = AtomicU64::new(0b1011);
        assert_eq!(take_run(&row, 1, 0, drop), Some(2));
        assert_eq!(take_run(&row, 4, 2, drop), Some(4));
        assert!(!take(&row, 0b11 << 7));
        assert!(take(&row, 0b11 << 8));
        assert_eq!(clear(&row, 0b11 << 9), Err(0b11_1111_1111));
        assert_eq!(clear(&row, 0b11 << 8), Ok(()));
        assert_eq!(take_up_to(&row, 3, drop), 0b111 << 8);
        assert_eq!(take_up_to(&row, 64, drop), !0b111_1111_1111);
        assert_eq!(take_up_to(&row, 64, drop), 0);
    }
}
