//! The spans of one block size: those with free blocks, by how full they are.

use core::ptr::NonNull;

use super::descriptor::{AWAY, LEFT, NONE, Span, SpanId};
use super::tally::{Figures, Tally};
use super::{AlreadyFree, Cut};

/// Lists of spans with free blocks: four by how full they are, and those without a live block.
const LISTS: usize = 5;
const EMPTY: u8 = LISTS as u8 - 1;
/// The list of spans without free blocks: none.
const FULL: u8 = LISTS as u8;
/// Spans that a batch of freed blocks has in hand at once: a power of two.
const HELD: usize = 16;
/// Spans above are drained into those that are this full or fuller.
const QUARTERS: usize = 4;

/// The table of an owner's spans.
///
/// # Safety
///
/// Implementors promise that
/// 1. `span` answers a place that holds a [`Span`] for every number that the owner gave one, and
///    different places for different numbers;
/// 2. the place stays valid as long as the owner's lists may know the number.
pub unsafe trait Spans {
    /// The place of that span.
    fn span(&self, id: SpanId) -> NonNull<Span>;
}

/// Why a batch of blocks cannot be put back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misuse {
    /// The address is in no span.
    Foreign,
    /// The address is in a span, but not where one of its blocks begins.
    NotABlock,
    /// The block is free already.
    DoubleFree,
}

/// Where the lists of spans of one block size begin: what their owner keeps, behind its lock if it has
/// one.
///
/// # Invariants
///
/// 1. Every span in a list is in the owner's table, and in one list; the links of a list's spans
///    lead through it both ways. The same holds for the queue.
#[derive(Debug)]
pub struct Heads {
    /// The first span of each list; list `n` has spans of which more than `n` quarters are free, the
    /// last one those without a live block.
    open: [SpanId; LISTS],
    /// The first span with idle pages.
    pub(super) queue: SpanId,
}

impl Heads {
    /// Those of lists without a span.
    pub const NEW: Self = Self { open: [NONE; LISTS], queue: NONE };

    /// Whether a span has free blocks.
    #[inline]
    pub fn is_open(&self) -> bool {
        self.open.iter().any(|&first| first != NONE)
    }

    /// Calls back with each span that has free blocks.
    pub fn each(&self, all: &impl Spans, mut visit: impl FnMut(&Span)) {
        for mut id in self.open {
            while id != NONE {
                // SAFETY: 1. in a list of these, whose lock is held.
                let span = unsafe { span(all, id) };
                visit(span);
                id = span.next;
            }
        }
    }
}

/// The spans of one block size that have free blocks.
///
/// Spans stand in lists by how full they are, and blocks are taken from the fullest, lowest
/// addresses first: the others drain. A span without a live block stands in the last list, until its
/// owner takes it out. Those with idle pages stand in a queue besides, for
/// [`take_idle`](Lists::take_idle).
#[derive(Debug)]
pub struct Lists<'a> {
    pub(super) heads: &'a mut Heads,
    pub(super) tally: &'a Tally,
}

/// What a batch of freed blocks changed.
#[derive(Clone, Copy, Debug)]
pub struct Flushed {
    /// Spans that hold no block any more and whose pages cannot be told apart, linked by `next`: for
    /// their owner. [`NONE`] where the owner wants none so.
    pub left: SpanId,
    /// Bytes that are idle now and were not before.
    pub grew: usize,
}

/// What a batch of taken blocks got.
#[derive(Clone, Copy, Debug, Default)]
pub struct Taken {
    /// Blocks.
    pub blocks: usize,
    /// Pages that had no contents before: new from the system.
    pub fresh: usize,
    /// Of these, pages that had been given back.
    pub again: usize,
}

/// The span of that number.
///
/// # Safety
///
/// 1. The number is one of the table's; the caller holds the lock of the span's lists, or has the
///    span in hand alone, and makes no second reference while it uses this one.
#[inline]
pub(super) unsafe fn span<'a>(all: &impl Spans, id: SpanId) -> &'a mut Span {
    // SAFETY: the place of a span that is there; the caller's obligation makes it the only reference.
    unsafe { all.span(id).as_mut() }
}

impl<'a> Lists<'a> {
    /// The lists that begin at `heads`, whose spans come to `tally`.
    #[inline]
    pub fn new(heads: &'a mut Heads, tally: &'a Tally) -> Self {
        Self { heads, tally }
    }

