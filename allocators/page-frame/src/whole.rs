//! Huge frames taken whole, up to four neighbours with one exchange.
//!
//! ```text
//!        take: exchange          fill rows, then add
//!  0 ───────────────────► BUSY ──────────────────────► HUGE
//!  ▲                       ▲ │                           │ │
//!  └───────────────────────┘ └── free: exchange ◄────────┘ │ split: exchange
//!    clear rows, then sub                                  ▼
//!                                                 all frames used, rows full
//! ```
//!
//! Whoever wins the entries fills the rows before it hands the huge frames out, so that a split is
//! one exchange and needs nobody's help. While an entry is BUSY nobody else changes it or its rows.

use strata_core::sync::Ordering;

use crate::entry::{BUSY, Entry, HELD, HUGE, LANES, lanes, shift};
use crate::error::FreeError;
use crate::geometry::QUAD;
use crate::tables::Tables;
use crate::tree;

impl Tables<'_> {
    /// The lanes of `count` neighbours from `huge`, each holding `entry`.
    #[inline]
    fn each(&self, entry: u16, huge: usize, count: usize) -> u64 {
        (LANES * u64::from(entry)) & lanes(huge, count)
    }

    /// Takes `count` huge frames from `huge` on for filling, if all are free; they lie in one word.
    /// `held` takes also those at which a stock works. Lock-free.
    ///
    /// # Errors
    ///
    /// The first one that is not free.
    #[inline]
    pub(crate) fn take_whole(&self, huge: usize, count: usize, held: bool) -> Result<(), usize> {
        let mask = lanes(huge, count);
        let busy = self.each(BUSY | self.capacity() as u16, huge, count);
        let ignored = if held { self.each(HELD, huge, count) } else { 0 };
        let quad = self.quad(huge);
        // Relaxed: the exchange decides.
        let mut word = quad.load(Ordering::Relaxed);
        loop {
            let taken = word & mask & !ignored;
            if taken != 0 {
                return Err(huge / QUAD * QUAD + taken.trailing_zeros() as usize / 16);
            }
            // Acquire: its partners are the Release of `discharge` and `end_whole`: the rows are
            // seen clear, and what the last owners did to the frames happened before.
            let next = word & !mask | busy;
            match quad.compare_exchange_weak(word, next, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => {
                    if word & mask != 0 {
                        // No stock works there any more.
                        (huge..huge + count).for_each(|huge| self.index(huge));
                    }
                    return Ok(());
                }
                Err(seen) => word = seen,
            }
        }
    }

    /// Fills the rows of huge frames that [`take_whole`](Self::take_whole) took, and marks them
    /// handed out.
    #[inline]
    pub(crate) fn hand_out_whole(&self, huge: usize, count: usize) {
        self.write_rows(huge, count, u64::MAX);
        let turn = self.each(BUSY ^ HUGE, huge, count);
        // Release: its partner is the Acquire of whoever splits or frees these.
        self.quad(huge).fetch_xor(turn, Ordering::Release);
        self.note_whole(huge, count, tree::change(0, 1));
    }

    /// Gives back huge frames that are BUSY and whose rows are clear.
    #[inline]
    pub(crate) fn end_whole(&self, huge: usize, count: usize) {
        let busy = self.each(BUSY | self.capacity() as u16, huge, count);
        // Release: its partners are the Acquire of `take_whole` and of every charge.
        self.quad(huge).fetch_sub(busy, Ordering::Release);
    }

    /// Takes back `count` huge frames for clearing, if all were handed out whole. They lie in one
    /// word. Lock-free.
    #[inline]
    pub(crate) fn take_back_whole(&self, huge: usize, count: usize) -> Result<(), FreeError> {
        let mask = lanes(huge, count);
        let whole = self.each(HUGE | self.capacity() as u16, huge, count);
        let turn = self.each(BUSY ^ HUGE, huge, count);
        let quad = self.quad(huge);
        // Relaxed: the exchange decides.
        let mut word = quad.load(Ordering::Relaxed);
        loop {
            if word & mask != whole {
                return Err(self.why_not_whole(word, huge, count));
            }
            // Acquire: its partner is the Release of `hand_out_whole`: the rows were filled before.
            match quad.compare_exchange_weak(
                word,
                word ^ turn,
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Ok(()),
                Err(seen) => word = seen,
            }
        }
    }

    /// Takes back what [`take_back_whole`](Self::take_back_whole) did.
    pub(crate) fn undo_take_back(&self, huge: usize, count: usize) {
        let turn = self.each(BUSY ^ HUGE, huge, count);
        // Release: as in `hand_out_whole`.
        self.quad(huge).fetch_xor(turn, Ordering::Release);
    }

    /// Clears the rows of huge frames that were taken back, and gives them back.
    #[inline]
    pub(crate) fn clear_whole(&self, huge: usize, count: usize) {
        self.write_rows(huge, count, 0);
        self.end_whole(huge, count);
        self.note_whole(huge, count, tree::change(1, 0));
    }

    /// What is wrong with freeing these as whole huge frames.
    #[cold]
    fn why_not_whole(&self, word: u64, huge: usize, count: usize) -> FreeError {
        let entries = (huge..huge + count).map(|huge| Entry::of(word, huge));
        let free = |entry: Entry| entry.used() == 0 || entry.is_busy();
        // Of huge frames that were freed and are used anew in parts nothing tells any more.
        if entries.clone().all(free) { FreeError::DoubleFree } else { FreeError::WrongOrder }
    }

    /// Turns a whole huge frame into taken frames that are freed in any blocks. One exchange.
    pub(crate) fn split_whole(&self, huge: usize) -> Result<(), FreeError> {
        let whole = Entry(HUGE | self.capacity() as u16);
        let plain = Entry(self.capacity() as u16);
        // AcqRel: its partners are the Release of `hand_out_whole`, for the rows, and the Acquire
        // of those who charge this huge frame once parts of it are free.
        self.update(huge, Ordering::AcqRel, |entry| (entry == whole).then_some(plain))
            .map(drop)
            .map_err(|entry| self.why_not_whole(u64::from(entry.0) << shift(huge), huge, 1))
    }

    /// Turns a huge frame of which the caller has every frame into a whole one. One exchange.
    pub(crate) fn merge_whole(&self, huge: usize) -> Result<(), FreeError> {
        let capacity = self.capacity();
        // Relaxed: with every frame taken no bit is cleared but by their owner, the caller.
        let mut rows = self.rows_of(huge).iter().map(|row| row.load(Ordering::Relaxed));
        if !rows.all(|row| row == u64::MAX) {
            return Err(FreeError::DoubleFree);
        }
        // AcqRel: as in `split_whole`.
        let merged = self.update(huge, Ordering::AcqRel, |entry| {
            let full = entry.used() == capacity && !entry.is_whole() && !entry.in_flight();
            full.then_some(Entry(HUGE | capacity as u16))
        });
        let entry = merged.map_err(|_| FreeError::WrongOrder)?;
        if entry.is_held() {
            // Whoever holds it does not bring the index up to date any more.
            self.index(huge);
        }
        Ok(())
    }

    #[inline]
    fn write_rows(&self, huge: usize, count: usize, word: u64) {
        let first = self.geometry.first_row(huge);
        for row in &self.rows[first..first + count * self.geometry.huge_rows()] {
            // Relaxed: published by the change of the entry that follows.
            row.store(word, Ordering::Relaxed);
        }
    }

    #[inline]
    fn note_whole(&self, huge: usize, count: usize, change: u32) {
        // One word of entries lies in one tree.
        self.note_tree(self.geometry.tree_of(huge), change.wrapping_mul(count as u32));
    }
}
