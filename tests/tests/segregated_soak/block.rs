//! Blocks that say who they are.

use std::alloc::{GlobalAlloc, Layout};

use crate::ALLOC;
use crate::fault::Fault;

/// Blocks up to this length are written whole; of longer ones the first and the last bytes are, and
/// of a few of them all.
const WHOLE: usize = 2048;
/// How many first and last bytes.
const EDGE: usize = 64;

/// Bytes that one block has and no other.
pub(crate) struct Block {
    at: *mut u8,
    layout: Layout,
    seed: u64,
    whole: bool,
}

// SAFETY: a block is its owner's, on whatever thread.
unsafe impl Send for Block {}

impl Block {
    /// A block with its pattern. One that is wanted zeroed is looked at first, from end to end.
    pub(crate) fn new(layout: Layout, zeroed: bool, seed: u64) -> Result<Self, Fault> {
        // SAFETY: not of no bytes.
        let at = unsafe { if zeroed { ALLOC.alloc_zeroed(layout) } else { ALLOC.alloc(layout) } };
        let block = Self { at, layout, seed, whole: is_whole(layout.size(), seed) };
        block.is_placed()?;
        // SAFETY: a fresh block of this length, all of it written.
        if zeroed && !unsafe { is_zero(at, layout.size()) } {
            return Err(block.fault("zero where zero is wished for"));
        }
        block.write();
        Ok(block)
    }

    /// Another length, with what was in it, and then another pattern.
    pub(crate) fn resize(&mut self, len: usize, seed: u64) -> Result<(), Fault> {
        let before = self.layout;
        self.check()?;
        // SAFETY: live, of this layout; not of no bytes.
        self.at = unsafe { ALLOC.realloc(self.at, before, len) };
        self.layout = Layout::from_size_align(len, before.align()).expect("far from the limit");
        self.is_placed()?;
        if !self.holds(before.size(), len) {
            return Err(self.fault("what was in a block that was resized"));
        }
        (self.seed, self.whole) = (seed, is_whole(len, seed));
        self.write();
        Ok(())
    }

    /// Frees the block.
    pub(crate) fn free(self) -> Result<(), Fault> {
        self.check()?;
        // SAFETY: live, of this layout.
        unsafe { ALLOC.dealloc(self.at, self.layout) };
        Ok(())
    }

    pub(crate) fn check(&self) -> Result<(), Fault> {
        let len = self.layout.size();
        if self.holds(len, len) { Ok(()) } else { Err(self.fault("what was written")) }
    }

    /// Bytes that the program has of it.
    pub(crate) fn len(&self) -> usize {
        self.layout.size()
    }

    /// Bytes that the heap counts for it.
    pub(crate) fn counted(&self) -> usize {
        ALLOC.good_size(self.layout)
    }

    fn fault(&self, law: &'static str) -> Fault {
        Fault::Block { law, at: self.at.addr(), layout: self.layout }
    }

    fn is_placed(&self) -> Result<(), Fault> {
        if self.at.is_null() {
            Err(self.fault("memory while there is some"))
        } else if !self.at.addr().is_multiple_of(self.layout.align()) {
            Err(self.fault("its alignment"))
        } else {
            Ok(())
        }
    }

    /// The stretches of a block of `len` bytes that are written, as words and where the last one ends.
    fn written(&self, len: usize) -> [(usize, usize); 2] {
        if self.whole { [(0, len), (0, 0)] } else { [(0, EDGE), ((len - EDGE) / 8, len)] }
    }

    fn write(&self) {
        for (first, end) in self.written(self.layout.size()) {
            // SAFETY: within the block, which is ours.
            unsafe { fill(self.at, self.seed, first, end) };
        }
    }

    /// Whether the first `now` bytes of what was written in `len` are there.
    fn holds(&self, len: usize, now: usize) -> bool {
        let stretches = self.written(len);
        // SAFETY: within the block, and written when it had `len` bytes.
        stretches.iter().all(|&(first, end)| unsafe { is(self.at, self.seed, first, end.min(now)) })
    }

    /// For the check of the checks.
    pub(crate) fn spoil(&mut self, byte: usize) {
        // SAFETY: within the block, and written.
        unsafe { *self.at.add(byte) ^= 1 };
    }
}

/// Long blocks are written whole where their seed says so.
fn is_whole(len: usize, seed: u64) -> bool {
    len <= WHOLE || seed.is_multiple_of(8)
}

/// A word of the pattern.
fn word(seed: u64, number: usize) -> u64 {
    seed.wrapping_add((number as u64).wrapping_mul(0xD6E8_FEB8_6659_FD93))
}

/// Writes the pattern's words from `first` on, up to the byte `end`.
///
/// # Safety
///
/// 1. The bytes up to `end` are the caller's.
unsafe fn fill(at: *mut u8, seed: u64, first: usize, end: usize) {
    for number in first..end / 8 {
        // SAFETY: 1. eight bytes below `end`.
        unsafe { at.add(number * 8).cast::<u64>().write_unaligned(word(seed, number)) };
    }
    for byte in (first * 8).max(end / 8 * 8)..end {
        // SAFETY: 1. below `end`.
        unsafe { at.add(byte).write(word(seed, byte / 8).to_le_bytes()[byte % 8]) };
    }
}

/// Whether the pattern's words are there from `first` on, up to the byte `end`.
///
/// # Safety
///
/// 1. The bytes from `first` to `end` are the caller's, and written.
unsafe fn is(at: *const u8, seed: u64, first: usize, end: usize) -> bool {
    let mut other = 0;
    for number in first..end / 8 {
        // SAFETY: 1. eight bytes below `end`.
        other |= unsafe { at.add(number * 8).cast::<u64>().read_unaligned() } ^ word(seed, number);
    }
    for byte in (first * 8).max(end / 8 * 8)..end {
        // SAFETY: 1. below `end`.
        let there = unsafe { at.add(byte).read() };
        other |= u64::from(there ^ word(seed, byte / 8).to_le_bytes()[byte % 8]);
    }
    other == 0
}

/// Whether all bytes are zero.
///
/// # Safety
///
/// 1. `len` bytes of the caller's, written.
unsafe fn is_zero(at: *const u8, len: usize) -> bool {
    // SAFETY: 1. the obligation here.
    let bytes = unsafe { std::slice::from_raw_parts(at, len) };
    let (words, rest) = bytes.as_chunks::<8>();
    words.iter().fold(0, |any, word| any | u64::from_ne_bytes(*word)) == 0
        && rest.iter().all(|byte| *byte == 0)
}

/// That a block which is not as it was written is found out: one byte of a short one, of the first and
/// of the last ones of a long one, and of the middle of one that is written whole.
pub(crate) fn checks_check() -> Result<(), Fault> {
    for (len, seed, byte) in
        [(1, 1, 0), (2047, 1, 2046), (90_001, 1, 0), (90_001, 1, 90_000), (90_001, 8, 45_000)]
    {
        let layout = Layout::from_size_align(len, 1).expect("small");
        let mut block = Block::new(layout, true, seed)?;
        block.check()?;
        block.spoil(byte);
        if block.check().is_ok() {
            return Err(block.fault("the check of a spoilt block"));
        }
        block.spoil(byte);
        block.free()?;
    }
    Ok(())
}
