//! The slow side of a thread's stocks: their arrays, how they grow, what they give back.

use core::ptr::{self, NonNull};

use strata_core::sync::Ordering;

use super::adapt::Pace;
use super::life::{are_several, flush_left};
use super::peak::ALL;
use super::{Stocks, adapt, passed};
use crate::central::Platform;
use crate::class::{self, CLASSES};
use crate::process::{self, HEAP, Process};
use crate::resident::Grown;

/// A stock's slow side.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cold {
    /// The null below the oldest block; null itself while the stock was never used.
    pub(super) base: *mut *mut u8,
    /// Bytes of the array where it is a scrap of its own; zero for the first one, in [`Thread`].
    pub(super) scrap: u16,
    /// Blocks that it may hold.
    pub(super) bound: u16,
    /// [`Thread::visits`] at the last visit to the slow path.
    pub(super) last: u16,
    /// Visits up to that one, without a break, that found it empty, or else full.
    pub(super) took: u8,
    pub(super) gave: u8,
}

impl Cold {
    /// Gives the array back where it is a scrap.
    ///
    /// # Safety
    ///
    /// 1. The array is in use no more.
    pub(super) unsafe fn give(self) {
        if self.scrap != 0
            && let Some(base) = NonNull::new(self.base)
        {
            // SAFETY: 1. taken with this length; the caller's.
            unsafe { give_scrap(base.cast(), self.scrap.into()) };
        }
    }
}

/// The slow side of a thread, in a scrap. The first arrays are in it.
#[repr(C)]
pub(super) struct Thread {
    pub(super) stocks: *const Stocks,
    /// The number of the thread that has them.
    pub(super) owner: usize,
    /// Neighbours in the registry.
    pub(super) next: *mut Self,
    pub(super) prev: *mut Self,
    pub(super) cold: [Cold; CLASSES],
    /// Blocks in each stock while no thread has them.
    pub(super) left: [u16; CLASSES],
    /// Bytes of blocks that the stocks may hold beyond their first bounds.
    pub(super) bytes: usize,
    pub(super) visits: u32,
    pub(super) pace: Pace,
    pub(super) hand: u16,
    pub(super) trim_hand: u16,
    /// Bytes of new memory since the last trim.
    pub(super) grown: usize,
    pub(super) arrays: [[*mut u8; adapt::FIRST + 1]; CLASSES],
}

static_assertions::const_assert!(size_of::<Thread>() <= 8 << 10);

/// Why a stock is trimmed.
#[derive(Clone, Copy)]
enum Trim {
    /// The heap takes new memory near its high mark.
    NearPeak,
    /// So much is free that some was purged.
    Purged,
}

impl Thread {
    /// The thread's own words.
    pub(super) fn stocks(&self) -> &Stocks {
        // SAFETY: the thread's own thread-locals, which live while it is registered.
        unsafe { &*self.stocks }
    }

    /// Bytes of blocks in stocks that no thread has.
    pub(super) fn left_bytes(&self) -> usize {
        let bytes =
            |(class, &blocks): (usize, &u16)| class::cut(class).block_len() * usize::from(blocks);
        self.left.iter().enumerate().map(bytes).sum()
    }

    /// Bytes of blocks in the stocks.
    pub(super) fn stocked_bytes(&self) -> usize {
        (0..CLASSES).map(|class| self.len(class) * class::cut(class).block_len()).sum()
    }

    /// Bytes that the stocks take themselves.
    pub(super) fn own_bytes(&self) -> usize {
        size_of::<Self>() + self.cold.iter().map(|cold| usize::from(cold.scrap)).sum::<usize>()
    }

    pub(super) fn len(&self, class: usize) -> usize {
        let base = self.cold[class].base;
        if base.is_null() {
            return 0;
        }
        let top = self.stocks().tops[class].load(Ordering::Relaxed);
        (top.addr() - base.addr()) / size_of::<*mut u8>()
    }

