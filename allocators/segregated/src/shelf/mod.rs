//! One class: its spans with free blocks, and blocks in and out of them in batches.
//!
//! Spans stand in lists by how full they are, and blocks are taken from the fullest, lowest addresses
//! first: the others drain. A span without a live block stands in the last list, where this class
//! finds it again, until another class needs frames or the heap purges.

mod queue;

use strata_core::lock::{Guarded, RawLock};
use strata_core::misuse;
use strata_core::span::Cut;
use strata_core::sync::Ordering;
use strata_core::sync::unexplored::AtomicUsize;

use crate::class;
use crate::span::{LEFT, NONE, PLACE_BITS, Span, SpanId};
use crate::territory::Territories;

/// Lists of spans with free blocks: four by how full they are, and those without a live block.
const LISTS: usize = 5;
const EMPTY: u8 = LISTS as u8 - 1;
/// The list of spans without free blocks: none.
const FULL: u8 = LISTS as u8;
/// Spans that a batch of freed blocks has in hand at once: a power of two.
const HELD: usize = 16;
/// Spans above are drained into those that are this full or fuller.
const QUARTERS: usize = 4;

/// One class of a heap, on cache lines of its own.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Shelf<L> {
    lists: Guarded<Lists, L>,
    /// As in [`Figures`]. Written under the lock, read anywhere: for sums that need not be of one
    /// moment.
    live: AtomicUsize,
    idle: AtomicUsize,
    empty: AtomicUsize,
}

#[derive(Debug)]
pub(crate) struct Lists {
    /// The first span of each list; list `n` has spans of which more than `n` quarters are free, the
    /// last one those without a live block.
    open: [SpanId; LISTS],
    /// The first span with idle pages.
    queue: SpanId,
    figures: Figures,
}

/// What the spans of a shelf come to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Figures {
    /// Blocks handed out.
    pub(crate) live: usize,
    /// Idle pages.
    pub(crate) idle: usize,
    /// Spans without a live block.
    pub(crate) empty: usize,
}

/// What a batch of freed blocks changed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flushed {
    /// Spans that hold no block any more and whose pages cannot be told apart, linked by `next`: for
    /// the ground.
    pub(crate) left: SpanId,
    /// Bytes that are idle now and were not before.
    pub(crate) grew: usize,
}

/// What a refill got.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Taken {
    pub(crate) blocks: usize,
    /// Pages that had no contents before: new from the system.
    pub(crate) fresh: usize,
    /// Of these, pages that had been given back.
    pub(crate) again: usize,
}

impl<L: RawLock> Shelf<L> {
    const EMPTY: Lists =
        Lists { open: [NONE; LISTS], queue: NONE, figures: Figures { live: 0, idle: 0, empty: 0 } };

    #[cfg(not(strata_loom))]
    pub(crate) const fn new() -> Self {
        let lists = Guarded::new(L::OPEN, Self::EMPTY);
        Self {
            lists,
            live: AtomicUsize::new(0),
            idle: AtomicUsize::new(0),
            empty: AtomicUsize::new(0),
        }
    }

    #[cfg(strata_loom)]
    pub(crate) fn new() -> Self {
        let lists = Guarded::new(L::open(), Self::EMPTY);
        Self {
            lists,
            live: AtomicUsize::new(0),
            idle: AtomicUsize::new(0),
            empty: AtomicUsize::new(0),
        }
    }

    /// Blocks handed out; racy.
    pub(crate) fn live(&self) -> usize {
        // Relaxed: a figure of no certain moment.
        self.live.load(Ordering::Relaxed)
    }

    /// Idle pages; racy.
    pub(crate) fn idle(&self) -> usize {
        // Relaxed: a figure of no certain moment.
        self.idle.load(Ordering::Relaxed)
    }

    /// Spans without a live block; racy.
    pub(crate) fn empty(&self) -> usize {
        // Relaxed: a figure of no certain moment.
        self.empty.load(Ordering::Relaxed)
    }

    /// Calls `work` with the lists under the lock, and publishes the figures.
    #[inline]
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut Lists) -> R) -> R {
        self.lists.with(|lists| {
            let result = work(lists);
            // Relaxed: see the fields.
            self.live.store(lists.figures.live, Ordering::Relaxed);
            self.idle.store(lists.figures.idle, Ordering::Relaxed);
            self.empty.store(lists.figures.empty, Ordering::Relaxed);
            result
        })
    }
}

