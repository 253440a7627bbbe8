//! Blocks of a quarter or a half of a huge frame: one exchange each, and no row is touched.
//!
//! ```text
//!           enter: exchange       fill rows, then change
//!   free ───────────────────► BUSY ────────────────────┐
//!  rows 0                                              ▼   take, give: exchange
//!   stale ──────────────────────────────────────► quartered ◄──┐
//!  rows full ◄──────────────────────────────────── rows full ──┘
//!              give the last one: exchange             │
//!                                   in rows: exchange  ▼
//!                                            all used, a claim ──────────────► in rows
//!                                            rows full          clear rows of
//!                                                               the free quarters, then sub
//! ```
//!
//! While a huge frame is quartered its entry alone says what is free, so that of two frees of one
//! quarter one is refused. Who wants to take or give less than a quarter takes all free quarters for
//! himself, with the exchange that makes it one whose rows tell, and gives them back as rows: meanwhile
//! the owners of the others give back what they have, nobody waits. A huge frame in parts becomes
//! quartered only when it has become free.

use strata_core::FrameId;
use strata_core::sync::Ordering;

use crate::entry::{BUSY, CLAIM, Entry, HELD, HUGE, QUARTERS, shift};
use crate::error::FreeError;
use crate::journal::Journal;
use crate::tables::Tables;

/// What came of asking for quarters.
pub(crate) enum Quarters {
    Taken(FrameId),
    /// There are none.
    None,
    /// Its rows say.
    InRows,
}

/// The quarters of each aligned block of `count`, by its first.
#[inline]
const fn aligned(free: u16, count: u32) -> u16 {
    if count == 1 { free } else { free & free >> 1 & 0b0101 }
}

/// The bits of `count` quarters from `first` on.
#[inline]
const fn bits(first: u32, count: u32) -> u16 {
    ((1 << count) - 1) << first
}

