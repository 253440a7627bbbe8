//! Blocks, their sizes, and where the harness keeps them: mappings of its own.

use super::job::{Round, Sample};
use super::pages::page_bytes;
use crate::child::channel::REFUSED;
use crate::subject::Subject;
use std::alloc::Layout;
use std::io;

/// The alignment of every block: what most Rust values have.
const ALIGN: usize = 8;

/// A block in one word: its bytes in 16 bits above its address in 48.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub(super) struct Block(u64);

impl Block {
    const ADDRESS_BITS: u32 = 48;

    pub(super) fn new(address: usize, bytes: usize) -> Self {
        debug_assert!(bytes > 0 && bytes < 1 << 16 && address >> Self::ADDRESS_BITS == 0);
        Self((bytes as u64) << Self::ADDRESS_BITS | address as u64)
    }

    pub(super) fn address(self) -> usize {
        (self.0 & ((1 << Self::ADDRESS_BITS) - 1)) as usize
    }

    pub(super) fn bytes(self) -> usize {
        (self.0 >> Self::ADDRESS_BITS) as usize
    }

    fn layout(bytes: usize) -> Layout {
        debug_assert!(bytes > 0 && bytes < 1 << 16);
        // SAFETY: the alignment is a power of two, and 16 bits of bytes rounded up to it are far
        // from overflow.
        unsafe { Layout::from_size_align_unchecked(bytes, ALIGN) }
    }

    /// Allocates a block and writes all of it, or in a step of `every` bytes where that is more.
    /// Ends the process where the subject refuses.
    #[inline]
    pub(super) fn allocate<S: Subject>(subject: &S, bytes: usize, every: usize) -> Self {
        // SAFETY: the layout's size is not 0.
        let start = unsafe { subject.alloc(Self::layout(bytes)) };
        if start.is_null() || start.addr() >> Self::ADDRESS_BITS != 0 {
            refused();
        }
        if S::TOUCHABLE {
            // SAFETY: the block is live and writable for `bytes`.
            unsafe {
                if every == 1 {
                    start.write_bytes(1, bytes);
                } else {
                    let mut at = 0;
                    while at + 8 <= bytes {
                        start.add(at).cast::<u64>().write_unaligned(1);
                        at += every;
                    }
                }
            }
        }
        Self::new(start.expose_provenance(), bytes)
    }

    /// Frees the block.
    ///
    /// # Safety
    ///
    /// 1. The block is live and `subject` allocated it.
    #[inline]
    pub(super) unsafe fn free<S: Subject>(self, subject: &S) {
        let start = std::ptr::with_exposed_provenance_mut(self.address());
        // SAFETY: by obligation 1; `allocate` used the same layout.
        unsafe { subject.dealloc(start, Self::layout(self.bytes())) }
    }
}

#[cold]
fn refused() -> ! {
    // SAFETY: ends the process without running anything of it, whichever thread this is.
    unsafe { libc::_exit(REFUSED) }
}

/// A stream of numbers, the same for every subject.
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number below `limit`, which is below 2^32.
    #[inline]
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        // xorshift64*, whose upper half is the better one.
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        ((self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32) * limit) >> 32
    }

    /// Puts `blocks` into a random order.
    pub(super) fn shuffle(&mut self, blocks: &mut [Block]) {
        for index in (1..blocks.len()).rev() {
            blocks.swap(index, self.below(index as u64 + 1) as usize);
        }
    }
}

/// How large the blocks are.
#[derive(Clone, Copy, Debug)]
pub(super) enum Law {
    /// 2^b + U(2^b) bytes, b = 4 to 10, each as likely.
    Mixed,
    /// All alike.
    Fixed(usize),
}

impl Law {
    #[inline]
    pub(super) fn bytes(self, random: &mut Random) -> usize {
        match self {
            Self::Mixed => {
                let power = 1 << (4 + random.below(7));
                (power + random.below(power)) as usize
            }
            Self::Fixed(bytes) => bytes,
        }
    }

    /// How many blocks drawn from `random` have `total` bytes together, or barely more.
    pub(super) fn count(self, mut random: Random, total: usize) -> usize {
        let (mut count, mut bytes) = (0, 0);
        while bytes < total {
            bytes += self.bytes(&mut random);
            count += 1;
        }
        count
    }
}

/// What a table of the harness may hold.
///
/// # Safety
///
/// 1. Zero bytes are a value of the type, and it has no destructor to miss.
pub(crate) unsafe trait Zeroed: Copy {}

// SAFETY: 1. a number.
unsafe impl Zeroed for u64 {}
// SAFETY: 1. a number.
unsafe impl Zeroed for Block {}
// SAFETY: 1. numbers.
unsafe impl Zeroed for Sample {}
// SAFETY: 1. numbers.
unsafe impl Zeroed for Round {}

/// A table that lies in a mapping of its own, is never given back, and has every page touched: it
/// is the same in every child, whatever is put into it later.
pub(crate) fn table<T: Zeroed>(count: usize) -> io::Result<&'static mut [T]> {
    let bytes = (count * size_of::<T>()).max(1).next_multiple_of(page_bytes());
    let start = crate::shared::map_unnamed(bytes).ok_or_else(io::Error::last_os_error)?;
    for page in (0..bytes).step_by(page_bytes()) {
        // SAFETY: the byte lies in the mapping, which is new, and is zero already. The write is
        // volatile because its effect, residency, is outside the language.
        unsafe { start.as_ptr().add(page).write_volatile(0) };
    }
    // SAFETY: the mapping is as long as the table, page-aligned, known to nobody else and lives for
    // ever; by the trait's obligation 1 its zeros are values.
    Ok(unsafe { std::slice::from_raw_parts_mut(start.as_ptr().cast(), count) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mixed_law_is_what_it_says() {
        let mut random = Random::new(1);
        let mut by_power = [0; 11];
        let mut total = 0;
        for _ in 0..70_000 {
            let bytes = Law::Mixed.bytes(&mut random);
            assert!((16..2048).contains(&bytes));
            by_power[bytes.ilog2() as usize] += 1;
            total += bytes;
        }
        assert!(by_power[4..].iter().all(|count| (9_500..10_500).contains(count)), "{by_power:?}");
        // 3/2 of the mean power of two.
        assert!((total as f64 / 70_000.0 - 435.4).abs() < 6.0, "{total}");
        let count = Law::Mixed.count(Random::new(2), 1 << 20);
        assert!((2_000..3_000).contains(&count), "{count}");
    }

    #[test]
    fn a_shuffle_keeps_every_block() {
        let mut blocks: Vec<Block> = (1..1000).map(|at| Block::new(at * 64, 64)).collect();
        let sorted = blocks.clone();
        Random::new(3).shuffle(&mut blocks);
        assert_ne!(blocks, sorted);
        blocks.sort_by_key(|block| block.address());
        assert_eq!(blocks, sorted);
    }
}
