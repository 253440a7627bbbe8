//! The words that all of this crate works on, in memory that the caller gives.

#[cfg(not(strata_loom))]
use core::ptr::NonNull;

#[cfg(not(strata_loom))]
use strata_core::ConfigError;
use strata_core::sync::{AtomicU64, Ordering};

use crate::entry::{Entry, shift};
#[cfg(not(strata_loom))]
use crate::geometry::Plan;
use crate::geometry::{Geometry, QUAD, bit_of, row_of};
use crate::index::stage;
use crate::row;

/// Rows, entries, hints and slots of one zone.
///
/// # Invariants
///
/// 1. The slices have the lengths that `Plan` gives for `frames` and the geometry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tables<'m> {
    pub(crate) geometry: Geometry,
    pub(crate) frames: u64,
    /// Huge frames, the last of which may end beyond the zone.
    pub(crate) huge: usize,
    pub(crate) rows: &'m [AtomicU64],
    pub(crate) quads: &'m [AtomicU64],
    pub(crate) planes: &'m [AtomicU64],
    pub(crate) summary: &'m [AtomicU64],
    /// Trees, the last of which may end beyond the zone.
    pub(crate) trees: usize,
    /// Counts what claims undid: a search during which it moved saw less than there was.
    pub(crate) undone: &'m AtomicU64,
    pub(crate) slots: &'m [AtomicU64],
    #[cfg(feature = "checked")]
    pub(crate) starts: &'m [AtomicU64],
    /// Calls at work in its low half, calls that ever were in its high half.
    #[cfg(feature = "checked")]
    pub(crate) working: &'m AtomicU64,
}

impl<'m> Tables<'m> {
    /// The tables of a zone in `metadata`, as they are there.
    ///
    /// # Errors
    ///
    /// Where the geometry cannot be, or the metadata is too small or not aligned.
    ///
    /// # Safety
    ///
    /// 1. `metadata` is memory for reads and writes as long as `'m`, and initialised.
    /// 2. It is reached in no other way than through such tables during `'m`.
    #[cfg(not(strata_loom))]
    pub(crate) unsafe fn over(
        frames: u64,
        locals: usize,
        geometry: Geometry,
        metadata: NonNull<[u8]>,
    ) -> Result<Self, ConfigError> {
        let plan = Plan::new(frames, locals, geometry)?;
        let layout = plan.layout();
        if metadata.len() < layout.size() {
            let rule = "must have the length that metadata_layout gives";
            return Err(ConfigError::new("metadata", metadata.len(), rule));
        }
        let base: NonNull<u8> = metadata.cast();
        if !base.addr().get().is_multiple_of(layout.align()) {
            let rule = "must be aligned as metadata_layout says";
            return Err(ConfigError::new("metadata", base.addr().get(), rule));
        }
        let words = |at: usize, len: usize| {
            // SAFETY: inside the metadata, which is long enough and aligned (above), initialised
            // and there during 'm (1.), and shared as atomics only (2.).
            unsafe { core::slice::from_raw_parts(base.add(at).cast().as_ptr(), len) }
        };
        Ok(Self {
            geometry,
            frames,
            huge: plan.huge,
            rows: words(0, plan.rows),
            quads: words(plan.quads_at, plan.quads),
            planes: words(plan.planes_at, plan.planes),
            summary: words(plan.summary_at, plan.summary),
            trees: plan.trees,
            undone: &words(plan.head_at, 1)[0],
            slots: words(plan.slots_at, (plan.len - plan.slots_at) / 8),
            #[cfg(feature = "checked")]
            starts: words(plan.starts_at, plan.rows),
            #[cfg(feature = "checked")]
            working: &words(plan.head_at, 2)[1],
        })
    }

    /// Frames of one huge frame.
    #[inline]
    pub(crate) fn capacity(&self) -> u64 {
        self.geometry.huge_frames()
    }

