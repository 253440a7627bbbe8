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

use core::ptr::NonNull;

use strata_core::align::align_up;
use strata_core::sync::{AtomicPtr, AtomicUsize, Ordering, UnsafeCell};
use strata_core::{Chunk, Exhausted, Source};

use crate::class::FRAME;
use crate::ground::{TABLES, table_lens};
use crate::region::{self, Region, Summary, Tenant};
use crate::span::{PLACE_BITS, Span, SpanId};

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

/// Where the first territory's frames and their tables are; no frames while there is none.
#[derive(Debug)]
struct Front {
    first: AtomicUsize,
    regions: AtomicPtr<Region>,
    frames: AtomicUsize,
}

impl Front {
    strata_core::const_unless_loom! {
        fn new() -> Self {
            let regions = AtomicPtr::new(core::ptr::null_mut());
            Self { first: AtomicUsize::new(0), regions, frames: AtomicUsize::new(0) }
        }
    }
}

/// All territories of a heap: appended under the ground's lock, read without one.
///
/// Few heaps have more than one: the first stands last, where it shares its page with what the heap
/// uses all the time.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Territories {
    /// # Invariants
    ///
    /// 1. The last `count` are there and never change.
    list: [UnsafeCell<Option<Territory>>; MAX],
    count: AtomicUsize,
    /// Of the first one, once more.
    front: Front,
}

// SAFETY: entries below `count` are only read; the entry at `count` is written under a lock before
// it is counted.
unsafe impl Sync for Territories {}
// SAFETY: a territory is memory of the heap's source, which no thread owns.
unsafe impl Send for Territories {}

impl Territories {
    /// Where what a heap with one territory uses begins.
    #[cfg(all(feature = "std", target_os = "linux", not(strata_loom)))]
    pub(crate) const USED_FROM: usize =
        core::mem::offset_of!(Self, count) - size_of::<UnsafeCell<Option<Territory>>>();

    #[cfg(not(strata_loom))]
    pub(crate) const fn new() -> Self {
        let list = [const { UnsafeCell::new(None) }; MAX];
        Self { count: AtomicUsize::new(0), front: Front::new(), list }
    }

    #[cfg(strata_loom)]
    pub(crate) fn new() -> Self {
        let list = core::array::from_fn(|_| UnsafeCell::new(None));
        Self { count: AtomicUsize::new(0), front: Front::new(), list }
    }

    #[inline]
    pub(crate) fn count(&self) -> usize {
        // Acquire: its partner is the Release in `push`.
        self.count.load(Ordering::Acquire)
    }

    /// Territory `number`, below [`Territories::count`].
    #[inline]
    pub(crate) fn get(&self, number: usize) -> Territory {
        debug_assert!(number < self.count());
        // SAFETY: counted, so written before and never after (`list`, 1.).
        let entry = self.list[MAX - 1 - number].with(|entry| unsafe { *entry });
        // SAFETY: entries below `count` are there (1.).
        unsafe { entry.unwrap_unchecked() }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Territory> + '_ {
        (0..self.count()).map(|number| self.get(number))
    }

    /// Which territory an address lies in, and on which of its frames.
    #[inline]
    pub(crate) fn locate(&self, address: usize) -> Option<(usize, usize)> {
        (0..self.count()).find_map(|n| self.get(n).frame_of(address).map(|frame| (n, frame)))
    }

    /// What stands on the frame of an address, if it is one of the first territory, which is mostly
    /// the only one. Nothing is looked up but that.
    ///
    /// # Safety
    ///
    /// 1. and 2. of [`Territory::tenant`], for the frame that the address lies in.
    #[cfg(all(feature = "std", target_os = "linux", not(strata_loom)))]
    #[inline(always)]
    pub(crate) unsafe fn front_tenant(&self, address: usize) -> Option<&Tenant> {
        // Acquire: its partner is the Release in `push`. Relaxed, the others: written before it.
        let frames = self.front.frames.load(Ordering::Acquire);
        let offset = address.wrapping_sub(self.front.first.load(Ordering::Relaxed));
        let frame = offset / FRAME;
        if frame >= frames {
            return None;
        }
        let regions = self.front.regions.load(Ordering::Relaxed);
        // SAFETY: the frame is one of this territory, so its region is in the table; initialised (1.)
        // and there (2.).
        unsafe { Some(&(*regions.add(frame / region::FRAMES)).tenants[frame % region::FRAMES]) }
    }

    /// The span of that number.
    #[inline]
    pub(crate) fn span(&self, id: SpanId) -> NonNull<Span> {
        self.get((id >> PLACE_BITS) as usize).span(id & ((1 << PLACE_BITS) - 1))
    }

    /// Appends one.
    ///
    /// # Safety
    ///
    /// 1. The caller holds the ground's lock.
    /// 2. There are less than [`MAX`].
    pub(crate) unsafe fn push(&self, territory: Territory) {
        // Relaxed: only the holder of the lock writes (1.).
        let count = self.count.load(Ordering::Relaxed);
        if count == 0 {
            let front = &self.front;
            front.first.store(territory.first.addr().get(), Ordering::Relaxed);
            front.regions.store(territory.regions.as_ptr(), Ordering::Relaxed);
            // Release: its partner is the Acquire in `front_tenant`.
            front.frames.store(territory.frames, Ordering::Release);
        }
        // SAFETY: not counted yet, so nobody reads it, and nobody else writes (1.).
        self.list[MAX - 1 - count].with_mut(|entry| unsafe { *entry = Some(territory) });
        // Release: its partner is the Acquire in `count`.
        self.count.store(count + 1, Ordering::Release);
    }
}