    /// Fills `out` from spans with free blocks, lowest addresses of a span first. O(`out`), and a
    /// step for each span.
    #[inline]
    pub fn take(
        &mut self,
        all: &impl Spans,
        cut: Cut,
        page_log2: u32,
        out: &mut [*mut u8],
    ) -> Taken {
        let mut taken = Taken::default();
        while taken.blocks < out.len() {
            let Some(&id) = self.heads.open.iter().find(|&&id| id != NONE) else { break };
            // SAFETY: 1. in a list of these, whose lock is held.
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
            self.tally.set_idle(self.tally.idle() - change.idle);
            taken.fresh += change.fresh;
            taken.again += change.again;
            self.settle(all, span);
        }
        self.tally.set_live(self.tally.live().wrapping_add(taken.blocks));
        taken
    }

    /// Puts blocks back. `find` names the span that an address lies in. Where `unknown_leave`, a
    /// span that becomes empty and whose pages cannot be told apart is taken out, unless it is the
    /// last one with free blocks. O(`blocks`).
    ///
    /// # Errors
    ///
    /// [`Misuse`] at the first block that cannot be put back. What came before it is back, and the
    /// figures are not to be trusted any more: the caller stops the process.
    #[inline]
    pub fn put<S: Spans>(
        &mut self,
        all: &S,
        cut: Cut,
        page_log2: u32,
        unknown_leave: bool,
        blocks: &[*mut u8],
        find: impl Fn(usize) -> Result<SpanId, Misuse>,
    ) -> Result<Flushed, Misuse> {
        let mut flushed = Flushed { left: NONE, grew: 0 };
        // What follows from a span's new free blocks is worked out once for many: a span stays in
        // hand until another one needs its place here.
        let mut held = [(NONE, 0_u64); HELD];
        let (mut at, mut pages) = (0, 0);
        let mut current: Option<&mut Span> = None;
        let (mut base, mut len) = (0, 0);
        for &block in blocks {
            let address = block.addr();
            if current.is_none() || address.wrapping_sub(base) >= len {
                held[at].1 = pages;
                let id = find(address)?;
                at = id as usize % HELD;
                if held[at].0 != id {
                    let (old, pages) = core::mem::replace(&mut held[at], (id, 0));
                    self.put_down(all, old, cut, pages, page_log2, unknown_leave, &mut flushed);
                }
                pages = held[at].1;
                // SAFETY: 1. a span of the owner's, whose lock is held; the reference before is not
                // used again.
                let span = unsafe { span(all, id) };
                base = span.base.addr().get();
                len = cut.offset_of(span.total.into());
                current = Some(span);
            }
            let Some(span) = &mut current else { break };
            let number = cut.number_of(address - base).filter(|n| *n < span.total.into());
            let number = number.ok_or(Misuse::NotABlock)?;
            span.blocks.put(number).map_err(|AlreadyFree| Misuse::DoubleFree)?;
            pages |= if span.pages == 0 { 0 } else { Span::pages_of(cut, number, page_log2) };
        }
        held[at].1 = pages;
        self.tally.set_live(self.tally.live().wrapping_sub(blocks.len()));
        for (id, pages) in held {
            self.put_down(all, id, cut, pages, page_log2, unknown_leave, &mut flushed);
        }
        Ok(flushed)
    }

    /// A span got blocks back that lie on `pages`: finds those that are idle now, and its place.
    #[expect(clippy::too_many_arguments, reason = "a part of `put`")]
    #[inline]
    fn put_down(
        &mut self,
        all: &impl Spans,
        id: SpanId,
        cut: Cut,
        pages: u64,
        page_log2: u32,
        unknown_leave: bool,
        flushed: &mut Flushed,
    ) {
        if id == NONE {
            return;
        }
        // SAFETY: 1. a span of these lists, whose lock is held.
        let span = unsafe { span(all, id) };
        let became_idle = span.put(cut, pages, page_log2);
        flushed.grew += became_idle << page_log2;
        if span.list == AWAY {
            // It is counted, and finds its place, when it comes back.
            return;
        }
        self.tally.set_idle(self.tally.idle() + became_idle);
        self.settle(all, span);
        if unknown_leave && span.pages == 0 && span.is_empty() && self.others_open(id) {
            // Nobody could say what it keeps.
            self.unlink(all, span);
            self.leave(all, span, &mut flushed.left);
            flushed.grew += cut.offset_of(cut.blocks());
        }
    }

