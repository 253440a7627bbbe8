//! What the soak asks for: which sizes, which alignments, how often what.

use std::alloc::Layout;

/// The longest block.
pub(crate) const LONGEST: usize = 64 << 20;

/// A sequence of numbers that looks random.
#[derive(Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// SplitMix64.
    pub(crate) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        ((u128::from(self.roll()) * limit as u128) >> 64) as usize
    }

    pub(crate) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// Between the two, all doublings as often as one another.
    pub(crate) fn doublings(&mut self, low: usize, high: usize) -> usize {
        let within = low << self.below((high / low).ilog2() as usize + 1);
        (within + self.below(within)).min(high)
    }
}

/// A layout. A size twice as large is half as frequent, so that all doublings together hold about as
/// many bytes; besides, one in some thousands is large and of any doubling. At most `longest`.
pub(crate) fn layout(dice: &mut Dice, longest: usize) -> Layout {
    let len = if dice.once_in(16_384) {
        dice.doublings(32 << 10, LONGEST)
    } else {
        let doublings = dice.roll().trailing_zeros().min(22);
        1 + dice.below(16 << doublings)
    };
    let align = match dice.below(512) {
        0 => 1 << dice.below(22),
        1..16 => 16 << dice.below(9),
        16..256 => 1 << dice.below(5),
        _ => 8,
    };
    Layout::from_size_align(len.min(longest), align).expect("far from the limit")
}

/// The next length of a block: like a vector's, a buffer's that is cut to what it holds, or any.
pub(crate) fn next_len(dice: &mut Dice, len: usize, longest: usize) -> usize {
    let next = match dice.below(8) {
        0..3 => len * 2,
        3 => len + 1 + dice.below(64),
        4..6 => 1 + dice.below(len),
        6 => len.div_ceil(2),
        _ => layout(dice, longest).size(),
    };
    next.min(longest.max(len)).min(LONGEST)
}
