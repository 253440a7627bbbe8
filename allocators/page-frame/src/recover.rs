//! Metadata that outlived its process: everything is counted anew from the rows.
//!
//! What a crash leaves is a word short of something at every place where one stood still. The rows
//! say which frames are taken, and the marks of huge frames which are taken whole; all else follows
//! or was about to be undone:
//!
//! - A huge frame that is BUSY was not handed out yet, or was being freed: it is free.
//! - The rows of a free one that are full still are cleared, and those of free quarters.
//! - What lies in stocks was not handed out: it is free.
//! - Used frames, claims, stocks at work and hints are counted anew.
//! - What the last record of a local speaks of may have been on its way to or from a caller. He is
//!   asked.

#[cfg(not(strata_loom))]
use core::ptr::NonNull;

use strata_core::FrameId;
use strata_core::sync::Ordering;

#[cfg(not(strata_loom))]
use strata_core::ConfigError;

use crate::entry::{Entry, HUGE, shift};
use crate::frames::PageFrames;
#[cfg(not(strata_loom))]
use crate::geometry::Geometry;
use crate::geometry::{QUAD, ROW, SLOT_WORDS, bit_of, row_of};
use crate::journal::Record;
use crate::slot::Slot;
use crate::summary::TREES;
use crate::tables::Tables;

/// What a recovery did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Frames that lay in stocks.
    pub drained: u64,
    /// Frames in doubt that turned out to be nobody's.
    pub freed: u64,
    /// Frames in doubt that their owner knew.
    pub kept: u64,
    /// Huge frames that were being handed out or freed.
    pub unfinished: u64,
}

impl<'m> PageFrames<'m> {
    /// An allocator over metadata of one that stopped at any moment: its process was killed, and
    /// the metadata was in a file or in memory that others share.
    ///
    /// All stocks are drained. Each local keeps a record of what its last call took or gave back;
    /// `is_owned` is asked about each of these frames that is taken, by its number, and about a
    /// huge frame that is taken whole once, by its first. Where the call was making rows of a huge frame
    /// cut in quarters, the record is of all its frames, whoever has them. It answers whether the caller's own
    /// records say that somebody has the frame. What nobody has is freed.
    ///
    /// So no frame is lost whose owner writes down what [`Local::alloc`](crate::Local::alloc)
    /// answered before he calls again (or [`confirm`](crate::Local::confirm)s); who marks what he
    /// frees before he frees it, and crosses it out afterwards. A marked frame is nobody's when it
    /// is asked about; one that is still taken after the recovery, and that no other record has, is
    /// freed then by whoever marked it. That goes by frames: where another local's last record speaks
    /// of a part of a marked block, that part is free already.
    ///
    /// Calls without a local keep no record, and `alloc_bulk` that of its last block: what they had
    /// in hand stays taken. Frames that were offline are taken frames now.
    ///
    /// A pass over all metadata.
    ///
    /// # Errors
    ///
    /// As [`from_zeroed`](Self::from_zeroed).
    ///
    /// # Safety
    ///
    /// 1. `metadata` is valid for reads and writes during `'m`, and initialised.
    /// 2. During `'m` it is reached through this allocator only.
    /// 3. It was the metadata of an allocator of the same frames, locals and geometry, or is zero.
    ///
    /// ```
    /// # use std::alloc::{alloc_zeroed, dealloc};
    /// # use std::ptr::NonNull;
    /// # use strata_core::Order;
    /// # use strata_page_frame::{Geometry, PageFrames};
    /// # let (frames, locals, geometry) = (4096, 1, Geometry::DEFAULT);
    /// # let layout = PageFrames::metadata_layout(frames, locals, geometry)?;
    /// # // SAFETY: not of no bytes.
    /// # let base = NonNull::new(unsafe { alloc_zeroed(layout) }).unwrap();
    /// # let metadata = NonNull::slice_from_raw_parts(base, layout.size());
    /// // SAFETY: 1. and 2. allocated for this. 3. zeroed.
    /// let zone = unsafe { PageFrames::from_zeroed(frames, locals, geometry, metadata)? };
    /// let local = zone.local(0).unwrap();
    /// let known = local.alloc(Order::new(0).unwrap())?;
    /// let lost = local.alloc(Order::new(4).unwrap())?;
    /// std::mem::forget(local); // the end of the process
    ///
    /// // SAFETY: 1. and 2. nobody uses the first one any more. 3. it was the same.
    /// let (zone, recovered) = unsafe {
    ///     PageFrames::recover(frames, locals, geometry, metadata, |frame| frame == known)?
    /// };
    /// assert_eq!(recovered.freed, 16);
    /// assert_eq!(zone.free_frames(), 4095);
    /// # // SAFETY: allocated above, used by nobody.
    /// # unsafe { dealloc(base.as_ptr(), layout) };
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(not(strata_loom))]
    pub unsafe fn recover(
        frames: u64,
        locals: usize,
        geometry: Geometry,
        metadata: NonNull<[u8]>,
        is_owned: impl FnMut(FrameId) -> bool,
    ) -> Result<(Self, Recovered), ConfigError> {
        // SAFETY: 1. and 2. of this function.
        let tables = unsafe { Tables::over(frames, locals, geometry, metadata)? };
        let recovered = tables.recover(is_owned);
        Ok((Self::fresh(tables), recovered))
    }
}

