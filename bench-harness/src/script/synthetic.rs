//! Synthetic loads: streams of events made by rule instead of recorded.
//!
//! Each is deterministic: the random ones draw from a generator with a fixed seed.

use crate::trace::{BlockId, Event, Op, ThreadId};
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// A synthetic load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Load {
    /// One block of 64 bytes at a time, allocated and freed.
    Pair,
    /// 16,384 live blocks of 16 B to 4 KiB, a random one replaced each time.
    LiveSet,
    /// One thread allocates messages, another frees them, at most 256 under way.
    ProducerConsumer,
    /// Vectors that grow by doubling from 64 B to 4 MiB, four at a time.
    VecGrowth,
}

impl Load {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Pair, Self::LiveSet, Self::ProducerConsumer, Self::VecGrowth];

    /// The name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pair => "pair-64",
            Self::LiveSet => "live-set",
            Self::ProducerConsumer => "producer-consumer",
            Self::VecGrowth => "vec-growth",
        }
    }

    /// What it does, in a line.
    pub fn explain(self) -> &'static str {
        match self {
            Self::Pair => "one 64-byte block at a time, allocated and freed",
            Self::LiveSet => "16,384 live blocks of 16 B to 4 KiB, a random one replaced each time",
            Self::ProducerConsumer => "one thread allocates messages, another frees them",
            Self::VecGrowth => "vectors that grow by doubling from 64 B to 4 MiB, four at a time",
        }
    }

    /// Whether it has more than one thread.
    pub fn threaded(self) -> bool {
        self == Self::ProducerConsumer
    }

    /// Its events.
    pub fn events(self) -> Vec<Event> {
        let mut load = Events::default();
        match self {
            Self::Pair => load.pair(100_000),
            Self::LiveSet => load.live_set(16_384, 100_000),
            Self::ProducerConsumer => load.producer_consumer(100_000, 256),
            Self::VecGrowth => load.vec_growth(200, 4),
        }
        load.events
    }
}

#[derive(Debug, Default)]
struct Events {
    events: Vec<Event>,
    allocated: [u64; 2],
    seq: u64,
}

impl Events {
    fn push(&mut self, thread: u32, op: Op) {
        self.seq += 2;
        let (seq, thread) = (self.seq, ThreadId(thread));
        self.events.push(Event { seq, nanos: seq * 50, thread, op });
    }

    fn allocate(&mut self, thread: u32, size: u64) -> BlockId {
        let nth = &mut self.allocated[thread as usize - 1];
        let block = BlockId { thread: ThreadId(thread), nth: *nth };
        *nth += 1;
        self.push(thread, Op::Allocate { block, size, align_log2: None, zeroed: false });
        block
    }

    fn free(&mut self, thread: u32, block: BlockId) {
        self.push(thread, Op::Free { block });
    }

    fn pair(&mut self, pairs: usize) {
        for _ in 0..pairs {
            let block = self.allocate(1, 64);
            self.free(1, block);
        }
    }

    fn live_set(&mut self, live: usize, replacements: usize) {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(1);
        // Every power of two from 16 to 2048 equally likely, then a uniform size up to the next.
        let mut size = move || {
            let power = 1_u64 << random.random_range(4..12);
            (power + random.random_range(0..power), random.random_range(0..live))
        };
        let mut blocks = Vec::with_capacity(live);
        for _ in 0..live {
            blocks.push(self.allocate(1, size().0));
        }
        for _ in 0..replacements {
            let (size, which) = size();
            self.free(1, blocks[which]);
            blocks[which] = self.allocate(1, size);
        }
        for block in blocks {
            self.free(1, block);
        }
    }

    fn producer_consumer(&mut self, messages: usize, under_way: usize) {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(2);
        let mut queue = std::collections::VecDeque::with_capacity(under_way);
        let root = self.allocate(1, 4096);
        self.push(1, Op::Spawn { child: ThreadId(2) });
        self.push(2, Op::Start);
        for _ in 0..messages {
            let size = random.random_range(16..512);
            queue.push_back(self.allocate(1, size));
            if queue.len() == under_way
                && let Some(block) = queue.pop_front()
            {
                self.free(2, block);
            }
        }
        for block in queue {
            self.free(2, block);
        }
        self.push(2, Op::Exit);
        self.push(1, Op::Join { child: ThreadId(2) });
        self.free(1, root);
    }

    fn vec_growth(&mut self, rounds: usize, at_a_time: usize) {
        for round in 0..rounds {
            let blocks: Vec<_> = (0..at_a_time).map(|_| self.allocate(1, 64)).collect();
            // Most vectors stay small: only each 16th round grows to the full 4 MiB.
            let last = if round % 16 == 0 { 22 } else { 7 + round as u32 % 10 };
            for power in 7..=last {
                for &block in &blocks {
                    let grown = Op::Reallocate {
                        block,
                        size: 1 << power,
                        began_seq_before: 1,
                        began_nanos_before: 40,
                    };
                    self.push(1, grown);
                }
            }
            for block in blocks {
                self.free(1, block);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_load_frees_all_that_it_allocates_and_nothing_else() {
        for load in Load::ALL {
            let mut live = HashSet::new();
            let mut seq = 0;
            for event in load.events() {
                assert!(event.seq > seq, "{}", load.name());
                seq = event.seq;
                match event.op {
                    Op::Allocate { block, .. } => assert!(live.insert(block)),
                    Op::Free { block } => assert!(live.remove(&block)),
                    Op::Reallocate { block, .. } => assert!(live.contains(&block)),
                    _ => {}
                }
            }
            assert!(live.is_empty(), "{}", load.name());
        }
    }
}
