//! The frames under all spans and runs: what is used, what is kept with contents, what goes back.
//!
//! Which frames a request gets is behind a seam, [`Placing`], with a file a placement: the tables here say
//! what is known of frames, whoever chose them.

#[cfg(all(feature = "composed", not(strata_loom)))]
mod composed;
#[cfg(any(not(feature = "composed"), strata_loom))]
mod direct;
mod idle;
mod open;
mod placing;

use core::ops::Range;
use core::ptr::NonNull;

use strata_core::{Exhausted, Source};

use crate::budget::Budget;
use crate::class::FRAME;
use crate::region::{FRAMES, Summary, Table, Use};
use crate::span::{FREE_PLACE, NONE, PLACE_BITS, Span, SpanId};
use crate::territory::{self, Parts, Territories, Territory};

#[cfg(all(feature = "composed", not(strata_loom)))]
pub(crate) use composed::{TABLES, table_lens};
#[cfg(any(not(feature = "composed"), strata_loom))]
pub(crate) use direct::{TABLES, table_lens};
pub(crate) use placing::{Placing, Wanted};

/// Steps of committing frames.
const STEP: Range<usize> = 1 << 20..64 << 20;
/// Step of committing tables.
const TABLE_STEP: usize = 64 << 10;
/// Ranges that one purge takes in hand at most.
pub(crate) const BATCH: usize = 32;

/// Neighbouring frames of one territory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) territory: usize,
    pub(crate) frame: usize,
    pub(crate) frames: usize,
}

/// A run that was just taken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taken {
    pub(crate) run: Run,
    pub(crate) base: NonNull<u8>,
    /// All its bytes are zero.
    pub(crate) zero: bool,
    /// Bytes of it that had been purged.
    pub(crate) purged: usize,
    /// Which of its first 64 frames have contents, and which had been purged.
    pub(crate) contents: u64,
    pub(crate) gone: u64,
    /// Bytes of it without contents: touching them takes new memory from the system.
    pub(crate) fresh: usize,
}

/// What changes in a territory, beside the tables in its memory.
#[derive(Debug)]
struct State {
    parts: Parts,
    /// Regions in use: those below were initialised.
    regions: usize,
    /// Span places ever used, and the first of the free ones below.
    places: u32,
    free_place: SpanId,
}

/// All under one lock; see the module.
///
/// What every heap uses stands before what few do: it shares its pages with the heap's other words.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Ground {
    /// Idle frames in all regions.
    idle: usize,
    /// Used frames in all regions.
    used: usize,
    /// Of these, those in large blocks' runs.
    pub(crate) runs: usize,
    /// A free frame that never was idle is zero.
    pub(crate) zeroed: bool,
    pub(crate) budget: Budget,
    pub(crate) large: crate::own::Owns,
    pub(crate) scraps: crate::scraps::Scraps,
    states: [Option<State>; territory::MAX],
    /// Bytes that may be held: see `limit.rs`.
    #[cfg(all(feature = "limit", target_os = "linux", not(strata_loom)))]
    pub(crate) most: usize,
    #[cfg(all(feature = "guard-metadata", target_os = "linux", not(strata_loom)))]
    pub(crate) yard: crate::yard::Yard,
}

// SAFETY: its pointers are to memory of the heap's source, which no thread owns.
unsafe impl Send for Ground {}

impl Ground {
    /// Where what a heap with one territory uses ends.
    #[cfg(all(feature = "std", target_os = "linux", not(strata_loom)))]
    pub(crate) const USED_TO: usize =
        core::mem::offset_of!(Self, states) + size_of::<Option<State>>();

    pub(crate) const fn new() -> Self {
        Self {
            states: [const { None }; territory::MAX],
            idle: 0,
            used: 0,
            runs: 0,
            zeroed: true,
            budget: Budget::new(),
            large: crate::own::Owns::new(),
            scraps: crate::scraps::Scraps::new(),
            #[cfg(all(feature = "limit", target_os = "linux", not(strata_loom)))]
            most: usize::MAX,
            #[cfg(all(feature = "guard-metadata", target_os = "linux", not(strata_loom)))]
            yard: crate::yard::Yard::new(),
        }
    }

    /// Bytes with contents in free frames.
    pub(crate) fn idle_bytes(&self) -> usize {
        self.idle * FRAME
    }