impl Tables<'_> {
    /// Makes all words agree with the rows and the marks of huge frames. Nobody is at work: all
    /// orderings here are Relaxed.
    pub(crate) fn recover(&self, mut is_owned: impl FnMut(FrameId) -> bool) -> Recovered {
        let mut recovered = Recovered::default();
        #[cfg(feature = "checked")]
        self.working.store(0, Ordering::Relaxed);
        for huge in 0..self.huge {
            recovered.unfinished += u64::from(self.settle(huge));
        }
        self.each_stock(|row, bits| recovered.drained += self.wipe(row, bits));
        let locals = self.slots.len() / SLOT_WORDS;
        for slot in (0..locals).filter_map(|index| Slot::of(self.slots, index)) {
            self.resolve(slot.record(), &mut is_owned, &mut recovered);
            slot.reset();
        }
        self.close_rows();
        for tree in 0..self.trees {
            self.count_tree(tree);
        }
        recovered
    }

    /// Ends what was under way at a huge frame; true if something was.
    fn settle(&self, huge: usize) -> bool {
        let entry = self.entry(huge);
        if entry.is_busy() || entry.is_stale() {
            self.set_rows(huge, 0);
            self.set_entry(huge, Entry::FREE);
        } else if entry.is_huge() {
            self.set_rows(huge, u64::MAX);
        } else if entry.is_quartered() {
            let rows = self.rows_of(huge);
            for (row, at) in rows.iter().zip((self.geometry.first_frame(huge)..).step_by(64)) {
                let taken = self.has_quarter(entry, at);
                row.store(if taken { u64::MAX } else { 0 }, Ordering::Relaxed);
            }
            self.set_entry(huge, Entry(entry.used() as u16));
        }
        entry.is_busy()
    }

    /// Clears bits of a row that nobody has; how many were set.
    fn wipe(&self, row: usize, bits: u64) -> u64 {
        let Some(word) = self.rows.get(row) else { return 0 };
        if self.entry(self.geometry.huge_of_row(row).0).is_huge() {
            return 0;
        }
        u64::from((word.fetch_and(!bits, Ordering::Relaxed) & bits).count_ones())
    }

    /// Asks about the frames of a record.
    fn resolve(
        &self,
        record: Record,
        is_owned: &mut impl FnMut(FrameId) -> bool,
        recovered: &mut Recovered,
    ) {
        let (start, frames, bits) = match record {
            Record::None => return,
            Record::Block { frame, order } => (frame, 1u64 << order, u64::MAX),
            Record::Bits { row, bits } => (row.saturating_mul(ROW), ROW, bits),
            Record::Range { start, frames } => (start, frames, u64::MAX),
        };
        let end = start.saturating_add(frames).min(self.frames);
        let mut at = start;
        while at < end {
            let huge = self.geometry.huge_of(at);
            let whole = self.entry(huge).is_huge();
            let step = if whole { self.capacity() - at % self.capacity() } else { 1 };
            let asked = bits == u64::MAX || bits >> bit_of(at) & 1 == 1;
            if asked && self.is_taken(at) {
                let frames = if whole { self.capacity() } else { 1 };
                if is_owned(FrameId(if whole { self.geometry.first_frame(huge) } else { at })) {
                    recovered.kept += frames;
                } else if whole {
                    recovered.freed += frames;
                    self.set_entry(huge, Entry::FREE);
                    self.set_rows(huge, 0);
                } else {
                    recovered.freed += self.wipe(row_of(at), 1 << bit_of(at));
                }
            }
            at += step;
        }
    }

    /// Counts the used frames of a tree's huge frames.
    fn count_tree(&self, tree: usize) {
        let first = self.first_huge(tree);
        for huge in first..first + self.huge_in(tree) {
            let used = self.bits_of(huge);
            let mark = if self.entry(huge).is_huge() { HUGE } else { 0 };
            self.set_entry(huge, Entry(mark | used as u16));
            self.index(huge);
        }
        self.sum_up(tree / TREES, 1 << (tree % TREES));
        self.forget_starts(first, first + self.huge_in(tree));
    }

    fn set_entry(&self, huge: usize, entry: Entry) {
        let lane = 0xffff << shift(huge);
        let word = self.quads[huge / QUAD].load(Ordering::Relaxed);
        let next = word & !lane | u64::from(entry.0) << shift(huge);
        self.quads[huge / QUAD].store(next, Ordering::Relaxed);
    }

    fn set_rows(&self, huge: usize, word: u64) {
        for row in self.rows_of(huge) {
            row.store(word, Ordering::Relaxed);
        }
    }
}
