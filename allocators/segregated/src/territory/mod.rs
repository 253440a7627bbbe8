//! A territory: one chunk of a source, with the tables of its frames at its head.
//!
//! ```text
//!   chunk base
//!   ├─ summaries ─┬─ regions ──────┬─ span table ───────────┬─ frames ────────────────────────┤
//!   │ 8 B each,   │ 2240 B each    │ 128 B, one a frame     │ 4 KiB each, 512 a region        │
//!   │ last first  │                │                        │                                 │
//! ```
//!
//! A placement that has tables of its own (`ground/placing.rs`) has them before the frames.
//!
//! The tables are sized for the worst case, and so mostly never touched: where the source commits,
//! each of the four parts is committed as far as it is needed, and where it does not, untouched memory
//! costs nothing anyway (or, in a small buffer, 3 % of it). Summaries stand before the regions, the first
//! one last, so that a small heap's are on the page of its first region: that page is the regions' part.

mod list;

use core::ptr::NonNull;

use strata_core::align::align_up;
use strata_core::{Chunk, Exhausted, Source};

use crate::class::FRAME;
use crate::ground::{TABLES, table_lens};
use crate::region::{self, Region, Summary, Tenant};
use crate::span::Span;

pub(crate) use list::Territories;

/// The most territories of a heap.
pub(crate) const MAX: usize = 64;
/// The most frames of a territory: its span table has no more places.
pub(crate) const MAX_FRAMES: usize = 1 << 23;

/// Bytes before the first region on its page.
const HEAD: usize = FRAME - size_of::<Region>();

static_assertions::const_assert!(HEAD >= size_of::<Summary>());
static_assertions::const_assert!(HEAD.is_multiple_of(align_of::<Region>()));

/// Part of a territory that is committed from one end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    base: NonNull<u8>,
    /// Committed bytes.
    done: usize,
    len: usize,
    /// Whether the end is where it begins.
    backwards: bool,
}

impl Part {
    /// Makes the first `need` bytes usable, counted from the end where it begins there, in steps of `step` where the source gives them.
    pub(crate) fn commit<S: Source<Address = NonNull<u8>>>(
        &mut self,
        source: &S,
        need: usize,
        step: usize,
    ) -> Result<(), Exhausted> {
        debug_assert!(need <= self.len);
        if need <= self.done {
            return Ok(());
        }
        let rounded = align_up(need, source.granule()).ok_or(Exhausted)?;
        let generous = rounded.max(self.done.saturating_add(step));
        for target in [generous.min(self.len), rounded.min(self.len)] {
            let from = if self.backwards { self.len - target } else { self.done };
            // SAFETY: `done` and `target` are in the part.
            let at = unsafe { self.base.add(from) };
            // SAFETY: 1. a part of a territory, which is a chunk of `source`. 2. parts begin and end
            // at granules, and both ends of the range are rounded.
            if unsafe { source.commit(at, target - self.done) }.is_ok() {
                self.done = target;
                return Ok(());
            }
        }
        Err(Exhausted)
    }

    pub(crate) fn committed(&self) -> usize {
        self.done
    }

    /// Its bytes, committed or not.
    #[cfg(all(feature = "composed", not(strata_loom)))]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Its first byte.
    #[cfg(all(feature = "composed", not(strata_loom)))]
    pub(crate) fn base(&self) -> NonNull<u8> {
        self.base
    }
}

/// Where a territory's tables and frames are: fixed once it exists.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Territory {
    chunk: NonNull<u8>,
    chunk_len: usize,
    /// Of the first region, and behind the summaries.
    regions: NonNull<Region>,
    spans: NonNull<Span>,
    /// Frame 0.
    first: NonNull<u8>,
    frames: usize,
}

/// The parts of a territory's chunk, in order.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) summaries: Part,
    pub(crate) regions: Part,
    pub(crate) spans: Part,
    /// Tables of whoever chooses frames.
    pub(crate) placing: [Part; TABLES],
    pub(crate) frames: Part,
}

impl Parts {
    /// Makes the tables of the first `regions` regions usable.
    pub(crate) fn commit_regions<S: Source<Address = NonNull<u8>>>(
        &mut self,
        source: &S,
        regions: usize,
        step: usize,
    ) -> Result<(), Exhausted> {
        let summaries = (regions * size_of::<Summary>()).saturating_sub(HEAD);
        self.summaries.commit(source, summaries, 1)?;
        self.regions.commit(source, HEAD + regions * size_of::<Region>(), step)
    }
}

