//! The spans that have idle pages, and how these go back.

use core::ptr::NonNull;

use super::descriptor::{AWAY, NONE, Span, SpanId, runs};
use super::lists::{Lists, Spans, span};
use crate::{Contents, Source};

impl Lists<'_> {
    /// Makes the queue hold the span if and only if it has idle pages.
    #[inline]
    pub(super) fn requeue(&mut self, all: &impl Spans, span: &mut Span) {
        match (span.idle != 0, span.queued) {
            (true, false) => {
                span.queued = true;
                span.queue_next = self.heads.queue;
                span.queue_prev = NONE;
                if self.heads.queue != NONE {
                    // SAFETY: the place of another span in this queue.
                    unsafe { (*all.span(self.heads.queue).as_ptr()).queue_prev = span.id };
                }
                self.heads.queue = span.id;
            }
            (false, true) => self.dequeue(all, span),
            _ => {}
        }
    }

    /// Takes a span out of the queue.
    pub(super) fn dequeue(&mut self, all: &impl Spans, span: &mut Span) {
        span.queued = false;
        // SAFETY: the neighbours are other spans in this queue.
        unsafe {
            if span.queue_next != NONE {
                (*all.span(span.queue_next).as_ptr()).queue_prev = span.queue_prev;
            }
            if span.queue_prev == NONE {
                self.heads.queue = span.queue_next;
            } else {
                (*all.span(span.queue_prev).as_ptr()).queue_next = span.queue_next;
            }
        }
    }

    /// Takes the span out whose pages became idle last, for the caller to purge: `None` where there is none
    /// with idle pages. Until [`put_idle`](Self::put_idle) no block of it is taken, while blocks come back to it
    /// as ever, so that nobody need wait for the system. O(1).
    pub fn take_idle(&mut self, all: &impl Spans) -> Option<Away> {
        if self.heads.queue == NONE {
            return None;
        }
        // SAFETY: 1. in this queue, whose lock is held.
        let span = unsafe { span(all, self.heads.queue) };
        self.unlink(all, span);
        self.dequeue(all, span);
        span.list = AWAY;
        self.tally.set_idle(self.tally.idle() - span.idle.count_ones() as usize);
        Some(Away { id: span.id, base: span.base, pages: span.idle })
    }

    /// Puts a span back that was taken out, of whose pages these are purged. O(1).
    pub fn put_idle(&mut self, all: &impl Spans, id: SpanId, purged: u64) {
        // SAFETY: 1. a span of these lists, whose lock is held.
        let span = unsafe { span(all, id) };
        debug_assert!(span.list == AWAY && purged & !span.idle == 0);
        span.idle &= !purged;
        span.gone |= purged;
        self.add(all, id);
    }

    /// Purges idle pages, about `most` bytes of them. Answers how many bytes went; `None` where the
    /// source keeps them. Sets `undefined` where one may read as something else than zero now.
    ///
    /// # Safety
    ///
    /// 1. The spans lie in chunks of `source`, and pages are whole granules of it.
    pub unsafe fn purge<S: Source<Address = NonNull<u8>>>(
        &mut self,
        source: &S,
        all: &impl Spans,
        page_log2: u32,
        most: usize,
        undefined: &mut bool,
    ) -> Option<usize> {
        let mut bytes = 0;
        while bytes < most
            && let Some(away) = self.take_idle(all)
        {
            // SAFETY: 1. the caller's. 2. taken out just now.
            let purged = unsafe { away.purge(source, page_log2) };
            self.put_idle(all, away.id, purged.pages);
            *undefined |= purged.undefined;
            if !purged.is_all {
                return None;
            }
            bytes += purged.bytes(page_log2);
        }
        Some(bytes)
    }
}

/// A span that [`Lists::take_idle`] took out.
#[derive(Debug)]
#[must_use = "the span is in no list"]
pub struct Away {
    /// Its number.
    pub id: SpanId,
    base: NonNull<u8>,
    /// Those that were idle.
    pages: u64,
}

/// What became of its idle pages.
#[derive(Clone, Copy, Debug)]
pub struct Purged {
    /// Those without contents now.
    pub pages: u64,
    /// Whether they are all that were idle: the source keeps the others.
    pub is_all: bool,
    /// Whether one may read as something else than zero.
    pub undefined: bool,
}