/// The span of that number.
///
/// # Safety
///
/// 1. The caller holds the lock of the span's shelf, or has the span in hand alone, and makes no
///    second reference while it uses this one.
unsafe fn span<'a>(all: &Territories, id: SpanId) -> &'a mut Span {
    // SAFETY: the place of a span that is there; the caller's obligation makes it the only reference.
    unsafe { all.span(id).as_mut() }
}

impl Lists {
    /// Fills `out` from spans with free blocks, lowest addresses of a span first.
    pub(crate) fn take(
        &mut self,
        all: &Territories,
        cut: Cut,
        page_log2: u32,
        out: &mut [*mut u8],
    ) -> Taken {
        let mut taken = Taken::default();
        while taken.blocks < out.len() {
            let Some(&id) = self.open.iter().find(|&&id| id != NONE) else { break };
            // SAFETY: 1. in a list of this shelf, whose lock is held.
            let span = unsafe { span(all, id) };
            let (mut pages, mut last) = (0, 0);
            let watches = span.watches_pages();
            let base = span.base;
            let got = &mut taken.blocks;
            span.blocks.take(out.len() - *got, |number| {
                // SAFETY: blocks lie in the span (`Cut`), and `base` has provenance over all of it.
                out[*got] = unsafe { base.add(cut.offset_of(number)) }.as_ptr();
                *got += 1;
                last = number;
                if watches {
                    pages |= Span::pages_of(cut, number, page_log2);
                }
            });
            let change = span.taken(cut, last, pages, page_log2);
            self.figures.idle -= change.idle;
            taken.fresh += change.fresh;
            taken.again += change.again;
            self.settle(all, span, cut);
        }
        self.figures.live += taken.blocks;
        taken
    }

    /// Puts blocks back. Stops the process where one is not a taken block of `class`.
    pub(crate) fn put(
        &mut self,
        all: &Territories,
        class: usize,
        page_log2: u32,
        blocks: &[*mut u8],
    ) -> Flushed {
        let cut = class::cut(class);
        let len = class::span_frames(class) * class::FRAME;
        let mut flushed = Flushed { left: NONE, grew: 0 };
        // What follows from a span's new free blocks is worked out once for many: a span stays in
        // hand until another one needs its place here.
        let mut held = [(NONE, 0_u64); HELD];
        let (mut at, mut pages) = (0, 0);
        let mut current: Option<&mut Span> = None;
        let mut base = 0;
        for &block in blocks {
            let address = block.addr();
            if current.is_none() || address.wrapping_sub(base) >= len {
                held[at].1 = pages;
                let id = find(all, class, address);
                at = id as usize % HELD;
                if held[at].0 != id {
                    let (old, pages) = core::mem::replace(&mut held[at], (id, 0));
                    self.put_down(all, old, cut, pages, page_log2, &mut flushed);
                }
                pages = held[at].1;
                // SAFETY: 1. a span of this class, so of this shelf, whose lock is held; the
                // reference before is not used again.
                let span = unsafe { span(all, id) };
                base = span.base.addr().get();
                current = Some(span);
            }
            let Some(span) = &mut current else { break };
            let Some(number) = cut.number_of(address - base) else {
                misuse::stop("a freed address is not where a block begins");
            };
            if span.blocks.put(number).is_err() {
                misuse::stop("a block was freed twice");
            }
            pages |= Span::pages_of(cut, number, page_log2);
        }
        held[at].1 = pages;
        self.figures.live -= blocks.len();
        for (id, pages) in held {
            self.put_down(all, id, cut, pages, page_log2, &mut flushed);
        }
        flushed
    }

    /// A span got blocks back that lie on `pages`: finds those that are idle now, and its place.
    fn put_down(
        &mut self,
        all: &Territories,
        id: SpanId,
        cut: Cut,
        pages: u64,
        page_log2: u32,
        flushed: &mut Flushed,
    ) {
        if id == NONE {
            return;
        }
        // SAFETY: 1. a span of this shelf, whose lock is held.
        let span = unsafe { span(all, id) };
        let became_idle = span.put(cut, pages, page_log2);
        self.figures.idle += became_idle;
        flushed.grew += became_idle << page_log2;
        self.settle(all, span, cut);
        if span.pages == 0 && span.is_empty() && self.others_open(id) {
            // Nobody could say what it keeps.
            self.unlink(all, span);
            self.leave(all, span, &mut flushed.left);
            flushed.grew += cut.offset_of(cut.blocks());
        }
    }

