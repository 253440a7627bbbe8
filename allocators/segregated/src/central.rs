//! A heap without threads' stocks: shelves over ground, and what goes back to the source.
//!
//! Locks: a shelf's, then the ground's, never the other way round, never two shelves at once, but for a
//! class's first one and then others of it. Chunks that blocks have to themselves (`own.rs`) are the
//! ground's too.

use core::ptr::NonNull;

use strata_core::lock::{Guarded, RawLock};
use strata_core::span::{Flushed, Taken};
use strata_core::sync::Ordering;
use strata_core::sync::unexplored::AtomicUsize;
use strata_core::{Chunk, Exhausted, Source};

use crate::budget::FLOOR;
use crate::class::{self, CLASSES, FRAME, Length};
use crate::ground::{Ground, Run, Wanted, settle};
use crate::limit::LIMITED;
use crate::own::Own;
use crate::region::Use;
use crate::resident::{Grown, Resident};
use crate::shelf::{self, Figures, Lists, Shelf};
use crate::span::{self, FREE_PLACE, NONE, PLACE_BITS, Span, SpanId, ranges};
use crate::territory::Territories;
use crate::transit::Transit;

/// What a heap needs besides memory.
pub(crate) trait Platform {
    /// Of shelves and of the ground.
    type Lock: RawLock;
    /// Whether there is a clock. Without, the budget learns nothing.
    const CLOCKED: bool;
    /// Whether addresses that something could not be moved to are never used again, nor given back.
    const FORGETS: bool;
    /// Whether threads can be told apart, so that each has a shelf of its own where they would wait.
    const SHARDED: bool;
    /// A number that this thread has in common with few others; zero if it is not told apart.
    fn shard() -> usize;
    /// Milliseconds of a clock that costs little.
    fn now() -> u64;
    /// How many chunks blocks may have to themselves, where each is a mapping.
    fn most_mappings() -> usize;
    /// Hears of memory that was used often, all of whose pages have contents for sure where it is `dense`.
    /// Answers whether to hear of it again makes no sense.
    ///
    /// # Safety
    ///
    /// 1. The `len` bytes at `at` are a block's, or a part, and the caller's alone.
    unsafe fn often_used(_at: NonNull<u8>, _len: usize, _dense: bool) -> bool {
        true
    }
    /// Memory was left idle.
    #[inline(always)]
    fn idle_grew() {}
}

/// In this order what every heap writes is side by side, on as few pages as it fits: between the tables'
/// ends that few heaps use.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Central<S, P: Platform> {
    pub(crate) source: S,
    pub(crate) territories: Territories,
    pub(crate) shelves: [Shelf<P::Lock>; CLASSES],
    /// Classes that have more than one shelf.
    pub(crate) spread: AtomicUsize,
    /// Bytes that threads keep in their slots, and that ended ones left in their stocks.
    pub(crate) slots: AtomicUsize,
    /// Bytes with contents and without a block in chunks that blocks have, or had, to themselves.
    pub(crate) spared: AtomicUsize,
    /// Not zero where the source failed to move a run to a chunk.
    pub(crate) unmovable: AtomicUsize,
    /// Idle pages in spans of all shelves.
    pub(crate) idle_pages: AtomicUsize,
    /// Spans without a live block on all shelves.
    pub(crate) empty_spans: AtomicUsize,
    pub(crate) resident: Resident,
    pub(crate) looks: AtomicUsize,
    /// What may be kept, as of the last look.
    pub(crate) limit: AtomicUsize,
    /// What was live, as of the last look.
    pub(crate) live: AtomicUsize,
    /// When the last look was, and until when the source is not asked to purge: it refused.
    pub(crate) looked: AtomicUsize,
    pub(crate) refused: AtomicUsize,
    /// Spans and frames that are purged, spans that retire, and new ones.
    pub(crate) transit: Transit,
    pub(crate) ground: Guarded<Ground, P::Lock>,
}

