//! Changing what frames are without moving them: huge frames into parts and back, out of use and back
//! into it.

use strata_core::sync::Ordering;
use strata_core::{FrameId, Order};

use crate::error::{ClaimError, FreeError};
use crate::frames::PageFrames;

impl PageFrames<'_> {
    /// Splits a block into blocks of a lower order, which are then freed one by one. Where the block
    /// is one or more huge frames, one exchange for each.
    ///
    /// # Errors
    ///
    /// Where no such block is taken, or `into` is not lower.
    pub fn split(&self, frame: FrameId, order: Order, into: Order) -> Result<(), FreeError> {
        self.check_block(frame, order)?;
        if into >= order {
            return Err(FreeError::WrongOrder);
        }
        let _at_work = self.tables.at_work();
        self.tables.check_marked(frame, order.frames())?;
        let huge = self.geometry().huge_order();
        if order >= huge {
            if into < huge {
                let first = self.geometry().huge_of(frame.0);
                for huge in first..first + (order.frames() >> huge.get()) as usize {
                    self.tables.split_whole(huge)?;
                }
            }
        } else if !(frame.0..frame.0 + order.frames()).all(|frame| self.tables.is_taken(frame)) {
            return Err(FreeError::DoubleFree);
        }
        self.tables.mark_each(frame, order.frames(), into.frames());
        Ok(())
    }

    /// Makes one block of a huge frame all of whose frames the caller has, in whatever blocks.
    /// One exchange.
    ///
    /// # Errors
    ///
    /// Where one of its frames is free, or it is a whole block already.
    pub fn merge(&self, frame: FrameId) -> Result<(), FreeError> {
        let order = self.geometry().huge_order();
        self.check_block(frame, order)?;
        let _at_work = self.tables.at_work();
        self.tables.merge_whole(self.geometry().huge_of(frame.0))?;
        self.tables.mark_each(frame, order.frames(), order.frames());
        Ok(())
    }

    /// Frames that [`offline`](Self::offline) took out of use.
    pub fn offline_frames(&self) -> u64 {
        // Relaxed: a reading.
        self.shared.offline.load(Ordering::Relaxed)
    }

    /// Takes frames out of use: memory that goes away, or must not be touched.
    ///
    /// # Errors
    ///
    /// With the first frame that is taken; nothing changed.
    pub fn offline(&self, start: FrameId, frames: u64) -> Result<(), ClaimError> {
        self.alloc_at(start, frames)?;
        self.shared.offline.fetch_add(frames, Ordering::Relaxed);
        Ok(())
    }

    /// Takes back into use what [`offline`](Self::offline) took out, whole or in parts.
    ///
    /// # Errors
    ///
    /// Where one of the frames is free.
    pub fn online(&self, start: FrameId, frames: u64) -> Result<(), FreeError> {
        let end = self.end_of(start, frames).ok_or(FreeError::OutOfRange)?;
        let _at_work = self.tables.at_work();
        self.tables.unmark_quietly(start, frames);
        let freed = self.tables.free_range(start.0, end, true);
        if freed.is_err() && self.tables.is_taken(start.0) {
            self.tables.mark(start, frames);
        }
        freed?;
        self.shared.offline.fetch_sub(frames, Ordering::Relaxed);
        Ok(())
    }
}
