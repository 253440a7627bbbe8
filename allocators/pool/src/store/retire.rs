//! What of a pool goes back to the source, and when.
//!
//! Three occasions. A put that empties a chunk beyond the watermark releases it there and then. A
//! trim releases all that is not to be kept and purges every idle page. A decay releases and purges
//! what was not used since the decay before: the fewest empty chunks and idle pages that there were
//! in between, which nobody missed (Bonwick's working set).

use core::ptr::NonNull;

use strata_core::span::{Lists, NONE, Spans};
use strata_core::{Chunk, Source};

use super::Store;

impl<S: Source<Address = NonNull<u8>>> Store<S> {
    /// Releases empty chunks beyond the watermark.
    #[cold]
    pub(super) fn retire_slow(&mut self) {
        self.retire_to(self.watermark(), 0);
    }

    /// Releases empty chunks until `keep` are left, as long as `free` blocks stay in the pool.
    fn retire_to(&mut self, keep: usize, free: usize) {
        if self.sealed || !S::RELEASES {
            return;
        }
        while self.figures().empty > keep {
            let id = Lists::new(&mut self.heads, &self.tally).take_empty(&self.table, 1);
            if id == NONE {
                return;
            }
            // SAFETY: just taken out, in our hand alone.
            let span = unsafe { Spans::span(&self.table, id).as_ref() };
            let (base, total) = (span.base, usize::from(span.total));
            if self.capacity - self.figures().live < free.saturating_add(total) {
                Lists::new(&mut self.heads, &self.tally).add(&self.table, id);
                return;
            }
            let Some(entry) = self.index.remove(base.addr().get()) else { return };
            self.capacity -= total;
            self.bytes -= entry.len as usize;
            self.put_place(id);
            // SAFETY: 1. a chunk of the source. 2. no block of it is out, and it is struck out.
            unsafe { self.source.release(Chunk::from_raw_parts(base, entry.len as usize)) };
        }
        self.low.empty = self.low.empty.min(self.figures().empty);
    }

    /// Purges about `most` bytes of idle pages. A sealed pool keeps them: it must not fault again.
    fn purge(&mut self, most: usize) -> usize {
        if self.sealed || !S::PURGES {
            return 0;
        }
        let page_log2 = self.page_log2();
        let mut undefined = false;
        // SAFETY: 1. invariant 1 of the store, and pages are its source's granules.
        let purged = unsafe {
            Lists::new(&mut self.heads, &self.tally).purge(
                &*self.source,
                &self.table,
                page_log2,
                most,
                &mut undefined,
            )
        };
        self.low.idle = self.low.idle.min(self.figures().idle);
        purged.unwrap_or(0)
    }

    /// Gives back what the tables do not need any more: pieces behind the last chunk's descriptor,
    /// and half-empty arrays. O(chunks).
    fn shrink_tables(&mut self) {
        if self.sealed || !S::RELEASES {
            return;
        }
        self.index.shrink(&*self.source);
        let most = self.index.entries().iter().map(|entry| entry.id + 1).max().unwrap_or(0);
        let mut fewer = false;
        while self.table.0.last_piece().is_some_and(|last| last.start >= most) {
            // SAFETY: 1. under the lock; no chunk has a place in it, and the free ones are linked
            // anew. 2. from this source.
            unsafe { self.table.0.release_last(&*self.source) };
            fewer = true;
        }
        if fewer {
            self.free = NONE;
            for id in (0..self.table.0.last_piece().map_or(0, |last| last.end)).rev() {
                // SAFETY: a place of the table, which holds a span.
                let class = unsafe { Spans::span(&self.table, id).as_ref() }.class;
                if class == super::FREE_PLACE {
                    self.put_place(id);
                }
            }
        }
    }

    /// Keeps `free` free blocks and gives everything else back that no block is on. Answers how
    /// many bytes went.
    pub(crate) fn trim(&mut self, free: usize) -> usize {
        let before = self.bytes;
        self.retire_to(0, free);
        // What is kept ready keeps its contents.
        let idle = self.figures().idle << self.page_log2();
        let purged = self.purge(idle.saturating_sub(free.saturating_mul(self.shape.len())));
        self.shrink_tables();
        before - self.bytes + purged
    }

    /// Gives back what nobody used since the last decay. Answers how many bytes went.
    pub(crate) fn decay(&mut self) -> usize {
        let (before, low, now) = (self.bytes, self.low, self.figures());
        self.retire_to(now.empty.saturating_sub(low.empty), 0);
        let pages = low.idle.min(self.figures().idle);
        let purged = self.purge(pages << self.page_log2());
        self.low = self.figures();
        self.shrink_tables();
        before - self.bytes + purged
    }
}
