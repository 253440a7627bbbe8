//! Memory that a pool gets ahead.

use core::ptr::NonNull;

use strata_core::{Exhausted, Source};

use super::Store;

impl<S: Source<Address = NonNull<u8>>> Store<S> {
    /// Has at least `blocks` free blocks in the chunks.
    pub(crate) fn reserve(&mut self, blocks: usize) -> Result<(), Exhausted> {
        let free = self.capacity - self.figures().live;
        match blocks.checked_sub(free) {
            None | Some(0) => Ok(()),
            Some(more) => self.grow(more),
        }
    }

    /// Has at least `blocks` free blocks whose pages are backed, in the order in which they will be
    /// taken.
    pub(crate) fn prefill(&mut self, blocks: usize) -> Result<(), Exhausted> {
        self.reserve(blocks)?;
        let mut touched = [core::ptr::null_mut(); 64];
        // Taken in batches, all at once: a chain through the blocks themselves, which are whole
        // words, keeps them until all are touched.
        let mut chain = core::ptr::null_mut::<u8>();
        let mut left = blocks;
        while left > 0 {
            let want = left.min(touched.len());
            let got = self.take(&mut touched[..want], false);
            if got == 0 {
                break;
            }
            for &block in &touched[..got] {
                // SAFETY: a block of ours, at least a word long and aligned for it.
                unsafe { block.cast::<*mut u8>().write(chain) };
                self.touch(block);
                chain = block;
            }
            left -= got;
        }
        while !chain.is_null() {
            let block = chain;
            // SAFETY: written above.
            chain = unsafe { block.cast::<*mut u8>().read() };
            self.put(&[block]);
        }
        Ok(())
    }

    /// Writes to each page of a block.
    fn touch(&self, block: *mut u8) {
        let (page, len) = (self.source.granule().max(1024), self.shape.len());
        for at in (page..len).step_by(page).chain([len - 1]) {
            if at >= size_of::<*mut u8>() {
                // SAFETY: in the block, which is ours. Volatile: the write itself is wanted.
                unsafe { block.add(at).write_volatile(0) };
            }
        }
    }
}