    /// Bytes of used frames.
    pub(crate) fn used_bytes(&self) -> usize {
        self.used * FRAME
    }

    /// Bytes of large blocks' runs.
    pub(crate) fn runs_bytes(&self) -> usize {
        self.runs * FRAME
    }

    /// Committed bytes of tables, and of frames.
    pub(crate) fn committed(&self) -> (usize, usize) {
        self.states.iter().flatten().fold((0, 0), |(tables, frames), state| {
            let Parts { summaries, regions, spans, placing, frames: f } = &state.parts;
            let more = summaries.committed() + regions.committed() + spans.committed();
            let more = placing.iter().fold(more, |sum, part| sum + part.committed());
            (tables + more, frames + f.committed())
        })
    }

    /// Regions in use of a territory.
    pub(crate) fn regions(&self, territory: usize) -> usize {
        self.states[territory].as_ref().map_or(0, |state| state.regions)
    }

    /// Takes `frames` neighbouring frames for what is `wanted`, 512 at most, the first at a multiple of
    /// `align` frames.
    pub(crate) fn take<S: Source<Address = NonNull<u8>>>(
        &mut self,
        source: &S,
        all: &Territories,
        wanted: Wanted,
        frames: usize,
        align: usize,
    ) -> Result<Taken, Exhausted> {
        debug_assert!(frames > 0 && frames <= FRAMES);
        let run = self.choose(source, all, wanted, frames, align)?;
        self.take_at(source, all, run).inspect_err(|Exhausted| self.leave(all, run))
    }

    /// Of the regions that `may` serve, the one with the fewest free frames that may have `frames` in one
    /// piece, and at least `idle` idle ones; among equals the one with the most idle frames.
    fn densest(
        &self,
        all: &Territories,
        frames: usize,
        idle: usize,
        may: impl Fn(&Self, usize, usize) -> bool,
    ) -> Option<(usize, usize)> {
        let mut best = None;
        let mut best_key = 0;
        for (number, territory) in all.iter().enumerate() {
            for region in 0..self.regions(number) {
                // SAFETY: regions in use have a summary, which the lock protects.
                let summary = unsafe { territory.summary(region).read() };
                let key = 1 + usize::from(summary.used) * 1024 + usize::from(summary.idle);
                let has = usize::from(summary.gap) >= frames && usize::from(summary.idle) >= idle;
                if has && key > best_key && may(self, number, region) {
                    best = Some((number, region));
                    best_key = key;
                }
            }
        }
        best
    }

    /// Takes frames that were chosen.
    fn take_at<S: Source<Address = NonNull<u8>>>(
        &mut self,
        source: &S,
        all: &Territories,
        run: Run,
    ) -> Result<Taken, Exhausted> {
        let Run { territory: number, frame, frames } = run;
        let territory = all.get(number);
        let (region, start) = (frame / FRAMES, frame % FRAMES);
        let range = start..start + frames;
        let state = self.states[number].as_mut().ok_or(Exhausted)?;
        let step = state.parts.frames.committed().clamp(STEP.start, STEP.end);
        state.parts.frames.commit(source, (frame + frames) * FRAME, step)?;
        let (table, summary) = tables(&territory, region);
        let contents = table.idle.window(range.clone());
        let gone = table.purged.window(range.clone());
        let (idle, purged) = table.take(range, summary);
        self.idle -= idle;
        self.used += frames;
        Ok(Taken {
            run,
            base: territory.frame(frame),
            zero: idle == 0 && self.zeroed && S::ZEROED,
            purged: purged * FRAME,
            contents,
            gone,
            fresh: (frames - idle) * FRAME,
        })
    }

    /// Takes the frames behind a large block's run, if all are free.
    pub(crate) fn take_behind<S: Source<Address = NonNull<u8>>>(
        &mut self,
        source: &S,
        all: &Territories,
        run: Run,
        frames: usize,
    ) -> Option<Taken> {
        let behind = Run { frame: run.frame + run.frames, frames, ..run };
        let start = behind.frame % FRAMES;
        // A run lies in one region.
        if start == 0 || start + frames > FRAMES || !self.lengthen(source, all, run, frames) {
            return None;
        }
        let taken = self.take_at(source, all, behind);
        if taken.is_err() {
            self.shorten(all, run);
        }
        taken.ok()
    }