    /// Whether a span other than `id` has free blocks.
    fn others_open(&self, id: SpanId) -> bool {
        self.heads.open.iter().any(|&first| first != NONE && first != id)
    }

    /// Takes a span without a live block out for good and links it to `chain`.
    fn leave(&mut self, all: &impl Spans, span: &mut Span, chain: &mut SpanId) {
        self.tally.set_idle(self.tally.idle() - span.idle.count_ones() as usize);
        if span.queued {
            self.dequeue(all, span);
        }
        span.list = LEFT;
        span.next = *chain;
        *chain = span.id;
    }

    /// Takes out spans without a live block, `most` of them at most, linked by `next`; those that
    /// were emptied last first. O(those).
    pub fn take_empty(&mut self, all: &impl Spans, most: usize) -> SpanId {
        let mut chain = NONE;
        for _ in 0..most {
            let first = self.heads.open[usize::from(EMPTY)];
            if first == NONE {
                break;
            }
            // SAFETY: 1. in a list of these, whose lock is held.
            let span = unsafe { span(all, first) };
            self.unlink(all, span);
            self.leave(all, span, &mut chain);
        }
        chain
    }

    /// A new span, which belongs to nobody yet. O(1).
    pub fn add(&mut self, all: &impl Spans, id: SpanId) {
        // SAFETY: 1. just cut, or away, in the caller's hand alone or under the lock.
        let span = unsafe { span(all, id) };
        span.list = FULL;
        self.tally.set_idle(self.tally.idle() + span.idle.count_ones() as usize);
        self.settle(all, span);
    }

    /// Puts a span in the list that its free blocks call for, and in the queue if it has idle pages.
    #[inline]
    fn settle(&mut self, all: &impl Spans, span: &mut Span) {
        let (left, blocks) = (span.blocks.left(), usize::from(span.total));
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
                let first = self.heads.open[usize::from(list)];
                span.next = first;
                span.prev = NONE;
                if first != NONE {
                    // SAFETY: the place of another span in a list of these.
                    unsafe { (*all.span(first).as_ptr()).prev = span.id };
                }
                self.heads.open[usize::from(list)] = span.id;
            }
            self.tally.set_empty(self.tally.empty() + usize::from(list == EMPTY));
            span.list = list;
        }
        self.requeue(all, span);
    }

    /// Takes a span out of its list, if it is in one.
    pub(super) fn unlink(&mut self, all: &impl Spans, span: &mut Span) {
        if span.list == FULL {
            return;
        }
        // SAFETY: the neighbours are other spans in a list of these.
        unsafe {
            if span.next != NONE {
                (*all.span(span.next).as_ptr()).prev = span.prev;
            }
            if span.prev == NONE {
                self.heads.open[usize::from(span.list)] = span.next;
            } else {
                (*all.span(span.prev).as_ptr()).next = span.next;
            }
        }
        self.tally.set_empty(self.tally.empty() - usize::from(span.list == EMPTY));
        span.list = FULL;
    }

    /// Moves each span with free blocks that `goes` names to `other`. O(spans with free blocks).
    pub fn part(
        &mut self,
        all: &impl Spans,
        other: &mut Lists<'_>,
        mut goes: impl FnMut(SpanId) -> bool,
    ) {
        for list in 0..LISTS {
            let mut next = self.heads.open[list];
            while next != NONE {
                // SAFETY: 1. in a list of these, whose lock is held.
                let span = unsafe { span(all, next) };
                next = span.next;
                if goes(span.id) {
                    self.unlink(all, span);
                    self.tally.set_idle(self.tally.idle() - span.idle.count_ones() as usize);
                    if span.queued {
                        self.dequeue(all, span);
                    }
                    other.add(all, span.id);
                }
            }
        }
    }

    /// Calls back with each span that has free blocks.
    pub fn each(&self, all: &impl Spans, visit: impl FnMut(&Span)) {
        self.heads.each(all, visit);
    }

    /// What the spans come to. O(1).
    #[inline]
    pub fn figures(&self) -> Figures {
        self.tally.figures()
    }
}
