//! Tests only: makes calls of a subject under a checker, as a checked replay does.

use super::{At, Checker, Limits, Violation};
use crate::subject::Subject;
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use std::alloc::Layout;
use std::sync::atomic::{AtomicU64, Ordering};

/// A live block of the driver's program.
#[derive(Debug)]
pub(crate) struct Held {
    slot: u32,
    ptr: *mut u8,
    layout: Layout,
}

// SAFETY: a block belongs to whoever holds it, not to a thread.
unsafe impl Send for Held {}

/// A subject, its checker and the count of calls made.
pub(crate) struct Driver<'a, S> {
    subject: &'a S,
    checker: Checker,
    records: AtomicU64,
}

impl<'a, S: Subject> Driver<'a, S> {
    pub(crate) fn new(subject: &'a S) -> Self {
        let limits = Limits { regions: subject.regions(), has_usable: true };
        Self { subject, checker: Checker::new(limits), records: AtomicU64::new(0) }
    }

    fn at(&self, thread: u32) -> At {
        // Relaxed: the counter orders nothing else.
        At { record: self.records.fetch_add(1, Ordering::Relaxed), thread }
    }

    pub(crate) fn allocate(&self, thread: u32, slot: u32, layout: Layout, zeroed: bool) -> Held {
        let at = self.at(thread);
        // SAFETY: the layout is not empty, the block is told to the checker alone, and `usable` is
        // asked of a live block.
        unsafe {
            let ptr = match zeroed {
                true => self.subject.alloc_zeroed(layout),
                false => self.subject.alloc(layout),
            };
            assert!(!ptr.is_null());
            let usable = self.subject.usable_size(ptr, layout);
            self.checker.allocated(at, slot, ptr, layout, zeroed, usable);
            Held { slot, ptr, layout }
        }
    }

    /// Frees a block and answers its slot, which may be used again.
    pub(crate) fn free(&self, thread: u32, held: Held) -> u32 {
        let at = self.at(thread);
        // SAFETY: `held` was live and is given up.
        unsafe {
            self.checker.freeing(at, held.slot);
            self.subject.dealloc(held.ptr, held.layout);
            self.checker.freed(at, held.slot);
        }
        held.slot
    }

    pub(crate) fn reallocate(&self, thread: u32, held: &mut Held, size: usize) {
        let at = self.at(thread);
        // SAFETY: `held` is live and `size` is not 0; see `allocate`.
        unsafe {
            self.checker.reallocating(at, held.slot, size);
            held.ptr = self.subject.realloc(held.ptr, held.layout, size);
            assert!(!held.ptr.is_null());
            held.layout = Layout::from_size_align(size, held.layout.align()).unwrap();
            let usable = self.subject.usable_size(held.ptr, held.layout);
            self.checker.reallocated(at, held.slot, held.ptr, size, usable);
        }
    }

    pub(crate) fn finish(&self) -> Vec<Violation> {
        // SAFETY: blocks of the subjects tested stay mapped as long as they are live.
        unsafe { self.checker.finish() }
    }
}

/// A program that allocates, reallocates and frees at random.
pub(crate) struct Program {
    random: Xoshiro256PlusPlus,
    pub(crate) held: Vec<Held>,
    slots: Vec<u32>,
}

impl Program {
    /// A program whose choices follow from `seed`, with slots of its own.
    pub(crate) fn new(seed: u64, slots: std::ops::Range<u32>) -> Self {
        let random = Xoshiro256PlusPlus::seed_from_u64(seed);
        Self { random, held: Vec::new(), slots: slots.rev().collect() }
    }

    fn size(&mut self) -> usize {
        match self.random.random_range(0..100) {
            0..70 => self.random.random_range(1..=200),
            70..95 => self.random.random_range(1..=9000),
            _ => self.random.random_range(1..=200_000),
        }
    }

    /// A block of the program, to do something with.
    pub(crate) fn pick(&mut self) -> Option<Held> {
        let count = self.held.len();
        (count > 0).then(|| self.held.swap_remove(self.random.random_range(0..count)))
    }

    /// Makes one call.
    pub(crate) fn step<S: Subject>(&mut self, driver: &Driver<'_, S>, thread: u32) {
        let choice = self.random.random_range(0..100);
        if (choice < 45 || self.held.is_empty())
            && let Some(slot) = self.slots.pop()
        {
            let align = if self.random.random_range(0..50) == 0 { 4096 } else { 16 };
            let layout = Layout::from_size_align(self.size(), align).unwrap();
            let zeroed = self.random.random_range(0..4) == 0;
            self.held.push(driver.allocate(thread, slot, layout, zeroed));
        } else if let Some(mut held) = self.pick() {
            if choice < 70 {
                let size = self.size();
                driver.reallocate(thread, &mut held, size);
                self.held.push(held);
            } else {
                self.free(driver, thread, held);
            }
        }
    }

    pub(crate) fn free<S: Subject>(&mut self, driver: &Driver<'_, S>, thread: u32, held: Held) {
        self.slots.push(driver.free(thread, held));
    }

    pub(crate) fn free_all<S: Subject>(&mut self, driver: &Driver<'_, S>, thread: u32) {
        while let Some(held) = self.held.pop() {
            self.free(driver, thread, held);
        }
    }
}
