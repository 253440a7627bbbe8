//! A request from its first look to its last: hints, a search, and at the end everything.

use strata_core::sync::Ordering;
use strata_core::{Exhausted, FrameId};

use crate::class::Fit;
use crate::frames::PageFrames;
use crate::geometry::{QUAD, ROW_ORDER, row_of};
use crate::journal::Journal;
use crate::local::Local;
use crate::search::Place;
use crate::slot::{PARTS, Slot};

/// Huge frames that a search may lose to other threads before everything is looked at.
const PICKS: usize = 8;

/// Passes over everything while claims are in flight that may give frames back. One that is in
/// flight for longer is taken for stopped, and its frames for taken.
const PATIENCE: u32 = if cfg!(strata_loom) { 2 } else { 64 };

/// What a pass over everything found.
pub(crate) enum Pass<T> {
    Found(T),
    /// Nothing, and nothing was in the way.
    Nothing,
    /// Nothing, but promises were out that may be taken back.
    Unsure,
}

impl PageFrames<'_> {
    /// Takes a block of `order`. `own` is the local that asks.
    #[inline]
    pub(crate) fn take(
        &self,
        order: u8,
        place: &Place<'_>,
        own: Option<&Local<'_>>,
        journal: &impl Journal,
    ) -> Result<FrameId, Exhausted> {
        let huge_order = self.geometry().huge_order().get();
        if order >= huge_order {
            return self.take_huge(order, place, own, journal);
        }
        // Relaxed: a hint.
        let hint = place.row.load(Ordering::Relaxed) as usize;
        if hint != 0 {
            let (huge, row) = self.geometry().huge_of_row(hint - 1);
            if let Some(frame) = self.tables.take_block(huge, order, row, false, journal) {
                if row_of(frame.0) + 1 != hint {
                    place.row.store(row_of(frame.0) as u64 + 1, Ordering::Relaxed);
                }
                return Ok(frame);
            }
        }
        self.take_small_slow(order, place, own, journal)
    }

    #[cold]
    #[inline(never)]
    fn take_small_slow(
        &self,
        order: u8,
        place: &Place<'_>,
        own: Option<&Local<'_>>,
        journal: &impl Journal,
    ) -> Result<FrameId, Exhausted> {
        // Where the stock works nobody else is, and nothing new is begun.
        // Relaxed: a hint, at which a look was had already.
        let last = place.row.load(Ordering::Relaxed).checked_sub(1);
        let last = last.map(|row| self.geometry().huge_of_row(row as usize).0);
        let held = own.and_then(|own| own.held()).filter(|held| Some(*held) != last);
        let mut found = 0;
        let picks =
            (0..PICKS).map_while(|_| self.tables.pick(order, place)).inspect(|_| found += 1);
        let taken = held
            .into_iter()
            .chain(picks)
            .find_map(|huge| self.tables.take_block(huge, order, 0, own.is_some(), journal));
        let frame = match taken {
            Some(frame) => {
                if let Some(own) = own {
                    own.hold(self.geometry().huge_of(frame.0));
                }
                frame
            }
            None => {
                // What was found was lost to others, each time.
                let queues = order > ROW_ORDER && found == PICKS;
                let ticket = queues.then(|| self.shared.queue.enter());
                let frame = self.patiently(own, || self.sweep(order, place, journal));
                ticket.into_iter().for_each(|ticket| self.shared.queue.leave(ticket));
                frame?
            }
        };
        // Relaxed: a hint.
        place.row.store(row_of(frame.0) as u64 + 1, Ordering::Relaxed);
        Ok(frame)
    }

    /// Takes `frames` frames inside a row, at most 64, the first of which is a multiple of `2^align`,
    /// where the last ones were or where a block that covers them lies; `None` where none is found so.
    pub(crate) fn take_short(
        &self,
        frames: u64,
        align: u8,
        place: &Place<'_>,
        own: Option<&Local<'_>>,
    ) -> Option<FrameId> {
        let shape = (frames, align);
        // Relaxed: a hint.
        let hint = place.row.load(Ordering::Relaxed) as usize;
        if hint != 0 {
            let (huge, row) = self.geometry().huge_of_row(hint - 1);
            if let Some(frame) = self.tables.take_short(huge, shape, row, false, &()) {
                return Some(frame);
            }
        }
        let order = frames.next_power_of_two().trailing_zeros() as u8;
        let frame = (0..PICKS)
            .map_while(|_| self.tables.pick(order.max(align), place))
            .find_map(|huge| self.tables.take_short(huge, shape, 0, own.is_some(), &()))?;
        if let Some(own) = own {
            own.hold(self.geometry().huge_of(frame.0));
        }
        place.row.store(row_of(frame.0) as u64 + 1, Ordering::Relaxed);
        Some(frame)
    }

    fn take_huge(
        &self,
        order: u8,
        place: &Place<'_>,
        own: Option<&Local<'_>>,
        journal: &impl Journal,
    ) -> Result<FrameId, Exhausted> {
        let frames = 1u64.checked_shl(u32::from(order)).ok_or(Exhausted)?;
        if frames > self.frames() {
            return Err(Exhausted);
        }
        let count = 1u64 << (order - self.geometry().huge_order().get());
        if count > QUAD as u64 {
            return self.take_run(frames, frames, own, journal);
        }
        let count = count as usize;
        let huge = match self.tables.take_near(count, place, journal) {
            Some(huge) => huge,
            None => self.patiently(own, || self.sweep_whole(count, place, journal))?,
        };
        Ok(FrameId(self.geometry().first_frame(huge)))
    }

    /// Looks at every huge frame for a block of `order` below that of a huge frame.
    pub(crate) fn sweep(
        &self,
        order: u8,
        place: &Place<'_>,
        journal: &impl Journal,
    ) -> Pass<FrameId> {
        let tables = &self.tables;
        let mut unsure = false;
        for huge in 0..tables.huge {
            let entry = tables.entry(huge);
            if entry.is_whole() || self.is_barred(huge, place) {
                unsure |= entry.is_busy();
                continue;
            }
            if entry.used() + (1 << order) <= tables.capacity()
                && let Some(frame) = tables.take_block(huge, order, 0, false, journal)
            {
                return Pass::Found(frame);
            }
            // More promised than taken: whoever has the promise may take it back.
            unsure |= tables.is_unsettled(huge);
        }
        if unsure { Pass::Unsure } else { Pass::Nothing }
    }

    /// Looks at every word of entries for `count` free huge frames.
    fn sweep_whole(&self, count: usize, place: &Place<'_>, journal: &impl Journal) -> Pass<usize> {
        let tables = &self.tables;
        let mut unsure = false;
        let last = (tables.huge + 1).saturating_sub(count);
        for huge in (0..last).step_by(count) {
            if self.is_barred(huge, place) {
                continue;
            }
            if tables.take_out_whole(huge, count, true, journal) {
                return Pass::Found(huge);
            }
            unsure |= (huge..huge + count).any(|huge| tables.is_unsettled(huge));
        }
        if unsure { Pass::Unsure } else { Pass::Nothing }
    }

    fn is_barred(&self, huge: usize, place: &Place<'_>) -> bool {
        let tree = self.geometry().tree_of(huge);
        place.fit(self.tables.class(tree)) == Fit::Never && self.tables.tree(tree).used > 0
    }

    /// Passes over everything until one finds something, or finds nothing while nothing is in
    /// flight. All stocks are drained before the last pass.
    #[cold]
    pub(crate) fn patiently<T>(
        &self,
        own: Option<&Local<'_>>,
        pass: impl Fn() -> Pass<T>,
    ) -> Result<T, Exhausted> {
        for _ in 0..PATIENCE {
            let before = self.undone_so_far();
            let drained = own.map_or_else(|| self.drain(), Local::drain_all);
            match pass() {
                Pass::Found(found) => return Ok(found),
                Pass::Nothing if drained == 0 && before == self.undone_so_far() => break,
                Pass::Nothing | Pass::Unsure => strata_core::sync::spin_hint(),
            }
        }
        Err(Exhausted)
    }

    fn undone_so_far(&self) -> u64 {
        // Acquire: its partner is the AcqRel in `note_undone`.
        self.tables.undone.load(Ordering::Acquire)
    }

    /// Takes all parts of a local's stock and gives them back; how many frames these were.
    pub(crate) fn steal(&self, index: usize) -> u64 {
        Slot::of(self.tables.slots, index).map_or(0, |slot| self.steal_parts(slot, &()))
    }

    pub(crate) fn steal_parts(&self, slot: Slot<'_>, journal: &impl Journal) -> u64 {
        let parts = (0..PARTS).map(|index| slot.take_part(index, journal));
        parts.map(|part| self.give_bits(part.row(), part.bits(), journal)).sum()
    }

    /// Gives back frames of a row that no program has; those that somebody freed a second time
    /// meanwhile are counted.
    pub(crate) fn give_bits(&self, row: usize, bits: u64, journal: &impl Journal) -> u64 {
        if bits == 0 {
            return 0;
        }
        if self.tables.free_bits(row, bits, journal).is_ok() {
            return u64::from(bits.count_ones());
        }
        self.give_bits_slow(row, bits, journal)
    }

    #[cold]
    fn give_bits_slow(&self, row: usize, bits: u64, journal: &impl Journal) -> u64 {
        let mut given = 0;
        for bit in (0..64).filter(|bit| bits >> bit & 1 == 1) {
            if self.tables.free_bits(row, 1 << bit, journal).is_ok() {
                given += 1;
            } else {
                // Relaxed: a count.
                self.shared.late.fetch_add(1, Ordering::Relaxed);
            }
        }
        given
    }

    /// Takes what is free in some row, at most `max` frames.
    pub(crate) fn grab_anywhere(&self, place: &Place<'_>, max: usize) -> Option<(usize, u64)> {
        let max = max.min(64) as u64;
        // Relaxed: a hint.
        let hint = place.row.load(Ordering::Relaxed) as usize;
        if hint != 0
            && let (huge, _) = self.geometry().huge_of_row(hint - 1)
            && let Some(grabbed) = self.tables.grab(huge, max, false, &())
        {
            return Some(grabbed);
        }
        let grabbed = (0..PICKS)
            .map_while(|_| self.tables.pick(0, place))
            .find_map(|huge| self.tables.grab(huge, max, false, &()))?;
        place.row.store(grabbed.0 as u64 + 1, Ordering::Relaxed);
        Some(grabbed)
    }
}
