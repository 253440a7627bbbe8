//! More frames for the hand: from the stock, from the huge frame at which it works, from another.

use strata_core::sync::Ordering;
use strata_core::{Exhausted, FrameId};

use super::Local;
use crate::geometry::ROW;
use crate::journal::Journal;
use crate::slot::{PARTS, Part};

/// Huge frames that a refill may lose to other threads before everything is looked at.
const PICKS: usize = 8;

impl Local<'_> {
    /// Fills the hand and takes a frame out of it.
    #[inline(never)]
    pub(super) fn refill_slow(&self) -> Result<FrameId, Exhausted> {
        for index in 0..PARTS {
            let part = self.slot.take_part(index, &self.slot);
            if !part.is_empty() {
                self.slot.set_hand(part);
                return Ok(self.pop(part));
            }
        }
        let tables = &self.frames.tables;
        if let Some(huge) = self.slot.held() {
            let (row, bits) = self.slot.frees();
            if bits != 0 && tables.geometry.huge_of(row as u64 * ROW) == huge {
                return Ok(self.take_waiting(row, bits));
            }
            if let Some((row, bits)) = tables.grab(huge, ROW, true, &self.slot) {
                return Ok(self.stock(row, bits));
            }
        }
        self.refill_elsewhere()
    }

    /// Finds another huge frame to work at.
    #[cold]
    fn refill_elsewhere(&self) -> Result<FrameId, Exhausted> {
        let tables = &self.frames.tables;
        let (waiting, bits) = self.slot.frees();
        // Where they leave their huge frame nearly full, none is fuller: they come back to the hand without
        // a word that others see. Elsewhere that would keep huge frames alive that are about to be free.
        let last = tables.geometry.huge_of_row(waiting).0;
        if bits != 0 && tables.is_nearly_full(last, bits.count_ones()) && self.fits(last) {
            return Ok(self.take_waiting(waiting, bits));
        }
        let place = self.place();
        loop {
            for huge in (0..PICKS).map_while(|_| tables.pick(0, &place)) {
                if let Some((row, bits)) = tables.grab(huge, ROW, true, &self.slot) {
                    self.hold(huge);
                    return Ok(self.stock(row, bits));
                }
            }
            // What waits may be the last there is.
            if self.flush_frees() == 0 {
                break;
            }
        }
        let frame =
            self.frames.patiently(Some(self), || self.frames.sweep(0, &place, &self.slot))?;
        self.slot.record_block(frame, 0);
        tables.mark(frame, 1);
        Ok(frame)
    }

    /// Makes freed frames that wait the stock, and takes one out.
    fn take_waiting(&self, row: usize, bits: u64) -> FrameId {
        self.slot.bits(row, bits);
        self.slot.set_frees(0);
        self.stock(row, bits)
    }

    /// Whether the tree of a huge frame is of the stock's class.
    fn fits(&self, huge: usize) -> bool {
        let tables = &self.frames.tables;
        tables.class(tables.geometry.tree_of(huge)) == self.class
    }

    /// Puts frames of a row that were taken for the stock into it, and takes one out.
    fn stock(&self, row: usize, bits: u64) -> FrameId {
        // Relaxed: a hint, for the next search and for longer blocks.
        self.slot.row_hint().store(row as u64 + 1, Ordering::Relaxed);
        let mut hand = Part(0);
        let mut next = 0;
        for quarter in 0..PARTS {
            let part = Part::cut(row, quarter, bits);
            if part.is_empty() {
                continue;
            }
            if hand.is_empty() {
                hand = part;
                self.slot.set_hand(part);
            } else {
                self.slot.put_part(next, part);
                next += 1;
            }
        }
        self.pop(hand)
    }
}
