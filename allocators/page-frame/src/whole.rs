//! Huge frames taken whole, up to four neighbours with one exchange.
//!
//! ```text
//!            take: exchange          fill rows, then change
//!   free ─────────────────────► BUSY ─────────────────────► HUGE, used
//!  rows 0                                                   rows full
//!    ▲                                                      ▲ │     │
//!    │ clear rows, then sub        take: exchange           │ │     │ split: exchange
//!   BUSY ◄──────────────────── HUGE, 0 ─────────────────────┘ │     ▼
//!            exchange           stale ◄───────────────────────┘   all used,
//!                               rows full    free: exchange       rows full
//! ```
//!
//! Whoever wins the entries fills the rows before it hands the huge frames out, so that a split is
//! one exchange and needs nobody's help. Freed whole they keep their rows full, stale, so that one who
//! takes them whole again touches no row; one who wants a part clears the rows first. While an entry
//! is BUSY nobody else changes it or its rows.

use strata_core::FrameId;
use strata_core::sync::Ordering;

use crate::entry::{BUSY, Entry, HELD, HUGE, LANES, lanes, shift};
use crate::error::FreeError;
use crate::geometry::QUAD;
use crate::journal::Journal;
use crate::tables::Tables;

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
    pub(crate) fn take_whole(&self, huge: usize, count: usize, held: bool) -> Result<(), usize> {
        self.win_whole(huge, count, held, false, || ()).map(drop)
    }

    /// As [`take_whole`](Self::take_whole), and hands them out as a block, after telling `journal`;
    /// whether they were free. One exchange where all are stale.
    #[inline]
    pub(crate) fn take_out_whole(
        &self,
        huge: usize,
        count: usize,
        held: bool,
        journal: &impl Journal,
    ) -> bool {
        let frame = FrameId(self.geometry.first_frame(huge));
        let order = self.geometry.huge_order().get() + count.trailing_zeros() as u8;
        match self.win_whole(huge, count, held, true, || journal.block(frame, order)) {
            Ok(true) => self.note_begun(self.geometry.tree_of(huge)),
            Ok(false) => self.hand_out_whole(huge, count),
            Err(_) => return false,
        }
        true
    }

    /// Takes huge frames for filling, or, `at_once`, for handing out where all of them are full:
    /// whether it did so. `before` is called before each attempt.
    #[inline]
    fn win_whole(
        &self,
        huge: usize,
        count: usize,
        held: bool,
        at_once: bool,
        before: impl Fn(),
    ) -> Result<bool, usize> {
        let mask = lanes(huge, count);
        let full = self.each(HUGE, huge, count);
        let used = self.each(self.capacity() as u16, huge, count);
        let busy = self.each(BUSY, huge, count);
        let holds = self.each(HELD, huge, count);
        let ignored = if held { full | holds } else { full };
        let quad = self.quad(huge);
        // Relaxed: the exchange decides.
        let mut word = quad.load(Ordering::Relaxed);
        loop {
            let taken = word & mask & !ignored;
            if taken != 0 {
                return Err(huge / QUAD * QUAD + taken.trailing_zeros() as usize / 16);
            }
            before();
            let ready = at_once && word & full == full;
            let next = word & !(mask & !full) | used | if ready { 0 } else { busy };
            // Acquire: its partners are the Release of `discharge`, `end_whole` and `give_whole`: the
            // rows are seen as they left them, and what the last owners did to the frames happened
            // before.
            match quad.compare_exchange_weak(word, next, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => {
                    if word & holds != 0 {
                        // No stock works there any more.
                        (huge..huge + count).for_each(|huge| self.index(huge));
                    }
                    return Ok(ready);
                }
                Err(seen) => word = seen,
            }
        }
    }

    /// Fills the rows of huge frames that [`take_whole`](Self::take_whole) took, and marks them
    /// handed out.
    #[inline]
    pub(crate) fn hand_out_whole(&self, huge: usize, count: usize) {
        // Relaxed: while they are BUSY nobody else changes these lanes.
        let full = self.quad(huge).load(Ordering::Relaxed) & self.each(HUGE, huge, count);
        for huge in (huge..huge + count).filter(|huge| full >> shift(*huge) & u64::from(HUGE) == 0)
        {
            self.write_rows(huge, u64::MAX);
        }
        let turn = self.each(BUSY | HUGE, huge, count) ^ full;
        // Release: its partner is the Acquire of whoever splits or frees these.
        self.quad(huge).fetch_xor(turn, Ordering::Release);
        self.note_begun(self.geometry.tree_of(huge));
    }

    /// Gives back huge frames that are BUSY, their rows as they were: clear, or full where they are
    /// HUGE.
    #[inline]
    pub(crate) fn end_whole(&self, huge: usize, count: usize) {
        let busy = self.each(BUSY | self.capacity() as u16, huge, count);
        // Release: its partners are the Acquire of `win_whole`, of `freshen` and of every charge.
        self.quad(huge).fetch_sub(busy, Ordering::Release);
    }

    /// Makes a stale huge frame one with clear rows, for who wants a part of it; false where it is not
    /// stale. Lock-free.
    #[cold]
    pub(crate) fn freshen(&self, huge: usize) -> bool {
        let quad = self.quad(huge);
        let turn = self.each(HUGE | BUSY | self.capacity() as u16, huge, 1);
        // Relaxed: the exchange decides.
        let mut word = quad.load(Ordering::Relaxed);
        while Entry::of(word, huge).is_stale() {
            // Acquire: as in `win_whole`. The summary is not told, for it is soon as it was.
            let next = word ^ turn;
            match quad.compare_exchange_weak(word, next, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => {
                    self.write_rows(huge, 0);
                    self.end_whole(huge, 1);
                    return true;
                }
                Err(seen) => word = seen,
            }
        }
        false
    }

    /// Frees `count` huge frames, if all were handed out whole; they stay full. They lie in one word.
    /// Lock-free.
    #[inline]
    pub(crate) fn give_whole(&self, huge: usize, count: usize) -> Result<(), FreeError> {
        let used = self.each(self.capacity() as u16, huge, count);
        // AcqRel: its partners are the Release of `hand_out_whole`, for the rows, and the Acquire of
        // `win_whole` and `freshen`.
        self.turn_whole(huge, count, used, Ordering::AcqRel)?;
        self.note_freed(self.geometry.tree_of(huge));
        Ok(())
    }

    /// Takes back `count` huge frames, if all were handed out whole, so that it can be undone. They lie
    /// in one word. Lock-free.
    pub(crate) fn take_back_whole(&self, huge: usize, count: usize) -> Result<(), FreeError> {
        let turn = self.each(BUSY, huge, count);
        // Acquire: its partner is the Release of `hand_out_whole`: the rows were filled before.
        self.turn_whole(huge, count, turn, Ordering::Acquire)
    }

    /// Flips the bits `turn` of huge frames that were handed out whole.
    #[inline]
    fn turn_whole(
        &self,
        huge: usize,
        count: usize,
        turn: u64,
        done: Ordering,
    ) -> Result<(), FreeError> {
        let mask = lanes(huge, count);
        let whole = self.each(HUGE | self.capacity() as u16, huge, count);
        let quad = self.quad(huge);
        // Relaxed: the exchange decides.
        let mut word = quad.load(Ordering::Relaxed);
        loop {
            if word & mask != whole {
                return Err(self.why_not_whole(word, huge, count));
            }
            match quad.compare_exchange_weak(word, word ^ turn, done, Ordering::Relaxed) {
                Ok(_) => return Ok(()),
                Err(seen) => word = seen,
            }
        }
    }

    /// Takes back what [`take_back_whole`](Self::take_back_whole) did.
    pub(crate) fn undo_take_back(&self, huge: usize, count: usize) {
        let turn = self.each(BUSY, huge, count);
        // Release: as in `hand_out_whole`.
        self.quad(huge).fetch_xor(turn, Ordering::Release);
    }

    /// Frees huge frames that were taken back; they stay full.
    pub(crate) fn free_whole(&self, huge: usize, count: usize) {
        self.end_whole(huge, count);
        self.note_freed(self.geometry.tree_of(huge));
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
        let entry = merged.map_err(|entry| {
            let free = entry.is_quartered() && entry.used() < capacity;
            if free { FreeError::DoubleFree } else { FreeError::WrongOrder }
        })?;
        if entry.is_held() {
            // Whoever holds it does not bring the index up to date any more.
            self.index(huge);
        }
        Ok(())
    }

    #[inline]
    pub(crate) fn write_rows(&self, huge: usize, word: u64) {
        for row in self.rows_of(huge) {
            // Relaxed: published by the change of the entry that follows.
            row.store(word, Ordering::Relaxed);
        }
    }
}
