//! Where the blocks of a span lie.

use core::ops::Range;

use super::MAX_BLOCKS;

/// The binary places of [`Cut::inverse`].
const PLACES: u32 = 40;

/// How a span of some length is cut into blocks of one size. Two words, `Copy`, made in constants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Bytes of a block.
    ///
    /// # Invariants
    ///
    /// 1. Not zero, and at most [`Cut::MAX_LEN`].
    block: u32,
    /// Blocks in the span, from 1 to [`MAX_BLOCKS`].
    blocks: u32,
    /// `2^PLACES / block`, rounded up.
    ///
    /// # Invariants
    ///
    /// 1. For every `n < MAX_LEN`, `n * inverse >> PLACES` is `n / block`: with
    ///    `e = inverse * block - 2^PLACES < block`, the product is wrong by `n * e / block` units of
    ///    the last place, and `n * e < MAX_LEN * MAX_LEN <= 2^PLACES`. Zero where the span is one block
    ///    alone ([`Cut::single`]): everything in it divides to zero.
    inverse: u64,
}

impl Cut {
    /// The longest span, in bytes.
    pub const MAX_LEN: usize = 1 << (PLACES / 2);

    /// As many blocks of `block` bytes as `span` bytes hold, [`MAX_BLOCKS`] at most.
    ///
    /// # Panics
    ///
    /// (In a constant: does not compile) where not one fits, or `span` is above
    /// [`Cut::MAX_LEN`].
    pub const fn new(block: usize, span: usize) -> Self {
        assert!(block > 0 && block <= span, "a span holds at least one block");
        assert!(span <= Self::MAX_LEN, "the span is longer than Cut::MAX_LEN");
        let whole = span / block;
        let blocks = if whole < MAX_BLOCKS { whole } else { MAX_BLOCKS };
        let inverse = (1_u64 << PLACES).div_ceil(block as u64);
        Self { block: block as u32, blocks: blocks as u32, inverse }
    }

    /// A span that is one block of `len` bytes, which may be longer than [`Cut::MAX_LEN`].
    ///
    /// # Panics
    ///
    /// (In a constant: does not compile) where `len` is zero or does not fit in 32 bits.
    pub const fn single(len: usize) -> Self {
        assert!(len > 0 && len as u64 <= u32::MAX as u64, "a block is 1 byte to 4 GiB - 1 long");
        // Everything inside divides to zero, and no other offset is where a block begins.
        Self { block: len as u32, blocks: 1, inverse: 0 }
    }

    /// Bytes of a block.
    #[inline]
    pub const fn block_len(self) -> usize {
        self.block as usize
    }

    /// Blocks in the span.
    #[inline]
    pub const fn blocks(self) -> usize {
        self.blocks as usize
    }

    /// Where block `number` begins, in bytes from the span's base.
    #[inline]
    pub const fn offset_of(self, number: usize) -> usize {
        debug_assert!(number <= self.blocks());
        number * self.block as usize
    }

    /// The block that the byte at `offset` lies in, or would lie in were there more blocks.
    /// `offset` is below [`Cut::MAX_LEN`].
    #[inline]
    pub const fn number_at(self, offset: usize) -> usize {
        debug_assert!(offset < Self::MAX_LEN);
        ((offset as u64 * self.inverse) >> PLACES) as usize
    }

    /// The block that begins at `offset`; `None` where none does. Any `offset` may be asked.
    #[inline]
    pub const fn number_of(self, offset: usize) -> Option<usize> {
        if offset >= Self::MAX_LEN {
            return None;
        }
        let number = self.number_at(offset);
        if number < self.blocks() && self.offset_of(number) == offset { Some(number) } else { None }
    }

    /// The blocks that have a byte in `[start, end)`, offsets from the span's base.
    #[inline]
    pub fn blocks_in(self, start: usize, end: usize) -> Range<usize> {
        debug_assert!(start < end && end <= Self::MAX_LEN);
        let last = self.number_at(end - 1) + 1;
        self.number_at(start)..last.min(self.blocks())
    }
}

#[cfg(all(test, not(strata_loom)))]
mod tests {
    use super::*;

    #[test]
    fn dividing_by_the_inverse_is_dividing() {
        for block in (8..4096).step_by(8).chain([3, 7, 4097, 28672, 32768, 65535, 1 << 20]) {
            let cut = Cut::new(block, Cut::MAX_LEN);
            for n in (0..Cut::MAX_LEN).step_by(4093).chain(0..2 * block.min(9000)) {
                for n in [n, n / block * block, (n / block * block).wrapping_sub(1)] {
                    if n < Cut::MAX_LEN {
                        assert_eq!(cut.number_at(n), n / block, "{n} / {block}");
                    }
                }
            }
        }
    }

    #[test]
    fn only_the_beginnings_of_blocks_have_numbers() {
        let cut = Cut::new(48, 4096);
        assert_eq!(cut.blocks(), 85);
        let found: std::vec::Vec<_> = (0..5000).filter(|&at| cut.number_of(at).is_some()).collect();
        let expected: std::vec::Vec<_> = (0..85).map(|number| number * 48).collect();
        assert_eq!(found, expected);
        assert_eq!(cut.number_of(usize::MAX), None);
        assert_eq!(cut.blocks_in(0, 4096), 0..85);
        assert_eq!(cut.blocks_in(47, 49), 0..2);
        assert_eq!(cut.blocks_in(4080, 4096), 85..85, "the tail holds no block");
    }

    #[test]
    fn a_single_block_begins_at_nothing() {
        let cut = Cut::single(5 << 20);
        assert_eq!((cut.blocks(), cut.offset_of(1)), (1, 5 << 20));
        assert_eq!(cut.number_of(0), Some(0));
        assert!([1, 4096, 1 << 20, 5 << 20].iter().all(|at| cut.number_of(*at).is_none()));
    }

    #[test]
    fn a_span_never_has_more_blocks_than_bits() {
        assert_eq!(Cut::new(8, 65536).blocks(), MAX_BLOCKS);
    }
}
