//! The slow side of a thread's stocks: their arrays, how they grow, what they give back.

use core::alloc::Layout;
use core::ptr::{self, NonNull};

use strata_core::sync::Ordering;

use super::{Stock, Stocks, adapt};
use crate::class::{self, CLASSES};
use crate::process::HEAP;

/// A stock's slow side.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cold {
    /// The null below the oldest block; null itself while the stock was never used.
    pub(super) base: *mut *mut u8,
    /// Bytes of the array where it is a scrap of its own; zero for the first one, in [`Thread`].
    pub(super) scrap: u16,
    /// Blocks that it may hold.
    pub(super) bound: u16,
    /// Visits to the slow path since the bound was last changed.
    pub(super) visits: u8,
    /// Visited since the sweep last came by.
    pub(super) fresh: bool,
}

/// The slow side of a thread, in a scrap. The first arrays are in it.
#[repr(C)]
pub(super) struct Thread {
    pub(super) stocks: *const Stocks,
    /// Neighbours in the registry.
    pub(super) next: *mut Self,
    pub(super) prev: *mut Self,
    pub(super) cold: [Cold; CLASSES],
    /// The run that was freed last, and its bytes.
    pub(super) run: *mut u8,
    pub(super) run_len: usize,
    /// Bytes of blocks that the stocks may hold beyond their first bounds.
    pub(super) bytes: usize,
    pub(super) visits: u32,
    /// `visits` at the last trim.
    pub(super) trimmed: u32,
    pub(super) hand: u16,
    pub(super) arrays: [[*mut u8; adapt::FIRST + 1]; CLASSES],
}

static_assertions::const_assert!(size_of::<Thread>() <= 8 << 10);

impl Thread {
    /// The stock of a class.
    pub(super) fn stock(&self, class: usize) -> &Stock {
        // SAFETY: the thread's own thread-locals, which live while it is registered.
        unsafe { &(*self.stocks).classes[class] }
    }

    pub(super) fn len(&self, class: usize) -> usize {
        let base = self.cold[class].base;
        if base.is_null() {
            return 0;
        }
        let top = self.stock(class).top.load(Ordering::Relaxed);
        (top.addr() - base.addr()) / size_of::<*mut u8>()
    }

    pub(super) fn set(&self, class: usize, len: usize) {
        let cold = &self.cold[class];
        // SAFETY: `len <= bound`, and the array holds the bound and a null.
        let (top, limit) = unsafe { (cold.base.add(len), cold.base.add(cold.bound.into())) };
        self.stock(class).top.store(top, Ordering::Relaxed);
        self.stock(class).limit.store(limit, Ordering::Relaxed);
    }

    /// The blocks of a stock, oldest first.
    pub(super) fn blocks(&mut self, class: usize) -> &mut [*mut u8] {
        let len = self.len(class);
        if len == 0 {
            return &mut [];
        }
        // SAFETY: above the null stand `len` blocks, in an array that only this thread reaches.
        unsafe { core::slice::from_raw_parts_mut(self.cold[class].base.add(1), len) }
    }

    /// Puts the first array under a stock that was never used.
    pub(super) fn start(&mut self, class: usize) {
        if self.cold[class].base.is_null() {
            let base = self.arrays[class].as_mut_ptr();
            // SAFETY: the first word of an array.
            unsafe { *base = ptr::null_mut() };
            let bound = adapt::first(class) as u16;
            self.cold[class] = Cold { base, scrap: 0, bound, visits: 0, fresh: true };
            self.set(class, 0);
        }
    }

    /// Counts a visit to the slow path of a class, and lets its stock grow.
    pub(super) fn visit(&mut self, class: usize) {
        self.start(class);
        self.visits = self.visits.wrapping_add(1);
        if self.visits.is_multiple_of(adapt::SWEEP) {
            self.sweep();
        }
        if self.visits.is_multiple_of(adapt::LOOK) {
            HEAP.look();
        }
        let cold = &mut self.cold[class];
        cold.fresh = true;
        cold.visits += 1;
        if cold.visits >= adapt::REPEATS {
            cold.visits = 0;
            let bound = usize::from(cold.bound);
            let grown = adapt::grown(class, bound);
            let more = grown.saturating_sub(bound) * class::cut(class).block_len();
            if grown > bound && self.bytes + more <= adapt::most_bytes(HEAP.live()) {
                self.resize(class, grown);
            }
        }
    }

