//! Chunks that blocks have to themselves: found by address, and kept for the next block a while.
//!
//! ```text
//!   base           len              warm              whole
//!   │ the block    │ tail: contents │ never touched   │
//! ```
//!
//! A chunk is longer than its block where the block grew once, or is smaller than the one before it.
//! What lies behind the block with contents is its **tail**; chunks without a block are **spares**.
//! Both are idle memory, and the budget counts them. Nothing here calls the system: this is what the
//! ground's lock protects.

use core::ptr::NonNull;

use crate::class::FRAME;
use crate::huge::Uses;

/// Chains of the table.
const CHAINS: usize = 64;
/// Spares at most.
pub(crate) const SPARES: usize = 16;

/// One chunk; lies in a scrap.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Own {
    pub(crate) base: NonNull<u8>,
    /// Bytes of the block.
    pub(crate) len: usize,
    /// Bytes of the chunk.
    pub(crate) whole: usize,
    /// Bytes from the base on that may have contents.
    pub(crate) warm: usize,
    /// Whether the block outgrew a chunk, or a run, before.
    pub(crate) grown: bool,
    /// Blocks that it served before this one.
    pub(crate) uses: Uses,
    pub(crate) next: Option<NonNull<Own>>,
}

impl Own {
    /// A chunk of `whole` bytes without contents, for a block of `len`.
    pub(crate) fn new(base: NonNull<u8>, len: usize, whole: usize, grown: bool) -> Self {
        Self { base, len, whole, warm: len, grown, uses: Uses::NONE, next: None }
    }

    /// Bytes with contents behind the block.
    fn tail(&self) -> usize {
        self.warm - self.len
    }
}

/// A spare that was chosen for a block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chosen {
    /// In nobody's table now.
    pub(crate) at: NonNull<Own>,
    pub(crate) own: Own,
}

/// All chunks of a heap.
#[derive(Debug)]
pub(crate) struct Owns {
    chains: [Option<NonNull<Own>>; CHAINS],
    /// Those without a block, the one that was freed first before the others.
    spares: [Option<NonNull<Own>>; SPARES],
    spare_count: usize,
    /// Bytes of blocks.
    pub(crate) bytes: usize,
    /// Blocks.
    pub(crate) count: usize,
    /// Bytes of all chunks.
    pub(crate) whole: usize,
    /// Bytes with contents and without a block: spares and tails.
    pub(crate) idle: usize,
    /// Bytes that went back to the source and were not taken again so far.
    released: usize,
}

impl Owns {
    pub(crate) const fn new() -> Self {
        Self {
            chains: [None; CHAINS],
            spares: [None; SPARES],
            spare_count: 0,
            bytes: 0,
            count: 0,
            whole: 0,
            idle: 0,
            released: 0,
        }
    }

    fn chain(base: NonNull<u8>) -> usize {
        let page = base.addr().get() / FRAME;
        (page ^ page >> 6 ^ page >> 9) % CHAINS
    }

    /// Chunks, with a block or without.
    pub(crate) fn total(&self) -> usize {
        self.count + self.spare_count
    }

    /// Puts a block's chunk into the table.
    ///
    /// # Safety
    ///
    /// 1. `at` is a scrap for an [`Own`], and in nobody's table.
    pub(crate) unsafe fn insert(&mut self, at: NonNull<Own>, own: Own) {
        let chain = &mut self.chains[Self::chain(own.base)];
        // SAFETY: a scrap of its own (1.).
        unsafe { at.write(Own { next: *chain, ..own }) };
        *chain = Some(at);
        self.bytes += own.len;
        self.count += 1;
        self.whole += own.whole;
        self.idle += own.tail();
    }

    /// The chunk of the block at `base`. O(1) on the average.
    pub(crate) fn find(&self, base: NonNull<u8>) -> Option<NonNull<Own>> {
        let mut next = self.chains[Self::chain(base)];
        while let Some(at) = next {
            // SAFETY: linked ones are there, and change under the lock that `self` is behind.
            let own = unsafe { at.as_ref() };
            if own.base == base {
                return Some(at);
            }
            next = own.next;
        }
        None
    }

