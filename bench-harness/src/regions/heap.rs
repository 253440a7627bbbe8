//! A fresh allocator with the blocks that a workload holds.

use super::RegionSubject;
use super::ground::Ground;
use crate::adversary::Holder;
use crate::kernel::Random;
use std::alloc::Layout;

/// Alignment of all blocks but some of `check`'s.
pub(super) const ALIGN: usize = 8;

/// The layout of so many bytes.
#[inline(always)]
pub(super) fn layout(bytes: usize) -> Layout {
    // SAFETY: 8 is a power of two, and no workload asks for more than a region.
    unsafe { Layout::from_size_align_unchecked(bytes, ALIGN) }
}

/// A live block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held<B> {
    pub(super) block: B,
    pub(super) bytes: u32,
}

/// An allocator over the first bytes of the ground, and what is taken of it.
#[derive(Debug)]
pub(super) struct Heap<'g, R: RegionSubject> {
    pub(super) subject: R,
    pub(super) ground: &'g Ground,
    pub(super) held: Vec<Held<R::Block>>,
    /// Requested bytes of all of them.
    pub(super) live: usize,
}

impl<'g, R: RegionSubject> Heap<'g, R> {
    /// A fresh allocator; the caller has one heap on a ground at a time.
    pub(super) fn new(ground: &'g Ground, bytes: usize) -> Result<Self, String> {
        // SAFETY: 1. heaps of one ground follow each other, since the caller has one at a time. 2. it
        // is borrowed for as long as the heap lives.
        let subject = unsafe { R::new(ground.region(bytes)) };
        let subject = subject.ok_or_else(|| format!("no region of {bytes} bytes"))?;
        Ok(Self { subject, ground, held: Vec::new(), live: 0 })
    }

    /// Takes a block and holds it; false where there is no room.
    pub(super) fn take(&mut self, bytes: usize) -> bool {
        let Some(block) = self.subject.allocate(layout(bytes)) else { return false };
        self.touch(block, bytes);
        self.held.push(Held { block, bytes: bytes as u32 });
        self.live += bytes;
        true
    }

    /// Gives back the block in a place; the last one takes the place.
    pub(super) fn give(&mut self, place: usize) {
        let Held { block, bytes } = self.held.swap_remove(place);
        self.live -= bytes as usize;
        // SAFETY: 1. it was held, hence live, and taken with this layout.
        unsafe { self.subject.free(block, layout(bytes as usize)) };
    }

    /// Gives everything back, the newest first.
    pub(super) fn clear(&mut self) {
        while !self.held.is_empty() {
            self.give(self.held.len() - 1);
        }
    }

    /// Writes a word where the region is memory.
    #[inline(always)]
    pub(super) fn touch(&self, block: R::Block, bytes: usize) {
        if R::IN_MEMORY {
            self.ground.touch(self.subject.start(block), bytes, bytes as u64);
        }
    }

    /// Gives a random block back and takes another of so many bytes.
    #[inline(always)]
    pub(super) fn replace(&mut self, place: usize, bytes: usize) {
        let old = self.held[place];
        // SAFETY: 1. it is held, hence live, and was taken with this layout.
        unsafe { self.subject.free(old.block, layout(old.bytes as usize)) };
        let Some(block) = self.subject.allocate(layout(bytes)) else { full(bytes) };
        self.touch(block, bytes);
        self.held[place] = Held { block, bytes: bytes as u32 };
    }

    /// Takes blocks of random sizes until `blocks` are held.
    pub(super) fn fill(&mut self, blocks: usize, greatest: u32, random: &mut Random) {
        while self.held.len() < blocks {
            let bytes = random.between(1, greatest) as usize;
            if !self.take(bytes) {
                full(bytes);
            }
        }
    }

    /// Shuffles what is held.
    pub(super) fn shuffle(&mut self, random: &mut Random) {
        for index in (1..self.held.len()).rev() {
            self.held.swap(index, random.between(0, index as u32) as usize);
        }
    }

    /// The most bytes that one block can have now, to a step of 8.
    pub(super) fn largest(&mut self, most: usize) -> usize {
        let (mut fits, mut fails) = (0, most / ALIGN + 1);
        while fits + 1 < fails {
            let middle = usize::midpoint(fits, fails);
            match self.subject.allocate(layout(middle * ALIGN)) {
                Some(block) => {
                    // SAFETY: 1. just taken with this layout.
                    unsafe { self.subject.free(block, layout(middle * ALIGN)) };
                    fits = middle;
                }
                None => fails = middle,
            }
        }
        fits * ALIGN
    }

    /// Bytes in use of each of `cells` equal parts of the region, as shares of 256.
    pub(super) fn map(&self, region: usize, cells: usize) -> Vec<u16> {
        let cell = region.div_ceil(cells);
        let mut used = vec![0_usize; cells];
        for held in &self.held {
            let start = self.subject.start(held.block);
            let end = start + held.bytes as usize;
            let mut from = start;
            while from < end {
                let to = end.min((from / cell + 1) * cell);
                used[from / cell] += to - from;
                from = to;
            }
        }
        // A cell with a byte in use is not free.
        used.into_iter().map(|bytes| (bytes * 256).div_ceil(cell).min(256) as u16).collect()
    }
}

impl<R: RegionSubject> Holder for Heap<'_, R> {
    fn take(&mut self, bytes: usize) -> bool {
        Heap::take(self, bytes)
    }

    fn give(&mut self, place: usize) {
        Heap::give(self, place);
    }

    fn count(&self) -> usize {
        self.held.len()
    }

    fn start(&self, place: usize) -> usize {
        self.subject.start(self.held[place].block)
    }

    fn bytes(&self, place: usize) -> usize {
        self.held[place].bytes as usize
    }
}

#[cold]
#[inline(never)]
fn full(bytes: usize) -> ! {
    panic!("no room for {bytes} bytes although there must be")
}
