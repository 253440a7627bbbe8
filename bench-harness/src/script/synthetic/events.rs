//! Events in the making: blocks and places in the global order are numbered here.

use crate::trace::{BlockId, Event, Op, ThreadId};
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// A stream that grows.
#[derive(Debug, Default)]
pub(super) struct Events {
    events: Vec<Event>,
    /// By thread, from 1: its allocations so far.
    allocated: Vec<u64>,
    seq: u64,
}

impl Events {
    pub(super) fn into_events(self) -> Vec<Event> {
        self.events
    }

    pub(super) fn push(&mut self, thread: u32, op: Op) {
        self.seq += 2;
        let (seq, thread) = (self.seq, ThreadId(thread));
        self.events.push(Event { seq, nanos: seq * 50, thread, op });
    }

    pub(super) fn allocate(&mut self, thread: u32, size: u64) -> BlockId {
        if self.allocated.len() <= thread as usize {
            self.allocated.resize(thread as usize + 1, 0);
        }
        let nth = &mut self.allocated[thread as usize];
        let block = BlockId { thread: ThreadId(thread), nth: *nth };
        *nth += 1;
        self.push(thread, Op::Allocate { block, size, align_log2: None, zeroed: false });
        block
    }

    pub(super) fn reallocate(&mut self, thread: u32, block: BlockId, size: u64) {
        let (began_seq_before, began_nanos_before) = (1, 40);
        self.push(thread, Op::Reallocate { block, size, began_seq_before, began_nanos_before });
    }

    pub(super) fn free(&mut self, thread: u32, block: BlockId) {
        self.push(thread, Op::Free { block });
    }

    pub(super) fn free_all(&mut self, thread: u32, blocks: impl IntoIterator<Item = BlockId>) {
        blocks.into_iter().for_each(|block| self.free(thread, block));
    }

    pub(super) fn spawn(&mut self, parent: u32, child: u32) {
        self.push(parent, Op::Spawn { child: ThreadId(child) });
        self.push(child, Op::Start);
    }

    pub(super) fn join(&mut self, parent: u32, child: u32) {
        self.push(child, Op::Exit);
        self.push(parent, Op::Join { child: ThreadId(child) });
    }
}

/// A stream of numbers, the same in every run.
pub(super) struct Dice(Xoshiro256PlusPlus);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    /// A number of `low..high`.
    pub(super) fn between(&mut self, low: u64, high: u64) -> u64 {
        self.0.random_range(low..high)
    }

    /// A place below `end`.
    pub(super) fn place(&mut self, end: usize) -> usize {
        self.0.random_range(0..end)
    }

    /// A number of 0 to 1, never 0.
    pub(super) fn share(&mut self) -> f64 {
        1.0 - self.0.random_range(0.0..1.0)
    }

    /// 2^b + U(2^b), every b of the range equally likely.
    pub(super) fn by_powers(&mut self, low: u32, high: u32) -> u64 {
        let power = 1 << self.0.random_range(low..high);
        power + self.between(0, power)
    }

    /// An order by chance.
    pub(super) fn shuffle<T>(&mut self, all: &mut [T]) {
        for index in (1..all.len()).rev() {
            all.swap(index, self.place(index + 1));
        }
    }
}
