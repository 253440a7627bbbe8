//! Which pages of the address space ever held a block.
//!
//! A table of one entry a GiB leads to bitmaps of one bit a page. All of it is shared memory, so only
//! the touched parts cost anything and the subject's memory is left alone.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// 47 bits of user addresses in GiB.
const GIBIBYTES: usize = 1 << 17;
/// Words of a bitmap for one GiB of 4 KiB pages.
const WORDS: usize = (1 << 18) / 64;
/// Bitmaps that fit: as many GiB can hold blocks.
const BITMAPS: usize = 2048;

/// Bytes of the whole structure.
pub(crate) const BYTES: usize = (GIBIBYTES + BITMAPS * WORDS) * 8;

/// A view of the structure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct History<'a> {
    /// By GiB: 1 + number of the bitmap, or 0.
    table: &'a [AtomicU64],
    bitmaps: &'a [AtomicU64],
    used: &'a AtomicU32,
}

impl<'a> History<'a> {
    /// Views `words`, which are [`BYTES`] long and were zero at first.
    pub(crate) fn new(words: &'a [AtomicU64], used: &'a AtomicU32) -> Self {
        let (table, bitmaps) = words.split_at(GIBIBYTES);
        Self { table, bitmaps, used }
    }

    /// Notes that a block lies at `start`, `bytes` long.
    pub(crate) fn mark(&self, start: usize, bytes: usize) {
        let (mut page, last) = (start >> 12, (start + bytes.max(1) - 1) >> 12);
        while page <= last {
            let Some(bitmap) = self.bitmap(page >> 18) else { return };
            let end = last.min(page | ((1 << 18) - 1));
            while page <= end {
                let bit = page & ((1 << 18) - 1);
                let upto = (end - page + 1).min(64 - bit % 64);
                let mask = (u64::MAX >> (64 - upto)) << (bit % 64);
                let word = &bitmap[bit / 64];
                // Relaxed: the parent reads after the channel's system calls.
                if word.load(Ordering::Relaxed) & mask != mask {
                    word.fetch_or(mask, Ordering::Relaxed);
                }
                page += upto;
            }
        }
    }

    /// Whether a block was ever noted in this page.
    pub(crate) fn held(&self, page: usize) -> bool {
        let number = self.table[(page >> 18) & (GIBIBYTES - 1)].load(Ordering::Relaxed);
        let Some(number) = number.checked_sub(1) else { return false };
        let bit = page & ((1 << 18) - 1);
        let word = &self.bitmaps[number as usize * WORDS + bit / 64];
        word.load(Ordering::Relaxed) >> (bit % 64) & 1 == 1
    }

    /// How many pages ever held a block.
    pub(crate) fn pages(&self) -> u64 {
        let used = (self.used.load(Ordering::Relaxed) as usize).min(BITMAPS) * WORDS;
        let ones = |word: &AtomicU64| u64::from(word.load(Ordering::Relaxed).count_ones());
        self.bitmaps[..used].iter().map(ones).sum()
    }

    fn bitmap(&self, gibibyte: usize) -> Option<&'a [AtomicU64]> {
        let entry = &self.table[gibibyte & (GIBIBYTES - 1)];
        let mut number = entry.load(Ordering::Relaxed);
        if number == 0 {
            let fresh = u64::from(self.used.fetch_add(1, Ordering::Relaxed)) + 1;
            if fresh > BITMAPS as u64 {
                return None;
            }
            // Two threads may race for the entry: the loser's bitmap stays unused.
            number = match entry.compare_exchange(0, fresh, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => fresh,
                Err(winner) => winner,
            };
        }
        let start = (number as usize - 1) * WORDS;
        Some(&self.bitmaps[start..start + WORDS])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marked_range_is_held_and_its_neighbours_are_not() {
        let words: Vec<AtomicU64> = (0..BYTES / 8).map(|_| AtomicU64::new(0)).collect();
        let used = AtomicU32::new(0);
        let history = History::new(&words, &used);
        // Across a GiB border, and 130 pages long.
        let start = (1 << 30) - 64 * 4096 + 100;
        history.mark(start, 130 * 4096);
        let (first, last) = (start >> 12, (start + 130 * 4096 - 1) >> 12);
        assert!((first..=last).all(|page| history.held(page)));
        assert!(!history.held(first - 1) && !history.held(last + 1));
    }
}
