//! One territory's frames, as the layers below have them: a zone, and in it lots for large runs.
//!
//! ```text
//!   zone   │ spans, tables ... │ lot: a chunk of the zone      │ free │
//!                              │ run │ free │ run │ free       │        segments
//! ```
//!
//! A **lot** is a chunk of the zone that large runs are cut from: a huge frame, or what there is of one. A
//! region has one at most. The lot that lost its last run last is the **spare**, which the next run finds
//! again; others go back to the zone, and so does the spare where there is nothing else for a span.

use core::mem::MaybeUninit;
use core::ops::Range;
use core::ptr::NonNull;

use strata_core::{Exhausted, Source};

use super::layers::{
    Entries, Entry, RangeId, Runs, SegmentId, SegmentState, Zone, metadata_len, runs,
};
use crate::class::FRAME;
use crate::region::FRAMES;
use crate::territory::{Part, Territory};

/// Tables of its own in a territory: this head with the zone's metadata, lots, names of segments, entries.
pub(crate) const TABLES: usize = 4;
const HEAD: usize = 0;
const LOTS: usize = 1;
const NAMES: usize = 2;
const ENTRIES: usize = 3;

/// Bytes of the head: the zone's metadata is behind it.
const HEAD_LEN: usize = size_of::<Land>().next_multiple_of(FRAME);
/// Step of committing tables.
const STEP: usize = 64 << 10;
/// Entries that become usable at once: a frame of them.
const ENTRY_STEP: usize = FRAME / size_of::<Entry>();

/// How long the tables are for so many frames.
pub(crate) fn table_lens(frames: usize) -> [usize; TABLES] {
    let regions = frames.div_ceil(FRAMES);
    [
        HEAD_LEN + metadata_len(frames),
        regions * size_of::<Lot>(),
        frames * size_of::<SegmentId>(),
        entries(frames, regions) * size_of::<Entry>(),
    ]
}

/// Entries that so many used segments in so many lots need at most, with room for the next cuts: each
/// segment may have a free one above it, each lot one more and its two ends.
fn entries(used: usize, lots: usize) -> usize {
    16 + 2 * (used + lots)
}

/// A region's lot.
#[derive(Clone, Copy, Debug)]
struct Lot {
    /// The first of its frames in the region, and how many they are; zero, as fresh tables are, where there is
    /// no lot.
    start: u16,
    frames: u16,
    /// Its range among the segments; there where the lot is.
    range: MaybeUninit<RangeId>,
}

/// The head of a territory's tables.
///
/// # Invariants
///
/// 1. The tables are those of the territory, committed for all regions in use.
/// 2. A segment is used exactly while frames of a lot were chosen; its name then lies at its first frame.
#[derive(Debug)]
pub(super) struct Land {
    zone: Zone,
    runs: Runs,
    /// Used segments, and lots.
    used: usize,
    lots: usize,
    /// The region whose lot has no run, if there is one.
    spare: Option<usize>,
    /// Frame 0.
    first: NonNull<u8>,
    /// Added to a frame it gives a number that is aligned as the frame's address is.
    phase: usize,
    lot_table: NonNull<Lot>,
    names: NonNull<MaybeUninit<SegmentId>>,
}

impl Land {
    /// Makes the head of a territory.
    pub(super) fn found<S: Source<Address = NonNull<u8>>>(
        source: &S,
        territory: &Territory,
        parts: &mut [Part; TABLES],
    ) -> Result<(), Exhausted> {
        let metadata_len = metadata_len(territory.frames());
        parts[HEAD].commit(source, HEAD_LEN + metadata_len, 1)?;
        // SAFETY: in the part.
        let metadata = unsafe { parts[HEAD].base().add(HEAD_LEN) };
        if !S::ZEROED {
            // SAFETY: committed above, and nobody knows it.
            unsafe { metadata.write_bytes(0, metadata_len) };
        }
        let first = territory.frame(0);
        let memory = (first, territory.frames() * FRAME);
        // SAFETY: 1. the territory's, which nobody knows yet. 2. committed above. 3. so the source says, or
        // it is not said.
        let zone = unsafe { Zone::new((metadata, metadata_len), memory, S::ZEROED)? };
        let head = Self {
            zone,
            runs: runs(Entries::new(parts[ENTRIES].base().cast())),
            used: 0,
            lots: 0,
            spare: None,
            first,
            phase: territory.phase() % FRAMES,
            lot_table: parts[LOTS].base().cast(),
            names: parts[NAMES].base().cast(),
        };
        // SAFETY: committed above, aligned to a frame, and nobody knows it.
        unsafe { parts[HEAD].base().cast().write(head) };
        Ok(())
    }

