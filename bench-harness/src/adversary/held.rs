//! Blocks of any subject, its heap growing as it likes.

use super::Holder;
use crate::child::history::{self, History};
use crate::footprint::{Zeroed, anonymous, table};
use crate::kernel::Random;
use crate::subject::Subject;
use std::alloc::Layout;
use std::io;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

/// A live block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block {
    address: u64,
    bytes: u64,
}

// SAFETY: 1. numbers.
unsafe impl Zeroed for Block {}

/// What is held, in tables that lie in mappings of their own.
pub(super) struct Held<S: 'static> {
    subject: &'static S,
    blocks: &'static mut [Block],
    count: usize,
    /// Bytes asked for.
    pub(super) live: usize,
    pages: History<'static>,
    base: u64,
}

/// The alignment of every block: what most Rust values have.
const ALIGN: usize = 8;

impl<S: Subject> Held<S> {
    /// Nothing is held; there is room for so many blocks. The subject has served a block before.
    pub(super) fn new(subject: &'static S, room: usize) -> io::Result<Self> {
        let map = crate::shared::map_unnamed(history::BYTES);
        let map = map.ok_or_else(io::Error::last_os_error)?.cast::<AtomicU64>();
        // SAFETY: the mapping is new, as long as that, page-aligned, lives for ever and is zero, of
        // which counters may be made.
        let map = unsafe { std::slice::from_raw_parts(map.as_ptr(), history::BYTES / 8) };
        static USED: AtomicU32 = AtomicU32::new(0);
        USED.store(0, Relaxed);
        let pages = History::new(map, &USED);
        let mut held = Self { subject, blocks: table(room)?, count: 0, live: 0, pages, base: 0 };
        if !held.take(64) {
            return Err(io::Error::other("a block of 64 bytes was refused"));
        }
        held.give(0);
        held.base = anonymous()?;
        Ok(held)
    }

    /// Anonymous bytes beyond those before the first block.
    pub(super) fn resident(&self) -> io::Result<u64> {
        Ok(anonymous()?.saturating_sub(self.base))
    }

    /// Bytes of the pages that ever held a block.
    pub(super) fn ever(&self) -> u64 {
        self.pages.pages() * 4096
    }

    /// Bytes of the pages that hold a live block now.
    pub(super) fn pinned(&mut self) -> u64 {
        self.sort();
        let (mut next, mut pages) = (0, 0);
        for block in &self.blocks[..self.count] {
            let last = (block.address + block.bytes - 1) >> 12;
            let first = (block.address >> 12).max(next);
            pages += (last + 1).saturating_sub(first);
            next = next.max(last + 1);
        }
        pages * 4096
    }

    /// Puts what is held in the order of addresses.
    pub(super) fn sort(&mut self) {
        self.blocks[..self.count].sort_unstable_by_key(|block| block.address);
    }

    /// Puts what is held in an order by chance.
    pub(super) fn shuffle(&mut self, random: &mut Random) {
        for index in (1..self.count).rev() {
            self.blocks.swap(index, random.between(0, index as u32) as usize);
        }
    }

    /// Takes blocks of `sizes` until they have so many bytes together; how many those are.
    pub(super) fn take_until(
        &mut self,
        bytes: usize,
        mut sizes: impl FnMut() -> usize,
    ) -> io::Result<usize> {
        let before = self.live;
        while self.live - before < bytes {
            if !self.take(sizes()) {
                return Err(io::Error::other("an allocation was refused"));
            }
        }
        Ok(self.live - before)
    }

    /// Gives back the blocks from a place on, the last one first.
    pub(super) fn keep(&mut self, count: usize) {
        while self.count > count {
            self.give(self.count - 1);
        }
    }
}

fn layout(bytes: usize) -> Layout {
    // SAFETY: 8 is a power of two, and no program asks for more than some GiB.
    unsafe { Layout::from_size_align_unchecked(bytes, ALIGN) }
}

impl<S: Subject> Holder for Held<S> {
    fn take(&mut self, bytes: usize) -> bool {
        // SAFETY: no program asks for 0 bytes; a block that is not null is writable for its size.
        unsafe {
            let block = self.subject.alloc(layout(bytes));
            if block.is_null() || self.count == self.blocks.len() {
                return false;
            }
            if S::TOUCHABLE {
                block.write_bytes(1, bytes);
            }
            let address = block.expose_provenance() as u64;
            self.pages.mark(address as usize, bytes);
            self.blocks[self.count] = Block { address, bytes: bytes as u64 };
        }
        self.count += 1;
        self.live += bytes;
        true
    }

    fn give(&mut self, place: usize) {
        let Block { address, bytes } = self.blocks[place];
        self.count -= 1;
        self.blocks[place] = self.blocks[self.count];
        self.live -= bytes as usize;
        // SAFETY: it was held, hence live, and taken with this layout.
        unsafe {
            let block = std::ptr::with_exposed_provenance_mut(address as usize);
            self.subject.dealloc(block, layout(bytes as usize));
        }
    }

    fn count(&self) -> usize {
        self.count
    }

    fn start(&self, place: usize) -> usize {
        self.blocks[place].address as usize
    }

    fn bytes(&self, place: usize) -> usize {
        self.blocks[place].bytes as usize
    }
}