    pub(super) fn set(&self, class: usize, len: usize) {
        let cold = &self.cold[class];
        // SAFETY: `len <= bound`, and the array holds the bound and a null.
        let (top, limit) = unsafe { (cold.base.add(len), cold.base.add(cold.bound.into())) };
        self.stocks().tops[class].store(top, Ordering::Relaxed);
        self.stocks().limits[class].store(limit, Ordering::Relaxed);
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
            self.cold[class] =
                Cold { base, scrap: 0, bound, last: self.visits as u16, took: 0, gave: 0 };
            self.set(class, 0);
        }
    }

    /// Counts a visit to the slow path of a class, which takes a block or puts one back, and lets its
    /// stock grow. Answers how many visits ago the last one of this class was.
    pub(super) fn visit(&mut self, class: usize, takes: bool) -> u16 {
        self.start(class);
        self.visits = self.visits.wrapping_add(1);
        if self.visits.is_multiple_of(adapt::SWEEP) {
            self.sweep();
            self.trim_owed(class);
        }
        if self.visits.is_multiple_of(Pace::LOOK) {
            self.pace.look(Process::now());
        }
        if self.visits.is_multiple_of(adapt::LOOK) {
            HEAP.look();
        }
        let now = self.visits as u16;
        let last = core::mem::replace(&mut self.cold[class].last, now);
        let turn = now.wrapping_sub(last);
        let Cold { took, gave, .. } = self.cold[class];
        self.cold[class].took = if takes { took.saturating_add(1) } else { 0 };
        self.cold[class].gave = if takes { 0 } else { gave.saturating_add(1) };
        let bound = usize::from(self.cold[class].bound);
        if turn <= adapt::soon(class) && self.pace.is_fast() {
            let grown = adapt::grown(class, bound);
            let more = grown.saturating_sub(bound) * class::cut(class).block_len();
            let (mine, high) = (self.bytes + more, HEAP.resident.high());
            let may = if takes || took != 0 {
                adapt::may_grow(mine, ALL.bytes() + more, high)
            } else {
                adapt::may_pass_on(bound, mine, high, turn)
            };
            if more != 0 && may {
                self.resize(class, grown);
            }
        }
        turn
    }

    /// Halves a full stock, or its bound too where it had another use once, in this thread or in one
    /// that left it, and is only ever full now. Answers whether the heap purged.
    pub(super) fn halve(&mut self, class: usize, turn: u16) -> bool {
        let Cold { bound, gave, .. } = self.cold[class];
        let bound = usize::from(bound);
        let high = HEAP.resident.high();
        if gave < adapt::GAVE
            || bound <= adapt::first(class)
            || adapt::may_pass_on(bound - 1, self.bytes, high, turn)
        {
            return self.cut_to(class, bound / 2);
        }
        let bound = adapt::shrunk(class, bound);
        let purged = self.cut_to(class, bound / 2);
        self.resize(class, bound);
        self.cold[class].gave = 0;
        purged
    }

    /// Gives a stock another array. Keeps the old one where there is no memory.
    pub(super) fn resize(&mut self, class: usize, bound: usize) {
        let len = self.len(class);
        debug_assert!(len <= bound);
        let bytes = ((bound + 1) * size_of::<*mut u8>()).next_power_of_two();
        let old = self.cold[class];
        if bound > adapt::FIRST && bytes != usize::from(old.scrap) {
            let Some(scrap) = take_scrap(bytes) else { return };
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
        let before = self.bytes;
        self.bytes += bound * class::cut(class).block_len();
        self.bytes -= usize::from(old.bound) * class::cut(class).block_len();
        ALL.count(before, self.bytes);
        self.set(class, len);
        if old.base != self.cold[class].base {
            // SAFETY: 1. the thread has another array now.
            unsafe { old.give() };
        }
    }

    /// Looks at the next classes: the first that was not visited for long gives back half of what it
    /// has.
    pub(super) fn sweep(&mut self) {
        let now = self.visits as u16;
        self.stocks().slot.sweep();
        for _ in 0..adapt::SWEPT {
            self.hand = (self.hand + 1) % CLASSES as u16;
            let class = usize::from(self.hand);
            let cold = &self.cold[class];
            if cold.base.is_null() || now.wrapping_sub(cold.last) <= adapt::long(class) {
                continue;
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

    /// Leaves the older half of a full stock for threads that run out of this class, if this one does
    /// nothing but free blocks of it.
    pub(super) fn pass_on(&mut self, class: usize, turn: u16) {
        let Cold { bound, gave, .. } = self.cold[class];
        if adapt::passes_on(bound.into(), gave, turn) {
            let blocks = self.blocks(class);
            let (len, half) = (blocks.len(), blocks.len() / 2);
            let passed = passed::put(class, &blocks[..half]);
            blocks.copy_within(passed.., 0);
            self.set(class, len - passed);
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
        let purged = process::flush(class, &blocks[..oldest]);
        blocks.copy_within(oldest.., 0);
        self.set(class, keep);
        purged
    }

    /// Trims stocks other than that of `class` where the heap comes near its peak: what they hold
    /// would pin memory beside it. How much of them depends on how much memory is new.
    pub(super) fn trim_near_peak(&mut self, class: usize, grown: Grown) {
        if grown.bytes == 0 {
            return;
        }
        self.grown += grown.bytes;
        if HEAP.resident.is_near() && ALL.wants_trim(self.grown, HEAP.resident.high()) {
            let wanted = adapt::TRIMMED * core::mem::take(&mut self.grown);
            let rest = self.trim_some(class, wanted);
            if rest != 0 {
                let rest = flush_left(rest);
                // A thread that only frees takes no new memory, and would keep what it has.
                ALL.owe(if are_several() { rest } else { 0 });
            }
        }
    }

    /// Trims what another thread owes to the heap's peak, and leaves half of what this one does not have
    /// for the next one: so it ends, whatever threads have.
    fn trim_owed(&mut self, class: usize) {
        let owed = ALL.take_owed();
        if owed != 0 {
            ALL.owe(self.trim_some(class, owed) / 2);
        }
    }

    /// Trims stocks other than that of `class` until `bytes` went. Answers how many did not.
    fn trim_some(&mut self, class: usize, bytes: usize) -> usize {
        let mut rest = bytes;
        for _ in 0..CLASSES {
            self.trim_hand = (self.trim_hand + 1) % CLASSES as u16;
            let next = usize::from(self.trim_hand);
            if next != class {
                rest = rest.saturating_sub(self.trim_class(next, Trim::NearPeak));
            }
            if rest == 0 {
                return 0;
            }
        }
        self.stocks().slot.give();
        rest
    }

    /// Trims all stocks, and those that ended threads left.
    pub(super) fn trim(&mut self) {
        for class in 0..CLASSES {
            self.trim_class(class, Trim::Purged);
        }
        self.stocks().slot.give();
        flush_left(usize::MAX);
    }

    /// Leaves a few blocks in a stock that was asked for of late, and none in another, and gives it a
    /// smaller bound. Answers how many bytes went.
    fn trim_class(&mut self, class: usize, why: Trim) -> usize {
        let cold = self.cold[class];
        if cold.base.is_null() {
            return 0;
        }
        // Even one block of a class that nobody asks for may pin a page.
        let first = adapt::first(class);
        let of_late = (self.visits as u16).wrapping_sub(cold.last) <= adapt::soon(class);
        let (asked_for, bound) = match why {
            Trim::NearPeak => (of_late, adapt::shrunk(class, cold.bound.into())),
            // What a thread frees now it need not want back.
            Trim::Purged => (of_late && cold.took != 0, first),
        };
        let (len, keep) = (self.len(class), if asked_for { first / 2 } else { 0 });
        self.cut_to(class, keep);
        if usize::from(cold.bound) > first {
            self.resize(class, bound);
        }
        len.saturating_sub(keep) * class::cut(class).block_len()
    }

    /// Gives everything back.
    pub(super) fn flush(&mut self) {
        for class in 0..CLASSES {
            self.cut_to(class, 0);
        }
        self.stocks().slot.give();
    }
}

/// Memory for an array, or a thread's slow side.
pub(super) fn take_scrap(len: usize) -> Option<NonNull<u8>> {
    let (source, all) = (&HEAP.source, &HEAP.territories);
    HEAP.ground.with(|ground| ground.take_scrap(source, all, len)).ok()
}

/// Gives such memory back.
///
/// # Safety
///
/// 1. `at` is from [`take_scrap`] for the same `len`, and nobody uses it any more.
pub(super) unsafe fn give_scrap(at: NonNull<u8>, len: usize) {
    // SAFETY: 1. the caller's.
    HEAP.ground.with(|ground| unsafe { ground.put_scrap(at, len) });
}