    /// Whether a span other than `id` has free blocks.
    fn others_open(&self, id: SpanId) -> bool {
        self.open.iter().any(|&first| first != NONE && first != id)
    }

    /// Takes a span without a live block out for good and links it to `chain`.
    fn leave(&mut self, all: &Territories, span: &mut Span, chain: &mut SpanId) {
        self.figures.idle -= span.idle.count_ones() as usize;
        if span.queued {
            self.dequeue(all, span);
        }
        span.list = LEFT;
        span.next = *chain;
        *chain = span.id;
    }

    /// Takes out the spans without a live block, linked by `next`.
    pub(crate) fn take_empty(&mut self, all: &Territories) -> SpanId {
        let mut chain = NONE;
        while self.open[usize::from(EMPTY)] != NONE {
            // SAFETY: 1. in a list of this shelf, whose lock is held.
            let span = unsafe { span(all, self.open[usize::from(EMPTY)]) };
            self.unlink(all, span);
            self.leave(all, span, &mut chain);
        }
        chain
    }

    /// A new span, which belongs to nobody yet.
    pub(crate) fn add(&mut self, all: &Territories, id: SpanId) {
        // SAFETY: 1. just cut, in the caller's hand alone.
        let span = unsafe { span(all, id) };
        span.list = FULL;
        self.figures.idle += span.idle.count_ones() as usize;
        self.settle(all, span, span.cut());
    }

    /// Puts a span in the list that its free blocks call for, and in the queue if it has idle pages.
    fn settle(&mut self, all: &Territories, span: &mut Span, cut: Cut) {
        let (left, blocks) = (span.blocks.left(), cut.blocks());
        let free = left * QUARTERS;
        let list = if left == 0 {
            FULL
        } else if left == blocks {
            EMPTY
        } else {
            u8::from(free > blocks) + u8::from(free > 2 * blocks) + u8::from(free > 3 * blocks)
        };
        if list != span.list {
            self.unlink(all, span);
            if list != FULL {
                let first = self.open[usize::from(list)];
                span.next = first;
                span.prev = NONE;
                if first != NONE {
                    // SAFETY: the place of another span in a list of this shelf.
                    unsafe { (*all.span(first).as_ptr()).prev = span.id };
                }
                self.open[usize::from(list)] = span.id;
            }
            self.figures.empty += usize::from(list == EMPTY);
            span.list = list;
        }
        self.requeue(all, span);
    }

    /// Takes a span out of its list, if it is in one.
    fn unlink(&mut self, all: &Territories, span: &mut Span) {
        if span.list == FULL {
            return;
        }
        // SAFETY: the neighbours are other spans in a list of this shelf.
        unsafe {
            if span.next != NONE {
                (*all.span(span.next).as_ptr()).prev = span.prev;
            }
            if span.prev == NONE {
                self.open[usize::from(span.list)] = span.next;
            } else {
                (*all.span(span.prev).as_ptr()).next = span.next;
            }
        }
        self.figures.empty -= usize::from(span.list == EMPTY);
        span.list = FULL;
    }

    /// Calls back with each span that has free blocks.
    pub(crate) fn each(&self, all: &Territories, mut visit: impl FnMut(&Span)) {
        for mut id in self.open {
            while id != NONE {
                // SAFETY: 1. in a list of this shelf, whose lock is held.
                let span = unsafe { span(all, id) };
                visit(span);
                id = span.next;
            }
        }
    }

    pub(crate) fn figures(&self) -> Figures {
        self.figures
    }
}

/// The span of `class` that an address lies in. Stops the process where there is none.
fn find(all: &Territories, class: usize, address: usize) -> SpanId {
    let Some((territory, frame)) = all.locate(address) else {
        misuse::stop("a freed block is not of this heap");
    };
    // SAFETY: 1. a block was said to be here; a region that was never used is zero or, where the
    // source commits, not there: then this faults, which stops the process too.
    match unsafe { all.get(territory).tenant(frame) }.span_of(class) {
        Some(place) => (territory as u32) << PLACE_BITS | place,
        None => misuse::stop("a block was freed twice, or with another layout than it has"),
    }
}
