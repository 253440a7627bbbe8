//! Ranges of any length: claimed in ascending order with full undo, given back whole or not at all.
//!
//! A range is cut at huge frames. Those that it covers are taken whole, a word of entries at a
//! time; what remains at its ends are bits of rows. A claim that loses a word gives back all before
//! it: obstruction-free, and nobody waits for it. A range that is bits of one row, or huge frames
//! of one word, is one word and lock-free.

use strata_core::FrameId;

use crate::error::{ClaimError, FreeError};
use crate::geometry::{QUAD, ROW, bit_of, row_of};
use crate::journal::Journal;
use crate::row;
use crate::tables::Tables;

/// A part of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    /// Neighbouring huge frames of one word.
    Whole { huge: usize, count: usize },
    /// Frames of one huge frame.
    Part { huge: usize, start: u64, end: u64 },
}

/// The bits of each row of a part, in ascending order.
fn bits(start: u64, end: u64) -> impl Iterator<Item = (usize, u64)> {
    let mut at = start;
    core::iter::from_fn(move || {
        if at >= end {
            return None;
        }
        let frames = (ROW - at % ROW).min(end - at);
        let bits = (row_of(at), row::mask(bit_of(at), frames));
        at += frames;
        Some(bits)
    })
}

fn in_one_row(start: u64, end: u64) -> bool {
    row_of(start) == row_of(end - 1)
}

