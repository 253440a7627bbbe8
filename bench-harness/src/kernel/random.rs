//! Sizes and orders by chance, the same in every run: a generator of a few instructions, since it
//! stands inside some windows.

/// xorshift64 with Marsaglia's shifts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// A generator; different seeds give different numbers.
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(2).wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    /// The next number.
    #[inline(always)]
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number of `low..=high`, equally likely but for one in 2^32.
    pub(crate) fn between(&mut self, low: u32, high: u32) -> u32 {
        low + (((self.next() >> 32) * u64::from(high - low + 1)) >> 32) as u32
    }

    /// Fills a table of sizes.
    pub(crate) fn sizes(&mut self, table: &mut [u32], low: u32, high: u32) {
        table.fill_with(|| self.between(low, high));
    }

    /// Fills a table with a permutation of its indices.
    pub(crate) fn permutation(&mut self, table: &mut [u32]) {
        for index in 0..table.len() {
            let other = self.between(0, index as u32);
            table[index] = table[other as usize];
            table[other as usize] = index as u32;
        }
    }
}

/// 2^b + U(2^b) bytes with b of 4 to 10, all equally likely: what many programs' sizes look like.
/// Takes the upper 32 bits of `number`.
#[inline(always)]
pub(crate) fn by_powers(number: u64) -> usize {
    let power = 4 + ((((number >> 32) & 0xFFFF) * 7) >> 16);
    let base = 1_u64 << power;
    (base + ((number >> 48) & (base - 1))) as usize
}

/// 8 B to 1 KiB, all equally likely. Takes the upper 32 bits of `number`.
#[inline(always)]
pub(crate) fn to_a_kib(number: u64) -> usize {
    (8 + (((number >> 32) * 1017) >> 32)) as usize
}