impl<S: Source<Address = NonNull<u8>>, P: Platform> Central<S, P> {
    /// The bytes of it that every program writes, if it is alone on its pages.
    #[cfg(all(feature = "std", target_os = "linux", not(strata_loom)))]
    pub(crate) const USED: core::ops::Range<usize> = {
        let territories = core::mem::offset_of!(Self, territories);
        let ground = core::mem::offset_of!(Self, ground) + Guarded::<Ground, P::Lock>::VALUE;
        territories + Territories::USED_FROM..ground + Ground::USED_TO
    };

    #[cfg(not(strata_loom))]
    pub(crate) const fn new(source: S) -> Self {
        let ground = Guarded::new(P::Lock::OPEN, Ground::new());
        let shelves = [const { Shelf::new() }; CLASSES];
        Self::of_parts(source, Territories::new(), ground, shelves, Transit::new())
    }

    #[cfg(strata_loom)]
    pub(crate) fn new(source: S) -> Self {
        let ground = Guarded::new(P::Lock::open(), Ground::new());
        let shelves = core::array::from_fn(|_| Shelf::new());
        Self::of_parts(source, Territories::new(), ground, shelves, Transit::new())
    }

    const fn of_parts(
        source: S,
        territories: Territories,
        ground: Guarded<Ground, P::Lock>,
        shelves: [Shelf<P::Lock>; CLASSES],
        transit: Transit,
    ) -> Self {
        Self {
            source,
            territories,
            ground,
            shelves,
            spread: AtomicUsize::new(0),
            slots: AtomicUsize::new(0),
            spared: AtomicUsize::new(0),
            unmovable: AtomicUsize::new(0),
            idle_pages: AtomicUsize::new(0),
            empty_spans: AtomicUsize::new(0),
            resident: Resident::new(),
            looks: AtomicUsize::new(0),
            limit: AtomicUsize::new(FLOOR),
            live: AtomicUsize::new(0),
            looked: AtomicUsize::new(0),
            refused: AtomicUsize::new(0),
            transit,
        }
    }

    /// Bytes of what purging works on, as a power of two.
    pub(crate) fn page_log2(&self) -> u32 {
        self.source.granule().max(FRAME).trailing_zeros()
    }

    /// Bytes of the source's unit.
    pub(crate) fn granule(&self) -> usize {
        self.source.granule()
    }

    /// Fills `out` with blocks of `class`. Answers how many it got, none where the source is
    /// exhausted, and the new memory that they take.
    pub(crate) fn refill(&self, class: usize, out: &mut [*mut u8]) -> (usize, Grown) {
        let taken =
            self.transit.until_arrived(|| self.take_anywhere(class, out)).unwrap_or_default();
        let page_log2 = self.page_log2();
        let grown = self.resident.grow(taken.fresh << page_log2);
        self.learn(taken.again << page_log2);
        (taken.blocks, grown)
    }

    /// Takes blocks from frames that lie idle first, then from those of other classes' spans without a live
    /// block, and from new ones only then.
    fn take_anywhere(&self, class: usize, out: &mut [*mut u8]) -> Result<Taken, Exhausted> {
        let others = self.has_empty();
        let mut taken = self.take(class, !others, out);
        if taken.blocks == 0 && others {
            self.retire_empty();
            taken = self.take(class, true, out);
        }
        if LIMITED && taken.blocks == 0 {
            // What is idle elsewhere goes for it, so that the longest span fits, or a shorter one at least.
            let _ = self.allow(class::MAX_FRAMES * FRAME);
            taken = self.take(class, true, out);
        }
        if taken.blocks == 0 {
            self.retire_all();
            taken = self.take(class, true, out);
        }
        if taken.blocks == 0 { Err(Exhausted) } else { Ok(taken) }
    }

    /// Takes blocks from spans of `class`, or from a new one.
    fn take(&self, class: usize, new_memory: bool, out: &mut [*mut u8]) -> Taken {
        self.with_only(class, |lists| {
            let mut taken = self.take_from(class, lists, out);
            if taken.blocks == 0
                && let Ok(id) = self.cut_span(class, new_memory)
            {
                let before = lists.figures();
                lists.add(&self.territories, id);
                self.count(before, lists.figures());
                self.transit.arrive();
                taken = self.take_from(class, lists, out);
            }
            taken
        })
        .unwrap_or_else(|| self.take_around(class, new_memory, out))
    }

