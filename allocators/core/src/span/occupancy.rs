//! Which blocks of a span are free: one bit each.

use core::fmt;
use core::ops::Range;

/// The most blocks that a span has.
pub const MAX_BLOCKS: usize = 64 * WORDS;
const WORDS: usize = 8;

/// A block was put back that is free already: it was freed twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlreadyFree;

impl fmt::Display for AlreadyFree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the block is free already")
    }
}

impl core::error::Error for AlreadyFree {}

/// The free blocks of one span: the bitmap, one cache line long, and their number before it.
#[derive(Clone, Debug)]
#[repr(C)]
pub struct Occupancy {
    /// Free blocks.
    ///
    /// # Invariants
    ///
    /// 1. The number of ones in `free`.
    left: u16,
    /// Bit `n % 64` of word `n / 64` is one while block `n` is free. Bits of blocks that the span
    /// does not have are zero.
    free: [u64; WORDS],
}

impl Occupancy {
    /// No block is free: the state of all-zero memory.
    pub const fn none() -> Self {
        Self { left: 0, free: [0; WORDS] }
    }

    /// Blocks 0 to `blocks - 1` are free, no other. `blocks` is at most [`MAX_BLOCKS`].
    pub fn fill(&mut self, blocks: usize) {
        debug_assert!(blocks <= MAX_BLOCKS);
        self.left = blocks as u16;
        for (at, word) in self.free.iter_mut().enumerate() {
            *word = ones(blocks.saturating_sub(64 * at).min(64));
        }
    }

    /// Free blocks. O(1).
    #[inline]
    pub fn left(&self) -> usize {
        usize::from(self.left)
    }

    /// Takes the free blocks with the lowest numbers, `want` of them or all, and calls back with
    /// each in order. Answers how many.
    #[inline]
    pub fn take(&mut self, want: usize, mut each: impl FnMut(usize)) -> usize {
        let mut taken = 0;
        for (at, word) in self.free.iter_mut().enumerate() {
            while *word != 0 {
                if taken == want {
                    self.left -= taken as u16;
                    return taken;
                }
                each(64 * at + word.trailing_zeros() as usize);
                *word &= *word - 1;
                taken += 1;
            }
        }
        self.left -= taken as u16;
        taken
    }

    /// Makes block `number` free.
    ///
    /// # Errors
    ///
    /// [`AlreadyFree`], and nothing changed.
    #[inline]
    pub fn put(&mut self, number: usize) -> Result<(), AlreadyFree> {
        self.put_mask(number / 64, 1 << (number % 64))
    }

    /// Makes free the blocks whose bits `mask` has, `64 * word` the first of them.
    ///
    /// # Errors
    ///
    /// [`AlreadyFree`] where one of them is, and nothing changed.
    #[inline]
    pub fn put_mask(&mut self, word: usize, mask: u64) -> Result<(), AlreadyFree> {
        let bits = &mut self.free[word];
        if *bits & mask != 0 {
            return Err(AlreadyFree);
        }
        *bits |= mask;
        self.left += mask.count_ones() as u16;
        Ok(())
    }

    /// Whether block `number` is free.
    #[inline]
    pub fn is_free(&self, number: usize) -> bool {
        self.free[number / 64] >> (number % 64) & 1 == 1
    }

    /// Whether all of `blocks` are free; true for none.
    #[inline]
    pub fn all_free(&self, blocks: Range<usize>) -> bool {
        let mut from = blocks.start;
        if blocks.len() <= 64 && from < blocks.end {
            // One look, at the one or two words that have them.
            let (word, bit) = (from / 64, from % 64);
            let low = self.free[word] >> bit;
            let next = self.free.get(word + 1).copied().unwrap_or(0);
            let mask = ones(blocks.len());
            return (low | next << 1 << (63 - bit)) & mask == mask;
        }
        while from < blocks.end {
            let (word, bit) = (from / 64, from % 64);
            let count = (64 - bit).min(blocks.end - from);
            let mask = ones(count) << bit;
            if self.free[word] & mask != mask {
                return false;
            }
            from += count;
        }
        true
    }

    /// Whether `left` is the number of ones: the invariant, for those who validate.
    pub fn is_consistent(&self, blocks: usize) -> bool {
        let ones: u32 = self.free.iter().map(|word| word.count_ones()).sum();
        let mut beyond = self.clone();
        beyond.fill(blocks);
        let inside = self.free.iter().zip(beyond.free).all(|(word, may)| word & !may == 0);
        inside && ones as usize == self.left()
    }
}

/// The lowest `count` bits, 64 at most.
#[inline]
const fn ones(count: usize) -> u64 {
    if count == 64 { u64::MAX } else { (1 << count) - 1 }
}

#[cfg(all(test, not(strata_loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;
    use std::vec::Vec;

    #[test]
    fn filling_frees_just_the_blocks_that_there_are() {
        for blocks in [0, 1, 63, 64, 65, 511, 512] {
            let mut bits = Occupancy::none();
            bits.fill(blocks);
            assert_eq!(bits.left(), blocks);
            assert!((0..MAX_BLOCKS).all(|n| bits.is_free(n) == (n < blocks)));
            assert!(bits.is_consistent(blocks));
        }
    }

    #[test]
    fn a_mask_is_put_whole_or_not_at_all() {
        let mut bits = Occupancy::none();
        assert_eq!(bits.put_mask(1, 0b101), Ok(()));
        assert_eq!(bits.put_mask(1, 0b110), Err(AlreadyFree));
        assert_eq!(bits.left(), 2);
        assert!(!bits.is_free(65));
    }

    proptest! {
        #[test]
        fn it_behaves_like_a_set_of_numbers(
            blocks in 1..=MAX_BLOCKS,
            steps in prop::collection::vec((any::<bool>(), 0..MAX_BLOCKS), 0..200),
        ) {
            let mut bits = Occupancy::none();
            bits.fill(blocks);
            let mut free: BTreeSet<usize> = (0..blocks).collect();
            for (take, n) in steps {
                if take {
                    let mut got = Vec::new();
                    bits.take(n % 70, |number| got.push(number));
                    let expected: Vec<_> = free.iter().copied().take(n % 70).collect();
                    for number in &got {
                        free.remove(number);
                    }
                    prop_assert_eq!(got, expected);
                } else {
                    let number = n % blocks;
                    prop_assert_eq!(bits.put(number).is_ok(), free.insert(number));
                }
                prop_assert_eq!(bits.left(), free.len());
                prop_assert!(bits.is_consistent(blocks));
                let range = n % blocks..blocks;
                prop_assert_eq!(bits.all_free(range.clone()), range.clone().all(|n| free.contains(&n)));
            }
        }
    }
}