impl Tables<'_> {
    /// The first of `count` free quarters of a huge frame that is quartered or free, from that of row
    /// `from` on, going round.
    #[inline]
    fn free_quarters(&self, entry: Entry, count: u32, from: usize) -> Option<u32> {
        let starts = aligned(!entry.quarters() & QUARTERS, count);
        let from = (from * 4 / self.geometry.huge_rows()) as u32;
        let later = starts & QUARTERS << from;
        let starts = if later != 0 { later } else { starts };
        (starts != 0).then_some(starts.trailing_zeros())
    }

    /// The first row of a free block of `order` in a huge frame that is quartered.
    pub(crate) fn scout_quarters(&self, entry: Entry, order: u8, from: usize) -> Option<usize> {
        let count = self.geometry.quarters(order).unwrap_or(1);
        let first = self.free_quarters(entry, count, from)?;
        Some(first as usize * self.geometry.huge_rows() / 4)
    }

    /// Takes a block of `order`, which is `count` quarters, of `huge`, if it is free or quartered; from
    /// the quarter of row `from` on. With `hold` a stock works there from now on. Lock-free.
    #[inline]
    pub(crate) fn take_quarters(
        &self,
        huge: usize,
        (order, count): (u8, u32),
        from: usize,
        hold: bool,
        journal: &impl Journal,
    ) -> Quarters {
        let quarter = self.geometry.quarter();
        let quad = self.quad(huge);
        // Relaxed: the exchange decides.
        let mut word = quad.load(Ordering::Relaxed);
        loop {
            let old = Entry::of(word, huge);
            let fresh = old.0 & !HELD == 0;
            if !fresh && !old.is_quartered() && !old.is_stale() {
                return if old.is_closed() { Quarters::None } else { Quarters::InRows };
            }
            let Some(first) = self.free_quarters(old, count, from) else { return Quarters::None };
            let frame = FrameId(self.geometry.first_frame(huge) + u64::from(first) * quarter);
            journal.block(frame, order);
            let mut new = old.with_quarters(old.quarters() | bits(first, count), quarter);
            if hold {
                new = new.held();
            }
            // Nobody else has a part of one that is free, nor reaches it while it is BUSY.
            let next = if fresh { Entry(old.0 | BUSY | self.capacity() as u16) } else { new };
            let turn = |old: Entry, new: Entry| u64::from(old.0 ^ new.0) << shift(huge);
            // Acquire: its partners are the Release of `give_quarters` and of `discharge`, `end_whole`
            // and `give_whole`: what the last owner did to the frames happened before.
            match quad.compare_exchange_weak(
                word,
                word ^ turn(old, next),
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => {
                    if fresh {
                        self.write_rows(huge, u64::MAX);
                        // Release: its partner is the Acquire of whoever takes or gives quarters next.
                        quad.fetch_xor(turn(next, new), Ordering::Release);
                    }
                    self.note(huge, old, new);
                    return Quarters::Taken(frame);
                }
                Err(seen) => word = seen,
            }
        }
    }

    /// Gives back `count` quarters from `frame` on; `None` where the rows say what is taken. Lock-free.
    ///
    /// # Errors
    ///
    /// Where one of them is free: nothing changed.
    #[inline]
    pub(crate) fn give_quarters(&self, frame: u64, count: u32) -> Option<Result<(), FreeError>> {
        let huge = self.geometry.huge_of(frame);
        let bits = bits(self.geometry.quarter_of(frame), count);
        let quad = self.quad(huge);
        // Relaxed: the exchange decides.
        let mut word = quad.load(Ordering::Relaxed);
        loop {
            let old = Entry::of(word, huge);
            if !old.is_quartered() {
                return None;
            }
            let taken = old.quarters() & bits;
            if taken != bits {
                let error = if taken == 0 { FreeError::DoubleFree } else { FreeError::WrongOrder };
                return Some(Err(error));
            }
            let new = old.with_quarters(old.quarters() & !bits, self.geometry.quarter());
            let next = word ^ u64::from(old.0 ^ new.0) << shift(huge);
            // Release: its partners are the Acquire of `take_quarters`, `in_rows` and `win_whole`.
            match quad.compare_exchange_weak(word, next, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => {
                    self.note(huge, old, new);
                    return Some(Ok(()));
                }
                Err(seen) => word = seen,
            }
        }
    }

    /// Makes a huge frame that is free with full rows, or quartered, one whose rows say what is free;
    /// false where it is none of these. Lock-free.
    ///
    /// `journal` is told of the whole huge frame, and of the frames from `start` to `end`, which the
    /// caller has in hand.
    #[cold]
    pub(crate) fn in_rows(
        &self,
        huge: usize,
        (start, end): (u64, u64),
        journal: &impl Journal,
    ) -> bool {
        let (capacity, first) = (self.capacity(), self.geometry.first_frame(huge));
        let entry = loop {
            let entry = self.entry(huge);
            if entry.is_stale() {
                if self.freshen(huge) {
                    return true;
                }
                continue;
            }
            if !entry.is_quartered() {
                return false;
            }
            let from = start.min(first);
            journal.range(from, end.max(first + capacity) - from);
            // Acquire: its partners are the Release of `take_quarters` and `give_quarters`: the rows are
            // full, and what the last owners did to the frames happened before.
            let cut = self.update(huge, Ordering::Acquire, |entry| {
                entry.is_quartered().then_some(Entry(entry.0 & HELD | CLAIM | capacity as u16))
            });
            // Where the last quarter was given back meanwhile it is stale.
            if let Ok(entry) = cut {
                break entry;
            }
        };
        let rows = self.rows_of(huge);
        let quarter = rows.len() / 4;
        for (i, row) in rows.iter().enumerate() {
            if entry.quarters() >> (i / quarter) & 1 == 0 {
                // Release: as in `row::clear`. Its frames are the caller's at this moment.
                row.store(0, Ordering::Release);
            }
        }
        self.end_claim(huge, capacity - entry.used());
        true
    }

    /// Whether a frame of a huge frame that is quartered is taken.
    #[inline]
    pub(crate) fn has_quarter(&self, entry: Entry, frame: u64) -> bool {
        entry.quarters() >> self.geometry.quarter_of(frame) & 1 == 1
    }
}

const _: () = assert!(QUARTERS & (HELD | BUSY | HUGE) == 0);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_begin_at_even_quarters() {
        assert_eq!(aligned(0b1111, 1), 0b1111);
        assert_eq!(aligned(0b1111, 2), 0b0101);
        assert_eq!(aligned(0b0110, 2), 0);
        assert_eq!(aligned(0b1101, 2), 0b0100);
        assert_eq!([bits(3, 1), bits(2, 2), bits(0, 2)], [0b1000, 0b1100, 0b0011]);
    }
}
