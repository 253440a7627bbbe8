//! Many blocks with one call: a row of frames costs as much as one frame.

use strata_core::{FrameId, Order};

use crate::class::Class;
use crate::error::FreeError;
use crate::frames::PageFrames;
use crate::geometry::{ROW, frame_at, row_of};

impl PageFrames<'_> {
    /// Takes blocks of `order` until `out` is full or none is left, and answers how many.
    pub fn alloc_bulk(&self, order: Order, out: &mut [FrameId]) -> usize {
        let place = self.place(Class::MOVABLE);
        let mut taken = 0;
        if order.get() == 0 {
            while taken < out.len() {
                let _at_work = self.tables.at_work();
                let Some((row, mut bits)) = self.grab_anywhere(&place, out.len() - taken) else {
                    break;
                };
                while bits != 0 {
                    let frame = frame_at(row, bits.trailing_zeros());
                    self.tables.mark(frame, 1);
                    out[taken] = frame;
                    taken += 1;
                    bits &= bits - 1;
                }
            }
        }
        while taken < out.len() {
            let Ok(frame) = self.alloc(order) else { break };
            out[taken] = frame;
            taken += 1;
        }
        taken
    }

    /// Gives back blocks of one order; those of order 0 that lie in one row and follow one another
    /// in `blocks` cost as much as one.
    ///
    /// # Errors
    ///
    /// With how many of the first were given back, where the next cannot be.
    pub fn free_bulk(&self, blocks: &[FrameId], order: Order) -> Result<(), (usize, FreeError)> {
        let mut done = 0;
        while done < blocks.len() {
            let count = if order.get() == 0 { self.row_mates(&blocks[done..]) } else { 0 };
            if count > 1 && self.free_row(&blocks[done..done + count]) {
                done += count;
                continue;
            }
            // One by one: alone in its row, or not all right, and then it tells which.
            for block in &blocks[done..done + count.max(1)] {
                self.free(*block, order).map_err(|error| (done, error))?;
                done += 1;
            }
        }
        Ok(())
    }

    /// How many of the first of `blocks` lie in one row, each in it once.
    fn row_mates(&self, blocks: &[FrameId]) -> usize {
        let mut seen = 0u64;
        let mate = |frame: &&FrameId| {
            let bit = 1u64 << (frame.0 % ROW);
            let new = row_of(frame.0) == row_of(blocks[0].0) && seen & bit == 0;
            seen |= bit;
            new && frame.0 < self.frames()
        };
        blocks.iter().take_while(mate).count()
    }

    /// Gives back different frames of one row, if all are taken.
    fn free_row(&self, frames: &[FrameId]) -> bool {
        if cfg!(feature = "checked") {
            return false;
        }
        let bits = frames.iter().fold(0, |bits, frame| bits | 1 << (frame.0 % ROW));
        self.tables.free_bits(row_of(frames[0].0), bits, &()).is_ok()
    }
}
