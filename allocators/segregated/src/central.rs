//! A heap without threads' stocks: shelves over ground, and what goes back to the source.
//!
//! Locks: a shelf's, then the ground's, never the other way round, never two shelves at once.

use core::ptr::NonNull;

use strata_core::lock::{Guarded, RawLock};
use strata_core::sync::Ordering;
use strata_core::sync::unexplored::AtomicUsize;
use strata_core::{Chunk, Exhausted, Source};

use crate::budget::FLOOR;
use crate::class::{self, CLASSES, FRAME};
use crate::ground::{Ground, Run, settle};
use crate::region::Use;
use crate::shelf::Shelf;
use crate::span::{FREE_PLACE, NONE, PLACE_BITS, Span, SpanId, runs};
use crate::territory::Territories;

/// What a heap needs besides memory.
pub(crate) trait Platform {
    /// Of shelves and of the ground.
    type Lock: RawLock;
    /// Whether there is a clock. Without, the budget learns nothing.
    const CLOCKED: bool;
    /// Milliseconds of a clock that costs little.
    fn now() -> u64;
}

/// Bytes of memory that is new from the system, of a refill.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fresh {
    /// In a new span.
    pub(crate) first: usize,
    /// In pages of a span that had been given back.
    pub(crate) again: usize,
}

#[derive(Debug)]
pub(crate) struct Central<S, P: Platform> {
    pub(crate) source: S,
    pub(crate) territories: Territories,
    pub(crate) ground: Guarded<Ground, P::Lock>,
    pub(crate) shelves: [Shelf<P::Lock>; CLASSES],
    /// Bytes that threads keep in their run slots.
    pub(crate) slots: AtomicUsize,
    /// Idle pages in spans of all shelves.
    pub(crate) idle_pages: AtomicUsize,
    pub(crate) looks: AtomicUsize,
    /// What may be kept, as of the last look.
    pub(crate) limit: AtomicUsize,
    /// What was live, as of the last look.
    pub(crate) live: AtomicUsize,
    /// When the last look was, and until when the source is not asked to purge: it refused.
    pub(crate) looked: AtomicUsize,
    pub(crate) refused: AtomicUsize,
}

impl<S: Source<Address = NonNull<u8>>, P: Platform> Central<S, P> {
    #[cfg(not(strata_loom))]
    pub(crate) const fn new(source: S) -> Self {
        let ground = Guarded::new(P::Lock::OPEN, Ground::new());
        Self::of_parts(source, Territories::new(), ground, [const { Shelf::new() }; CLASSES])
    }

    #[cfg(strata_loom)]
    pub(crate) fn new(source: S) -> Self {
        let ground = Guarded::new(P::Lock::open(), Ground::new());
        let shelves = core::array::from_fn(|_| Shelf::new());
        Self::of_parts(source, Territories::new(), ground, shelves)
    }

    const fn of_parts(
        source: S,
        territories: Territories,
        ground: Guarded<Ground, P::Lock>,
        shelves: [Shelf<P::Lock>; CLASSES],
    ) -> Self {
        Self {
            source,
            territories,
            ground,
            shelves,
            slots: AtomicUsize::new(0),
            idle_pages: AtomicUsize::new(0),
            looks: AtomicUsize::new(0),
            limit: AtomicUsize::new(FLOOR),
            live: AtomicUsize::new(0),
            looked: AtomicUsize::new(0),
            refused: AtomicUsize::new(0),
        }
    }

    /// Bytes of what purging works on, as a power of two.
    pub(crate) fn page_log2(&self) -> u32 {
        self.source.granule().max(FRAME).trailing_zeros()
    }

    /// Fills `out` with blocks of `class`. Answers how many it got, none where the source is
    /// exhausted, and how many bytes for them are new from the system.
    pub(crate) fn refill(&self, class: usize, out: &mut [*mut u8]) -> (usize, Fresh) {
        let (cut, page_log2) = (class::cut(class), self.page_log2());
        let shelf = &self.shelves[class];
        let (got, returned, fresh) = shelf.with(|lists| {
            let before = lists.figures().1;
            let (mut got, mut returned) = lists.take(&self.territories, cut, page_log2, out);
            let mut new = 0;
            if got == 0
                && let Ok((id, fresh)) = self.cut_span(class)
            {
                lists.add(&self.territories, id);
                (got, returned) = lists.take(&self.territories, cut, page_log2, out);
                new = fresh;
            }
            self.count_idle(before, lists.figures().1);
            (got, returned, new)
        });
        if returned != 0 {
            self.ground.with(|ground| self.learn(ground, returned << page_log2));
        }
        (got, Fresh { first: fresh, again: returned << page_log2 })
    }