    /// Bytes of the block at `base`, where it has a chunk to itself.
    pub(crate) fn len_at(&self, base: NonNull<u8>) -> Option<usize> {
        // SAFETY: as in `find`.
        self.find(base).map(|at| unsafe { at.as_ref() }.len)
    }

    /// Takes the chunk of the block at `base` out of the table.
    pub(crate) fn remove(&mut self, base: NonNull<u8>) -> Option<Chosen> {
        let mut link: *mut Option<NonNull<Own>> = &raw mut self.chains[Self::chain(base)];
        loop {
            // SAFETY: the link of a chain that `self` owns.
            let at = unsafe { *link }?;
            // SAFETY: linked ones are there, and ours alone.
            let own = unsafe { at.read() };
            if own.base == base {
                // SAFETY: as above.
                unsafe { *link = own.next };
                self.bytes -= own.len;
                self.count -= 1;
                self.whole -= own.whole;
                self.idle -= own.tail();
                return Some(Chosen { at, own });
            }
            // SAFETY: as above.
            link = unsafe { &raw mut (*at.as_ptr()).next };
        }
    }

    /// Gives a block another length inside its chunk. Answers how many bytes get contents.
    ///
    /// # Safety
    ///
    /// 1. `at` is in the table, and `len` is no more than its chunk.
    pub(crate) unsafe fn set_len(&mut self, at: NonNull<Own>, len: usize) -> usize {
        // SAFETY: in the table, and ours alone (1.).
        let own = unsafe { &mut *at.as_ptr() };
        debug_assert!(len <= own.whole);
        self.idle -= own.tail();
        self.bytes = self.bytes - own.len + len;
        let fresh = len.saturating_sub(own.warm);
        own.len = len;
        own.warm += fresh;
        self.idle += own.tail();
        fresh
    }

    /// Cuts the chunk of a block off behind the block. Answers the bytes cut off, and how many of
    /// them had contents.
    ///
    /// # Safety
    ///
    /// 1. `at` is in the table.
    pub(crate) unsafe fn cut(&mut self, at: NonNull<Own>) -> (usize, usize) {
        // SAFETY: in the table, and ours alone (1.).
        let own = unsafe { &mut *at.as_ptr() };
        let (behind, tail) = (own.whole - own.len, own.tail());
        self.whole -= behind;
        self.idle -= tail;
        own.whole = own.len;
        own.warm = own.len;
        (behind, tail)
    }

    /// Keeps a chunk without a block. Answers the one that has to go for it: the smallest.
    pub(crate) fn keep(&mut self, chosen: Chosen) -> Option<Chosen> {
        let Chosen { at, own } = chosen;
        // SAFETY: in nobody's table, and ours alone.
        unsafe { at.write(Own { len: 0, next: None, ..own }) };
        let gone = if self.spare_count == SPARES { self.smallest() } else { None };
        self.spares[self.spare_count] = Some(at);
        self.spare_count += 1;
        self.whole += own.whole;
        self.idle += own.warm;
        gone
    }

    fn smallest(&mut self) -> Option<Chosen> {
        let warm = |(_, spare): &(usize, Chosen)| spare.own.warm;
        let (place, _) = self.spares().enumerate().min_by_key(warm)?;
        self.take_spare(place)
    }