    /// Takes blocks from spans of `class` on one shelf.
    pub(crate) fn take_from(&self, class: usize, lists: &mut Lists, out: &mut [*mut u8]) -> Taken {
        let before = lists.figures();
        let taken = lists.take(&self.territories, class::cut(class), self.page_log2(), out);
        self.count(before, lists.figures());
        taken
    }

    /// Whether a shelf has spans without a live block; racy.
    pub(crate) fn has_empty(&self) -> bool {
        // Relaxed: see `count`.
        self.empty_spans.load(Ordering::Relaxed) != 0
    }

    /// Gives the spans that classes keep without a live block to the ground.
    pub(crate) fn retire_empty(&self) {
        if self.has_empty() {
            self.retire_of(|shelf| shelf.empty() != 0);
        }
    }

    /// As [`Central::retire_empty`], by what stands under each lock: before a request fails.
    #[cold]
    pub(crate) fn retire_all(&self) {
        self.retire_of(|_| true);
    }

    fn retire_of(&self, wanted: impl Fn(&Shelf<P::Lock>) -> bool) {
        for (_, shelf) in self.all_shelves().filter(|(_, shelf)| wanted(shelf)) {
            let chain = shelf.with(|lists| {
                let before = lists.figures();
                let chain = lists.take_empty(&self.territories, usize::MAX);
                self.count(before, lists.figures());
                if chain != NONE {
                    self.transit.leave();
                }
                chain
            });
            if chain != NONE {
                self.retire(chain);
            }
        }
    }

    /// A block of `class`, null where the source is exhausted.
    pub(crate) fn take_one(&self, class: usize) -> *mut u8 {
        let mut block = [core::ptr::null_mut()];
        let (_, grown) = self.refill(class, &mut block);
        self.make_up(class, grown);
        block[0]
    }

    /// Takes blocks of `class` back. Answers whether so much is kept that some was purged.
    pub(crate) fn flush(&self, class: usize, blocks: &[*mut u8]) -> bool {
        let flushed = self.with_only(class, |lists| self.put_on(class, lists, blocks));
        let grew = match flushed {
            Some(flushed) => self.settle_flushed(flushed),
            None => self.put_around(class, blocks),
        };
        grew != 0 && self.give_back(grew)
    }

    /// Puts blocks back in spans of `class` on one shelf.
    pub(crate) fn put_on(&self, class: usize, lists: &mut Lists, blocks: &[*mut u8]) -> Flushed {
        let before = lists.figures();
        let flushed = shelf::put(lists, &self.territories, class, self.page_log2(), blocks);
        self.count(before, lists.figures());
        if flushed.left != NONE {
            self.transit.leave();
        }
        flushed
    }

    /// Gives spans that a flush left to the ground. Answers how many bytes became idle.
    pub(crate) fn settle_flushed(&self, flushed: Flushed) -> usize {
        if flushed.left != NONE {
            self.retire(flushed.left);
        }
        flushed.grew
    }

    /// Keeps the sums over all shelves up to date.
    pub(crate) fn count(&self, before: Figures, after: Figures) {
        // Relaxed, all: sums that are right when nobody is counting. Adding a difference that wrapped
        // is subtracting.
        if after.idle != before.idle {
            self.idle_pages.fetch_add(after.idle.wrapping_sub(before.idle), Ordering::Relaxed);
        }
        if after.empty != before.empty {
            self.empty_spans.fetch_add(after.empty.wrapping_sub(before.empty), Ordering::Relaxed);
        }
    }