    /// Gives the spans that classes keep without a live block to the ground, for a request that
    /// found it exhausted.
    pub(crate) fn retire_empty(&self) {
        for shelf in &self.shelves {
            let chain = shelf.with(|lists| {
                let before = lists.figures().1;
                let chain = lists.take_empty(&self.territories);
                self.count_idle(before, lists.figures().1);
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
        let (mut got, mut fresh) = self.refill(class, &mut block);
        if got == 0 {
            self.retire_empty();
            (got, fresh) = self.refill(class, &mut block);
        }
        if got == 0 {
            return block[0];
        }
        self.make_up(class, fresh);
        block[0]
    }

    /// Takes blocks of `class` back. Answers whether so much is kept that some was purged.
    pub(crate) fn flush(&self, class: usize, blocks: &[*mut u8]) -> bool {
        let shelf = &self.shelves[class];
        let flushed = shelf.with(|lists| {
            let before = lists.figures().1;
            let flushed = lists.put(&self.territories, class, self.page_log2(), blocks);
            self.count_idle(before, lists.figures().1);
            flushed
        });
        if flushed.grew == 0 && flushed.empty == NONE {
            return false;
        }
        let idle = self.retire(flushed.empty);
        self.give_back(idle, flushed.grew)
    }

    /// Keeps the sum over all shelves up to date.
    pub(crate) fn count_idle(&self, before: usize, after: usize) {
        // Relaxed, both: a sum that is right when nobody is counting.
        if after > before {
            self.idle_pages.fetch_add(after - before, Ordering::Relaxed);
        } else if after < before {
            self.idle_pages.fetch_sub(before - after, Ordering::Relaxed);
        }
    }

    /// A new span for `class`, on no shelf, and its bytes that take new memory. The caller holds the
    /// shelf's lock.
    fn cut_span(&self, class: usize) -> Result<(SpanId, usize), Exhausted> {
        let frames = class::span_frames(class);
        let page = 1 << self.page_log2();
        let align = if (frames * FRAME).is_multiple_of(page) { page / FRAME } else { 1 };
        self.ground.with(|ground| {
            let taken = ground.take(&self.source, &self.territories, frames, align)?;
            let run = taken.run;
            let id = match ground.take_place(&self.source, &self.territories, run.territory) {
                Ok(id) => id,
                Err(Exhausted) => {
                    let touched = (!taken.zero).then_some(0..frames);
                    ground.put(&self.territories, run, touched);
                    return Err(Exhausted);
                }
            };
            let span = Span::new(taken.base, class, id, page, taken.contents);
            // SAFETY: a place that was just taken, so ours alone.
            unsafe { self.territories.span(id).write(span) };
            let place = id & ((1 << PLACE_BITS) - 1);
            settle(&self.territories, run, Use::Span { class: class as u8, place });
            self.learn(ground, taken.purged);
            Ok((id, taken.fresh))
        })
    }

    /// Gives the frames of spans without a live block, linked by `next`, to the ground. Answers how
    /// many idle bytes it has then.
    pub(crate) fn retire(&self, mut chain: SpanId) -> usize {
        let page_log2 = self.page_log2();
        self.ground.with(|ground| {
            while chain != NONE {
                // SAFETY: a span that left its shelf and is in nobody's hand but ours; a copy.
                let span = unsafe { &*self.territories.span(chain).as_ptr() };
                let (next, id) = (span.next, span.id);
                let run = self.run_of(span);
                settle(&self.territories, run, Use::Nothing);
                let contents = span.contents(page_log2);
                let mut from = 0;
                let ranges = core::iter::from_fn(|| {
                    let run = runs(contents, from)?;
                    from = run.end;
                    Some(run.start as usize..run.end as usize)
                });
                ground.put(&self.territories, run, ranges);
                // SAFETY: 1. the span is gone.
                unsafe { ground.put_place(&self.territories, id) };
                chain = next;
            }
            ground.idle_bytes()
        })
    }

    /// Where a span lies.
    pub(crate) fn run_of(&self, span: &Span) -> Run {
        debug_assert_ne!(span.class, FREE_PLACE);
        let territory = (span.id >> PLACE_BITS) as usize;
        let frame = self.territories.get(territory).frame_of(span.base.addr().get());
        Run { territory, frame: frame.unwrap_or(0), frames: class::span_frames(span.class.into()) }
    }

    /// Releases everything to the source: no block of this heap is used any more.
    pub(crate) fn release(&mut self) {
        self.ground.with(|ground| {
            ground.large.each(|base, len| {
                // SAFETY: 1. acquired as a whole, of this length. 2. the heap ends.
                unsafe { self.source.release(Chunk::from_raw_parts(base, len)) };
            });
        });
        for territory in self.territories.iter() {
            // SAFETY: 1. acquired as a whole. 2. the heap ends.
            unsafe { self.source.release(territory.chunk()) };
        }
    }
}
