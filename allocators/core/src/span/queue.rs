//! The spans that have idle pages, and how these go back.

use core::ptr::NonNull;

use super::descriptor::{NONE, Span, runs};
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
        while bytes < most && self.heads.queue != NONE {
            // SAFETY: 1. in this queue, whose lock is held.
            let span = unsafe { span(all, self.heads.queue) };
            while let Some(pages) = runs(span.idle, 0) {
                // SAFETY: pages of the span.
                let at = unsafe { span.base.add((pages.start as usize) << page_log2) };
                let len = pages.len() << page_log2;
                // SAFETY: 1. and 2. that of this method; a span with pages begins at one. 3. no
                // block on them is taken, nor will be while the lock is held.
                let contents = unsafe { source.purge(at, len) };
                if contents == Contents::Kept {
                    return None;
                }
                *undefined |= contents != Contents::Zero;
                let mask = u64::MAX >> (64 - pages.len()) << pages.start;
                span.idle &= !mask;
                span.gone |= mask;
                self.tally.set_idle(self.tally.idle() - pages.len());
                bytes += len;
            }
            self.requeue(all, span);
        }
        Some(bytes)
    }
}