    #[inline]
    pub(crate) fn quad(&self, huge: usize) -> &'m AtomicU64 {
        &self.quads[huge / QUAD]
    }

    #[inline]
    pub(crate) fn entry(&self, huge: usize) -> Entry {
        // Relaxed: what is decided on it is decided again by an exchange.
        Entry::of(self.quad(huge).load(Ordering::Relaxed), huge)
    }

    /// The rows of a huge frame.
    #[inline]
    pub(crate) fn rows_of(&self, huge: usize) -> &'m [AtomicU64] {
        let first = self.geometry.first_row(huge);
        &self.rows[first..first + self.geometry.huge_rows()]
    }

    /// Changes the entry of `huge` by a pure function, and tells the hints.
    ///
    /// # Errors
    ///
    /// The entry for which `change` answers `None`.
    #[inline]
    pub(crate) fn update(
        &self,
        huge: usize,
        done: Ordering,
        mut change: impl FnMut(Entry) -> Option<Entry>,
    ) -> Result<Entry, Entry> {
        let quad = self.quad(huge);
        // Relaxed: the value is only compared; what must be seen is seen by the exchange.
        let mut word = quad.load(Ordering::Relaxed);
        loop {
            let old = Entry::of(word, huge);
            let Some(new) = change(old) else { return Err(old) };
            let next = word ^ u64::from(old.0 ^ new.0) << shift(huge);
            match quad.compare_exchange_weak(word, next, done, Ordering::Relaxed) {
                Ok(_) => {
                    self.note(huge, old, new);
                    return Ok(old);
                }
                Err(seen) => word = seen,
            }
        }
    }

    /// Tells the index and the summary that an entry changed so.
    #[inline]
    pub(crate) fn note(&self, huge: usize, old: Entry, new: Entry) {
        if self.stage_of(old.used()) != self.stage_of(new.used()) {
            self.note_slow(huge, old, new);
        }
    }

    #[inline]
    fn stage_of(&self, used: u64) -> u8 {
        stage(self.capacity() - used, self.capacity())
    }

    #[cold]
    #[inline(never)]
    fn note_slow(&self, huge: usize, old: Entry, new: Entry) {
        match (old.used(), new.used()) {
            (0, 1..) => self.note_begun(self.geometry.tree_of(huge)),
            (1.., 0) => self.note_freed(self.geometry.tree_of(huge)),
            _ => {}
        }
        if !old.is_held() && !new.is_held() && new.used() != 0 {
            self.index_as(huge, new);
        }
    }

    /// Promises `frames` frames of `huge`, if it has so many. With `hold` a stock works there from
    /// now on.
    #[inline]
    pub(crate) fn charge(&self, huge: usize, frames: u64, hold: bool) -> bool {
        let capacity = self.capacity();
        // Acquire: its partners are the Release of `discharge` and of the end of a whole huge
        // frame: the rows are seen as they left them.
        let charged = self.update(huge, Ordering::Acquire, |entry| {
            let entry = entry.charge(frames, capacity)?;
            Some(if hold { entry.held() } else { entry })
        });
        charged.is_ok()
    }

    /// Takes back a promise of `frames` frames, whose bits are clear.
    #[inline]
    pub(crate) fn discharge(&self, huge: usize, frames: u64) {
        // Release: its partners are the Acquire of `charge` and of whoever takes the huge frame
        // whole: they see the rows cleared.
        let word = self.quad(huge).fetch_sub(frames << shift(huge), Ordering::Release);
        let entry = Entry::of(word, huge);
        debug_assert!(entry.used() >= frames, "a promise is taken back once");
        let used = entry.in_rows();
        if self.stage_of(used) != self.stage_of(used - frames) {
            self.note_slow(huge, entry, Entry(entry.0 - frames as u16));
        }
    }

    /// As [`charge`](Self::charge), telling that several words will be taken.
    pub(crate) fn begin_claim(&self, huge: usize, frames: u64) -> bool {
        let capacity = self.capacity();
        // Acquire: as in `charge`.
        self.update(huge, Ordering::Acquire, |entry| entry.claim(frames, capacity)).is_ok()
    }

    /// Ends what [`begin_claim`](Self::begin_claim) began, giving back `refund` promised frames.
    pub(crate) fn end_claim(&self, huge: usize, refund: u64) {
        let sum = u64::from(crate::entry::CLAIM) + refund;
        // Release: as in `discharge`.
        let word = self.quad(huge).fetch_sub(sum << shift(huge), Ordering::Release);
        let entry = Entry::of(word, huge);
        debug_assert!(entry.used() >= refund, "a promise is taken back once");
        self.note(huge, entry, Entry(entry.0 - sum as u16));
    }

    /// Tells searches that frames which were taken came back without having been handed out.
    pub(crate) fn note_undone(&self) {
        // AcqRel: its partner is the Acquire of a search, before and after: see `patiently`.
        self.undone.fetch_add(1, Ordering::AcqRel);
    }

    /// Takes the frames behind the end of the zone, which its last huge frame has. They are taken
    /// for ever.
    pub(crate) fn close_end(&self) {
        let beyond = self.huge as u64 * self.capacity() - self.frames;
        // After a recovery they are taken already.
        if beyond > 0 && !self.is_taken(self.frames) && self.charge(self.huge - 1, beyond, false) {
            self.close_rows();
        }
    }

    /// Sets the bits of the frames behind the end of the zone.
    pub(crate) fn close_rows(&self) {
        let end = self.huge as u64 * self.capacity();
        let mut at = self.frames;
        while at < end {
            let row = row_of(at);
            let bits = row::mask(bit_of(at), 64 - u64::from(bit_of(at)));
            // Relaxed: nobody else is here yet.
            self.rows[row].fetch_or(bits, Ordering::Relaxed);
            at = (row as u64 + 1) * 64;
        }
    }

    /// Says that the stock which worked at `huge` has left.
    pub(crate) fn let_go(&self, huge: usize) {
        let held = u64::from(crate::entry::HELD) << shift(huge);
        // Relaxed: a hint.
        let quad = self.quad(huge);
        if quad.load(Ordering::Relaxed) & held != 0 {
            quad.fetch_and(!held, Ordering::Relaxed);
            self.index(huge);
        }
    }

    /// Whether more of a huge frame is promised than taken: who has the promise may take it back.
    pub(crate) fn is_unsettled(&self, huge: usize) -> bool {
        let entry = self.entry(huge);
        entry.in_flight() || !entry.is_closed() && entry.used() != self.bits_of(huge)
    }

    /// Set bits in the rows of a huge frame.
    pub(crate) fn bits_of(&self, huge: usize) -> u64 {
        // Relaxed: a reading.
        let count = |row: &AtomicU64| u64::from(row.load(Ordering::Relaxed).count_ones());
        self.rows_of(huge).iter().map(count).sum()
    }
}