    /// Remembers which frames of a run that was just taken back, `touched` or not, had been purged.
    pub(crate) fn note_purged(&mut self, all: &Territories, run: Run, gone: Range<usize>) {
        let (region, start) = (run.frame / FRAMES, run.frame % FRAMES);
        let (table, _) = tables(&all.get(run.territory), region);
        table.purged.insert(start + gone.start..start + gone.end);
    }

    /// Takes a run back. `touched` says which of its frames have contents, as ranges from its start.
    pub(crate) fn put(
        &mut self,
        all: &Territories,
        run: Run,
        touched: impl IntoIterator<Item = Range<usize>>,
    ) {
        self.unuse(all, run, touched);
        self.leave(all, run);
    }

    /// Takes the frames of a large block's run back that lie behind the first `keep`. They have contents.
    pub(crate) fn put_behind(&mut self, all: &Territories, run: Run, keep: usize) {
        let less = run.frames - keep;
        self.unuse(all, Run { frame: run.frame + keep, frames: less, ..run }, Some(0..less));
        self.shorten(all, Run { frames: keep, ..run });
    }

    /// Says that a run is not used any more.
    fn unuse(
        &mut self,
        all: &Territories,
        run: Run,
        touched: impl IntoIterator<Item = Range<usize>>,
    ) {
        let (region, start) = (run.frame / FRAMES, run.frame % FRAMES);
        let (table, summary) = tables(&all.get(run.territory), region);
        table.put(start..start + run.frames, summary);
        for range in touched {
            debug_assert!(range.end <= run.frames);
            self.idle += table.keep(start + range.start..start + range.end, summary);
        }
        self.used -= run.frames;
    }

    /// A place in the span table of a territory.
    pub(crate) fn take_place<S: Source<Address = NonNull<u8>>>(
        &mut self,
        source: &S,
        all: &Territories,
        territory: usize,
    ) -> Result<SpanId, Exhausted> {
        let state = self.states[territory].as_mut().ok_or(Exhausted)?;
        if state.free_place != NONE {
            let id = state.free_place;
            // SAFETY: a free place holds a span whose `next` is the next free one.
            state.free_place = unsafe { (*all.span(id).as_ptr()).next };
            return Ok(id);
        }
        if state.places as usize == all.get(territory).frames() {
            return Err(Exhausted);
        }
        let used = state.places as usize + 1;
        state.parts.spans.commit(source, used * size_of::<Span>(), TABLE_STEP)?;
        state.places += 1;
        Ok((territory as u32) << PLACE_BITS | (used as u32 - 1))
    }

    /// Takes a place back.
    ///
    /// # Safety
    ///
    /// 1. The place is from [`Ground::take_place`], and nobody uses it any more.
    pub(crate) unsafe fn put_place(&mut self, all: &Territories, id: SpanId) {
        let Some(state) = self.states[(id >> PLACE_BITS) as usize].as_mut() else { return };
        // SAFETY: ours alone (1.); the class tells those who walk that no span is here.
        unsafe {
            let span = all.span(id).as_ptr();
            (&raw mut (*span).class).write(FREE_PLACE);
            (&raw mut (*span).next).write(state.free_place);
        }
        state.free_place = id;
    }
}

/// A region in use and its summary.
///
/// The references live as long as the caller says: it has the ground behind `&mut`, which is the
/// only way here, and makes no second pair.
fn tables<'a>(territory: &Territory, region: usize) -> (&'a mut Table, &'a mut Summary) {
    // SAFETY: initialised when the region was opened; the lock that the caller holds protects all of
    // a summary, and of a region all but its tenants, which `Table` does not show.
    unsafe {
        (&mut (*territory.region(region).as_ptr()).table, &mut *territory.summary(region).as_ptr())
    }
}

/// Sets what stands on the frames of a run.
pub(crate) fn settle(all: &Territories, run: Run, usage: Use) {
    let territory = all.get(run.territory);
    let frames = match usage {
        Use::Span { .. } | Use::Nothing => run.frames,
        // Only the first frame of a run is ever asked about.
        Use::Run { .. } | Use::Own { .. } => 1,
    };
    for frame in run.frame..run.frame + frames {
        // SAFETY: 1. a run lies in regions in use.
        unsafe { territory.tenant(frame) }.set(usage);
    }
}