impl Territory {
    /// Lays tables and frames out in `chunk`. Frames begin at a multiple of `align` (2 MiB, so that
    /// regions are huge pages, where there is room for it). The chunk comes back where not one frame
    /// fits beside the tables.
    pub(crate) fn lay_out(
        chunk: Chunk,
        granule: usize,
        align: usize,
        committed: bool,
    ) -> Result<(Self, Parts), Chunk> {
        let (start, end) = (chunk.base().addr().get(), chunk.base().addr().get() + chunk.len());
        let unit = granule.max(FRAME);
        // Too many at first: the tables take some of the room. Each pass comes closer from above.
        let mut frames = (chunk.len() / FRAME).min(MAX_FRAMES);
        loop {
            let regions = frames.div_ceil(region::FRAMES);
            let place = |from: usize, len: usize| -> Option<(usize, usize)> {
                let to = align_up(from.checked_add(len)?, unit)?;
                Some((from, to))
            };
            // With `guard-metadata`, what is reserved apart from the parts is never made usable.
            let guard = if cfg!(feature = "guard-metadata") && !committed { unit } else { 0 };
            let parts = (|| {
                let summaries = (regions * size_of::<Summary>()).saturating_sub(HEAD);
                let summaries = place(align_up(start + guard, unit)?, summaries)?;
                let tables = place(summaries.1, HEAD + regions * size_of::<Region>())?;
                let spans = place(tables.1, frames * size_of::<Span>())?;
                let mut placing = [(spans.1, spans.1); TABLES];
                let mut end = spans.1;
                for (part, len) in placing.iter_mut().zip(table_lens(frames)) {
                    *part = place(end, len)?;
                    end = part.1;
                }
                let first = align_up(end + guard, align.max(unit))?;
                Some(([summaries.0, tables.0, spans.0, spans.1, first], placing))
            })();
            let Some(([summaries, tables, spans, behind, first], placing)) = parts else {
                return Err(chunk);
            };
            let room = end.saturating_sub(first) / FRAME;
            if room >= frames {
                if frames == 0 {
                    return Err(chunk);
                }
                let at = |address: usize| {
                    // SAFETY: between the chunk's start and its end.
                    unsafe { chunk.base().add(address - start) }
                };
                let part = |from: usize, to: usize| {
                    let len = to - from;
                    let done = if committed { len } else { 0 };
                    Part { base: at(from), done, len, backwards: false }
                };
                let territory = Self {
                    chunk: chunk.base(),
                    chunk_len: chunk.len(),
                    regions: at(tables + HEAD).cast(),
                    spans: at(spans).cast(),
                    first: at(first),
                    frames,
                };
                let parts = Parts {
                    summaries: Part { backwards: true, ..part(summaries, tables) },
                    regions: part(tables, spans),
                    spans: part(spans, behind),
                    placing: placing.map(|(from, to)| part(from, to)),
                    frames: part(first, first + frames * FRAME),
                };
                let _ = chunk.into_raw_parts();
                return Ok((territory, parts));
            }
            // A frame less costs a span less: 33 frames of room are 32 frames with their tables.
            let excess = frames - room;
            frames -= excess.div_ceil(2).max(1).min(frames);
        }
    }

    /// The chunk it was laid out in.
    pub(crate) fn chunk(&self) -> Chunk {
        // SAFETY: the parts of the chunk that `lay_out` took; the caller releases it once.
        unsafe { Chunk::from_raw_parts(self.chunk, self.chunk_len) }
    }

    pub(crate) fn frames(&self) -> usize {
        self.frames
    }

    pub(crate) fn regions(&self) -> usize {
        self.frames.div_ceil(region::FRAMES)
    }

    pub(crate) fn len(&self) -> usize {
        self.chunk_len
    }

    /// Frame `frame`, counted in addresses: the number that alignment asks about.
    pub(crate) fn phase(&self) -> usize {
        self.first.addr().get() / FRAME
    }

    pub(crate) fn frame(&self, frame: usize) -> NonNull<u8> {
        debug_assert!(frame <= self.frames);
        // SAFETY: in the chunk.
        unsafe { self.first.add(frame * FRAME) }
    }

    /// The frame that an address lies in.
    #[inline]
    pub(crate) fn frame_of(&self, address: usize) -> Option<usize> {
        let frame = address.wrapping_sub(self.first.addr().get()) / FRAME;
        (frame < self.frames).then_some(frame)
    }

    pub(crate) fn region(&self, region: usize) -> NonNull<Region> {
        debug_assert!(region < self.regions());
        // SAFETY: in the table.
        unsafe { self.regions.add(region) }
    }

    pub(crate) fn summary(&self, region: usize) -> NonNull<Summary> {
        debug_assert!(region < self.regions());
        // SAFETY: in the table, which ends where the regions begin.
        unsafe { self.regions.cast::<Summary>().sub(region + 1) }
    }

    /// What stands on `frame`.
    ///
    /// # Safety
    ///
    /// 1. The frame's region is in use: its table is committed and was initialised.
    /// 2. The heap outlives what the answer is used for.
    #[inline]
    pub(crate) unsafe fn tenant<'a>(self, frame: usize) -> &'a Tenant {
        let region = self.region(frame / region::FRAMES);
        // SAFETY: initialised (1.) and there (2.); the tenants of a region are atomics, which others may write.
        unsafe { &(*region.as_ptr()).tenants[frame % region::FRAMES] }
    }

    #[inline]
    pub(crate) fn span(&self, place: u32) -> NonNull<Span> {
        debug_assert!((place as usize) < self.frames);
        // SAFETY: in the table.
        unsafe { self.spans.add(place as usize) }
    }
}