    /// Gives a stock another array. Keeps the old one where there is no memory.
    pub(super) fn resize(&mut self, class: usize, bound: usize) {
        let len = self.len(class);
        debug_assert!(len <= bound);
        let bytes = ((bound + 1) * size_of::<*mut u8>()).next_power_of_two();
        let old = self.cold[class];
        if bound > adapt::FIRST && bytes != usize::from(old.scrap) {
            let all = &HEAP.territories;
            let Ok(scrap) = HEAP.ground.with(|g| g.take_scrap(&HEAP.source, all, bytes)) else {
                return;
            };
            let base = scrap.cast::<*mut u8>().as_ptr();
            // SAFETY: the old array holds a null and `len` blocks; the new one has room.
            unsafe { old.base.copy_to_nonoverlapping(base, len + 1) };
            self.cold[class].base = base;
            self.cold[class].scrap = bytes as u16;
        } else if bound <= adapt::FIRST && old.scrap != 0 {
            let base = self.arrays[class].as_mut_ptr();
            // SAFETY: as above.
            unsafe { old.base.copy_to_nonoverlapping(base, len + 1) };
            self.cold[class].base = base;
            self.cold[class].scrap = 0;
        }
        self.cold[class].bound = bound as u16;
        self.bytes += bound * class::cut(class).block_len();
        self.bytes -= usize::from(old.bound) * class::cut(class).block_len();
        self.set(class, len);
        if old.scrap != 0 && old.base != self.cold[class].base {
            give_scrap(old);
        }
    }

    /// Looks at the next class: one that was not visited since gives back half of what it has.
    pub(super) fn sweep(&mut self) {
        for _ in 0..adapt::SWEPT {
            self.hand = (self.hand + 1) % CLASSES as u16;
            let class = usize::from(self.hand);
            let cold = &mut self.cold[class];
            if cold.base.is_null() {
                continue;
            }
            if cold.fresh {
                cold.fresh = false;
                return;
            }
            let (first, bound) = (adapt::first(class), usize::from(cold.bound));
            if bound > first || self.len(class) > 0 {
                let keep = self.len(class) / 2;
                self.cut_to(class, keep);
                self.resize(class, adapt::shrunk(class, bound).max(keep));
                return;
            }
        }
    }

    /// Flushes the oldest blocks of a stock until `keep` are left. Answers whether the heap purged.
    pub(super) fn cut_to(&mut self, class: usize, keep: usize) -> bool {
        let len = self.len(class);
        if len <= keep {
            return false;
        }
        let oldest = len - keep;
        let blocks = self.blocks(class);
        let purged = HEAP.flush(class, &blocks[..oldest]);
        blocks.copy_within(oldest.., 0);
        self.set(class, keep);
        purged
    }

    /// Leaves a few blocks in every stock but one, with room for no more.
    pub(super) fn trim(&mut self, spared: Option<usize>) {
        self.trimmed = self.visits;
        for class in 0..CLASSES {
            let first = adapt::first(class);
            if Some(class) != spared && usize::from(self.cold[class].bound) > first {
                self.cut_to(class, first / 2);
                self.resize(class, first);
            }
        }
        self.put_run();
    }

    /// Gives everything back.
    pub(super) fn flush(&mut self) {
        for class in 0..CLASSES {
            self.cut_to(class, 0);
        }
        self.put_run();
    }

    /// Gives the run that was kept back.
    pub(super) fn put_run(&mut self) {
        if let Some(run) = NonNull::new(self.run) {
            let len = self.run_len;
            self.run = ptr::null_mut();
            // Relaxed: a sum that is right when nobody is counting.
            HEAP.slots.fetch_sub(len, Ordering::Relaxed);
            // SAFETY: its length is in whole frames and not zero; the run is live to the heap.
            unsafe { HEAP.put_large(run, Layout::from_size_align_unchecked(len, 1)) };
        }
    }
}

/// Gives an array's memory back.
pub(super) fn give_scrap(cold: Cold) {
    if let Some(base) = NonNull::new(cold.base.cast::<u8>()) {
        // SAFETY: 1. the array was taken with this length, and is in use no more.
        HEAP.ground.with(|ground| unsafe { ground.put_scrap(base, cold.scrap.into()) });
    }
}