    /// Makes the tables of one region more.
    pub(super) fn open<S: Source<Address = NonNull<u8>>>(
        source: &S,
        parts: &mut [Part; TABLES],
        region: usize,
        frames: usize,
    ) -> Result<(), Exhausted> {
        parts[LOTS].commit(source, (region + 1) * size_of::<Lot>(), STEP)?;
        parts[NAMES].commit(source, frames * size_of::<SegmentId>(), STEP)?;
        if !S::ZEROED {
            let none = Lot { start: 0, frames: 0, range: MaybeUninit::uninit() };
            // SAFETY: in the table, committed above, of a region that nobody knows yet.
            unsafe { parts[LOTS].base().cast::<Lot>().add(region).write(none) };
        }
        Ok(())
    }

    /// The head of a territory's tables.
    ///
    /// # Safety
    ///
    /// 1. They were [founded](Self::found).
    /// 2. The caller holds the ground's lock, and has no other reference to this head.
    pub(super) unsafe fn of<'a>(parts: &[Part; TABLES]) -> &'a mut Self {
        // SAFETY: written when it was founded (1.); ours alone (2.).
        unsafe { parts[HEAD].base().cast().as_mut() }
    }

    fn at(&self, frame: usize) -> NonNull<u8> {
        // SAFETY: a frame of the territory.
        unsafe { self.first.add(frame * FRAME) }
    }

    /// The place of a region's lot in the table: of a region in use, so committed (invariant 1).
    fn lot_at(&self, region: usize) -> NonNull<Lot> {
        // SAFETY: in the table.
        unsafe { self.lot_table.add(region) }
    }

    /// The frames of a region's lot; no frames where there is none.
    pub(super) fn lot(&self, region: usize) -> Range<usize> {
        // SAFETY: a region in use; what it holds changes under the lock, through `&mut self`.
        let lot = unsafe { self.lot_at(region).read() };
        let start = region * FRAMES + usize::from(lot.start);
        start..start + usize::from(lot.frames)
    }

    /// Frames of the zone for a span: neighbours in one region.
    pub(super) fn take(&self, frames: usize, align: usize) -> Option<usize> {
        let (base, _) = self.zone.acquire(frames, align).ok()?.into_raw_parts();
        let frame = (base.addr().get() - self.first.addr().get()) / FRAME;
        if frame / FRAMES == (frame + frames - 1) / FRAMES {
            return Some(frame);
        }
        // SAFETY: 1. just acquired.
        unsafe { self.zone.release(base, frames) };
        None
    }

    /// Takes exactly these frames of the zone; false where it cannot.
    pub(super) fn claim(&self, frame: usize, frames: usize) -> bool {
        self.zone.claim(frame, frames)
    }

    /// Gives frames of the zone back.
    pub(super) fn give(&self, frame: usize, frames: usize) {
        // SAFETY: 1. taken or claimed, says the ground, which has them back.
        unsafe { self.zone.release(self.at(frame), frames) };
    }

    /// Sees that there are entries for one used segment more, and one lot.
    pub(super) fn reserve<S: Source<Address = NonNull<u8>>>(
        &self,
        source: &S,
        parts: &mut [Part; TABLES],
    ) -> Result<(), Exhausted> {
        let (have, need) = (self.runs.storage().len(), entries(self.used + 1, self.lots + 1));
        if need > have {
            let len = need.max(have + ENTRY_STEP);
            let most = parts[ENTRIES].len() / size_of::<Entry>();
            let len = len.min(most).max(need.min(most));
            parts[ENTRIES].commit(source, len * size_of::<Entry>(), STEP)?;
            // SAFETY: 1. committed above. 2. beyond those that were used.
            unsafe { self.runs.storage().lengthen(len) };
        }
        Ok(())
    }

    fn name(&mut self, frame: usize, segment: SegmentId) {
        // SAFETY: in the table, of a region in use (invariant 1).
        unsafe { self.names.add(frame).write(MaybeUninit::new(segment)) };
        self.used += 1;
        if self.spare == Some(frame / FRAMES) {
            self.spare = None;
        }
    }

    fn named(&self, frame: usize) -> SegmentId {
        // SAFETY: a used segment begins here, so its name was written (invariant 2).
        unsafe { self.names.add(frame).read().assume_init() }
    }

    /// Whether there are entries for one used segment more, and for all cuts to come of those there are.
    fn has_entries(&self) -> bool {
        self.runs.storage().len() >= entries(self.used + 1, self.lots)
    }

