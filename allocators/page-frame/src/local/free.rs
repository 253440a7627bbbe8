//! Frames that come back: to the hand, or to others of their row that wait.

use strata_core::sync::Ordering;
use strata_core::{FrameId, Order};

use super::Local;
use crate::error::FreeError;
use crate::geometry::{ROW, bit_of, row_of};
use crate::slot::{PARTS, Part};

impl Local<'_> {
    /// Gives back a block that was taken with this order, from here or elsewhere.
    ///
    /// A frame (order 0) goes to the hand, if the hand is of its quarter row; otherwise it waits for
    /// others of its row, and they are given back at once, or handed out again where no huge frame is
    /// fuller than theirs.
    ///
    /// # Errors
    ///
    /// Where that cannot be: nothing changed. A frame that another local's stock holds is not told
    /// from a taken one (with feature `checked` it is).
    #[inline]
    pub fn free(&self, frame: FrameId, order: Order) -> Result<(), FreeError> {
        let _at_work = self.frames.tables.at_work();
        if order.get() != 0 {
            return self.free_block(frame, order);
        }
        let tables = &self.frames.tables;
        let (row, bit) = (row_of(frame.0), 1 << bit_of(frame.0));
        let hand = self.slot.hand();
        let (waiting, bits) = self.slot.frees();
        // Relaxed: a look; only whoever has the frame changes its bit.
        let word = tables.rows.get(row).map_or(0, |row| row.load(Ordering::Relaxed));
        if word & bit != 0 && frame.0 < tables.frames {
            if hand.row() != row {
                // Others of its row wait, so that the row is none of a whole huge frame.
                if waiting == row && bits != 0 && bits & bit == 0 {
                    self.begin_free(frame, order)?;
                    self.slot.set_frees(bits | bit);
                    return Ok(());
                }
            } else if hand.covers(frame)
                && !hand.is_empty()
                && waiting != row
                && hand.0 & Part::bit(frame) == 0
            {
                self.begin_free(frame, order)?;
                self.slot.set_hand(Part(hand.0 | Part::bit(frame)));
                return Ok(());
            }
        }
        self.free_slow(frame, word)
    }

    /// Writes down that a block is being freed, and that none begins there any more.
    #[inline]
    fn begin_free(&self, frame: FrameId, order: Order) -> Result<(), FreeError> {
        self.slot.record_block(frame, order.get());
        let unmarked = self.frames.tables.unmark(frame, order.frames());
        if unmarked.is_err() {
            self.slot.record_none();
        }
        unmarked
    }

    /// Frees a frame of a row of which none waits, or of the row in stock, whose row is `word`; or tells
    /// why not.
    #[inline(never)]
    fn free_slow(&self, frame: FrameId, word: u64) -> Result<(), FreeError> {
        let tables = &self.frames.tables;
        let (row, bit) = (row_of(frame.0), 1 << bit_of(frame.0));
        if frame.0 >= tables.frames {
            return Err(FreeError::OutOfRange);
        }
        if word & bit == 0 {
            return Err(FreeError::DoubleFree);
        }
        // The rows of a whole huge frame are full; others are not worth the look at its entry.
        if word == u64::MAX && tables.entry(tables.geometry.huge_of(frame.0)).is_closed() {
            tables.check_small(frame.0)?;
        }
        let hand = self.slot.hand();
        let (waiting, bits) = self.slot.frees();
        if self.in_stock(hand, frame) || waiting == row && bits & bit != 0 {
            return Err(FreeError::DoubleFree);
        }
        let mate = hand.covers(frame) || waiting == row;
        if !mate {
            // Before the free begins: giving others back is a record of its own.
            self.flush_frees();
        }
        self.begin_free(frame, Order::default())?;
        if hand.covers(frame) {
            self.slot.set_hand(Part(hand.0 | Part::bit(frame)));
        } else if waiting == row {
            self.slot.set_frees(bits | bit);
        } else {
            self.slot.set_frees_row(row);
            self.slot.set_frees(bit);
        }
        Ok(())
    }

    /// Whether the hand or a part of this stock has `frame`.
    #[inline]
    fn in_stock(&self, hand: Part, frame: FrameId) -> bool {
        // Hand and parts are of one row.
        let has = |part: Part| part.covers(frame) && part.0 & Part::bit(frame) != 0;
        hand.row() == row_of(frame.0)
            && (has(hand) || (0..PARTS).any(|index| has(self.slot.peek(index))))
    }

    #[inline(never)]
    fn free_block(&self, frame: FrameId, order: Order) -> Result<(), FreeError> {
        self.frames.check_block(frame, order)?;
        let tables = &self.frames.tables;
        // Frames in the stock are taken, but not by the caller.
        if order.get() < tables.geometry.huge_order().get() && self.stocks_any(frame, order) {
            return Err(FreeError::WrongOrder);
        }
        self.begin_free(frame, order)?;
        self.frames.give(frame, order.get(), &self.slot)
    }

    /// Whether this stock has a frame of a block.
    #[inline]
    fn stocks_any(&self, frame: FrameId, order: Order) -> bool {
        // Hand and parts are of one row, what waits is of another.
        let (stock, waiting) = (self.slot.hand().row(), self.slot.frees().0);
        let rows = row_of(frame.0)..=row_of(frame.0 + order.frames() - 1);
        (rows.contains(&stock) || rows.contains(&waiting)) && self.stocks_any_slow(frame, order)
    }

    #[cold]
    fn stocks_any_slow(&self, frame: FrameId, order: Order) -> bool {
        let end = frame.0 + order.frames();
        let meets = |row: usize, bits: u64| {
            let start = row as u64 * ROW;
            if bits == 0 || start + ROW <= frame.0 || start >= end {
                return false;
            }
            order.get() >= 6 || bits & crate::row::mask(bit_of(frame.0), order.frames()) != 0
        };
        let hand = self.slot.hand();
        let (row, bits) = self.slot.frees();
        let part = |index| self.slot.peek(index);
        meets(row, bits)
            || meets(hand.row(), hand.bits())
            || (0..PARTS).map(part).any(|part| meets(part.row(), part.bits()))
    }
}
