//! The chunks of a pool: where blocks come from in batches and go back to, one thread at a time.
//!
//! A chunk is one span of strata-core: carving, the bitmap and what retires are the code that
//! strata-segregated's spans run. This module adds what a pool has for itself: how long chunks are,
//! which chunk an address lies in, and how many empty ones stay.

mod ahead;
mod check;
mod index;
mod retire;
pub(crate) mod segments;
mod shape;
#[cfg(all(test, not(strata_loom)))]
mod tests;

use core::mem::ManuallyDrop;
use core::ptr::NonNull;

use strata_core::misuse;
use strata_core::span::{Figures, Heads, Lists, Misuse, NONE, Span, SpanId, Spans, Tally};
use strata_core::{Chunk, Exhausted, Source};

use crate::config::Config;
use index::{Entry, Index};
use segments::Segments;
pub(crate) use shape::Shape;

/// What a span without a chunk says of its class, and one with.
const FREE_PLACE: u8 = 0;
const IN_USE: u8 = 1;
/// One in so many chunks may be empty, in a pool that has many.
const PART: usize = 8;
/// Chunks that are cut from one acquired piece at most.
const AT_ONCE: usize = 16;

/// The chunks of a pool, for one thread at a time.
///
/// # Invariants
///
/// 1. Every entry of `index` is a chunk of `source` (or a piece of one, where it splits), whose span
///    stands at its number in `table` and in the lists of `heads`, cut as `shape` says.
/// 2. `free` leads through the places of `table` that have no chunk.
#[derive(Debug)]
pub(crate) struct Store<S> {
    /// Never dropped where the pool was abandoned.
    pub(crate) source: ManuallyDrop<S>,
    abandoned: bool,
    pub(crate) shape: Shape,
    pub(crate) config: Config,
    table: Table,
    heads: Heads,
    tally: Tally,
    index: Index,
    free: SpanId,
    /// Blocks in all chunks.
    capacity: usize,
    /// Bytes of all chunks.
    bytes: usize,
    /// The source is not called any more.
    pub(crate) sealed: bool,
    /// The most blocks that were out at once.
    high_water: usize,
    /// The fewest empty chunks and idle pages since the last decay.
    low: Figures,
}

/// The descriptors of a pool's chunks.
#[derive(Debug)]
struct Table(Segments);

// SAFETY: 1. and 2. promises of `Segments`; every place is written when its piece is made.
unsafe impl Spans for Table {
    #[inline]
    fn span(&self, id: SpanId) -> NonNull<Span> {
        // SAFETY: 1. numbers of spans come from `grow`, under the lock that the caller holds.
        unsafe { self.0.get(id) }.cast()
    }
}

// SAFETY: the memory of a store is its source's, which no thread owns.
unsafe impl<S: Send> Send for Store<S> {}

/// A chunk of `len` bytes that may be touched.
pub(crate) fn acquire_ready<S: Source<Address = NonNull<u8>>>(
    source: &S,
    len: usize,
    align: usize,
) -> Result<Chunk, Exhausted> {
    let chunk = source.acquire(len, align)?;
    if S::COMMITS {
        // SAFETY: 1. and 2. a whole chunk of this source's.
        if unsafe { source.commit(chunk.base(), chunk.len()) }.is_err() {
            // SAFETY: 1. as it came. 2. untouched.
            unsafe { source.release(chunk) };
            return Err(Exhausted);
        }
    }
    Ok(chunk)
}

impl<S> Drop for Store<S> {
    fn drop(&mut self) {
        if !self.abandoned {
            // SAFETY: dropped here alone.
            unsafe { ManuallyDrop::drop(&mut self.source) };
        }
    }
}

impl<S> Store<S> {
    /// Leaves chunks, tables and source as they are when the store ends.
    pub(crate) fn abandon(&mut self) {
        self.abandoned = true;
    }

    #[cfg(not(strata_loom))]
    pub(crate) const fn new(source: S, shape: Shape, config: Config) -> Self {
        Self::of_table(source, shape, config, Segments::new(size_of::<Span>()))
    }

    #[cfg(strata_loom)]
    pub(crate) fn new(source: S, shape: Shape, config: Config) -> Self {
        Self::of_table(source, shape, config, Segments::new(size_of::<Span>()))
    }

    const fn of_table(source: S, shape: Shape, config: Config, table: Segments) -> Self {
        Self {
            source: ManuallyDrop::new(source),
            abandoned: false,
            shape,
            config,
            table: Table(table),
            heads: Heads::NEW,
            tally: Tally::new(),
            index: Index::new(),
            free: NONE,
            capacity: 0,
            bytes: 0,
            sealed: false,
            high_water: 0,
            low: Figures { live: 0, idle: 0, empty: 0 },
        }
    }

    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    pub(crate) fn high_water(&self) -> usize {
        self.high_water
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn chunks(&self) -> usize {
        self.index.entries().len()
    }

    /// Blocks that are out, and what lies idle.
    pub(crate) fn figures(&self) -> Figures {
        self.tally.figures()
    }
}

impl<S: Source<Address = NonNull<u8>>> Store<S> {
    /// Bytes of a page, as a power of two.
    pub(crate) fn page_log2(&self) -> u32 {
        self.source.granule().trailing_zeros()
    }

