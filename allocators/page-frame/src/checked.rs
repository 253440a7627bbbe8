//! Feature `checked`: a bit for each frame at which a block begins.
//!
//! The bits say where blocks begin that a program has; frames in stocks have none. A free is right
//! when a block begins at its first frame, none begins inside, and none goes on behind it. Without
//! the feature nothing here does anything.
//!
//! A frame behind the block that is taken without a beginning belongs to it, unless another thread
//! is just between taking frames and marking them, or between unmarking and giving them back. So
//! calls are counted while they are at work, and a block is said to go on only when nobody was.

use strata_core::FrameId;

use crate::error::FreeError;
use crate::tables::Tables;

#[cfg(not(feature = "checked"))]
mod without {
    use super::{FrameId, FreeError, Tables};

    /// A call at work, of which nothing is known.
    pub(crate) struct AtWork;

    impl Tables<'_> {
        #[inline]
        pub(crate) fn at_work(&self) -> AtWork {
            AtWork
        }

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
}

#[cfg(feature = "checked")]
mod with {
    use strata_core::sync::{AtomicU64, Ordering, yield_now};

    use super::{FrameId, FreeError, Tables};
    use crate::geometry::{ROW, bit_of, row_of};
    use crate::row;

    /// Looks at a frame behind a block while others are at work. Whoever stopped at work for ever
    /// hides frees of too low an order from then on, and makes none fail.
    const LOOKS: u32 = 1000;

    /// One more call, which is at work.
    const BEGIN: u64 = 1 << 32 | 1;

    /// A call at work, until it is dropped.
    pub(crate) struct AtWork<'m>(&'m AtomicU64);

    impl Drop for AtWork<'_> {
        fn drop(&mut self) {
            // Release: its partner is the Acquire in `goes_on`.
            self.0.fetch_sub(1, Ordering::Release);
        }
    }

    impl<'m> Tables<'m> {
        /// Says that frames and their marks may not agree until the answer is dropped.
        pub(crate) fn at_work(&self) -> AtWork<'m> {
            // Acquire: nothing of the call comes before it.
            self.working.fetch_add(BEGIN, Ordering::Acquire);
            AtWork(self.working)
        }

        /// Says that a block of `frames` frames begins at `start`: it is being handed out.
        pub(crate) fn mark(&self, start: FrameId, _frames: u64) {
            let (row, bit) = place(start.0);
            // Release: its partner is the Acquire in `unmark`.
            self.starts[row].fetch_or(bit, Ordering::Release);
        }

        /// Says that blocks of `step` frames each fill the range; the caller has all of it.
        pub(crate) fn mark_each(&self, start: FrameId, frames: u64, step: u64) {
            for frame in start.0..start.0 + frames {
                let (row, bit) = place(frame);
                // Relaxed: the caller has these frames, and hands them on by his own means.
                if (frame - start.0).is_multiple_of(step) {
                    self.starts[row].fetch_or(bit, Ordering::Relaxed);
                } else {
                    self.starts[row].fetch_and(!bit, Ordering::Relaxed);
                }
            }
        }

        /// Says that no block begins in the range.
        pub(crate) fn unmark_quietly(&self, start: FrameId, frames: u64) {
            for (row, bits) in rows(start.0, start.0 + frames) {
                // Relaxed: nobody has these frames.
                self.starts[row].fetch_and(!bits, Ordering::Relaxed);
            }
        }

        /// Whether exactly one block fills the range.
        pub(crate) fn check_marked(&self, start: FrameId, frames: u64) -> Result<(), FreeError> {
            if !self.begins(start.0) {
                // Taken without a beginning: inside a block, or in a stock.
                let inside = self.is_inside(start.0);
                return Err(if inside { FreeError::WrongOrder } else { FreeError::DoubleFree });
            }
            let mut inner = rows(start.0 + 1, start.0 + frames);
            // Acquire: its partner is the Release in `mark`.
            let begins =
                |(row, bits): (usize, u64)| self.starts[row].load(Ordering::Acquire) & bits != 0;
            if inner.any(begins) || self.goes_on(start.0 + frames) {
                return Err(FreeError::WrongOrder);
            }
            Ok(())
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

        /// Whether a block goes on at `frame`, which is behind it. The caller is at work.
        fn goes_on(&self, frame: u64) -> bool {
            if frame >= self.frames {
                return false;
            }
            for _ in 0..LOOKS {
                // Acquire, both: their partner is the Release at the end of each call's work.
                let before = self.working.load(Ordering::Acquire);
                if !self.is_inside(frame) {
                    return false;
                }
                if before as u32 == 1 && before == self.working.load(Ordering::Acquire) {
                    return true;
                }
                yield_now();
            }
            false
        }

        fn begins(&self, frame: u64) -> bool {
            let (row, bit) = place(frame);
            // Acquire: its partner is the Release in `mark`.
            self.starts[row].load(Ordering::Acquire) & bit != 0
        }

        /// Whether a frame is taken, in no stock, and none that a block begins with.
        fn is_inside(&self, frame: u64) -> bool {
            self.is_taken(frame) && !self.begins(frame) && !self.in_stock(frame)
        }
    }

    fn place(frame: u64) -> (usize, u64) {
        (row_of(frame), 1 << bit_of(frame))
    }

    /// The rows of a range with its bits in each.
    fn rows(start: u64, end: u64) -> impl Iterator<Item = (usize, u64)> {
        let mut at = start;
        core::iter::from_fn(move || {
            let frames = (ROW - at % ROW).min(end.saturating_sub(at));
            let found = (frames > 0).then(|| (row_of(at), row::mask(bit_of(at), frames)));
            at += frames;
            found
        })
    }
}
