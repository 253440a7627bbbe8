//! Slots without a value: in hand, where the next value finds one, or back in the chunks.

use core::ptr::{self, NonNull};

use strata_core::span::MAX_BLOCKS;
use strata_core::sync::Ordering;
use strata_core::{Exhausted, Source};

use super::{HAND, HandlePool, MOST_CHUNKS, NEXT, NUMBER_BITS};

impl<T, S: Source<Address = NonNull<u8>>> HandlePool<T, S> {
    /// Counts the value of a slot as gone, and takes the slot in hand.
    pub(super) fn leave(&mut self, index: u32) {
        self.live -= 1;
        // SAFETY: 1. a slot that had a value has a row.
        let generation = unsafe { self.generation(index).as_mut() };
        let (next, used_up) = generation.overflowing_add(1);
        if used_up {
            // Even, and for ever: no handle has it.
            *generation = 0;
            self.retired += 1;
            return;
        }
        *generation = next;
        if self.in_hand == HAND {
            self.put_oldest(HAND / 2);
        }
        self.hand[self.in_hand] = index;
        self.in_hand += 1;
    }

    /// Fills half of the hand.
    #[cold]
    #[inline(never)]
    pub(super) fn fill(&mut self) -> Result<(), Exhausted> {
        if self.number == 0 {
            // Relaxed, both: only different numbers matter.
            let next = |n: u32| n.checked_add(1);
            let number = NEXT.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
            self.number = number.unwrap_or(u32::MAX);
        }
        let mut blocks = [ptr::null_mut(); HAND / 2];
        let got = self.store.take(&mut blocks, true);
        if got == 0 {
            return Err(Exhausted);
        }
        let mut indices = [0; HAND / 2];
        for (index, &block) in indices.iter_mut().zip(&blocks[..got]) {
            let place = self.store.place_of(block).filter(|(chunk, _)| self.has_row(*chunk));
            let Some((chunk, number)) = place else {
                // No memory for its row.
                self.store.put(&blocks[..got]);
                return Err(Exhausted);
            };
            *index = chunk << NUMBER_BITS | number as u32;
        }
        // The lowest address on top.
        for (place, index) in self.hand[..got].iter_mut().rev().zip(indices) {
            *place = index;
        }
        self.in_hand = got;
        Ok(())
    }

    /// Makes sure that a chunk has a row.
    fn has_row(&mut self, chunk: u32) -> bool {
        while self.row_count <= chunk && chunk < MOST_CHUNKS {
            // SAFETY: 1. `&mut self`.
            let Ok(rows) = (unsafe { self.rows.grow(&*self.store.source) }) else { break };
            self.row_count = rows.end;
            for row in rows {
                // SAFETY: 1. fresh from `grow`.
                let base = unsafe { self.rows.get(row) };
                let len = MAX_BLOCKS.min(self.store.shape.cut.blocks()) * size_of::<u32>();
                // SAFETY: rows are that long.
                unsafe { base.write_bytes(0, len) };
            }
        }
        chunk < self.row_count
    }

    /// Puts the blocks of the `count` oldest slots in hand back.
    #[cold]
    pub(super) fn put_oldest(&mut self, count: usize) {
        let count = count.min(self.in_hand);
        let mut blocks = [ptr::null_mut(); HAND];
        for (block, &index) in blocks.iter_mut().zip(&self.hand[..count]) {
            // SAFETY: 1. slots in hand are out (3.).
            *block = unsafe { self.slot(index) }.as_ptr().cast();
        }
        if count > 0 {
            self.store.put(&blocks[..count]);
            self.hand.copy_within(count..self.in_hand, 0);
            self.in_hand -= count;
        }
    }
}