    /// Fills `out` with blocks, from a new chunk where no other has one and `may_grow`. Answers how
    /// many it got: none where the pool has no more, or has as many as it may.
    pub(crate) fn take(&mut self, out: &mut [*mut u8], may_grow: bool) -> usize {
        let mut blocks = self.take_from_lists(out);
        if blocks == 0 && may_grow && self.grow(1).is_ok() {
            blocks = self.take_from_lists(out);
        }
        blocks
    }

    fn take_from_lists(&mut self, out: &mut [*mut u8]) -> usize {
        let (cut, page_log2) = (self.shape.cut, self.page_log2());
        let mut lists = Lists::new(&mut self.heads, &self.tally);
        let taken = lists.take(&self.table, cut, page_log2, out);
        let figures = self.figures();
        self.high_water = self.high_water.max(figures.live);
        self.low.empty = self.low.empty.min(figures.empty);
        self.low.idle = self.low.idle.min(figures.idle);
        taken.blocks
    }

    /// Puts blocks back, and gives empty chunks beyond the watermark to the source. Stops the
    /// process where one is not a taken block of this pool.
    pub(crate) fn put(&mut self, blocks: &[*mut u8]) {
        match self.try_put(blocks) {
            Ok(()) => {}
            Err(Misuse::Foreign) => misuse::stop("a freed block is not of this pool"),
            Err(Misuse::NotABlock) => misuse::stop("a freed address is not where a block begins"),
            Err(Misuse::DoubleFree) => misuse::stop("a block was freed twice"),
        }
    }

    /// Puts blocks back. Where it fails at the first of them nothing changed.
    pub(crate) fn try_put(&mut self, blocks: &[*mut u8]) -> Result<(), Misuse> {
        let index = &self.index;
        let find = |address| index.find(address).map(|entry| entry.id).ok_or(Misuse::Foreign);
        let (cut, page_log2) = (self.shape.cut, self.page_log2());
        let mut lists = Lists::new(&mut self.heads, &self.tally);
        lists.put(&self.table, cut, page_log2, false, blocks, find)?;
        if self.figures().empty > self.watermark() {
            self.retire_slow();
        }
        Ok(())
    }

    /// Empty chunks that may stay.
    fn watermark(&self) -> usize {
        match self.config.keep_empty {
            0 => 0,
            keep => keep.max(self.chunks() / PART),
        }
    }

    /// Whether an address is that of a block that is out; where not, why it cannot be put back.
    pub(crate) fn look_up(&self, block: *mut u8) -> Result<(), Misuse> {
        let entry = self.index.find(block.addr()).ok_or(Misuse::Foreign)?;
        // SAFETY: entered chunks have spans (1.), which nobody else reaches.
        let span = unsafe { self.table.span(entry.id).as_ref() };
        let number = self.shape.cut.number_of(block.addr() - entry.base);
        match number.filter(|n| *n < span.total.into()) {
            None => Err(Misuse::NotABlock),
            Some(number) if span.blocks.is_free(number) => Err(Misuse::DoubleFree),
            Some(_) => Ok(()),
        }
    }

    /// The chunk and number of a block that is out.
    pub(crate) fn place_of(&self, block: *mut u8) -> Option<(SpanId, usize)> {
        let entry = self.index.find(block.addr())?;
        Some((entry.id, self.shape.cut.number_at(block.addr() - entry.base)))
    }

    /// The block of that chunk and number.
    ///
    /// # Safety
    ///
    /// 1. The chunk is one of this pool's, and has the number.
    #[inline]
    pub(crate) unsafe fn block_at(&self, id: SpanId, number: usize) -> NonNull<u8> {
        // SAFETY: the chunk has a span (1.), which nobody else reaches.
        let base = unsafe { self.table.span(id).as_ref() }.base;
        // SAFETY: the block lies in the chunk (1.).
        unsafe { base.add(self.shape.cut.offset_of(number)) }
    }

    /// The number of the chunk at a place in the order of addresses, and its blocks.
    pub(crate) fn chunk_at(&self, at: usize) -> Option<(SpanId, usize)> {
        let entry = self.index.entries().get(at)?;
        // SAFETY: entered chunks have spans (1.), which nobody else reaches.
        Some((entry.id, unsafe { self.table.span(entry.id).as_ref() }.total.into()))
    }

