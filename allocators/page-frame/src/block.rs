//! Blocks inside one huge frame: orders below that of a huge frame.
//!
//! Up to order 6 a block is bits of one word: charge the entry, then set the bits with one
//! exchange. Above, it is several words. They are taken one after the other in ascending order, and
//! whoever loses one gives back those before it and tries the next place. The charge covers what is
//! taken at any moment, so that a claim that will fail never takes a frame that was promised to
//! another: single words go on beside it. While a claim is not won, more is charged than there are
//! bits, which tells whoever finds nothing that something may come back.

use strata_core::FrameId;
use strata_core::sync::{AtomicU64, Ordering};

use crate::error::FreeError;
use crate::geometry::{ROW, ROW_ORDER, bit_of, frame_at, row_of};
use crate::journal::Journal;
use crate::quarter::Quarters;
use crate::row;
use crate::tables::Tables;

/// Passes over the rows of a huge frame that has promised a frame, before another is looked for.
/// Each pass that finds nothing means that another thread took something.
const PASSES: usize = 4;

/// No frames in hand: see [`Tables::in_rows`].
const NOTHING: (u64, u64) = (u64::MAX, 0);

impl Tables<'_> {
    /// The first row from `from` on, going round, in which a block of `order` begins.
    #[inline]
    pub(crate) fn scout(&self, huge: usize, order: u8, from: usize) -> Option<usize> {
        let entry = self.entry(huge);
        if entry.is_quartered() {
            return self.scout_quarters(entry, order, from);
        }
        if order <= ROW_ORDER {
            return self.scout_run(huge, 1 << order, order, from);
        }
        let rows = self.rows_of(huge);
        let group = 1 << (order - ROW_ORDER);
        // Numbers of rows are powers of two.
        let mut at = from & (rows.len() - group);
        for _ in 0..rows.len() / group {
            // Relaxed: a hint.
            if rows[at..at + group].iter().all(|row| row.load(Ordering::Relaxed) == 0) {
                return Some(at);
            }
            at = (at + group) & (rows.len() - 1);
        }
        None
    }

    /// The first row from `from` on, going round, in which `frames` frames at a multiple of `2^align`
    /// are free side by side.
    #[inline]
    fn scout_run(&self, huge: usize, frames: u64, align: u8, from: usize) -> Option<usize> {
        let rows = self.rows_of(huge);
        // Relaxed: a hint.
        let room = |row: &usize| row::runs(rows[*row].load(Ordering::Relaxed), frames, align) != 0;
        (from..from + rows.len()).map(|row| row & (rows.len() - 1)).find(room)
    }

    /// Takes a block of `order`, below that of a huge frame, inside `huge`; it looks from row
    /// `from` of it on. With `hold` a stock works there from now on. Up to order 6, and where it is
    /// quartered, lock-free, otherwise obstruction-free.
    #[inline]
    pub(crate) fn take_block(
        &self,
        huge: usize,
        order: u8,
        from: usize,
        hold: bool,
        journal: &impl Journal,
    ) -> Option<FrameId> {
        if let Some(count) = self.geometry.quarters(order) {
            match self.take_quarters(huge, (order, count), from, hold, journal) {
                Quarters::Taken(frame) => return Some(frame),
                Quarters::None => return None,
                Quarters::InRows => {}
            }
        }
        if order <= ROW_ORDER {
            return self.take_short(huge, (1 << order, order), from, hold, journal);
        }
        self.look(huge, 1 << order, journal)?;
        let from = self.scout(huge, order, from)?;
        self.promise(huge, 1 << order, hold, journal)?;
        let taken = self.take_rows(huge, order, from, journal);
        if taken.is_none() {
            self.discharge(huge, 1 << order);
        }
        taken
    }

    /// As [`take_block`](Self::take_block): so many frames of one row, the first of which is a multiple
    /// of `2^align`. Lock-free.
    #[inline]
    pub(crate) fn take_short(
        &self,
        huge: usize,
        (frames, align): (u64, u8),
        from: usize,
        hold: bool,
        journal: &impl Journal,
    ) -> Option<FrameId> {
        let mut from = from;
        // A frame that was promised is there; of a longer block nothing is known without a look.
        if frames != 1 {
            self.look(huge, frames, journal)?;
            from = self.scout_run(huge, frames, align, from)?;
        }
        self.promise(huge, frames, hold, journal)?;
        let taken = self.take_bits(huge, (frames, align), from, journal);
        if taken.is_none() {
            self.discharge(huge, frames);
        }
        taken
    }

    /// Whether `huge` has so many free frames, whose rows then say where.
    #[inline]
    fn look(&self, huge: usize, frames: u64, journal: &impl Journal) -> Option<()> {
        let entry = self.entry(huge);
        if entry.used() + frames > self.capacity() {
            return None;
        }
        if entry.is_closed() {
            self.in_rows(huge, NOTHING, journal);
        }
        Some(())
    }

    /// Promises frames of `huge`.
    #[inline]
    fn promise(&self, huge: usize, frames: u64, hold: bool, journal: &impl Journal) -> Option<()> {
        while !self.charge(huge, frames, hold) {
            if !self.entry(huge).is_closed() || !self.in_rows(huge, NOTHING, journal) {
                return None;
            }
        }
        Some(())
    }

    /// Takes frames of one row that were charged.
    #[inline]
    fn take_bits(
        &self,
        huge: usize,
        (frames, align): (u64, u8),
        from: usize,
        journal: &impl Journal,
    ) -> Option<FrameId> {
        let rows = self.rows_of(huge);
        let first = self.geometry.first_row(huge);
        let passes = if frames == 1 { PASSES } else { 1 };
        for i in from..from + passes * rows.len() {
            let i = i & (rows.len() - 1);
            let before = |bits| journal.bits(first + i, bits);
            if let Some(bit) = row::take_run(&rows[i], frames, align, before) {
                return Some(frame_at(first + i, bit));
            }
        }
        None
    }

    /// Takes a block of whole rows that was charged.
    fn take_rows(
        &self,
        huge: usize,
        order: u8,
        from: usize,
        journal: &impl Journal,
    ) -> Option<FrameId> {
        let rows = self.rows_of(huge);
        let group = 1 << (order - ROW_ORDER);
        for i in (from..from + rows.len()).step_by(group) {
            let i = i & (rows.len() - 1);
            let frame = frame_at(self.geometry.first_row(huge) + i, 0);
            journal.range(frame.0, 1 << order);
            if self.take_all(&rows[i..i + group]) {
                return Some(frame);
            }
        }
        None
    }

    /// Takes all rows, which must be free, in ascending order, or none of them.
    fn take_all(&self, rows: &[AtomicU64]) -> bool {
        for (i, row) in rows.iter().enumerate() {
            // Acquire: its partner is the Release of whoever cleared the row. Relaxed: a row that
            // was lost is not looked into.
            if row.compare_exchange(0, u64::MAX, Ordering::Acquire, Ordering::Relaxed).is_ok() {
                continue;
            }
            for row in &rows[..i] {
                // Release: as `row::clear`. Nobody clears bits of frames that are not handed out.
                row.store(0, Ordering::Release);
            }
            if i > 0 {
                self.note_undone();
            }
            return false;
        }
        true
    }

    /// Takes what is free in one row of `huge`, at most `max` frames: the row and the bits. With
    /// `hold` it tells others that a stock works here, until it takes the last frames. Lock-free.
    pub(crate) fn grab(
        &self,
        huge: usize,
        max: u64,
        hold: bool,
        journal: &impl Journal,
    ) -> Option<(usize, u64)> {
        let capacity = self.capacity();
        let entry = self.entry(huge);
        if entry.is_closed() {
            self.in_rows(huge, NOTHING, journal);
        } else if entry.used() >= capacity {
            return None;
        }
        let first = self.geometry.first_row(huge);
        for (i, row) in self.rows_of(huge).iter().enumerate() {
            // Relaxed: a look at what to promise.
            let free = ROW - u64::from(row.load(Ordering::Relaxed).count_ones());
            if free == 0 {
                continue;
            }
            let mut promised = 0;
            // Acquire: as in `charge`.
            let charged = self.update(huge, Ordering::Acquire, |entry| {
                promised = free.min(max).min(capacity.saturating_sub(entry.used()));
                let entry = if promised == 0 { None } else { entry.charge(promised, capacity) };
                entry.map(|entry| if hold { entry.held_until(capacity) } else { entry })
            });
            if charged.is_err() {
                return None;
            }
            let before = |bits| journal.bits(first + i, bits);
            let bits = row::take_up_to(row, promised, before);
            let rest = promised - u64::from(bits.count_ones());
            if rest > 0 {
                self.discharge(huge, rest);
            }
            if bits != 0 {
                return Some((first + i, bits));
            }
        }
        None
    }

    /// Gives back frames of one row, all of which are taken, and which `journal` was told.
    pub(crate) fn free_bits(
        &self,
        row: usize,
        bits: u64,
        journal: &impl Journal,
    ) -> Result<(), FreeError> {
        let huge = self.geometry.huge_of(row as u64 * ROW);
        if self.entry(huge).is_closed() {
            self.open_part(row as u64 * ROW, journal)?;
        }
        row::clear(&self.rows[row], bits).map_err(|word| not_taken(word & bits))?;
        self.discharge(huge, u64::from(bits.count_ones()));
        Ok(())
    }

    /// That a frame lies neither in a whole block, nor in a huge frame or a quarter that is free.
    #[cold]
    pub(crate) fn check_small(&self, frame: u64) -> Result<(), FreeError> {
        let entry = self.entry(self.geometry.huge_of(frame));
        if !entry.is_closed() || entry.is_quartered() && self.has_quarter(entry, frame) {
            return Ok(());
        }
        Err(if entry.is_huge() { FreeError::WrongOrder } else { FreeError::DoubleFree })
    }

    /// Makes the huge frame of a frame that a part of is freed one whose rows say what is free.
    #[cold]
    fn open_part(&self, frame: u64, journal: &impl Journal) -> Result<(), FreeError> {
        self.check_small(frame)?;
        self.in_rows(self.geometry.huge_of(frame), NOTHING, journal);
        Ok(())
    }

    /// Gives back a block of an order below that of a huge frame, of which `journal` was told.
    #[inline]
    pub(crate) fn free_block(
        &self,
        frame: FrameId,
        order: u8,
        journal: &impl Journal,
    ) -> Result<(), FreeError> {
        let huge = self.geometry.huge_of(frame.0);
        if self.entry(huge).is_closed() {
            if let Some(count) = self.geometry.quarters(order)
                && let Some(given) = self.give_quarters(frame.0, count)
            {
                return given;
            }
            self.open_part(frame.0, journal)?;
        }
        let first = row_of(frame.0);
        if order <= ROW_ORDER {
            let bits = row::mask(bit_of(frame.0), 1 << order);
            row::clear(&self.rows[first], bits).map_err(|word| not_taken(word & bits))?;
        } else {
            self.clear_rows(&self.rows[first..first + (1 << (order - ROW_ORDER))])?;
        }
        self.discharge(huge, 1 << order);
        Ok(())
    }

    fn clear_rows(&self, rows: &[AtomicU64]) -> Result<(), FreeError> {
        // Relaxed: a look before anything changes.
        let set = |row: &AtomicU64| row.load(Ordering::Relaxed);
        if rows.iter().any(|row| set(row) != u64::MAX) {
            return Err(not_taken(rows.iter().fold(0, |any, row| any | set(row))));
        }
        // Two frees of one block meet at its first row, where one of them stops.
        for row in rows {
            // Release: as in `row::clear`. Relaxed: it is not looked into.
            row.compare_exchange(u64::MAX, 0, Ordering::Release, Ordering::Relaxed)
                .map_err(not_taken)?;
        }
        Ok(())
    }
}

/// What is wrong with freeing a block of which only the frames in `set` are taken.
#[inline]
pub(crate) fn not_taken(set: u64) -> FreeError {
    if set == 0 { FreeError::DoubleFree } else { FreeError::WrongOrder }
}