    /// The spares in their order.
    fn spares(&self) -> impl Iterator<Item = Chosen> + '_ {
        // SAFETY: spares are there, and change under the lock that `self` is behind.
        self.spares.iter().flatten().map(|at| Chosen { at: *at, own: unsafe { at.read() } })
    }

    fn take_spare(&mut self, place: usize) -> Option<Chosen> {
        let chosen = self.spares().nth(place)?;
        self.spares.copy_within(place + 1..self.spare_count, place);
        self.spare_count -= 1;
        self.spares[self.spare_count] = None;
        self.whole -= chosen.own.whole;
        self.idle -= chosen.own.warm;
        Some(chosen)
    }

    /// Takes the spare that was freed first.
    pub(crate) fn oldest(&mut self) -> Option<Chosen> {
        self.take_spare(0)
    }

    /// Takes the spare for a block of `len` bytes at a multiple of `align`: the shortest that is long
    /// enough, or, for a block that grows, the longest one. Else the longest, which has to be
    /// lengthened, where at least a quarter of the block has contents in it.
    pub(crate) fn choose(&mut self, len: usize, align: usize, grows: bool) -> Option<Chosen> {
        let mut best: Option<(usize, Own)> = None;
        for (place, Chosen { own, .. }) in self.spares().enumerate() {
            if !own.base.addr().get().is_multiple_of(align) {
                continue;
            }
            let better = best.is_none_or(|(_, best)| {
                if best.whole < len || (grows && own.whole >= len) {
                    own.whole > best.whole
                } else {
                    own.whole >= len && own.whole <= best.whole
                }
            });
            if better {
                best = Some((place, own));
            }
        }
        let (place, own) = best?;
        let serves = own.whole >= len || own.warm >= len / 4;
        if serves { self.take_spare(place) } else { None }
    }

    /// Whether a spare is as long as that.
    pub(crate) fn has_spare(&self, len: usize) -> bool {
        self.spares().any(|spare| spare.own.whole >= len)
    }

    /// Counts that a chunk's contents went back to the source.
    pub(crate) fn note_released(&mut self, bytes: usize) {
        self.released = self.released.saturating_add(bytes);
    }

    /// Of so many new bytes, those that went back to the source before.
    pub(crate) fn taken_again(&mut self, bytes: usize) -> usize {
        let again = bytes.min(self.released);
        self.released -= again;
        again
    }

    /// Calls `purge` with each tail of whole granules until `most` bytes went. Answers how many did, and
    /// whether all that were asked for.
    pub(crate) fn purge_tails(
        &mut self,
        granule: usize,
        most: usize,
        mut purge: impl FnMut(NonNull<u8>, usize) -> bool,
    ) -> (usize, bool) {
        let mut done = 0;
        for chain in self.chains {
            let mut next = chain;
            while let Some(at) = next {
                if done >= most {
                    return (done, true);
                }
                // SAFETY: linked ones are there, and ours alone.
                let own = unsafe { &mut *at.as_ptr() };
                next = own.next;
                let tail = own.tail();
                if tail == 0 {
                    continue;
                }
                debug_assert!(own.len.is_multiple_of(granule));
                let end = own.warm.next_multiple_of(granule).min(own.whole);
                // SAFETY: in the chunk.
                if !purge(unsafe { own.base.add(own.len) }, end - own.len) {
                    return (done, false);
                }
                own.warm = own.len;
                self.idle -= tail;
                done += tail;
            }
        }
        (done, true)
    }

    /// Calls back with each chunk that has a block.
    pub(crate) fn each(&self, mut visit: impl FnMut(&Own)) {
        for mut next in self.chains {
            while let Some(at) = next {
                // SAFETY: linked ones are there, and change under the lock that `self` is behind.
                let own = unsafe { at.as_ref() };
                visit(own);
                next = own.next;
            }
        }
    }

    /// Calls back with each spare.
    pub(crate) fn each_spare(&self, mut visit: impl FnMut(&Own)) {
        self.spares().for_each(|spare| visit(&spare.own));
    }

    /// Checks the sums against the chunks.
    pub(crate) fn is_sound(&self) -> bool {
        let (mut bytes, mut count, mut whole, mut idle) = (0, 0, 0, 0);
        let mut ordered = true;
        self.each(|own| {
            ordered &= own.len <= own.warm && own.warm <= own.whole;
            bytes += own.len;
            count += 1;
            whole += own.whole;
            idle += own.tail();
        });
        self.each_spare(|own| {
            ordered &= own.len == 0 && own.warm <= own.whole;
            whole += own.whole;
            idle += own.warm;
        });
        ordered && (bytes, count, whole, idle) == (self.bytes, self.count, self.whole, self.idle)
    }
}