    /// Gets at least `more` blocks from the source, in one chunk or several.
    pub(crate) fn grow(&mut self, more: usize) -> Result<(), Exhausted> {
        if self.sealed {
            return Err(Exhausted);
        }
        let most = self.config.capacity.saturating_sub(self.capacity);
        let bytes = more.checked_mul(self.shape.len()).ok_or(Exhausted)?;
        if most < more || bytes > isize::MAX as usize {
            return Err(Exhausted);
        }
        let before = self.capacity;
        let target = before + more;
        while self.capacity < target {
            let most = self.config.capacity - self.capacity;
            let wanted = (target - self.capacity).saturating_mul(self.shape.len());
            let mut room = self.shape.room(self.bytes).max(wanted);
            let (len, blocks) = self.shape.chunk(self.source.granule(), room, most);
            let count = if S::SPLITS && len.is_multiple_of(self.shape.align) {
                // No more than may stay empty.
                (room / 4 / len).min(most / blocks).min(AT_ONCE).min(self.watermark())
            } else {
                1
            };
            if count > 1 && self.add(len, blocks, count).is_ok() {
                continue;
            }
            // Down to what a small source still has.
            while let Err(Exhausted) = {
                let (len, blocks) = self.shape.chunk(self.source.granule(), room, most);
                self.add(len, blocks, 1)
            } {
                room /= 2;
                if room < self.shape.len() {
                    return Err(Exhausted);
                }
            }
        }
        Ok(())
    }

    /// Enters `count` chunks of `len` bytes, cut into `blocks` blocks each.
    fn add(&mut self, len: usize, blocks: usize, count: usize) -> Result<(), Exhausted> {
        let chunk = acquire_ready(&*self.source, len * count, self.shape.align)?;
        let mut rest = Some(chunk);
        while let Some(chunk) = rest.take() {
            let (first, behind) = match chunk.split_at(len) {
                Ok((first, behind)) => (first, Some(behind)),
                Err(whole) => (whole, None),
            };
            if let Err(first) = self.enter(first, blocks) {
                // SAFETY: 1. acquired, or pieces of it where the source splits. 2. untouched.
                unsafe {
                    self.source.release(first);
                    if let Some(behind) = behind {
                        self.source.release(behind);
                    }
                }
                return Err(Exhausted);
            }
            rest = behind;
        }
        Ok(())
    }

    /// Enters one chunk; gives it back where there is no memory for its descriptor.
    fn enter(&mut self, chunk: Chunk, blocks: usize) -> Result<(), Chunk> {
        let room = self.index.reserve(&*self.source).and_then(|()| self.take_place());
        let Ok(id) = room else { return Err(chunk) };
        let (base, len) = chunk.into_raw_parts();
        let granule = self.source.granule();
        let pages = if S::PURGES && len / granule <= 64 && blocks > 1 { len / granule } else { 0 };
        let span = Span::new(base, id, IN_USE, blocks, pages, 0, 0);
        // SAFETY: a free place of the table, ours alone.
        unsafe { self.table.span(id).write(span) };
        self.index.insert(Entry { base: base.addr().get(), len: len as u32, id });
        Lists::new(&mut self.heads, &self.tally).add(&self.table, id);
        self.capacity += blocks;
        self.bytes += len;
        Ok(())
    }

    /// A place in the table.
    fn take_place(&mut self) -> Result<SpanId, Exhausted> {
        if self.free == NONE {
            // SAFETY: 1. whoever has the store has its lock.
            let ids = unsafe { self.table.0.grow(&*self.source) }?;
            for id in ids.rev() {
                self.put_place(id);
            }
        }
        let id = self.free;
        // SAFETY: a free place holds a span whose `next` is the next free one (2.).
        self.free = unsafe { self.table.span(id).as_ref() }.next;
        Ok(id)
    }

    /// Links a place without a chunk to the free ones.
    fn put_place(&mut self, id: SpanId) {
        let mut span = Span::new(NonNull::dangling(), id, FREE_PLACE, 1, 0, 0, 0);
        span.next = self.free;
        // SAFETY: a place of the table that has no chunk (any more).
        unsafe { self.table.span(id).write(span) };
        self.free = id;
    }

    /// Calls back with each chunk's entry and span.
    pub(crate) fn each(&self, mut visit: impl FnMut(usize, &Span)) {
        for entry in self.index.entries() {
            // SAFETY: entered chunks have spans (1.), which nobody else reaches.
            visit(entry.len as usize, unsafe { self.table.span(entry.id).as_ref() });
        }
    }

    /// Bytes of tables.
    pub(crate) fn metadata(&self) -> usize {
        let granule = self.source.granule();
        self.table.0.bytes(granule) + self.index.bytes(granule)
    }

    /// Gives everything back.
    ///
    /// # Safety
    ///
    /// 1. No block of this pool is used any more.
    pub(crate) unsafe fn release(&mut self) {
        for entry in self.index.entries() {
            // SAFETY: a chunk of the source (1.), used no more.
            let base = unsafe { self.table.span(entry.id).as_ref() }.base;
            // SAFETY: as above.
            unsafe { self.source.release(Chunk::from_raw_parts(base, entry.len as usize)) };
        }
        // SAFETY: 1. the store ends. 2. all from its source.
        unsafe {
            self.index.release(&*self.source);
            self.table.0.release(&*self.source);
        }
        self.index = Index::new();
    }
}