impl Purged {
    /// The bytes of the pages without contents.
    pub fn bytes(&self, page_log2: u32) -> usize {
        (self.pages.count_ones() as usize) << page_log2
    }
}

impl Away {
    /// Purges the idle pages, up to the first ones that the source keeps.
    ///
    /// # Safety
    ///
    /// 1. The span lies in a chunk of `source`, and pages are whole granules of it.
    /// 2. It is away still.
    pub unsafe fn purge<S: Source<Address = NonNull<u8>>>(
        &self,
        source: &S,
        page_log2: u32,
    ) -> Purged {
        let mut purged = Purged { pages: 0, is_all: true, undefined: false };
        let mut from = 0;
        while let Some(pages) = runs(self.pages, from) {
            // SAFETY: pages of the span.
            let at = unsafe { self.base.add((pages.start as usize) << page_log2) };
            // SAFETY: 1. and 2. that of this method; a span with pages begins at one. 3. no block on them was
            // taken when the span went, nor is while it is away.
            let contents = unsafe { source.purge(at, pages.len() << page_log2) };
            if contents == Contents::Kept {
                purged.is_all = false;
                break;
            }
            purged.undefined |= contents != Contents::Zero;
            purged.pages |= u64::MAX >> (64 - pages.len()) << pages.start;
            from = pages.end;
        }
        purged
    }
}

#[cfg(all(test, not(strata_loom)))]
mod tests {
    use super::super::{Cut, Figures, Heads, Tally};
    use super::*;
    use crate::source::Region;

    /// Four pages of blocks of half a page.
    const CUT: Cut = Cut::new(2048, 4 << 12);

    struct One(core::cell::UnsafeCell<Span>);

    // SAFETY: 1. and 2. there is one, number 0.
    unsafe impl Spans for One {
        fn span(&self, _id: SpanId) -> NonNull<Span> {
            NonNull::from(&self.0).cast()
        }
    }

    #[test]
    fn blocks_come_back_to_a_span_that_is_away_and_none_is_taken() {
        let mut bytes = std::vec![core::mem::MaybeUninit::new(0); 5 << 12];
        let region = Region::new(&mut bytes);
        let at = region.acquire(4 << 12, 1 << 12).unwrap().base();
        let all = One(Span::new(at, 0, 0, CUT.blocks(), 4, 0, 0).into());
        let (mut heads, tally) = (Heads::NEW, Tally::new());
        let mut lists = Lists::new(&mut heads, &tally);
        lists.add(&all, 0);
        let mut blocks = [core::ptr::null_mut(); 8];
        assert_eq!(lists.take(&all, CUT, 12, &mut blocks).blocks, 8);
        let put = |lists: &mut Lists<'_>, blocks: &[*mut u8]| {
            lists.put(&all, CUT, 12, true, blocks, |_| Ok(0)).unwrap().grew
        };
        // The first and the third page.
        assert_eq!(put(&mut lists, &[blocks[0], blocks[1], blocks[4], blocks[5]]), 2 << 12);
        let away = lists.take_idle(&all).unwrap();
        assert!(lists.take_idle(&all).is_none() && !lists.heads.is_open());
        assert_eq!(lists.figures(), Figures { live: 4, idle: 0, empty: 0 });
        assert_eq!(lists.take(&all, CUT, 12, &mut [core::ptr::null_mut()]).blocks, 0);
        // SAFETY: nobody changes it meanwhile.
        let law = || unsafe { all.span(0).as_ref() }.broken_law(CUT, 12);
        assert_eq!(law(), None);
        // All come back meanwhile.
        assert_eq!(put(&mut lists, &[blocks[2], blocks[3], blocks[6], blocks[7]]), 2 << 12);
        assert_eq!((lists.figures().idle, law()), (0, None));
        // The first page was purged, the third one kept.
        assert_eq!(away.pages, 0b0101);
        lists.put_idle(&all, away.id, 0b0001);
        assert_eq!((lists.figures(), law()), (Figures { live: 0, idle: 3, empty: 1 }, None));
        let taken = lists.take(&all, CUT, 12, &mut blocks);
        assert_eq!((taken.blocks, taken.fresh, taken.again), (8, 1, 1));
    }
}
