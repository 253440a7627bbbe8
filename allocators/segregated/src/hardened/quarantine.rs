//! Freed blocks wait before they are used again: what still writes to one is seen when it leaves.
//!
//! Each thread has a queue of its own, so that nothing is shared: first in, first out, bounded in blocks and
//! in bytes. Large blocks wait untouchable, so that a read or a write faults; small ones are poisoned. A
//! thread that ends, or flushes its stocks, gives up what waits.

use core::cell::Cell;
use core::ptr::{self, NonNull};

use super::large::{self, Kept};
use super::{put_plain, small};
use crate::class;
use crate::stocks::{self, Stocks};

/// Small blocks of a thread that wait, at most: half a sheet of scraps.
const MOST: usize = 1984 / size_of::<Entry>();
/// Their bytes, at most: they are cleared and looked at, and should still be in the nearest cache then.
const BYTES: usize = 16 << 10;
/// Large blocks of a thread that wait, at most.
const LARGE: usize = 4;

/// A small block that waits.
#[derive(Clone, Copy, Debug)]
struct Entry {
    block: *mut u8,
    class: usize,
}

/// The queues of a thread.
#[derive(Debug)]
pub(super) struct Waiting {
    /// Places of small blocks, a ring; null until the first one.
    ring: Cell<*mut Entry>,
    first: Cell<usize>,
    count: Cell<usize>,
    bytes: Cell<usize>,
    /// Large blocks, a ring, and the place of the next one.
    large: [Cell<Kept>; LARGE],
    next: Cell<usize>,
}

impl Waiting {
    pub(super) const fn new() -> Self {
        Self {
            ring: Cell::new(ptr::null_mut()),
            first: Cell::new(0),
            count: Cell::new(0),
            bytes: Cell::new(0),
            large: [const { Cell::new(Kept::NONE) }; LARGE],
            next: Cell::new(0),
        }
    }

    /// The block that waits longest.
    #[inline(always)]
    fn pop(&self) -> Option<Entry> {
        let count = self.count.get();
        if count == 0 {
            return None;
        }
        let first = self.first.get();
        // SAFETY: the ring is there where something waits, and places are below its length.
        let entry = unsafe { *self.ring.get().add(first) };
        self.first.set(if first + 1 == MOST { 0 } else { first + 1 });
        self.count.set(count - 1);
        self.bytes.set(self.bytes.get() - class::cut(entry.class).block_len());
        Some(entry)
    }

    /// # Safety
    ///
    /// 1. The ring is there, and not full.
    #[inline(always)]
    unsafe fn push(&self, entry: Entry) {
        let (first, count) = (self.first.get(), self.count.get());
        debug_assert!(count < MOST);
        let place = first + count;
        let place = if place >= MOST { place - MOST } else { place };
        // SAFETY: 1. the caller's; a place of it.
        unsafe { self.ring.get().add(place).write(entry) };
        self.count.set(count + 1);
        self.bytes.set(self.bytes.get() + class::cut(entry.class).block_len());
    }

    /// Takes out the large block that waits longest of those that are as `fits` wants them, where others wait
    /// that were freed later.
    pub(super) fn take_large(&self, fits: impl Fn(&Kept) -> bool) -> Option<Kept> {
        let oldest = self.next.get();
        // The last one is the one that was freed last.
        let places = (0..LARGE - 1).map(|step| &self.large[(oldest + step) % LARGE]);
        let place = places.into_iter().find(|place| fits(&place.get()))?;
        Some(place.replace(Kept::NONE))
    }

    /// Whether a large block waits here.
    pub(super) fn has_large(&self, block: NonNull<u8>) -> bool {
        self.large.iter().any(|kept| kept.get().block == block.as_ptr())
    }
}

/// Has a block of `class`, poisoned, wait.
#[inline(always)]
pub(super) fn keep(stocks: &Stocks, class: usize, block: *mut u8) {
    let waiting = &stocks.here.waiting;
    if waiting.ring.get().is_null() && !begin(stocks) {
        // SAFETY: 1. a block that was just freed.
        return unsafe { put_plain(stocks, class, block) };
    }
    let len = class::cut(class).block_len();
    while waiting.count.get() == MOST || waiting.bytes.get() + len > BYTES {
        let Some(entry) = waiting.pop() else { break };
        leave(stocks, entry);
    }
    // SAFETY: 1. begun, and room was made.
    unsafe { waiting.push(Entry { block, class }) };
}

/// Makes the ring. `false` where the thread has no stocks, and nobody would take back what waits.
#[cold]
#[inline(never)]
fn begin(stocks: &Stocks) -> bool {
    if !stocks::are_there(stocks) {
        return false;
    }
    let Some(ring) = stocks::take_scrap(MOST * size_of::<Entry>()) else { return false };
    stocks.here.waiting.ring.set(ring.as_ptr().cast());
    true
}

/// A block leaves.
#[inline(always)]
fn leave(stocks: &Stocks, Entry { block, class }: Entry) {
    // SAFETY: 1. it waited, here and there.
    unsafe {
        small::check_untouched(class, block);
        put_plain(stocks, class, block);
    }
}

/// Has a large block wait. Answers the one that leaves for it, or itself where none may wait.
pub(super) fn keep_large(stocks: &Stocks, kept: Kept) -> Kept {
    if !stocks::are_there(stocks) {
        return kept;
    }
    let waiting = &stocks.here.waiting;
    let place = waiting.next.get();
    waiting.next.set((place + 1) % LARGE);
    waiting.large[place].replace(kept)
}

/// All that waits leaves, and the ring with it.
#[cold]
pub(super) fn drain(stocks: &Stocks) {
    let waiting = &stocks.here.waiting;
    while let Some(entry) = waiting.pop() {
        leave(stocks, entry);
    }
    for place in &waiting.large {
        large::leave(stocks, place.replace(Kept::NONE));
    }
    if let Some(ring) = NonNull::new(waiting.ring.replace(ptr::null_mut())) {
        // SAFETY: 1. taken with this length, and empty.
        unsafe { stocks::give_scrap(ring.cast(), MOST * size_of::<Entry>()) };
    }
}