    /// Frames of a lot for a run.
    pub(super) fn take_run(&mut self, frames: usize, align: usize) -> Option<usize> {
        if !self.has_entries() {
            return None;
        }
        let segment = self.runs.allocate_range(frames as u64, align as u64).ok()?;
        let frame = self.runs.base(segment)? as usize - self.phase;
        self.name(frame, segment);
        Some(frame)
    }

    /// Takes exactly these frames of a lot; false where it cannot.
    pub(super) fn claim_run(&mut self, frame: usize, frames: usize) -> bool {
        if !self.has_entries() {
            return false;
        }
        let place = (frame + self.phase) as u64;
        let Ok(segment) = self.runs.allocate_range_at(place, frames as u64) else { return false };
        self.name(frame, segment);
        true
    }

    /// Gives frames of a lot back: one run, or several side by side.
    pub(super) fn give_runs(&mut self, frames: Range<usize>) {
        let mut frame = frames.start;
        while frame < frames.end {
            let segment = self.named(frame);
            let len = self.runs.len(segment).unwrap_or(0) as usize;
            let freed = self.runs.free(segment);
            debug_assert!(freed.is_ok() && len != 0, "a run that was chosen is a used segment");
            self.used -= 1;
            frame += len.max(1);
        }
    }

    /// Makes the run at `frame` `frames` long; false where what lies behind it is used.
    pub(super) fn resize_run(&mut self, frame: usize, frames: usize) -> bool {
        let segment = self.named(frame);
        self.runs.resize_range(segment, frames as u64).is_ok()
    }

    /// Makes a lot of frames that were taken of the zone, in a region that has none; false where it cannot.
    /// Entries were [reserved](Self::reserve).
    pub(super) fn make_lot(&mut self, frame: usize, frames: usize) -> bool {
        let (region, start) = (frame / FRAMES, frame % FRAMES);
        if !self.lot(region).is_empty() {
            return false;
        }
        let place = (frame + self.phase) as u64;
        let Ok(range) = self.runs.add_range(place, frames as u64) else { return false };
        let lot =
            Lot { start: start as u16, frames: frames as u16, range: MaybeUninit::new(range) };
        // SAFETY: a region in use, whose place is ours alone.
        unsafe { self.lot_at(region).write(lot) };
        self.lots += 1;
        true
    }

    /// A region's lot has no run any more. Answers the region of the one that was spare until now.
    pub(super) fn keep_spare(&mut self, region: usize) -> Option<usize> {
        self.spare.replace(region).filter(|before| *before != region)
    }

    /// The region whose lot is spare.
    pub(super) fn spare(&self) -> Option<usize> {
        self.spare
    }

    /// Gives a region's lot, in which no run is, back to the zone.
    pub(super) fn drop_lot(&mut self, region: usize) {
        if self.spare == Some(region) {
            self.spare = None;
        }
        let frames = self.lot(region);
        // SAFETY: a region in use, whose place is ours alone.
        let lot = unsafe { self.lot_at(region).as_mut() };
        // SAFETY: there is a lot, so its range was written.
        let range = unsafe { lot.range.assume_init() };
        lot.frames = 0;
        self.lots -= 1;
        let removed = self.runs.remove_range(range);
        debug_assert!(removed.is_ok(), "no run is in the lot");
        self.give(frames.start, frames.len());
    }

    /// Used segments, and lots.
    #[cfg(test)]
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.used, self.lots)
    }

    /// Whether the layers below are in order, count `used` frames outside of lots in their first `regions`
    /// regions, and say of each segment what `is_used` says of its frames: all used, or none.
    pub(super) fn is_sound(
        &self,
        regions: usize,
        used: usize,
        is_used: impl Fn(Range<usize>, bool) -> bool,
    ) -> bool {
        let in_lots: usize = (0..regions).map(|region| self.lot(region).len()).sum();
        let lots = (0..regions).filter(|region| !self.lot(*region).is_empty()).count();
        let zone = self.zone.frames();
        let taken = (zone.frames() - zone.free_frames()) as usize;
        let (mut segments, mut agree) = (0, true);
        for seen in self.runs.walk() {
            let start = seen.base as usize - self.phase;
            let used = seen.state != SegmentState::Free;
            segments += usize::from(used);
            agree &= is_used(start..start + seen.len as usize, used);
        }
        agree
            && (taken, lots, segments) == (used + in_lots, self.lots, self.used)
            && zone.validate().is_ok()
            && self.runs.validate().is_ok()
    }
}

static_assertions::const_assert_eq!(size_of::<Lot>(), 8);
// Parts begin at frames.
static_assertions::const_assert!(align_of::<Land>() <= FRAME);
