//! The large block that a thread freed last, kept for the next request of its size.
//!
//! While the block is out again the slot remembers it, and counts on it to come back: a program that
//! takes and frees one large block at a time changes nothing but the slot's own words. What the slot
//! counts as kept is too much by the block that is out, until the thread comes by a slow path.

use core::alloc::Layout;
use core::cell::Cell;
use core::ptr::{self, NonNull};

use strata_core::misuse;
use strata_core::sync::Ordering;
use strata_core::sync::unexplored::AtomicUsize;

use super::zero::Habit;
use crate::central::Platform;
use crate::class::FRAME;
use crate::process::{HEAP, Process};

/// Times that the block comes back before somebody looks whether it may still be kept, at most: they
/// double while it does so within [`OFTEN`].
const TURNS: u32 = 64;
/// Milliseconds.
const OFTEN: u32 = 100;
/// What stands for no size: zero, as a thread's words are at first.
const NONE: usize = 0;

/// What stands for the size of a layout.
#[inline(always)]
fn key(layout: Layout) -> usize {
    layout.size() + 1
}

/// Written by its thread alone; others read `free` and `len` to count. Relaxed, all: nothing is read through it.
#[derive(Debug)]
pub(super) struct Slot {
    /// The block; null where there was none yet.
    at: Cell<*mut u8>,
    /// The [`key`] of the layout that it was freed with.
    size: Cell<usize>,
    /// That key while the block is here, [`NONE`] while it is out.
    free: AtomicUsize,
    /// Its bytes, which count as kept.
    len: AtomicUsize,
    /// Turns until somebody looks, how many there were after the last look, and when that was.
    turns: Cell<u32>,
    all_turns: Cell<u32>,
    looked: Cell<u32>,
    /// Whether all its pages have contents.
    pub(super) dense: Cell<bool>,
    /// What the thread does with large blocks that it wants zeroed.
    pub(super) habit: Habit,
}

impl Slot {
    pub(super) const fn new() -> Self {
        Self {
            at: Cell::new(ptr::null_mut()),
            size: Cell::new(NONE),
            free: AtomicUsize::new(NONE),
            len: AtomicUsize::new(0),
            turns: Cell::new(0),
            all_turns: Cell::new(0),
            looked: Cell::new(0),
            dense: Cell::new(false),
            habit: Habit::new(),
        }
    }

    /// The block, if it is here and was freed with this layout's size.
    #[inline(always)]
    pub(super) fn take(&self, layout: Layout) -> Option<*mut u8> {
        // Blocks begin at frames; a higher alignment may be there by chance.
        let fits = self.free.load(Ordering::Relaxed) == key(layout) && layout.align() <= FRAME;
        fits.then(|| {
            self.free.store(NONE, Ordering::Relaxed);
            self.at.get()
        })
    }

    /// Takes the block back that went out last, if it is this one. Answers false where somebody has
    /// to look first.
    #[inline(always)]
    pub(super) fn put(&self, block: *mut u8, layout: Layout) -> bool {
        if self.at.get() != block || self.size.get() != key(layout) {
            return false;
        }
        if self.free.load(Ordering::Relaxed) == key(layout) {
            misuse::stop("a large block was freed twice");
        }
        let turns = self.turns.get();
        if turns == 0 {
            return false;
        }
        self.turns.set(turns - 1);
        self.free.store(key(layout), Ordering::Relaxed);
        true
    }

    /// The block, if it is here, is at a multiple of the layout's alignment and has `len` bytes.
    pub(super) fn take_like(&self, layout: Layout, len: usize) -> Option<*mut u8> {
        let at = self.at.get();
        if self.free.load(Ordering::Relaxed) == NONE
            || self.len.load(Ordering::Relaxed) != len
            || !at.addr().is_multiple_of(layout.align())
        {
            return None;
        }
        self.free.store(NONE, Ordering::Relaxed);
        self.size.set(key(layout));
        Some(at)
    }

    /// Whether `block` is the one that went out last.
    pub(super) fn expects(&self, block: *mut u8, len: usize) -> bool {
        self.at.get() == block
            && self.len.load(Ordering::Relaxed) == len
            && self.free.load(Ordering::Relaxed) == NONE
    }

    /// Stops the process where `block` is here already.
    pub(super) fn check(&self, block: *mut u8) {
        if self.at.get() == block && self.free.load(Ordering::Relaxed) != NONE {
            misuse::stop("a large block was freed twice");
        }
    }

    /// Bytes that count as kept.
    pub(super) fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    /// Keeps a block of `len` bytes, which is live to the heap; the slot has none.
    pub(super) fn keep(&self, block: *mut u8, layout: Layout, len: usize) {
        if self.at.get() != block || self.len.load(Ordering::Relaxed) != len {
            self.settle();
            self.at.set(block);
            self.len.store(len, Ordering::Relaxed);
            self.dense.set(false);
            HEAP.slots.fetch_add(len, Ordering::Relaxed);
        }
        self.size.set(key(layout));
        self.wind();
        self.free.store(key(layout), Ordering::Relaxed);
    }

    /// Lets the block come back some times before the next look. A program that uses it now and then
    /// comes by here often: with it the budget sees that time passes.
    fn wind(&self) {
        let now = Process::now() as u32;
        let elapsed = now.wrapping_sub(self.looked.replace(now));
        let turns = self.all_turns.get();
        let turns = if elapsed < OFTEN { (2 * turns + 1).min(TURNS) } else { turns / 4 };
        self.all_turns.set(turns);
        self.turns.set(turns);
    }

    /// Gives the block back to the heap, if it is here.
    pub(super) fn give(&self) {
        let size = self.free.load(Ordering::Relaxed);
        if let Some(block) = NonNull::new(self.at.get())
            && size != NONE
        {
            self.free.store(NONE, Ordering::Relaxed);
            self.settle();
            // SAFETY: its own size, and it is live to the heap; blocks of the slot were asked for
            // with alignments that are there whatever is said here.
            unsafe { HEAP.put_large(block, Layout::from_size_align_unchecked(size - 1, 1)) };
        }
    }

    /// Forgets the block if it is out, and gives it back where so much may not be kept any more.
    pub(super) fn sweep(&self) {
        self.settle();
        let (in_spans, outside) = HEAP.idle_outside();
        if self.free_bytes() != 0 && in_spans + outside > HEAP.limit() {
            self.give();
        }
    }

    /// Forgets the block if it is out: it does not count as kept any more.
    pub(super) fn settle(&self) {
        if self.free.load(Ordering::Relaxed) == NONE && !self.at.get().is_null() {
            HEAP.slots.fetch_sub(self.len.load(Ordering::Relaxed), Ordering::Relaxed);
            self.at.set(ptr::null_mut());
            self.len.store(0, Ordering::Relaxed);
        }
    }

    /// Bytes of the block if it is here, for others to count.
    pub(super) fn free_bytes(&self) -> usize {
        match self.free.load(Ordering::Relaxed) {
            NONE => 0,
            _ => self.len(),
        }
    }
}