impl Tables<'_> {
    fn pieces(&self, start: u64, end: u64) -> impl Iterator<Item = Piece> {
        let (geometry, frames) = (self.geometry, self.capacity());
        let mut at = start;
        core::iter::from_fn(move || {
            if at >= end {
                return None;
            }
            let huge = geometry.huge_of(at);
            let covered = ((end - at) / frames) as usize;
            if at.is_multiple_of(frames) && covered > 0 {
                let count = covered.min(QUAD - huge % QUAD);
                at += count as u64 * frames;
                return Some(Piece::Whole { huge, count });
            }
            let piece_end = end.min((at / frames + 1) * frames);
            let piece = Piece::Part { huge, start: at, end: piece_end };
            at = piece_end;
            Some(piece)
        })
    }

    /// Takes the frames from `start` to `end`, which lie in the zone, or none of them. `held` takes
    /// also huge frames at which a stock works. `journal` was told of them.
    ///
    /// # Errors
    ///
    /// A frame of the range that is taken, or was while it was asked for.
    pub(crate) fn claim_range(
        &self,
        (start, end): (u64, u64),
        held: bool,
        journal: &impl Journal,
    ) -> Result<(), ClaimError> {
        let range = (start, end);
        for piece in self.pieces(start, end) {
            let lost = match piece {
                Piece::Whole { huge, count } => self
                    .take_whole(huge, count, held)
                    .err()
                    .map(|huge| self.first_taken(self.geometry.first_frame(huge))),
                Piece::Part { huge, start, end } => {
                    if self.entry(huge).is_closed() {
                        self.in_rows(huge, range, journal);
                    }
                    self.claim_part(huge, start, end).err()
                }
            };
            if let Some(frame) = lost {
                self.undo_claim(start, end, piece);
                return Err(ClaimError::Busy(FrameId(frame)));
            }
        }
        for piece in self.pieces(start, end) {
            match piece {
                Piece::Whole { huge, count } => self.hand_out_whole(huge, count),
                Piece::Part { huge, start, end } if !in_one_row(start, end) => {
                    self.end_claim(huge, 0);
                }
                Piece::Part { .. } => {}
            }
        }
        Ok(())
    }

    /// Takes the bits of a part, with the claim begun where it is more than one word.
    fn claim_part(&self, huge: usize, start: u64, end: u64) -> Result<(), u64> {
        let one = in_one_row(start, end);
        let frames = end - start;
        if !(if one { self.charge(huge, frames, false) } else { self.begin_claim(huge, frames) }) {
            return Err(self.first_taken_from(start, end));
        }
        for (row, mask) in bits(start, end) {
            if row::take(&self.rows[row], mask) {
                continue;
            }
            let lost = self.first_taken_from(start.max(row as u64 * ROW), end);
            for (row, mask) in bits(start, end.min(row as u64 * ROW)) {
                let cleared = row::clear(&self.rows[row], mask);
                debug_assert!(cleared.is_ok(), "bits of a claim are its own");
            }
            if one {
                self.discharge(huge, frames)
            } else {
                self.end_claim(huge, frames)
            }
            return Err(lost);
        }
        Ok(())
    }

    fn undo_claim(&self, start: u64, end: u64, lost: Piece) {
        self.note_undone();
        for piece in self.pieces(start, end).take_while(|piece| *piece != lost) {
            match piece {
                Piece::Whole { huge, count } => self.end_whole(huge, count),
                Piece::Part { huge, start, end } => {
                    for (row, mask) in bits(start, end) {
                        let cleared = row::clear(&self.rows[row], mask);
                        debug_assert!(cleared.is_ok(), "bits of a claim are its own");
                    }
                    if in_one_row(start, end) {
                        self.discharge(huge, end - start);
                    } else {
                        self.end_claim(huge, end - start);
                    }
                }
            }
        }
    }

    /// A taken frame of the huge frame that `frame` begins, for a report.
    fn first_taken(&self, frame: u64) -> u64 {
        self.first_taken_from(frame, frame + self.capacity())
    }

    /// The first taken frame from `start` on; `start` itself where all have been freed meanwhile.
    fn first_taken_from(&self, start: u64, end: u64) -> u64 {
        (start..end).find(|frame| self.is_taken(*frame)).unwrap_or(start)
    }

    /// Whether a frame is taken at this moment, by a program or by a stock.
    pub(crate) fn is_taken(&self, frame: u64) -> bool {
        let entry = self.entry(self.geometry.huge_of(frame));
        if entry.is_quartered() {
            return self.has_quarter(entry, frame);
        }
        if entry.is_closed() {
            return !entry.is_stale();
        }
        // Relaxed: a reading.
        let row = self.rows[row_of(frame)].load(strata_core::sync::Ordering::Relaxed);
        row >> bit_of(frame) & 1 == 1
    }

    /// Gives back the frames from `start` to `end`, which lie in the zone, or none of them. `split`
    /// allows that a part of it is a part of a whole huge frame.
    pub(crate) fn free_range(&self, start: u64, end: u64, split: bool) -> Result<(), FreeError> {
        if split {
            for piece in self.pieces(start, end) {
                if let Piece::Part { huge, .. } = piece
                    && self.entry(huge).is_huge()
                {
                    self.split_whole(huge)?;
                }
            }
        }
        for piece in self.pieces(start, end) {
            if let Piece::Part { huge, start, end } = piece
                && self.entry(huge).is_quartered()
            {
                self.in_rows(huge, (start, end), &());
            }
        }
        self.check_range(start, end, split)?;
        // Whole huge frames first, for they can be taken back again without anyone noticing.
        for piece in self.pieces(start, end) {
            if let Piece::Whole { huge, count } = piece
                && let Err(error) = self.take_back_pieces(huge, count, split)
            {
                self.undo_free(start, end, piece);
                return Err(error);
            }
        }
        for piece in self.pieces(start, end) {
            if let Piece::Part { huge, start, end } = piece {
                for (row, mask) in bits(start, end) {
                    // Only another free of the same frames at the same time can come between.
                    row::clear(&self.rows[row], mask).map_err(|_| FreeError::DoubleFree)?;
                }
                self.discharge(huge, end - start);
            }
        }
        for piece in self.pieces(start, end) {
            if let Piece::Whole { huge, count } = piece {
                self.free_whole(huge, count);
            }
        }
        Ok(())
    }

    /// Takes back whole huge frames; with `merge` also those that were taken in parts.
    fn take_back_pieces(&self, huge: usize, count: usize, merge: bool) -> Result<(), FreeError> {
        if merge {
            for huge in huge..huge + count {
                let entry = self.entry(huge);
                if !entry.is_closed() || entry.is_quartered() {
                    self.merge_whole(huge)?;
                }
            }
        }
        self.take_back_whole(huge, count)
    }

    fn undo_free(&self, start: u64, end: u64, lost: Piece) {
        for piece in self.pieces(start, end).take_while(|piece| *piece != lost) {
            if let Piece::Whole { huge, count } = piece {
                self.undo_take_back(huge, count);
            }
        }
    }

    /// Whether all bits of the parts are set: nothing has changed yet.
    fn check_range(&self, start: u64, end: u64, split: bool) -> Result<(), FreeError> {
        let mut any = false;
        let mut all = true;
        for piece in self.pieces(start, end) {
            match piece {
                Piece::Whole { huge, count } => {
                    for huge in huge..huge + count {
                        let entry = self.entry(huge);
                        let taken = entry.is_huge() || split && entry.used() == self.capacity();
                        any |= entry.used() > 0 && !entry.is_busy();
                        all &= taken;
                    }
                }
                Piece::Part { huge, start, end } => {
                    let entry = self.entry(huge);
                    if entry.is_whole() {
                        return Err(FreeError::WrongOrder);
                    }
                    if entry.is_stale() {
                        all = false;
                        continue;
                    }
                    for (row, mask) in bits(start, end) {
                        // Relaxed: a look before anything changes.
                        let word = self.rows[row].load(strata_core::sync::Ordering::Relaxed);
                        any |= word & mask != 0;
                        all &= word & mask == mask;
                    }
                }
            }
        }
        if all {
            return Ok(());
        }
        Err(if any { FreeError::WrongOrder } else { FreeError::DoubleFree })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_of_a_part_cover_it_once() {
        let all: std::vec::Vec<_> = bits(60, 200).collect();
        assert_eq!(all, [(0, 0xf << 60), (1, u64::MAX), (2, u64::MAX), (3, 0xff)]);
        assert!(in_one_row(0, 64) && !in_one_row(0, 65) && in_one_row(70, 71));
    }
}
