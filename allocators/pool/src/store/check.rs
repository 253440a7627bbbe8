//! A walk over all chunks of a pool.

use core::ptr::NonNull;

use strata_core::Source;
use strata_core::span::{Figures, Spans};

use super::{IN_USE, Store};

impl<S: Source<Address = NonNull<u8>>> Store<S> {
    /// The law that is broken first, if one is.
    pub(crate) fn validate(&self) -> Result<(), &'static str> {
        let (mut figures, mut capacity, mut bytes, mut end) = (Figures::default(), 0, 0, 0);
        for entry in self.index.entries() {
            // SAFETY: entered chunks have spans (1.), which nobody else reaches.
            let span = unsafe { self.table.span(entry.id).as_ref() };
            if span.id != entry.id || span.base.addr().get() != entry.base || span.class != IN_USE {
                return Err("a chunk's entry and its descriptor agree");
            }
            if entry.base < end {
                return Err("chunks are in order and do not overlap");
            }
            end = entry.base + entry.len as usize;
            if let Some(law) = span.broken_law(self.shape.cut, self.page_log2()) {
                return Err(law);
            }
            figures.live += usize::from(span.total) - span.blocks.left();
            figures.idle += span.idle.count_ones() as usize;
            figures.empty += usize::from(span.is_empty());
            capacity += usize::from(span.total);
            bytes += entry.len as usize;
        }
        if figures != self.figures() {
            return Err("the figures are those of the chunks");
        }
        let mut listed = 0;
        self.heads.each(&self.table, |_| listed += 1);
        let mut open = 0;
        self.each(|_, span| open += usize::from(span.blocks.left() > 0));
        if listed != open {
            return Err("chunks with free blocks stand in a list");
        }
        if (capacity, bytes) != (self.capacity, self.bytes) {
            return Err("capacity is the blocks of all chunks");
        }
        Ok(())
    }
}