    /// A new span for `class`, on its way to a shelf.
    ///
    /// Where frames with contents lie in shorter stretches than a long span wants, a short one is cut from
    /// them before new memory is taken, if a block fills frames: of smaller blocks, short spans would pin
    /// more frames than they save.
    pub(crate) fn cut_span(&self, class: usize, new_memory: bool) -> Result<SpanId, Exhausted> {
        let length = self.next_length(class);
        let may_be_short = class::cut(class).block_len() >= FRAME;
        self.ground.with(|ground| {
            let mut cut = |length, new_memory| self.cut_from(ground, class, length, new_memory);
            let mut id = Err(Exhausted);
            if may_be_short {
                id = cut(length, false).or_else(|Exhausted| cut(Length::Short, false));
            }
            if id.is_err() && (new_memory || !may_be_short) {
                id = cut(length, new_memory);
            }
            if id.is_ok() {
                self.transit.leave();
            }
            id
        })
    }

    fn cut_from(
        &self,
        ground: &mut Ground,
        class: usize,
        length: Length,
        new_memory: bool,
    ) -> Result<SpanId, Exhausted> {
        let frames = class::span_frames(class, length);
        let page = 1 << self.page_log2();
        let align = if (frames * FRAME).is_multiple_of(page) { page / FRAME } else { 1 };
        let (source, all) = (&self.source, &self.territories);
        if !ground.fits(frames * FRAME) {
            return Err(Exhausted);
        }
        let taken = ground.take(source, all, Wanted::span(new_memory), frames, align)?;
        let run = taken.run;
        let id = match ground.take_place(&self.source, &self.territories, run.territory) {
            Ok(id) => id,
            Err(Exhausted) => {
                let touched = (!taken.zero).then_some(0..frames);
                ground.put(&self.territories, run, touched);
                return Err(Exhausted);
            }
        };
        let span = span::new(taken.base, class, length, id, page, taken.contents, taken.gone);
        // SAFETY: a place that was just taken, so ours alone.
        unsafe { self.territories.span(id).write(span) };
        let place = id & ((1 << PLACE_BITS) - 1);
        settle(&self.territories, run, Use::Span { class: class as u8, place });
        Ok(id)
    }

    /// How long the next span of `class` is: short until what is live would fill a long one.
    fn next_length(&self, class: usize) -> Length {
        let blocks = self.live_of(class);
        if blocks < class::cut(class).blocks() { Length::Short } else { Length::Long }
    }

    /// Gives the frames of spans without a live block, linked by `next`, which left their shelf together, to
    /// the ground.
    pub(crate) fn retire(&self, mut chain: SpanId) {
        let page_log2 = self.page_log2();
        self.ground.with(|ground| {
            while chain != NONE {
                // SAFETY: a span that left its shelf and is in nobody's hand but ours; a copy.
                let span = unsafe { &*self.territories.span(chain).as_ptr() };
                let (next, id) = (span.next, span.id);
                let run = self.run_of(span);
                settle(&self.territories, run, Use::Nothing);
                let contents = span::contents(span, page_log2);
                ground.put(&self.territories, run, ranges(contents));
                for gone in ranges(span::gone_frames(span, page_log2)) {
                    ground.note_purged(&self.territories, run, gone);
                }
                // SAFETY: 1. the span is gone.
                unsafe { ground.put_place(&self.territories, id) };
                chain = next;
            }
            self.transit.arrive();
        });
    }

    /// Where a span lies.
    pub(crate) fn run_of(&self, span: &Span) -> Run {
        debug_assert_ne!(span.class, FREE_PLACE);
        let territory = (span.id >> PLACE_BITS) as usize;
        let frame = self.territories.get(territory).frame_of(span.base.addr().get());
        Run { territory, frame: frame.unwrap_or(0), frames: span::frames(span) }
    }

    /// Releases everything to the source: no block of this heap is used any more.
    pub(crate) fn release(&mut self) {
        self.ground.with(|ground| {
            let release = |own: &Own| {
                // SAFETY: 1. acquired as a whole, of this length. 2. the heap ends.
                unsafe { self.source.release(Chunk::from_raw_parts(own.base, own.whole)) };
            };
            ground.large.each(release);
            ground.large.each_spare(release);
        });
        for territory in self.territories.iter() {
            // SAFETY: 1. acquired as a whole. 2. the heap ends.
            unsafe { self.source.release(territory.chunk()) };
        }
    }
}
