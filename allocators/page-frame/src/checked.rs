//! Feature `checked`: a bit for each frame at which a block begins.
//!
//! The bits say where blocks begin that a program has; frames in stocks have none. A free is right
//! when a block begins at its first frame, none begins inside, and none goes on behind it. Without
//! the feature nothing here does anything.

use strata_core::FrameId;
#[cfg(feature = "checked")]
use strata_core::sync::Ordering;

use crate::error::FreeError;
use crate::tables::Tables;

#[cfg(not(feature = "checked"))]
impl Tables<'_> {
    #[inline]
    pub(crate) fn mark(&self, _start: FrameId, _frames: u64) {}

    #[inline]
    pub(crate) fn mark_each(&self, _start: FrameId, _frames: u64, _step: u64) {}

    #[inline]
    pub(crate) fn unmark_quietly(&self, _start: FrameId, _frames: u64) {}

    #[inline]
    pub(crate) fn check_marked(&self, _start: FrameId, _frames: u64) -> Result<(), FreeError> {
        Ok(())
    }

    #[inline]
    pub(crate) fn unmark(&self, _start: FrameId, _frames: u64) -> Result<(), FreeError> {
        Ok(())
    }

    #[inline]
    pub(crate) fn forget_starts(&self, _first: usize, _end: usize) {}
}

#[cfg(feature = "checked")]
impl Tables<'_> {
    /// Says that a block of `frames` frames begins at `start`: it is being handed out.
    pub(crate) fn mark(&self, start: FrameId, _frames: u64) {
        let (row, bit) = place(start.0);
        // Release: its partner is the Acquire in `unmark`.
        let old = self.starts[row].fetch_or(bit, Ordering::Release);
        debug_assert_eq!(old & bit, 0, "a block begins where none was taken");
    }

    /// Says that blocks of `step` frames each fill the range; the caller has all of it.
    pub(crate) fn mark_each(&self, start: FrameId, frames: u64, step: u64) {
        for frame in start.0..start.0 + frames {
            let (row, bit) = place(frame);
            // Relaxed: the caller has these frames, and hands them to others by his own means.
            if (frame - start.0) % step == 0 {
                self.starts[row].fetch_or(bit, Ordering::Relaxed);
            } else {
                self.starts[row].fetch_and(!bit, Ordering::Relaxed);
            }
        }
    }

    /// Says that no block begins in the range.
    pub(crate) fn unmark_quietly(&self, start: FrameId, frames: u64) {
        for frame in start.0..start.0 + frames {
            let (row, bit) = place(frame);
            // Relaxed: nobody has these frames.
            self.starts[row].fetch_and(!bit, Ordering::Relaxed);
        }
    }

    /// Whether exactly one block fills the range.
    pub(crate) fn check_marked(&self, start: FrameId, frames: u64) -> Result<(), FreeError> {
        if !self.begins(start.0) {
            // Taken without a beginning: inside a block, or in a stock.
            let inside = self.is_taken(start.0) && self.inside_block(start.0);
            return Err(if inside { FreeError::WrongOrder } else { FreeError::DoubleFree });
        }
        let end = start.0 + frames;
        let inner = (start.0 + 1..end).any(|frame| self.begins(frame));
        let longer = end < self.frames && self.is_taken(end) && !self.begins(end) && {
            // A frame of a stock behind the block goes on with nothing.
            self.inside_block(end)
        };
        if inner || longer { Err(FreeError::WrongOrder) } else { Ok(()) }
    }

    /// Takes the beginning of a block away: of two frees of one block, one stops here.
    pub(crate) fn unmark(&self, start: FrameId, frames: u64) -> Result<(), FreeError> {
        self.check_marked(start, frames)?;
        let (row, bit) = place(start.0);
        // AcqRel: its partners are the Release in `mark` and the other `unmark` of this block.
        let old = self.starts[row].fetch_and(!bit, Ordering::AcqRel);
        if old & bit == 0 { Err(FreeError::DoubleFree) } else { Ok(()) }
    }

    /// Forgets blocks that begin at free frames of these huge frames. Nobody is at work.
    pub(crate) fn forget_starts(&self, first: usize, end: usize) {
        let rows = self.geometry.first_row(first)..self.geometry.first_row(end);
        for (start, row) in self.starts[rows.clone()].iter().zip(&self.rows[rows]) {
            start.fetch_and(row.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }

    fn begins(&self, frame: u64) -> bool {
        let (row, bit) = place(frame);
        // Acquire: its partner is the Release in `mark`.
        self.starts[row].load(Ordering::Acquire) & bit != 0
    }

    /// Whether a taken frame without a beginning belongs to a block, and not to a stock.
    fn inside_block(&self, frame: u64) -> bool {
        !self.in_stock(frame)
    }
}

#[cfg(feature = "checked")]
fn place(frame: u64) -> (usize, u64) {
    (crate::geometry::row_of(frame), 1 << crate::geometry::bit_of(frame))
}
